"""Several random starts: each is trained, the best is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError

RNG = np.random.default_rng(14)
X = RNG.normal(size=(30, 2))
Y = np.sin(3 * X[:, :1]) * X[:, 1:]


def mlp():
    return rg.MLP([2, 3, 1], activation="tanh")


def J_of(net):
    return 0.5 * np.mean((net.predict(X) - Y) ** 2)


def test_the_best_by_J_is_kept():
    net = mlp()
    history = rg.train(
        net, X, Y, optimizer=rg.Adam(0.05), epochs=40, batch_size=None, random_starts=4
    )
    assert len(history.starts) == 4
    assert len(set(history.starts)) == 4
    assert -history.J[-1] == max(history.starts)
    assert history.epochs == 40
    assert J_of(net) <= history.J[-1]


def test_the_best_by_validation_is_kept():
    net = mlp()
    history = rg.train(net, X, Y, epochs=20, random_starts=4, validation=(X, Y), score="loss")
    assert max(history.validation_score) == max(history.starts)
    assert J_of(net) == pytest.approx(-max(history.starts), rel=1e-12)


def test_the_first_start_is_the_present_weights():
    one, several = mlp(), mlp()
    first = rg.train(one, X, Y, epochs=3)
    history = rg.train(several, X, Y, epochs=3, random_starts=3)
    assert history.starts[0] == -first.J[-1]
    assert first.starts == []


def test_starts_repeat_with_the_seed():
    figures = [
        rg.train(mlp(), X, Y, epochs=3, random_starts=3, seed=seed).starts for seed in (1, 1, 2)
    ]
    assert figures[0] == figures[1]
    assert figures[0][1:] != figures[2][1:]


def test_the_kept_start_can_be_resumed():
    net = mlp()
    history = rg.train(net, X, Y, epochs=3, random_starts=3)
    more = rg.train(net, X, Y, epochs=3, resume=history)
    assert more.epochs == 6
    assert more.J[:3] == history.J


def test_a_start_that_diverges_is_left_out():
    net = mlp()
    net.parameters["W2"] = np.full((3, 1), 1e200)  # the present weights overflow at once
    history = rg.train(net, X, Y, epochs=3, random_starts=3, loss="squared_error")
    assert math.isnan(history.starts[0])
    assert np.isfinite(history.starts[1:]).all()
    assert np.isfinite(J_of(net))


def test_if_all_diverge_it_is_an_error_and_the_weights_are_finite():
    net = mlp()
    with pytest.raises(DivergenceError, match="at epoch"):
        rg.train(
            net, X, Y, optimizer=rg.SGD(1e200), epochs=5, random_starts=2, loss="squared_error"
        )
    assert all(np.isfinite(value).all() for value in net.parameters.values())


@pytest.mark.parametrize("name", ["lbfgs", "scaled_conjugate_gradient", "levenberg_marquardt"])
def test_solvers_of_full_batches_have_starts_too(name):
    history = rg.train(mlp(), X, Y, optimizer=name, epochs=30, random_starts=3)
    assert len(set(history.starts)) == 3
    assert -history.J[-1] == max(history.starts)


def test_the_time_is_for_all_starts():
    history = rg.train(mlp(), X, Y, epochs=10**6, random_starts=50, max_seconds=0.1)
    assert history.stopped == "time"
    assert len(history.starts) < 50


def test_a_start_whose_score_is_nan_is_the_worst():
    scores = iter([math.nan, 0.2, math.nan, 0.1])
    history = rg.train(
        mlp(), X, Y, epochs=1, random_starts=4, validation=0.5, score=lambda y, output: next(scores)
    )
    assert history.validation_score == [0.2]
    np.testing.assert_array_equal(history.starts, [math.nan, 0.2, math.nan, 0.1])
