"""Conjugate gradients, with a line search and scaled: to the minimum, and under the rules."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError

RNG = np.random.default_rng(29)
X = RNG.normal(size=(30, 4))
Y = X @ RNG.normal(size=(4, 2)) + 0.1 * RNG.normal(size=(30, 2))
NAMES = ["conjugate_gradient", "scaled_conjugate_gradient"]

pytestmark = pytest.mark.parametrize("name", NAMES)


def test_a_convex_problem_is_solved_to_rounding(name):
    net = rg.MLP([4, 2])
    history = rg.train(net, X, Y, optimizer=name, epochs=500)
    best = np.linalg.lstsq(np.c_[X, np.ones(30)], Y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters["W1"], best[:4], rtol=1e-6)
    np.testing.assert_allclose(net.parameters["b1"], best[4], rtol=1e-6)
    assert history.stopped == "converged"
    assert history.epochs < 100
    assert (np.diff(history.J) <= 0).all()
    assert np.isnan(history.learning_rate).all()


def test_a_quadratic_takes_about_as_many_steps_as_it_has_dimensions(name):
    """6 distinct eigenvalues; J of the minimum is 0."""
    A = np.diag(np.sqrt([1.0, 2.0, 3.0, 5.0, 8.0, 13.0]))
    net = rg.MLP([6, 1], bias=False)
    history = rg.train(net, A, A @ np.ones(6), optimizer=name, epochs=12)
    assert history.J[-1] < 1e-9 * history.J[0]


def test_a_small_network_is_trained_far_down(name):
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    net = rg.MLP([1, 6, 1], activation="tanh")
    history = rg.train(net, x, x**2, optimizer=name, epochs=600)
    assert history.J[-1] < 1e-5
    assert history.J[-1] < 1e-3 * history.J[0]


def test_a_trial_that_overflows_is_stepped_back_from(name):
    net = rg.MLP([4, 1], output=lambda z: rg.exp(300.0 * z), bias=False)
    net.parameters["W1"] = np.full((4, 1), 0.5 / 300.0)
    target = np.exp(X @ np.array([[0.1], [-0.2], [0.3], [0.1]]))
    history = rg.train(net, X, target, optimizer=name, epochs=400)
    assert history.J[-1] < 1e-6


def test_float32_converges_in_its_own_precision(name):
    net = rg.MLP([4, 2])
    history = rg.train(net, X.astype(np.float32), Y, optimizer=name, epochs=500)
    best = np.linalg.lstsq(np.c_[X, np.ones(30)], Y, rcond=None)[0]
    assert np.abs(net.parameters["W1"] - best[:4]).max() < 1e-2
    assert history.epochs < 500


def test_the_rules_apply_and_the_network_has_the_last_accepted_point(name):
    def run(**rules):
        net = rg.MLP([4, 5, 2], activation="tanh")
        history = rg.train(net, X, Y, optimizer=name, epochs=60, **rules)
        return net, history

    net, history = run()
    assert history.epochs == 60
    J = 0.5 * ((net.predict(X) - Y) ** 2).sum(axis=1).mean()
    assert pytest.approx(history.J[-1], rel=1e-12) == J
    assert run(gradient_tolerance=1e-1)[1].stopped == "gradient"
    assert run(callbacks=[lambda net, h: h.epochs == 4])[1].epochs == 4
    assert run(max_seconds=1e-9)[1].stopped == "time"


def test_an_overflow_at_the_start_is_divergence(name):
    net = rg.MLP([4, 2])
    net.parameters["W1"] = np.full((4, 2), 1e200)
    with pytest.raises(DivergenceError, match="not finite at the initial weights"):
        rg.train(net, X, Y, optimizer=name)
