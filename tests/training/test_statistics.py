"""Statistics of trainings: of the last step of an epoch, or of where a solver's iteration ended."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import retrograd as rg

RNG = np.random.default_rng(23)
X = RNG.normal(size=(40, 3))
Y = np.tanh(X[:, :1] - 0.5 * X[:, 1:2])
SOLVERS = ["lbfgs", "conjugate_gradient", "scaled_conjugate_gradient", "levenberg_marquardt"]


def network() -> rg.Network:
    return rg.Network([rg.Dense(3, 5, "relu"), rg.Dense(5, 4, "tanh"), rg.Dense(4, 1)])


def trained(optimizer: Any, **options: Any) -> tuple[rg.Network, rg.History, list[Any]]:
    """The network, its history, and its parameters before the first epoch and after each."""
    net = network()
    path = [{name: W.copy() for name, W in net.parameters.items()}]

    def keep(now: rg.Network, _: rg.History) -> None:
        path.append({name: W.copy() for name, W in now.parameters.items()})

    usual = {"epochs": 6, "l2": 1e-3, "statistics": True, "callbacks": [keep], "engine": "numpy"}
    history = rg.train(net, X, Y, optimizer=optimizer, **{**usual, **options})
    return net, history, path


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_a_solver_tells_the_statistics_of_each_point_that_it_reaches(optimizer: str):
    net, history, path = trained(optimizer)
    found = history.statistics
    assert set(found) == {
        "norm", "gradient_norm", "update_norm", "delta_norm", "dead_share", "saturated_share",
    }  # fmt: skip
    moves = [np.linalg.norm(b["W2"] - a["W2"]) for a, b in pairwise(path)]
    np.testing.assert_allclose(found["update_norm"]["W2"], moves, rtol=1e-6)
    norms = [np.linalg.norm(here["b1"]) for here in path[1:]]
    np.testing.assert_allclose(found["norm"]["b1"], norms, rtol=1e-6)
    t = rg.trace(net, X, Y, l2=1e-3)
    for place in "123":
        layer = t.layer(place)
        assert found["delta_norm"][place][-1] == pytest.approx(np.linalg.norm(layer.delta))
        slope = np.linalg.norm(layer.dW)
        assert found["gradient_norm"][f"W{place}"][-1] == pytest.approx(slope, rel=1e-6)
    assert found["dead_share"]["1"][-1] == np.mean((t.layer(1).z <= 0).all(axis=0))


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_statistics_do_not_change_where_a_solver_goes(optimizer: str):
    with_them, without = trained(optimizer)[0], trained(optimizer, statistics=False)[0]
    for name, W in with_them.parameters.items():
        np.testing.assert_array_equal(W, without.parameters[name])


def test_a_recorder_keeps_a_solvers_iterations():
    record = rg.Recorder(X, Y, every=2, l2=1e-3)
    net, history = network(), None
    history = rg.train(net, X, Y, optimizer="lbfgs", epochs=4, l2=1e-3, callbacks=[record])
    assert [*record.traces] == [2, 4]
    assert record.traces[4].J == pytest.approx(history.J[-1])


def test_a_network_of_heads_has_them_with_a_solver_too():
    net = rg.Network(
        [rg.Dense(3, 4, "tanh"), rg.Heads({"a": [rg.Dense(4, 1)], "b": [rg.Dense(4, 1)]})]
    )
    history = rg.train(net, X, {"a": Y, "b": -Y}, optimizer="lbfgs", epochs=3, statistics=True)
    assert {len(x) for x in history.statistics["delta_norm"].values()} == {history.epochs}
