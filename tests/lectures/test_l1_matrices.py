"""L1: a two-layer network with matrices, from plain nodes, held against the formulas in NumPy."""

import numpy as np
import pytest

import retrograd as rg

rng = np.random.default_rng(1)
M, D, H, C = 7, 5, 4, 3
X_VALUE, Y_VALUE = rng.normal(size=(M, D)), rng.normal(size=(M, C))
W_VALUE, V_VALUE = rng.normal(size=(D, H)), rng.normal(size=(H, C))


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


# f, f in NumPy, f' in NumPy
ACTIVATIONS = {
    "sigmoid": (rg.sigmoid, sigmoid, lambda v: sigmoid(v) * (1 - sigmoid(v))),
    "tanh": (rg.tanh, np.tanh, lambda v: 1 - np.tanh(v) ** 2),
    "relu": (rg.relu, lambda v: np.maximum(v, 0), lambda v: (v > 0).astype(float)),
    "identity": (lambda node: node, lambda v: v, np.ones_like),
}


class Network:
    """O = f(f(X W) W') as nodes, and J = 1/2 sum (Y - O)**2."""

    def __init__(self, f):
        self.X = rg.variable("X", X_VALUE)
        self.Y = rg.variable("Y", Y_VALUE)
        self.W = rg.variable("W", W_VALUE)
        self.V = rg.variable("W'", V_VALUE)
        self.Z = self.X @ self.W
        self.A = f(self.Z)
        self.G = self.A @ self.V
        self.O = f(self.G)
        self.J = 0.5 * rg.sum(rg.square(self.Y - self.O))


def formulas(f, slope):
    """The lecture's own lines."""
    Z = X_VALUE @ W_VALUE
    A = f(Z)
    G = A @ V_VALUE
    O = f(G)
    J = 0.5 * np.sum((Y_VALUE - O) ** 2)
    delta1 = -(Y_VALUE - O) * slope(G)
    dV = A.T @ delta1
    delta2 = (delta1 @ V_VALUE.T) * slope(Z)
    dW = X_VALUE.T @ delta2
    return Z, A, G, O, J, delta1, dV, delta2, dW


@pytest.fixture(params=ACTIVATIONS)
def case(request):
    f, numpy_f, slope = ACTIVATIONS[request.param]
    return Network(f), formulas(numpy_f, slope)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13 * np.max(np.abs(expected)))


def test_l1_1_feed_forward_is_two_products_and_two_maps(case):
    net, (Z, A, G, O, *_) = case
    for found, expected in zip(
        rg.evaluate([net.Z, net.A, net.G, net.O]), (Z, A, G, O), strict=True
    ):
        same(found, expected)


def test_l1_2_the_loss_is_half_the_sum_of_squares_over_the_examples(case):
    net, (_, _, _, _, J, *_) = case
    same(rg.evaluate(net.J), J)
    of_one = [0.5 * rg.sum(rg.square(net.Y[i] - net.O[i])) for i in range(M)]
    same(sum(rg.evaluate(of_one)), J)


def test_l1_2_as_a_mean_over_the_examples_the_gradients_carry_one_over_m(case):
    net, (*_, dV, _, dW) = case
    mean = net.J / float(M)
    for found, expected in zip(
        rg.evaluate(rg.gradient(mean, [net.W, net.V])), (dW, dV), strict=True
    ):
        same(found, expected / M)


def test_l1_4_the_gradient_with_respect_to_a_weight_matrix_has_its_shape(case):
    net, _ = case
    dW, dV = rg.gradient(net.J, [net.W, net.V])
    assert (dW.shape, dV.shape) == ((D, H), (H, C))
    assert rg.evaluate(dW).shape == (D, H)


def test_l1_5_the_output_layer(case):
    net, (*_, delta1, dV, _, _) = case
    found = rg.evaluate(rg.gradient(net.J, [net.G, net.V]))
    same(found[0], delta1)
    same(found[1], dV)


def test_l1_6_the_hidden_layer(case):
    net, (*_, delta2, dW) = case
    found = rg.evaluate(rg.gradient(net.J, [net.Z, net.W]))
    same(found[0], delta2)
    same(found[1], dW)


def test_l1_7_descending_until_the_gradient_no_longer_changes():
    """Feed forward, loss, gradients, update of every weight matrix, again and again."""
    net = Network(rg.tanh)
    dW, dV = rg.gradient(net.J, [net.W, net.V])
    step = rg.compile([net.J, net.W - 0.05 * dW, net.V - 0.05 * dV], [net.W, net.V])
    W, V, losses = W_VALUE, V_VALUE, []
    for _ in range(300):
        J, W, V = step(W, V)
        losses.append(J)
    assert losses[-1] < 0.5 * losses[0]
    assert abs(losses[-1] - losses[-2]) < 1e-2 * losses[0]
