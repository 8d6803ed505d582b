"""The gradient check of networks and estimators, and of an engine against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import retrograd as rg
from retrograd.errors import DataError, OptionError, UnknownNameError
from retrograd.gates.exponential import TANH

RNG = np.random.default_rng(63)
X = RNG.normal(size=(12, 3))
Y = RNG.normal(size=(12, 2))
LABELS = RNG.integers(0, 3, 12)

NETWORKS: dict[str, Any] = {
    "dense": lambda: [rg.Dense(3, 4, "tanh"), rg.Dense(4, 2)],
    "relu": lambda: [rg.Dense(3, 6, "relu"), rg.Dense(6, 2)],
    "batch norm": lambda: [rg.Dense(3, 4), rg.BatchNorm(4), rg.Dense(4, 2, "tanh")],
    "dropout": lambda: [rg.Dense(3, 4, "tanh"), rg.Dropout(0.5), rg.Dense(4, 2)],
    "residual": lambda: [rg.Residual([rg.LayerNorm(3), rg.Dense(3, 3, "silu")]), rg.Dense(3, 2)],
    "concatenate": lambda: [rg.Concatenate([], [rg.Dense(3, 2, "tanh")]), rg.Dense(5, 2)],
    "prelu": lambda: [rg.Dense(3, 4), rg.PReLU(4), rg.Scale(4), rg.Dense(4, 2)],
}


def shared() -> Any:
    layer = rg.Dense(3, 3, "tanh")
    return rg.Network([layer, layer, rg.Dense(3, 2)])


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_of_layer_passes(kind: str):
    net = rg.Network(NETWORKS[kind]())
    result = rg.check_gradient(net, X, Y, l2=0.1)
    assert result.ok, str(result)
    assert {x.name for x in result.variables} == set(net.parameters) - net.statistics


def test_shared_parameters_pass():
    assert rg.check_gradient(shared(), X, Y).ok


def test_the_worst_entry_names_its_layer_and_index():
    net = rg.Network([rg.Dense(3, 4, "tanh"), rg.Residual([rg.Dense(4, 4)]), rg.Dense(4, 2)])
    result = rg.check_gradient(net, X, Y)
    layers = {x.name: x.worst.layer for x in result.variables}
    assert layers == {"W1": "1", "b1": "1", "W2.1": "2.1", "b2.1": "2.1", "W3": "3", "b3": "3"}
    assert f"of layer {result.worst.layer}: analytic" in str(result)


def test_a_wrong_derivative_planted_in_a_gate_is_found_and_the_gate_named(
    monkeypatch: pytest.MonkeyPatch,
):
    net = rg.MLP([3, 4, 4, 2], activation="tanh")
    right = rg.check_gradient(net, X, Y)
    rule = TANH.vjp
    assert rule is not None
    planted = lambda dy, y, x: (1.01 * rule(dy, y, x)[0],)  # noqa: E731
    object.__setattr__(TANH, "vjp", planted)
    try:
        result = rg.check_gradient(net, X, Y)
    finally:
        object.__setattr__(TANH, "vjp", rule)
    assert right.ok and right.gates == ()
    assert not result.ok and result.gates == ("tanh",)
    wrong = {x.name for x in result.variables if x.max_relative_error > result.tolerance}
    assert wrong == {"W1", "b1", "W2", "b2"}
    assert result.worst.layer in ("1", "2")


def test_frozen_parameters_are_left_out():
    result = rg.check_gradient(rg.MLP([3, 4, 2]), X, Y, frozen=["*1"])
    assert {x.name for x in result.variables} == {"W2", "b2"}


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_an_estimators_gradient_is_that_of_its_own_loss_and_penalty(alpha: float):
    clf = rg.MLPClassifier((5,), alpha=alpha, solver="lbfgs", max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X, LABELS)
    result = rg.check_gradient(clf, X, LABELS)
    assert result.ok, str(result)
    few = rg.check_gradient(clf, X[:1], LABELS[:1])  # a batch that lacks classes
    assert few.ok
    if alpha:
        t = rg.trace(clf, X, LABELS)
        penalty = alpha / 2 / len(X) * sum((W**2).sum() for W in clf.coefs_)
        assert pytest.approx(t.losses.mean() + penalty) == t.J


def test_sample_weights_count():
    weight = RNG.uniform(0.5, 2.0, 12)
    assert rg.check_gradient(rg.MLP([3, 4, 2]), X, Y, sample_weight=weight).ok


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_cpu_engines_float32_agrees_with_float64(kind: str):
    result = rg.check_gradient(rg.Network(NETWORKS[kind]()), X, Y, engine="cpu")
    assert result.ok, str(result)
    assert result.method == "float64" and 0 < result.max_relative_error < 2e-5


def test_near_a_minimum_where_rows_cancel_the_cpu_engine_raises_no_false_alarm():
    net = rg.MLP([3, 4, 1], activation="tanh")
    rg.train(net, X, Y[:, :1], optimizer="lbfgs", epochs=300, engine="numpy")
    assert rg.check_gradient(net, X, Y[:, :1], engine="cpu").ok


def test_a_wrong_gradient_of_an_engine_is_found(monkeypatch: pytest.MonkeyPatch):
    from retrograd.engines.cpu.engine import CpuEngine

    right = CpuEngine.function

    def wrong(self: Any, outputs: Any, inputs: Any) -> Any:
        call = right(self, outputs, inputs)

        def off(values: Any) -> Any:
            found = call(values)
            found[2][1, 0] *= 1.001
            return found

        return off

    monkeypatch.setattr(CpuEngine, "function", wrong)
    result = rg.check_gradient(rg.MLP([3, 4, 2]), X, Y, engine="cpu")
    assert not result.ok
    assert (result.worst.variable, result.worst.index, result.worst.layer) == ("W2", (1, 0), "2")


def test_wrong_arguments_are_errors():
    net = rg.MLP([3, 4, 2])
    with pytest.raises(DataError, match="give X and Y"):
        rg.check_gradient(net, X)
    with pytest.raises(UnknownNameError, match="mode 'test'"):
        rg.check_gradient(net, X, Y, mode="test")
    with pytest.raises(OptionError, match="MLPClassifier has a loss of its own"):
        rg.check_gradient(rg.MLPClassifier(), X, LABELS, loss="hinge")


def test_an_argument_that_nothing_has_is_named_with_those_there_are():
    net, x, y = rg.MLP([2, 1]), np.ones((3, 2)), np.ones(3)
    a = rg.variable("a", 2.0)
    for call, message in [
        (lambda: rg.trace(net, x, y, los="huber"), "of trace 'los' .did you mean 'loss'"),
        (lambda: rg.check_gradient(net, x, y, entry=3), "of check_gradient 'entry'.*entries"),
        (lambda: rg.check_gradient(a * a, entry=3), "of check_gradient 'entry'.*gradients"),
        (lambda: rg.diagnose(net, x, y, optimiser="adam"), "of diagnose .*mean 'optimizer'"),
    ]:
        with pytest.raises(UnknownNameError, match=f"unknown argument {message}") as caught:
            call()
        known = str(caught.value).partition("known: ")[2].split(", ")
        assert "seed" in known and not {"model", "X", "output", "compile"} & {*known}


def test_numbers_that_overflow_float32_on_the_way_are_named_not_called_wrong():
    net = rg.MLP([3, 4, 1], activation="relu")
    x = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
    x[2] = 1e25
    with pytest.raises(DataError, match="leaves the finite numbers in float32") as caught:
        rg.check_gradient(net, x, x[:, 0], engine="cpu")
    assert "the gate square in the forward pass of the loss at row 2" in str(caught.value)
