"""Kernels that go row by row: what joins them, what does not, and which of them are refused."""

from dataclasses import replace

import pytest

import retrograd as rg
from retrograd.errors import GraphError
from retrograd.graph.step import Step
from retrograd.plan.by_row import LONGEST, sweeps
from retrograd.plan.schedule import plan
from retrograd.plan.verify import verify
from tests.plan.steps import array


def program_of(make, n=5, **more):
    x = array("x", rg.rows, n)
    outputs = make(x)
    named = {f"y{i}": y for i, y in enumerate(outputs)}
    return plan(Step({"x": x, **more}, {}, named))


def by_row(program):
    return [kernel for kernel in program.kernels if kernel.is_by_row]


def normalised(x):
    centered = x - rg.mean(x, 1, keepdims=True)
    return centered / rg.sqrt(rg.mean(rg.square(centered), 1, keepdims=True) + 1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: [rg.softmax(x)],
        lambda x: [rg.log_softmax(x), rg.logsumexp(x, 1)],
        lambda x: [normalised(x)],
        lambda x: [rg.gradient(rg.sum(rg.exp(normalised(x))), x)],
        lambda x: [normalised(rg.exp(x))],  # what comes before is a map at first
        lambda x: [rg.gradient(-rg.sum(rg.square(rg.log_softmax(x))), x)],
    ],
)
def test_a_chain_of_reductions_of_rows_is_one_kernel(make):
    (kernel,) = program_of(make).kernels
    assert kernel.is_by_row and kernel.heavy is None


def test_a_softmax_takes_its_exponentials_once():
    x, label = array("x", rg.rows, 5), rg.variable("label", shape=(rg.rows,), dtype="int64")
    J = -rg.sum(rg.one_hot(label, 5, "float32") * rg.log_softmax(x))
    program = plan(Step({"x": x, "label": label}, {}, {"J": J, "g": rg.gradient(J, x)}))
    gates = [node.gate.name for kernel in program.kernels for node in kernel.body]
    assert gates.count("exp") == 1


@pytest.mark.parametrize(
    "make, n",
    [
        (lambda x: [rg.sum(rg.square(x), 1)], 5),  # alone, it gains nothing
        (lambda x: [rg.softmax(x)], LONGEST + 1),
        (lambda x: [rg.softmax(x)], 1),
        (lambda x: [rg.softmax(x, 0)], 5),
        (lambda x: [rg.softmax(x, (0, 1))], 5),
        (lambda x: [rg.softmax(rg.reshape(x, (rg.rows, 2, 3)), 1)], 6),
        (lambda x: [rg.sum(x, 1) + rg.sum(rg.square(x[:, 1:]), 1)], 5),
    ],
)
def test_what_does_not_fit_is_as_without_such_kernels(make, n):
    assert not by_row(program_of(make, n))


def test_a_reduction_that_waits_for_another_kernel_opens_a_kernel_of_its_own():
    W = rg.constant(rg.evaluate(rg.normal((5, 5), seed=1)).astype("float32"))
    x = array("x", rg.rows, 5)
    y = rg.softmax(rg.softmax(x) @ W)
    program = plan(Step({"x": x}, {}, {"y": y}))
    assert [kernel.is_by_row for kernel in program.kernels] == [True, False, True]


def test_two_heads_share_a_kernel_where_their_columns_are_as_many():
    program = program_of(lambda x: [rg.softmax(x), rg.softmax(-x)])
    assert len(program.kernels) == 1


def test_a_sweep_needs_only_what_those_before_it_reduced():
    x = array("x", rg.rows, 5)
    (kernel,) = plan(Step({"x": x}, {}, {"y": rg.softmax(x)})).kernels
    largest, total, last = sweeps(kernel)
    assert [node.gate.name for node in largest.reductions] == ["max"]
    assert [node.gate.name for node in total.reductions] == ["sum"]
    assert [node.gate.name for node in total.kept] == ["exp"]
    assert last.kept == list(kernel.stores) and not last.reductions


# Illegal programs.


def changed(program, **parts):
    return replace(program, kernels=(replace(program.kernels[0], **parts),))


def test_a_kernel_over_rows_reduces_only_rows_of_its_space():
    program = program_of(lambda x: [rg.softmax(x)])
    with pytest.raises(GraphError, match=r"kernel 0 goes over rows \(rows, 6\), it cannot compute"):
        verify(changed(program, space=(rg.rows, 6)))


def test_a_kernel_over_rows_is_said_to_be_one():
    program = program_of(lambda x: [rg.softmax(x)])
    with pytest.raises(GraphError, match=r"kernel 0 computes .*made around"):
        verify(changed(program, is_by_row=False))


def test_a_kernel_over_rows_needs_no_other_row():
    program = program_of(lambda x: [x[:, ::-1] * 2.0])
    with pytest.raises(GraphError, match=r"kernel 0 of rows .* row by row"):
        verify(changed(program, is_by_row=True, space=(rg.rows, 5)))
