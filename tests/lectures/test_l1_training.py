"""The rows of LECTURES.md that are about networks and training, one test each or more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.gradient import gradient
from retrograd.errors import ShapeError
from retrograd.graph.node import variable
from retrograd.graph.order import flops
from retrograd.graph.shape import rows
from retrograd.nn.losses import find_loss
from retrograd.training.rows import check_rows
from retrograd.training.session import TrainingSession
from retrograd.training.step import objective, training_steps

RNG = np.random.default_rng(21)
m, d, h, c = 9, 4, 5, 3
X, Y = RNG.normal(size=(m, d)), RNG.random((m, c))


def f(z):
    return 1 / (1 + np.exp(-z))


def df(z):
    return f(z) * (1 - f(z))


def two_layers():
    """The lecture's network: no biases, f at both layers."""
    return rg.MLP([d, h, c], activation="sigmoid", output="sigmoid", bias=False)


def J_and_gradient(net, X, Y, loss="half_squared_error"):
    chosen = find_loss(loss, net)
    session = TrainingSession(net, check_rows(net, chosen, X, Y), loss=chosen, optimizer=None)
    return session.gradient(np.arange(len(X)))


def test_l1_1_and_l1_2_J_is_half_the_squared_error_of_two_layers():
    net = two_layers()
    W, W2 = net.parameters["W1"], net.parameters["W2"]
    O = f(f(X @ W) @ W2)
    np.testing.assert_allclose(net.predict(X), O, rtol=1e-13)
    J, _ = J_and_gradient(net, X, Y)
    assert m * J == pytest.approx(0.5 * ((Y - O) ** 2).sum(), rel=1e-13)


@pytest.mark.parametrize("sizes", [[3, 1], [3, 7, 2], [3, 4, 5, 6, 2]])
def test_l1_3_layers_and_units_are_chosen_and_the_weights_learned(sizes):
    net = rg.MLP(sizes, activation="tanh")
    shapes = [net.parameters[f"W{k}"].shape for k in range(1, len(sizes))]
    assert shapes == list(pairwise(sizes))
    before = {name: value.copy() for name, value in net.parameters.items()}
    history = rg.train(net, X[:, :3], Y[:, : sizes[-1]], epochs=30, optimizer=rg.Adam(0.01))
    assert all((net.parameters[name] != before[name]).any() for name in before)
    assert history.J[-1] < history.J[0]


def test_l1_5_and_l1_6_the_gradients_of_both_layers():
    net = two_layers()
    W, W2 = net.parameters["W1"], net.parameters["W2"]
    Z = X @ W
    A = f(Z)
    G = A @ W2
    delta1 = -(Y - f(G)) * df(G)
    delta2 = (delta1 @ W2.T) * df(Z)
    _, g = J_and_gradient(net, X, Y)
    np.testing.assert_allclose(m * g["W2"], A.T @ delta1, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(m * g["W1"], X.T @ delta2, rtol=1e-12, atol=1e-15)


def test_l1_7_descent_repeats_until_the_gradient_or_J_no_longer_changes():
    net = two_layers()
    options = {"loss": "half_squared_error", "optimizer": rg.SGD(2.0), "batch_size": None}
    history = rg.train(net, X, Y, epochs=5000, gradient_tolerance=1e-2, **options)
    assert history.stopped == "gradient"
    assert (np.diff(history.J) < 0).all()
    history = rg.train(net, X, Y, epochs=5000, tolerance=1e-4, **options)
    assert history.stopped == "tolerance"


def test_l1_7_one_step_updates_every_weight_matrix_from_the_old_weights():
    net = two_layers()
    old = {name: value.copy() for name, value in net.parameters.items()}
    _, g = J_and_gradient(net, X, Y)
    rg.train(net, X, Y, loss="half_squared_error", optimizer=rg.SGD(0.5), epochs=1, batch_size=None)
    for name in old:
        np.testing.assert_allclose(net.parameters[name], old[name] - 0.5 * g[name], rtol=1e-13)


def test_l1_8_several_starts_reach_different_minima_and_the_best_is_kept():
    """XOR with two hidden units: some starts end in a local minimum, some solve it."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0.0, 1.0, 1.0, 0.0])
    net = rg.MLP([2, 2, 1], activation="sigmoid", output="sigmoid", initializer="glorot_normal")
    history = rg.train(
        net, x, y, optimizer=rg.Adam(0.1), epochs=400, batch_size=None, random_starts=4
    )
    J = -np.array(history.starts)
    assert J.min() < 0.05  # solved
    assert J.max() > 0.3  # stuck
    assert history.J[-1] == J.min()
    assert ((net.predict(x)[:, 0] > 0.5) == (y > 0.5)).all()


def step_flops(sizes, n_rows, optimizer):
    """Operations of the forward pass, of forward and backward, and of a whole step."""
    net = rg.MLP(sizes, output="softmax")
    loss = find_loss("cross_entropy", net)
    target = loss.target(np.zeros(2, int), sizes[-1], np.float64)
    J = objective(net, loss, target, is_penalised=False)
    forward = flops([J.J], n_rows=n_rows)
    both = flops([J.J, *gradient(J.J, list(J.parameters.values()))], n_rows=n_rows)
    step = flops(training_steps(J, optimizer)["train"].results, n_rows=n_rows)
    return forward, both, step


@pytest.mark.parametrize("optimizer", [rg.SGD(), rg.SGD(momentum=0.9), rg.Adam()])
def test_l1_9_whatever_the_descent_rule_the_cost_is_in_the_gradients(optimizer):
    _, both, step = step_flops([64, 100, 10], 256, optimizer)
    assert both > 0.95 * step


SIZES = [
    [2, 2],
    [10, 3],
    [64, 100, 10],
    [100, 50, 50, 5],
    [1000, 2],
    [2, 1000, 2],
    [5, 5, 5, 5, 5, 5, 5],
    [784, 512, 256, 10],
]


@pytest.mark.parametrize("n_rows", [1, 32, 1000])
@pytest.mark.parametrize("sizes", SIZES)
def test_l2_2_forward_and_backward_cost_at_most_three_forward_passes(sizes, n_rows):
    forward, both, _ = step_flops(sizes, n_rows, rg.SGD())
    assert forward < both <= 3 * forward


def test_l2_2_the_cost_of_a_gradient_does_not_grow_with_the_number_of_weights():
    """Finite differences need a forward pass for each weight; the sweep costs two in all."""
    ratios = [both / forward for forward, both, _ in (step_flops(s, 100, rg.SGD()) for s in SIZES)]
    assert max(ratios) <= 3
    n_weights = rg.MLP([784, 512, 256, 10]).n_parameters
    assert n_weights > 100_000


def test_l2_6_an_update_for_each_example_and_an_epoch_is_one_pass():
    net = rg.MLP([d, c], bias=False)
    W, alpha = net.parameters["W1"].copy(), 0.05
    for i in range(m):
        x, y = X[i : i + 1], Y[i : i + 1]
        W = W - alpha * x.T @ (x @ W - y)
    rg.train(net, X, Y, optimizer=rg.SGD(alpha), epochs=1, batch_size=1, shuffle=False)
    np.testing.assert_allclose(net.parameters["W1"], W, rtol=1e-12)


def test_l2_6_convergence_is_read_off_J_with_a_limit_set_beforehand():
    limit, net = 0.02, rg.MLP([d, 20, c], activation="tanh")
    history = rg.train(
        net,
        X,
        Y,
        optimizer=rg.Adam(0.01),
        epochs=2000,
        callbacks=[lambda net, history: history.J[-1] < limit],
    )
    assert history.stopped == "callback"
    assert history.J[-1] < limit <= min(history.J[:-1])


def test_l2_6_weights_start_random_by_a_known_pattern():
    W = rg.MLP([200, 100], initializer="glorot_uniform", seed=5).parameters["W1"]
    limit = np.sqrt(6 / 300)
    expected = np.random.default_rng(5).uniform(-limit, limit, (200, 100))
    np.testing.assert_array_equal(W, expected)


def test_l2_7_biases_can_be_left_out():
    net = rg.MLP([d, h, c], bias=False)
    assert list(net.parameters) == ["W1", "W2"]
    assert not net.predict(np.zeros((1, d))).any()
    rg.train(net, X, Y, epochs=2)
    assert list(net.parameters) == ["W1", "W2"]


def fin_temperatures(rng, n, n_sensors=8):
    """A fin with an insulated tip: theta = cosh(M (1 - s)) / cosh(M), with M growing as sqrt(h)."""
    coefficient = rng.uniform(20.0, 200.0, n)  # W / (m2 K)
    M = np.sqrt(coefficient * 4 * 0.1**2 / (50.0 * 0.01))[:, None]  # L 0.1 m, k 50 W/(m K), d 1 cm
    s = np.linspace(0.1, 1.0, n_sensors)
    theta = np.cosh(M * (1 - s)) / np.cosh(M)
    return theta + rng.normal(0, 1e-3, theta.shape), coefficient[:, None]


def test_l2_8_the_heat_transfer_coefficient_of_a_fin_from_its_temperatures():
    theta, coefficient = fin_temperatures(np.random.default_rng(3), 1000)
    mean, spread = theta.mean(axis=0), theta.std(axis=0)
    inputs, targets = (theta - mean) / spread, (coefficient - 110.0) / 52.0
    net = rg.MLP([8, 12, 1], activation="tanh")
    history = rg.train(
        net, inputs, targets, optimizer="lbfgs", epochs=150, validation=0.2, patience=30
    )
    assert max(history.validation_score) > 0.999
    other, truth = fin_temperatures(np.random.default_rng(4), 200)
    found = 110.0 + 52.0 * net.predict((other - mean) / spread)
    assert np.abs(found - truth).mean() < 2.0


def test_l3_7_the_error_of_a_network_is_half_the_squares_over_its_outputs():
    net = rg.MLP([d, c])
    x, t = net.predict(X[:1]), Y[:1]
    J, _ = J_and_gradient(net, X[:1], t)
    assert pytest.approx(0.5 * ((x - t) ** 2).sum(), rel=1e-13) == J


def test_l3_7_a_bias_is_the_weight_of_an_extra_input_1():
    net, extra = rg.MLP([d, c]), rg.MLP([d + 1, c], bias=False)
    net.parameters["b1"] = RNG.normal(size=c)
    extra.parameters["W1"] = np.r_[net.parameters["W1"], net.parameters["b1"][None]]
    X1 = np.c_[X, np.ones(m)]
    _, g = J_and_gradient(net, X, Y)
    _, g1 = J_and_gradient(extra, X1, Y)
    np.testing.assert_allclose(g1["W1"], np.r_[g["W1"], g["b1"][None]], rtol=1e-12)
    options = {"optimizer": rg.SGD(0.1, momentum=0.9), "epochs": 5, "batch_size": 4}
    rg.train(net, X, Y, **options)
    rg.train(extra, X1, Y, **options)
    np.testing.assert_allclose(extra.parameters["W1"][-1], net.parameters["b1"], rtol=1e-12)


def test_l4_1_one_example_is_a_row_and_the_class_is_the_argmax_of_its_output():
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    one_hot = np.eye(3)[labels]
    nets = [rg.MLP([d, 16, 3], output="softmax") for _ in range(2)]
    options = {"optimizer": rg.Adam(0.05), "epochs": 300, "batch_size": None}
    history = rg.train(nets[0], X, labels, validation=(X, labels), **options)
    rg.train(nets[1], X, one_hot, validation=(X, one_hot), **options)
    a = nets[0].predict(X)
    assert a.shape == (m, 3)
    np.testing.assert_allclose(a.sum(axis=1), 1.0, rtol=1e-13)
    assert (a.argmax(axis=1) == labels).all()
    assert history.validation_score[-1] == 1.0
    # Labels and one-hot rows say the same.
    np.testing.assert_allclose(nets[1].predict(X), a, rtol=1e-9)


def test_wrong_sizes_name_the_gate_the_operands_and_the_numbers():
    net, x = rg.MLP([8, 3]), variable("x", shape=(rows, 4))
    with pytest.raises(ShapeError, match=r"matmul of x \(rows, 4\) and W1 \(8, 3\).*4.*8"):
        net.forward(x, net.variables())
