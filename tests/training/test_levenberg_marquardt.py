"""Levenberg-Marquardt on networks: its Jacobian, its minimum, Bayesian regularisation, rules."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.datasets import Dataset, fin, parity, two_spirals
from retrograd.errors import DivergenceError, GraphError, OptionError
from retrograd.nn.losses import find_loss
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.training.rows import check_rows
from retrograd.training.session import TrainingSession
from retrograd.training.solvers import residuals as residuals_module
from retrograd.training.solvers.residuals import Residuals

RNG = np.random.default_rng(23)
X = RNG.normal(size=(30, 4))
Y = X @ RNG.normal(size=(4, 2)) + 0.1 * RNG.normal(size=(30, 2))
LM = rg.LevenbergMarquardt()


def mlp(**options):
    return rg.MLP([4, 5, 2], activation="tanh", **options)


def standardized(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def opened(net, engine="auto", loss="half_squared_error"):
    found = find_loss(loss, net)
    session = TrainingSession(
        net, check_rows(net, found, X, Y), loss=found, optimizer=None, is_least_squares=True,
        engine=engine,
    )  # fmt: skip
    shapes = {name: value.shape for name, value in net.parameters.items()}
    return Residuals(session.engine, np.arange(30), shapes, 2)


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_the_jacobian_is_that_of_differences(engine):
    residuals = opened(mlp(), engine)
    point = residuals.point()
    J = residuals.jacobian(point)
    assert J.shape == (60, 37)
    for i in range(37):
        step = 1e-5 * np.eye(37)[i]
        slope = (residuals.values(point + step) - residuals.values(point - step)) / 2e-5
        np.testing.assert_allclose(J[:, i], slope, atol=1e-9)


def test_the_jacobian_in_blocks_of_rows_is_the_same(monkeypatch):
    whole = opened(mlp())
    monkeypatch.setattr(residuals_module, "BLOCK_BYTES", 7 * 8 * 2 * 37)
    parts = opened(mlp())
    blocks = [rows for rows, _ in parts.blocks(parts.point())]
    assert len(blocks) == 5
    np.testing.assert_array_equal(parts.jacobian(parts.point()), whole.jacobian(whole.point()))


@pytest.mark.parametrize("loss", ["half_squared_error", "squared_error"])
def test_half_the_sum_of_squares_is_the_loss(loss):
    net = mlp()
    J = rg.train(net, X, Y, loss=loss, optimizer=LM, epochs=1, l2=0.3).J[-1]
    factor = 0.5 if loss == "half_squared_error" else 1.0
    weights = sum((net.parameters[name] ** 2).sum() for name in ("W1", "W2"))
    expected = factor * ((net.predict(X) - Y) ** 2).sum(axis=1).mean() + 0.15 * weights
    assert pytest.approx(expected, rel=1e-13) == J


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_convex_problem_is_solved_in_a_few_steps(dtype):
    net, l2 = rg.MLP([4, 2], bias=False), 0.7
    history = rg.train(net, X.astype(dtype), Y, optimizer=LM, epochs=50, l2=l2)
    W = np.linalg.solve(X.T @ X / 30 + l2 * np.eye(4), X.T @ Y / 30)
    tolerance = 1e-7 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(net.parameters["W1"], W, rtol=tolerance)
    assert history.stopped == "converged"
    assert history.epochs < 40
    assert (np.diff(history.J) <= 0).all()


def test_rows_count_by_their_sample_weights():
    w = RNG.uniform(size=30)
    w[3] = 0.0
    net = rg.MLP([4, 2])
    rg.train(net, X, Y, optimizer=LM, epochs=50, sample_weight=w)
    A, root = np.c_[X, np.ones(30)], np.sqrt(w)[:, None]
    best = np.linalg.lstsq(root * A, root * Y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters["W1"], best[:4], rtol=1e-7)


def test_the_engines_train_alike():
    histories = [
        rg.train(mlp(), X, Y, optimizer=LM, epochs=8, engine=engine) for engine in ("cpu", "numpy")
    ]
    np.testing.assert_allclose(histories[0].J, histories[1].J, rtol=1e-8)


def test_on_fins_without_noise_it_goes_a_thousand_times_lower_than_adam_in_as_many_passes():
    data = fin(n=300, noise=0.0)
    inputs, targets = standardized(data.X), standardized(data.y[:, None])
    J = {}
    for name, optimizer in (("lm", LM), ("adam", rg.Adam(0.01))):
        net = rg.MLP([8, 10, 1], activation="tanh")
        J[name] = rg.train(net, inputs, targets, optimizer=optimizer, epochs=100).J[-1]
    assert J["lm"] < 1e-3 * J["adam"]


@pytest.mark.parametrize(
    ("data", "sizes", "epochs"),
    [(two_spirals(), (2, 10, 10, 10, 1), 500), (parity(6), (6, 12, 1), 100)],
)
def test_spirals_and_parity_are_solved(data: Dataset, sizes, epochs):
    """By the settings of benchmarks/levenberg_marquardt.py, there from 100 seeds."""
    inputs, targets = standardized(data.X), 2.0 * data.y - 1.0

    def is_solved(net, history=None):
        return bool((np.sign(net.predict(inputs)[:, 0]) == targets).all())

    net = rg.MLP(sizes, activation="tanh", seed=1)
    rg.train(net, inputs, targets, optimizer=LM, epochs=epochs, callbacks=[is_solved])
    assert is_solved(net)


def noisy_line():
    x = np.linspace(-1.0, 1.0, 60)[:, None]
    return x, 0.8 * x + 0.2 * np.random.default_rng(0).normal(size=x.shape)


def test_bayesian_regularisation_finds_that_a_line_needs_few_parameters():
    x, y = noisy_line()
    nets = [rg.MLP([1, 10, 1], activation="tanh") for _ in range(2)]
    history, plain = (
        rg.train(net, x, y, optimizer=LevenbergMarquardt(bayesian=b), epochs=300)
        for net, b in zip(nets, (True, False), strict=True)
    )
    assert history.stopped == "converged"
    assert len(history.l2) == len(history.effective_parameters) == history.epochs
    assert 1.0 < history.effective_parameters[-1] < 6.0 < nets[0].n_parameters
    assert plain.l2 == plain.effective_parameters == []
    bayesian, other = (np.abs(net.predict(x) - 0.8 * x).max() for net in nets)
    assert bayesian < 0.12
    assert bayesian < other


def test_bayesian_regularisation_is_that_of_a_linear_model():
    """There gamma and l2 satisfy MacKay's equations, with the ridge solution of that l2."""
    net = rg.MLP([4, 1], bias=False)
    y = Y[:, :1]
    history = rg.train(net, X, y, optimizer=LevenbergMarquardt(bayesian=True), epochs=500)
    l2, gamma = history.l2[-1], history.effective_parameters[-1]
    H = X.T @ X / 30 + l2 * np.eye(4)
    w = np.linalg.solve(H, X.T @ y / 30)
    np.testing.assert_allclose(net.parameters["W1"], w, rtol=1e-4)
    assert gamma == pytest.approx(4 - l2 * np.trace(np.linalg.inv(H)), rel=1e-6)
    errors = float(((X @ w - y) ** 2).mean())
    assert l2 == pytest.approx(gamma / (30 - gamma) * errors / float((w**2).sum()), rel=1e-2)


def test_the_rules_apply():
    def run(epochs=60, **rules):
        return rg.train(mlp(), X, Y, optimizer="levenberg_marquardt", epochs=epochs, **rules)

    assert run(epochs=7).stopped == "epochs"
    assert run(epochs=7).epochs == 7
    assert run(gradient_tolerance=1e-2).stopped == "gradient"
    assert run(validation=0.4, patience=3).stopped == "validation"
    assert run(callbacks=[lambda net, h: h.epochs == 4]).epochs == 4
    assert run(max_seconds=1e-9).stopped == "time"


def test_the_network_has_the_accepted_point_of_the_last_epoch():
    net = mlp()
    history = rg.train(net, X, Y, optimizer=LM, epochs=6)
    J = 0.5 * ((net.predict(X) - Y) ** 2).sum(axis=1).mean()
    assert pytest.approx(history.J[-1], rel=1e-13) == J


def test_parameters_assigned_by_a_callback_are_gone_on_from():
    def reset(net, history):
        if history.epochs == 2:
            net.parameters["W1"] = np.zeros((4, 2))

    net = rg.MLP([4, 2], bias=False)
    rg.train(net, X, Y, optimizer=LM, epochs=50, callbacks=[reset])
    np.testing.assert_allclose(
        net.parameters["W1"], np.linalg.lstsq(X, Y, rcond=None)[0], rtol=1e-7
    )


def test_an_overflow_at_the_start_is_divergence():
    net = rg.MLP([4, 2])
    net.parameters["W1"] = np.full((4, 2), 1e200)
    with pytest.raises(DivergenceError, match="not finite at the initial weights"):
        rg.train(net, X, Y, optimizer=LM)


def test_a_loss_that_is_no_sum_of_squares_is_an_error():
    net = rg.MLP([4, 2], output="softmax")
    with pytest.raises(OptionError, match=r"half_squared_error or squared_error; .*cross_entropy"):
        rg.train(net, X, RNG.integers(0, 2, 30), optimizer=LM)


def test_too_many_parameters_are_an_error():
    with pytest.raises(OptionError, match=r"LevenbergMarquardt: 6007 parameters .* at most 5000"):
        rg.train(rg.MLP([4, 1001, 1]), X, Y[:, 0], optimizer=LM)


def test_outputs_that_depend_on_other_rows_are_an_error():
    net = rg.MLP([4, 2], output=lambda z: z - rg.mean(z, axis=0))
    with pytest.raises(GraphError, match="LevenbergMarquardt: the residuals of a row depend on"):
        rg.train(net, X, Y, optimizer=LM)


def test_products_in_bfloat16_are_an_error():
    with pytest.raises(OptionError, match="needs the precision float32 or float64"):
        rg.train(mlp(), X, Y, optimizer=LM, precision="bfloat16")
