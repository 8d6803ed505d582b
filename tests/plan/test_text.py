"""A program as text: golden texts, and formulas that group as the graph does."""

from __future__ import annotations

import re
import textwrap

import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.step import Step
from retrograd.nn.losses import find_loss
from retrograd.plan.schedule import plan
from retrograd.plan.text import as_text
from retrograd.training.step import objective, training_steps

ROWS = {"a": rg.variable("a", shape=(rg.rows, 2)), "b": rg.variable("b", shape=(rg.rows, 2))}
a, b = ROWS.values()


def text_of(*outputs: rg.Node, **given: rg.Node) -> str:
    named = {f"y{i}": node for i, node in enumerate(outputs)}
    return as_text(plan(Step(ROWS, given, named)))


def formula(output: rg.Node) -> str:
    """The only formula of a program of one kernel."""
    (line,) = [line for line in text_of(output).splitlines() if line.startswith("  y0 = ")]
    return line.removeprefix("  y0 = ").partition("   ")[0]


def training_text() -> str:
    net = rg.MLP([3, 4, 2], activation="tanh", dtype="float32")
    loss = find_loss("half_squared_error", net)
    target = loss.target(np.zeros((5, 2)), 2, np.dtype("float32"))
    J = objective(net, loss, target, is_penalised=False)
    return as_text(plan(training_steps(J, rg.SGD(0.1, momentum=0.9))["train"]))


def test_a_function_is_shown_whole():
    w, x = rg.variable("w", shape=(2, 3)), a
    W_next = w - 0.5 * (x.T @ rg.tanh(x @ w))
    program = plan(Step({"x": x}, {"w": w}, {"J": rg.sum(rg.square(w))}, {}, {"w": W_next}))
    assert (
        as_text(program)
        == textwrap.dedent("""
        3 kernels for 7 gates; 3 values go to memory
        inputs    a  (rows, 2) float64
        state     w  (2, 3) float64

        kernel 0: matmul (rows, 3), fused with tanh
          %0 = tanh(a @ w)                                        (rows, 3) float64  -> slot 0

        kernel 1: sum (), fused with square
          J = sum(square(w), axes=(0, 1))                         () float64  -> output

        kernel 2: matmul (2, 3), fused with multiply, subtract
          w' = w - 0.5 * (a.T @ %0)                               (2, 3) float64  -> state
    """).strip()
    )


def test_an_update_is_fused_with_the_product_that_makes_its_gradient():
    lines = training_text().splitlines()
    (update,) = [line for line in lines if line.startswith("  W1' = ")]
    before = lines[: lines.index(update)]
    headline = [line for line in before if line.startswith("kernel")][-1]
    assert re.fullmatch(r"kernel \d+: matmul \(3, 4\), fused with .*", headline)
    kernel = before[before.index(headline) :]
    assert any("x.T @ " in line for line in kernel)
    assert any(line.startswith("  velocity_of_W1' = ") for line in kernel)
    assert update.endswith("-> state")


def test_the_text_is_the_same_each_time_a_program_is_made():
    assert training_text() == training_text()


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (a - (b - a), "a - (b - a)"),
        ((a - b) - a, "a - b - a"),
        (a + b * a, "a + b * a"),
        ((a + b) * a, "(a + b) * a"),
        (a / (b * a), "a / (b * a)"),
        (-(a + b), "-(a + b)"),
        (-(a**3.0), "-a ** 3"),
        ((-a) ** 3.0, "(-a) ** 3"),
        ((a**b) ** a, "(a ** b) ** a"),
        (a ** (b**a), "a ** (b ** a)"),
        (a * -2.0, "a * -2"),
        (rg.where(a + b > b, a, -1.0), "where(a + b > b, a, -1)"),
        (rg.cast(a * b, "float32"), "float32(a * b)"),
        (a / rg.row_count(), "a / float64(rows)"),
        (rg.maximum(a, b + 1.0), "maximum(a, b + 1)"),
    ],
)
def test_a_formula_groups_as_the_graph_does(node: rg.Node, expected: str):
    assert formula(node) == expected


def test_broadcasting_is_said_only_where_no_gate_does_it_anyway():
    v = rg.variable("v", np.ones(2))
    assert formula(a * rg.reshape(v, (1, 2))) == "a * v"
    assert formula(rg.sum(rg.broadcast_to(v, (3, 2)))) == (
        "sum(broadcast_to(v, shape=(3, 2)), axes=(0, 1))"
    )


def test_two_variables_of_one_name_are_told_apart():
    one, two = rg.variable("w of x", 1.0), rg.variable("w of x", 2.0)
    assert formula(a * one - two) == "a * w_of_x - w_of_x_2"


def test_a_long_formula_is_cut_into_named_pieces():
    total = a
    for i in range(60):
        total = rg.tanh(total + float(i))
    lines = text_of(total).splitlines()
    assert max(map(len, lines)) < 120
    assert [line for line in lines if line.startswith("  %3 = ")]


def test_arrays_of_the_program_itself_are_listed():
    text = text_of(a * np.array([2.0, 3.0]))
    assert "constants constant  (2,) float64" in text and "y0 = a * constant " in text
