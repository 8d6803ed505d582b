"""L2: why backpropagation, and the scalar chain with one unit per layer."""

import itertools

import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.order import flops


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


# g, g in NumPy, g' in NumPy
ACTIVATIONS = {
    "tanh": (rg.tanh, np.tanh, lambda v: 1 - np.tanh(v) ** 2),
    "sigmoid": (rg.sigmoid, sigmoid, lambda v: sigmoid(v) * (1 - sigmoid(v))),
    "softplus": (rg.softplus, lambda v: np.log1p(np.exp(v)), sigmoid),
    "relu": (rg.relu, lambda v: max(v, 0.0), lambda v: float(v > 0)),
    "identity": (lambda node: node, lambda v: v, lambda v: 1.0),
}
X, Y = 0.7, -0.3


def chain(g, weights):
    """J = 1/2 (yhat - y)**2 of a chain, with its nodes: weights, z and a."""
    a = [rg.variable("x", X)]
    w = [rg.variable(f"w{k}", value) for k, value in enumerate(weights, 1)]
    z = []
    for weight in w:
        z.append(weight * a[-1])
        a.append(g(z[-1]))
    return 0.5 * rg.square(a[-1] - Y), w, z, a


def recursion(g, slope, weights):
    """The lecture's recursion: deltas, errors and weight gradients, from the last layer back."""
    a, z = [X], []
    for w in weights:
        z.append(w * a[-1])
        a.append(g(z[-1]))
    e = a[-1] - Y
    deltas, errors, gradients = [], [e], []
    for k in reversed(range(len(weights))):
        delta = slope(z[k]) * e
        gradients.append(a[k] * delta)
        e = weights[k] * delta
        deltas.append(delta)
        errors.append(e)
    return deltas[::-1], errors[::-1], gradients[::-1]


def weights_of(n):
    return np.random.default_rng(n).uniform(0.5, 1.5, n)


def test_l2_1_finite_differences_agree_and_cost_a_forward_pass_for_each_weight():
    n = 12
    weights = weights_of(n)
    J, w, _, _ = chain(rg.tanh, weights)
    forward, found = rg.compile([J], w), rg.evaluate(rg.gradient(J, w))
    h, base, passes = 1e-6, forward(*weights)[0], 1
    for k in range(n):
        nudged = weights.copy()
        nudged[k] += h
        assert (forward(*nudged)[0] - base) / h == pytest.approx(found[k], rel=1e-4, abs=1e-8)
        passes += 1
    assert passes == n + 1


@pytest.mark.parametrize("n", [100, 1000])
def test_l2_2_one_backward_pass_serves_every_weight(n):
    """100 weights: n + 1 forward passes against at most 3, about 50 and 500 times with 2."""
    J, w, _, _ = chain(rg.tanh, np.ones(n))
    forward = flops([J])
    both = flops([J, *rg.gradient(J, w)])
    assert (n + 1) * forward / both > n / 3


def test_l2_3_the_delta_rule_of_a_linear_unit_is_input_times_error():
    a, y = np.array([1.0, -2.0, 0.5]), 0.25
    w = rg.variable("w", [0.3, 0.1, -0.4])
    J = 0.5 * rg.square(w @ a - y)
    e = w.value @ a - y
    np.testing.assert_allclose(rg.evaluate(rg.gradient(J, w)), a * e, rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_l2_4_the_delta_rule_of_a_non_linear_unit_carries_the_slope(name):
    g, numpy_g, slope = ACTIVATIONS[name]
    a, y = np.array([1.0, -2.0, 0.5]), 0.25
    w = rg.variable("w", [0.9, 0.1, -0.4])
    J = 0.5 * rg.square(g(w @ a) - y)
    z = w.value @ a
    expected = a * (numpy_g(z) - y) * slope(z)
    np.testing.assert_allclose(rg.evaluate(rg.gradient(J, w)), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_l2_5_the_sweep_of_a_chain_is_the_lectures_recursion(name, n):
    g, numpy_g, slope = ACTIVATIONS[name]
    weights = weights_of(n)
    J, w, z, a = chain(g, weights)
    deltas, errors, gradients = recursion(numpy_g, slope, weights)
    for nodes, expected in [(w, gradients), (z, deltas), (a, errors)]:
        np.testing.assert_allclose(
            rg.evaluate(rg.gradient(J, nodes)), expected, rtol=1e-11, atol=1e-300
        )


def test_l2_6_an_update_moves_each_weight_against_its_gradient():
    J, w, _, _ = chain(rg.tanh, weights_of(4))
    step = rg.compile([J, *(x - 0.1 * d for x, d in zip(w, rg.gradient(J, w), strict=True))], w)
    values = [x.value for x in w]
    losses = []
    for _ in range(200):
        loss, *values = step(*values)
        losses.append(loss)
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.05 * losses[0]
