"""L-BFGS: convergence to rounding, overflow in a trial step, rules, interruption."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError
from retrograd.training.session import TrainingSession

RNG = np.random.default_rng(17)
X = RNG.normal(size=(30, 4))
Y = X @ RNG.normal(size=(4, 2)) + 0.1 * RNG.normal(size=(30, 2))


def test_a_convex_problem_is_solved_to_rounding():
    net = rg.MLP([4, 2])
    history = rg.train(net, X, Y, optimizer="lbfgs", epochs=500)
    A = np.c_[X, np.ones(30)]
    best = np.linalg.lstsq(A, Y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters["W1"], best[:4], rtol=1e-7)
    np.testing.assert_allclose(net.parameters["b1"], best[4], rtol=1e-7)
    assert history.stopped == "converged"
    assert history.epochs < 100
    assert history.gradient_norm[-1] < 1e-7
    assert (np.diff(history.J) <= 0).all()
    assert np.isnan(history.learning_rate).all()


def test_ridge_regression_is_solved_too():
    net, l2 = rg.MLP([4, 2], bias=False), 0.7
    rg.train(net, X, Y, optimizer="lbfgs", epochs=500, l2=l2)
    W = np.linalg.solve(X.T @ X / 30 + l2 * np.eye(4), X.T @ Y / 30)
    np.testing.assert_allclose(net.parameters["W1"], W, rtol=1e-7)


def test_float32_converges_in_its_own_precision():
    net = rg.MLP([4, 2])
    history = rg.train(net, X.astype(np.float32), Y, optimizer="lbfgs", epochs=500)
    best = np.linalg.lstsq(np.c_[X, np.ones(30)], Y, rcond=None)[0]
    assert net.dtype == np.float32
    assert np.abs(net.parameters["W1"] - best[:4]).max() < 1e-3
    assert history.epochs < 500


@pytest.mark.parametrize("scale", [300.0, 3000.0])
def test_a_trial_step_that_overflows_is_stepped_back_from(scale, monkeypatch):
    """exp of the output overflows a short way from the start; the minimum is near all the same."""
    overflows, gradient = [], TrainingSession.gradient

    def noted(self, order):
        J, g = gradient(self, order)
        if not np.isfinite(J):
            overflows.append(J)
        return J, g

    monkeypatch.setattr(TrainingSession, "gradient", noted)
    net = rg.MLP([4, 1], output=lambda z: rg.exp(scale * z), bias=False)
    net.parameters["W1"] = np.full((4, 1), 0.5 / scale)
    target = np.exp(X @ np.array([[0.1], [-0.2], [0.3], [0.1]]))
    history = rg.train(net, X, target, optimizer="lbfgs", epochs=300)
    assert 0 < len(overflows) < 20
    assert history.J[-1] < 1e-10
    np.testing.assert_allclose(
        scale * net.parameters["W1"], [[0.1], [-0.2], [0.3], [0.1]], atol=1e-4
    )


def test_an_overflow_at_the_start_is_divergence():
    net = rg.MLP([4, 2])
    net.parameters["W1"] = np.full((4, 2), 1e200)
    with pytest.raises(DivergenceError, match="not finite at the initial weights") as caught:
        rg.train(net, X, Y, optimizer="lbfgs")
    assert (caught.value.epoch, caught.value.step) == (1, 1)
    assert (net.parameters["W1"] == 1e200).all()


def test_the_rules_apply():
    def run(**rules):
        net = rg.MLP([4, 5, 2], activation="tanh")
        return rg.train(net, X, Y, optimizer="lbfgs", epochs=200, **rules)

    assert run(gradient_tolerance=1e-2).stopped == "gradient"
    history = run(tolerance=1e-3, patience=2)
    assert history.stopped == "tolerance"
    assert history.J[-3] - history.J[-1] <= 1e-3 < history.J[-4] - history.J[-2]
    history = run(validation=0.4, patience=3)
    assert history.stopped == "validation"
    assert history.best_epoch == history.epochs - 3
    assert run(callbacks=[lambda net, h: h.epochs == 4]).epochs == 4
    assert run(max_seconds=1e-9).stopped == "time"


def test_epochs_are_iterations():
    history = rg.train(rg.MLP([4, 5, 2]), X, Y, optimizer="lbfgs", epochs=7)
    assert history.epochs == 7
    assert history.stopped == "epochs"


def test_the_network_has_the_accepted_point_of_the_last_epoch():
    for options in ({}, {"callbacks": [lambda net, h: h.epochs == 3]}):
        net = rg.MLP([4, 5, 2], activation="tanh")
        history = rg.train(net, X, Y, optimizer="lbfgs", epochs=6, **options)
        J = 0.5 * ((net.predict(X) - Y) ** 2).sum(axis=1).mean()
        assert pytest.approx(history.J[-1], rel=1e-13) == J


def test_parameters_assigned_by_a_callback_are_gone_on_from():
    def reset(net, history):
        if history.epochs == 3:
            net.parameters["W1"] = np.zeros((4, 2))

    net = rg.MLP([4, 2], bias=False)
    history = rg.train(net, X, Y, optimizer="lbfgs", epochs=500, callbacks=[reset])
    at_zero = 0.5 * (Y**2).sum(axis=1).mean()
    assert history.J[2] < history.J[3] < at_zero
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters["W1"], best, rtol=1e-6)
