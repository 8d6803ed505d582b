"""The gradient check passes what is right, and finds and names what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.numeric import extrapolate
from retrograd.errors import DataError, GraphError, OptionError, ShapeError, UnknownNameError
from retrograd.gates.arithmetic import ADD, SQUARE
from retrograd.gates.exponential import TANH
from retrograd.gates.kinks import RELU
from retrograd.gates.linear import MATMUL
from retrograd.graph.node import Gate, Node, apply

METHODS = ["complex", "central"]


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def network(activation: Callable[[Node], Node]) -> tuple[Node, dict[str, Node]]:
    """Softmax cross-entropy of 20 rows, 4 inputs, 5 hidden units, 3 classes."""
    weights = {
        "W": rg.variable("W", normal(4, 5, seed=1)),
        "b": rg.variable("b", normal(5, seed=2)),
        "V": rg.variable("V", normal(5, 3, seed=3)),
        "c": rg.variable("c", normal(3, seed=4)),
    }
    W, b, V, c = weights.values()
    logits = activation(normal(20, 4) @ W + b) @ V + c
    labels = np.random.default_rng(5).integers(0, 3, 20)
    return -rg.mean(rg.sum(rg.log_softmax(logits) * rg.one_hot(labels, 3), axis=1)), weights


def with_vjp(gate: Gate, vjp: Callable[..., tuple[Node | None, ...]]) -> Gate:
    """The gate with another rule, outside the table of gates."""
    return dataclasses.replace(gate, name=f"wrong_{gate.name}", vjp=vjp)


# What is right passes.


def test_the_lecture_function_takes_one_pass_an_entry():
    w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    result = rg.check_gradient((w + x * y) * z)
    assert result.ok
    assert (result.method, result.passes) == ("complex", 4)
    assert [v.largest for v in result.variables] == [4.0, 8.0, 12.0, 11.0]


@pytest.mark.parametrize("activation", [rg.tanh, rg.sigmoid, rg.softplus])
def test_a_smooth_network_is_checked_to_near_machine_precision(activation):
    result = rg.check_gradient(network(activation)[0])
    assert result.method == "complex"
    assert result.passes == 4 * 5 + 5 + 5 * 3 + 3
    assert result.max_relative_error < 1e-13


def test_a_network_with_kinks_is_checked_by_central_differences():
    result = rg.check_gradient(network(rg.relu)[0])
    assert result.method == "central"
    assert result.max_relative_error < 1e-7
    assert 6 * 43 <= result.passes <= 10 * 43


@pytest.mark.parametrize("seed", range(10))
def test_kinks_close_by_raise_no_false_alarm(seed):
    # 2000 pre-activations around 0: some kink lies within most first steps.
    x = normal(400, 5, seed=seed)
    W = rg.variable("W", normal(5, 5, seed=seed + 100))
    result = rg.check_gradient(rg.mean(rg.square(rg.relu(x @ W))), entries=6, seed=seed)
    assert result.ok, str(result)


CASES: dict[str, Callable[[Node], Node]] = {
    "arithmetic": lambda x: (x + 2.0) * x / (x - 7.0) - x,
    "power": lambda x: (x * x + 1.0) ** 1.7,
    "power of negatives": lambda x: x**101,
    "power in both": lambda x: (x * x + 0.5) ** x,
    "sqrt": lambda x: rg.sqrt(x * x + 1.0),
    "exp and log": lambda x: rg.log(rg.exp(x) + 1.0) + rg.log1p(x * x) + rg.expm1(x),
    "tanh, saturated": lambda x: rg.tanh(15.0 * x),
    "sigmoid, saturated": lambda x: rg.sigmoid(30.0 * x),
    "softplus at 0": lambda x: rg.softplus(x - normal(2, 3, seed=7)),
    "softmax": lambda x: rg.softmax(x) * [[1.0, 2.0, 4.0]],
    "log_softmax": lambda x: rg.log_softmax(20.0 * x)[:, 1],
    "logsumexp": lambda x: rg.logsumexp(x, axis=0),
    "matmul": lambda x: x @ x.T,
    "layout": lambda x: rg.concatenate([rg.reshape(x.T, (2, 3)), x * x]),
    "slices": lambda x: x[:, ::2] * x[1, 1:],
    "take": lambda x: rg.take(x, [[1, 0], [1, 1]]) * rg.take(x, [0, 2, 0], axis=1)[0, 0],
    "reductions": lambda x: rg.mean(x, axis=0) * rg.sum(x, axis=1, keepdims=True),
    "abs, sign": lambda x: rg.abs(x) + rg.sign(x),
    "maximum, minimum": lambda x: rg.maximum(x, 0.1 * x) * rg.minimum(x, 0.5),
    "max, min": lambda x: rg.max(x, axis=1) * rg.min(x, axis=0)[0],
    "where": lambda x: rg.where(x > 0.0, x * x, rg.exp(x)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_gate_passes(case):
    x = rg.variable("x", normal(2, 3, seed=7))
    y = CASES[case](x)
    weights = normal(*y.shape, seed=8)
    result = rg.check_gradient(rg.sum(y * weights))
    assert result.ok, str(result)


@pytest.mark.parametrize("activation", [rg.tanh, rg.relu])
def test_a_second_derivative_passes(activation):
    J, weights = network(activation)
    (dW,) = rg.gradient(J, [weights["W"]])
    assert rg.check_gradient(rg.sum(dW * normal(4, 5, seed=9)), entries=8).ok


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_that_is_zero_up_to_rounding_passes(method):
    x = rg.variable("x", normal(5))
    assert rg.check_gradient(rg.sum(rg.softmax(x)), method=method).ok
    # The sum of softmax(x) - y is 0 for every x: a cancelled second derivative.
    J = rg.logsumexp(x) - x[2]
    assert rg.check_gradient(rg.sum(rg.gradient(J, x)), method=method).ok


def test_float32_graphs_are_checked_in_float64():
    W = rg.variable("W", normal(3, 2), dtype=np.float32)
    J = rg.mean(rg.square(rg.cast(rg.tanh(normal(4, 3) @ W), np.float32) * 0.1))
    assert J.dtype == np.float32
    assert rg.check_gradient(J).max_relative_error < 1e-13


def test_rows_get_their_values_and_their_gradient_checked():
    X = rg.variable("X", shape=(rg.rows, 3))
    W = rg.variable("W", normal(3, 2))
    result = rg.check_gradient(rg.mean(rg.tanh(X @ W)), values={X: normal(4, 3)})
    assert result.ok
    assert {v.name: v.shape for v in result.variables} == {"X": (4, 3), "W": (3, 2)}


def test_whole_number_variables_are_left_alone():
    labels = rg.variable("labels", [0, 2], dtype=np.int64)
    W = rg.variable("W", normal(2, 3))
    result = rg.check_gradient(-rg.sum(rg.log_softmax(W) * rg.one_hot(labels, 3)))
    assert result.ok
    assert [v.name for v in result.variables] == ["W"]


def test_a_variable_that_the_output_does_not_need_has_gradient_zero():
    x, y = rg.variable("x", 2.0), rg.variable("y", 3.0)
    result = rg.check_gradient(x * x, [x, y])
    assert result.ok
    assert [v.largest for v in result.variables] == [4.0, 0.0]


def test_entries_draws_some_of_each_variable_by_the_seed():
    x = rg.variable("x", normal(100))
    result = rg.check_gradient(rg.sum(rg.tanh(x)), entries=7)
    assert (result.variables[0].entries, result.passes) == (7, 7)


def test_the_values_of_the_variables_are_left_as_they_were():
    x, given = rg.variable("x", shape=(3,)), np.array([1.0, 2.0, 3.0])
    rg.check_gradient(rg.sum(rg.relu(x)), values={x: given})
    np.testing.assert_array_equal(given, [1.0, 2.0, 3.0])


# What is wrong is found, and named.


@pytest.mark.parametrize("gate", [TANH, RELU], ids=["analytic", "not analytic"])
@pytest.mark.parametrize("factor", [1.001, -1.0, 0.0])
def test_a_wrong_factor_is_found(gate, factor):
    wrong = with_vjp(gate, lambda dy, y, x: (gate.vjp(dy, y, x)[0] * factor,))
    J, _ = network(lambda z: apply(wrong, z))
    result = rg.check_gradient(J)
    assert not result.ok
    assert {v.name for v in result.variables if v.max_relative_error > 1e-5} == {"W", "b"}
    error = abs(1.0 - factor) / max(1.0, abs(factor))  # relative to the larger of the two
    assert result.max_relative_error == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("activation", [rg.tanh, rg.relu])
def test_a_missing_transposition_is_found(activation):
    wrong = with_vjp(MATMUL, lambda dy, y, x, w: (dy @ w, x.T @ dy))
    x, W, V = (rg.variable(n, normal(3, 3, seed=i)) for i, n in enumerate("xWV"))
    result = rg.check_gradient(rg.sum(rg.square(apply(wrong, activation(x @ W), V))))
    assert not result.ok
    assert {v.name for v in result.variables if v.max_relative_error > 1e-5} == {"x", "W"}


@pytest.mark.parametrize("activation", [rg.tanh, rg.relu])
def test_a_missing_sum_over_what_was_broadcast_is_found(activation):
    # The right rule returns dy for `gradient` to sum over the rows; this one takes the first row.
    wrong = with_vjp(ADD, lambda dy, y, a, b: (dy, dy[0]))
    W, b = rg.variable("W", normal(3, 2)), rg.variable("b", normal(2))
    result = rg.check_gradient(rg.sum(rg.square(activation(apply(wrong, normal(4, 3) @ W, b)))))
    assert not result.ok
    assert result.worst.variable == "b"
    assert result.variables[0].max_relative_error < 1e-7


@pytest.mark.parametrize("gate", [TANH, RELU], ids=["analytic", "not analytic"])
def test_one_wrong_entry_is_named_by_its_index(gate):
    off = np.zeros((3, 4))
    off[2, 1] = 1e-3
    wrong = with_vjp(gate, lambda dy, y, x: (gate.vjp(dy, y, x)[0] + off,))
    x = rg.variable("x", np.abs(normal(3, 4)))
    worst = rg.check_gradient(rg.sum(apply(wrong, x))).worst
    assert (worst.variable, worst.index) == ("x", (2, 1))
    assert worst.analytic - worst.numeric == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_entry_that_is_not_finite_is_named_even_where_not_drawn(method, value):
    bad = np.zeros(50)
    bad[31] = value
    wrong = with_vjp(TANH, lambda dy, y, x: (dy * (1.0 - y * y) + bad,))
    x = rg.variable("x", normal(50))
    result = rg.check_gradient(rg.sum(apply(wrong, x)), method=method, entries=2)
    assert not result.ok
    assert result.max_relative_error == np.inf
    assert result.worst.index == (31,)


@pytest.mark.parametrize("method", METHODS)
def test_an_output_that_is_not_finite_is_an_error_and_no_accusation(method):
    x = rg.variable("x", -1.0)
    with pytest.raises(DataError, match="log \\(\\) is nan at these values"):
        rg.check_gradient(rg.log(x), method=method)


def test_gradients_by_hand_are_checked_in_place_of_backpropagation():
    x, W = rg.constant(normal(4, 3)), rg.variable("W", normal(3, 2))
    J = rg.sum(rg.square(x @ W)) / 2.0
    right = x.T @ (x @ W)
    assert rg.check_gradient(J, gradients={W: right}).ok
    assert rg.check_gradient(J, gradients={W: rg.evaluate(right)}).ok
    assert not rg.check_gradient(J, gradients={W: 1.001 * right}).ok


# At kinks there is no derivative.


def test_entries_at_a_kink_are_counted_and_not_judged():
    x = rg.variable("x", [0.0, 1.0, -1.0])
    result = rg.check_gradient(rg.sum(rg.relu(x)))
    assert result.ok
    assert (result.variables[0].kinks, result.variables[0].entries) == (1, 3)


def test_a_check_in_which_all_entries_lie_at_kinks_is_an_error():
    x = rg.variable("x", np.zeros(3))
    with pytest.raises(DataError, match="no derivative here"):
        rg.check_gradient(rg.sum(rg.abs(x)))


KINKED: dict[str, Callable[[Node], Node]] = {
    "relu(x) - relu(-x)": lambda x: rg.relu(x) - rg.relu(-x),
    "maximum(x, -x) + minimum(x, -x)": lambda x: rg.maximum(x, -x) + rg.minimum(x, -x),
    "x as the sum of two relus": lambda x: rg.relu(2.0 * x) - 2.0 * rg.relu(-x),
}


@pytest.mark.parametrize("case", KINKED)
def test_kinks_that_meet_and_cancel_raise_no_false_alarm(case):
    x = rg.variable("x", [0.0, 1.5, 0.0, -2.0])
    result = rg.check_gradient(rg.sum(KINKED[case](x) * [1.0, 2.0, 3.0, 4.0]))
    assert result.ok, str(result)
    assert result.variables[0].kinks in (0, 2)


def test_a_wrong_rule_is_found_beside_kinks_that_cancel():
    wrong = with_vjp(RELU, lambda dy, y, x: (RELU.vjp(dy, y, x)[0] * 1.01,))
    x = rg.variable("x", [0.0, 1.5])
    result = rg.check_gradient(rg.sum(apply(wrong, x) - apply(wrong, -x)))
    assert not result.ok and result.variables[0].kinks == 0


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kink_elsewhere_excuses_no_wrong_gradient_at_the_end_of_a_domain(seed):
    # Beside x, below 0, there is no sqrt(x): nothing to compare with is no proof that it is right.
    a, x, b = rg.variable("a", 0.0), rg.variable("x", 1e-4), rg.variable("b", 3.0)
    f = rg.relu(a) + rg.sqrt(x) + b * b
    by_hand = {a: 0.0, x: 1.0 / rg.sqrt(x), b: 2.0 * b}
    result = rg.check_gradient(f, gradients=by_hand, seed=seed)
    assert not result.ok and result.worst.variable == "x"
    alone = rg.check_gradient(rg.relu(a) + rg.sqrt(x), [x], gradients={x: by_hand[x]}, seed=seed)
    assert not alone.ok
    assert rg.check_gradient(f, gradients={**by_hand, x: 0.5 / rg.sqrt(x)}, seed=seed).ok


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kink_elsewhere_excuses_no_rule_that_is_wrong_at_this_point_alone(seed):
    wrong = with_vjp(TANH, lambda dy, y, x: (rg.where(rg.equal(x, 2.0), 0.0, dy * (1.0 - y * y)),))
    a, x = rg.variable("a", [0.0]), rg.variable("x", [2.0, 1.0])
    J = rg.sum(rg.relu(a)) + rg.sum(apply(wrong, x))
    result = rg.check_gradient(J, seed=seed, method="central")
    assert not result.ok and result.worst.index == (0,)
    assert result.variables[0].kinks == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_that_is_wrong_on_one_side_of_a_kink_is_found(seed):
    wrong = with_vjp(SQUARE, lambda dy, y, x: (3.0 * dy * x,))
    x = rg.variable("x", [1.0, 5.0])
    # x**2 up to 1, and on from there with the same slope: smooth, of two pieces.
    J = rg.sum(rg.where(x <= 1.0, apply(wrong, x), 2.0 * x - 1.0))
    result = rg.check_gradient(J, seed=seed)
    assert not result.ok and result.worst.index == (0,)
    assert result.gates == ("wrong_square",)


def test_a_wrong_rule_is_found_where_every_entry_lies_at_its_kink():
    wrong = with_vjp(RELU, lambda dy, y, x: (RELU.vjp(dy, y, x)[0] * 2.0,))
    x, y = rg.variable("x", np.zeros(3)), rg.variable("y", [1.0, 2.0, 3.0])
    result = rg.check_gradient(rg.sum(apply(wrong, x)) + rg.sum(y * y))
    assert not result.ok and result.worst.variable == "x"
    assert (result.worst.analytic, result.worst.numeric) == (2.0, pytest.approx(1.0))
    assert result.gates == ("wrong_relu",)


@pytest.mark.parametrize("seed", SEEDS)
def test_among_many_kinks_a_right_gradient_passes_and_a_wrong_one_does_not(seed):
    rng = np.random.default_rng(seed)
    # Whole numbers: many a sum is exactly 0, or the same as another.
    X, T = rng.integers(-1, 2, (6, 3)) * 1.0, rng.normal(size=(6, 2))
    W = rg.variable("W", rng.integers(-1, 2, (3, 4)) * 1.0)
    b, V = rg.variable("b", np.zeros(4)), rg.variable("V", rng.normal(size=(4, 2)))

    def loss(relu: Any) -> Node:
        z = X @ W + b
        return rg.sum((relu(z) - relu(-z)) @ V * T) + rg.sum(rg.abs(z @ V) * rg.maximum(z @ V, T))

    right = rg.check_gradient(loss(rg.relu), seed=seed)
    assert right.ok, str(right)
    assert sum(v.kinks for v in right.variables) > 0
    factor = 1.0 + 1e-4 * rng.choice([-1.0, 1.0])
    wrong = with_vjp(RELU, lambda dy, y, x: (RELU.vjp(dy, y, x)[0] * factor,))
    assert not rg.check_gradient(loss(lambda z: apply(wrong, z)), seed=seed).ok


# The gate to blame.


@pytest.mark.parametrize("activation", [rg.tanh, rg.relu])
@pytest.mark.parametrize("gate", [TANH, RELU, MATMUL, ADD], ids=lambda gate: gate.name)
def test_the_gate_whose_derivative_is_wrong_is_named(gate, activation):
    def halved(dy, y, *inputs):
        return tuple(0.5 * dx for dx in gate.vjp(dy, y, *inputs))

    wrong = with_vjp(gate, halved)
    x, W, V = (rg.variable(n, normal(3, 3, seed=i)) for i, n in enumerate("xWV"))
    a = activation(x @ W + 0.1)
    b = apply(wrong, a, V) if gate in (MATMUL, ADD) else apply(wrong, a)
    result = rg.check_gradient(rg.mean(rg.square(rg.softplus(b) @ V)))
    assert result.gates == (f"wrong_{gate.name}",)
    assert str(result).endswith(f"wrong: the derivative of the gate wrong_{gate.name}")


@pytest.mark.parametrize("seed", range(10))
def test_a_gate_that_is_wrong_for_few_values_is_named(seed):
    wrong = with_vjp(SQUARE, lambda dy, y, x: (dy * rg.where(x > 2.0, 3.0 * x, 2.0 * x),))
    values = np.random.default_rng(seed).uniform(-1.0, 1.0, 400)
    values[seed * 7] = 2.5
    x = rg.variable("x", values)
    result = rg.check_gradient(rg.sum(rg.tanh(apply(wrong, x)) * 2.0))
    assert not result.ok and result.gates == ("wrong_square",)


def test_of_a_right_gradient_no_gate_is_to_blame():
    assert rg.check_gradient(network(rg.relu)[0]).gates == ()


# The result, and the errors.


def test_printed_it_is_a_table_with_the_worst_entry():
    wrong = with_vjp(TANH, lambda dy, y, x: (dy * y,))
    x, y = rg.variable("x", [0.5, 0.1]), rg.variable("y", 2.0)
    lines = str(rg.check_gradient(rg.sum(apply(wrong, x)) * y)).splitlines()
    assert lines[0] == (
        "the gradient DISAGREES with the complex step (tolerance 1e-10, 3 forward passes)"
    )
    assert lines[2].split()[:4] == ["x", "(2,)", "2", "0"]
    assert lines[2].endswith("<- wrong")
    assert lines[3].split()[0] == "y"
    assert lines[4].startswith("worst: x[1]: analytic 0.1993359892, numeric 1.980132582,")


def test_an_output_that_is_no_scalar_is_an_error_that_says_what_to_do():
    x = rg.variable("x", [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"x \(2,\) is not a scalar.*rg\.sum"):
        rg.check_gradient(x)


def test_a_missing_value_is_named():
    X = rg.variable("X", shape=(rg.rows, 2))
    with pytest.raises(GraphError, match=r"X \(rows, 2\) needs a value"):
        rg.check_gradient(rg.sum(X))


def test_the_complex_step_is_refused_where_a_gate_is_not_analytic():
    x = rg.variable("x", [1.0, 2.0])
    with pytest.raises(GraphError, match=r"relu \(2,\) is not.*central"):
        rg.check_gradient(rg.sum(rg.relu(x)), method="complex")


def test_a_gradient_of_another_shape_is_an_error():
    x = rg.variable("x", [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"gradient of x has shape \(3,\), x has \(2,\)"):
        rg.check_gradient(rg.sum(x), gradients={x: np.ones(3)})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "forward"}, UnknownNameError, "known: auto, central, complex"),
        ({"entries": 0}, OptionError, "entries must be an integer of at least 1, got 0"),
        ({"tolerance": 0.0}, OptionError, "tolerance must be in"),
        ({"wrt": [rg.constant(1.0)]}, GraphError, "only floating variables"),
        ({"values": {"x": 1.0}}, GraphError, "values are for variables"),
        ({"gradients": {}}, DataError, "no derivative here"),
    ],
)
def test_a_wrong_argument_is_an_error(options, error, message):
    x = rg.variable("x", 1.0)
    with pytest.raises(error, match=message):
        rg.check_gradient(x * x, **options)


def test_something_that_is_no_node_is_an_error():
    with pytest.raises(GraphError, match="a scalar node, a network or a fitted estimator"):
        rg.check_gradient(1.0)


def test_values_in_the_place_of_variables_are_an_error():
    x = rg.variable("x", 1.0)
    with pytest.raises(GraphError, match="give a dict by variable as `values`"):
        rg.check_gradient(x * x, {x: 3.0})


def test_text_as_a_value_is_an_error():
    x = rg.variable("x", 1.0)
    with pytest.raises(DataError, match="x: expected real numbers"):
        rg.check_gradient(x * x, values={x: "one"})


def test_extrapolation_prefers_the_steps_that_agree():
    # Slopes of 3 + h at small steps, spoilt by a kink inside the two largest.
    steps = [4.0**-k for k in range(6)]
    slopes = [7.0, 9.0, *(3.0 + h for h in steps[2:])]
    limit = extrapolate(slopes, [0.0] * 6)
    assert limit.value == pytest.approx(3.0, abs=1e-12)
