"""The first NaN or infinity: epoch, step, rows, layer, gate and operand; the producer itself."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, DivergenceError

RNG = np.random.default_rng(62)
X = RNG.normal(size=(24, 3))
Y = X[:, :1] - X[:, 1:2]


def diverged(net: Any, x: Any = X, y: Any = Y, **options: Any) -> DivergenceError:
    usual = {"epochs": 200, "engine": "numpy", "shuffle": False, "batch_size": 6}
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, x, y, **{**usual, **options})
    return caught.value


def test_an_exponential_that_overflows_is_the_producer_not_what_follows():
    net = rg.Network([rg.Dense(3, 4, rg.exp), rg.Dense(4, 4, "tanh"), rg.Dense(4, 1)])
    net.parameters["W1"] = np.full((3, 4), 0.1)
    x = X.copy()
    x[15] = 1e4  # the third row of the third batch: z = 3000
    origin = diverged(net, x, optimizer=rg.SGD(1e-6)).origin
    assert (origin.epoch, origin.step, origin.phase) == (1, 3, "forward")
    assert (origin.layer, origin.gate, origin.value, origin.row) == ("1", "exp", np.inf, 15)
    np.testing.assert_array_equal(origin.rows, np.arange(12, 18))
    assert origin.operand == "z of layer 1" and origin.operand_value == pytest.approx(3000, rel=0.1)


def test_the_row_is_that_of_the_users_array_when_rows_are_shuffled():
    net = rg.Network([rg.Dense(3, 4, rg.exp), rg.Dense(4, 1)])
    net.parameters["W1"] = np.full((3, 4), 0.1)
    x = X.copy()
    x[15] = 1e4
    origin = diverged(net, x, optimizer=rg.SGD(1e-6), shuffle=True, seed=5).origin
    assert origin.row == 15 and 15 in origin.rows


def test_a_division_by_zero_names_the_divisor():
    def inverse(z: Any) -> Any:
        return 1.0 / z

    net = rg.Network([rg.Dense(3, 2), rg.Dense(2, 2, inverse), rg.Dense(2, 1)])
    net.parameters["W2"] = np.zeros((2, 2))
    error = diverged(net)
    origin = error.origin
    assert (origin.phase, origin.layer, origin.gate) == ("forward", "2", "divide")
    assert origin.operand == "z of layer 2" and origin.operand_value == 0.0
    assert "the first inf came from the gate divide in the forward pass of layer 2" in str(error)


def test_a_slope_that_is_infinite_is_found_in_the_backward_pass():
    net = rg.Network([rg.Dense(3, 2, rg.sqrt, bias=False), rg.Dense(2, 1)])
    net.parameters["W1"] = np.abs(net.parameters["W1"])
    x = np.abs(X)
    x[8] = 0.0  # sqrt(0) = 0, its slope is infinite
    origin = diverged(net, x, optimizer=rg.SGD(1e-6)).origin
    assert (origin.epoch, origin.step) == (1, 2)
    assert (origin.phase, origin.layer, origin.row) == ("backward", "1", 8)


def test_the_loss_is_named_where_it_overflows():
    net = rg.MLP([3, 1])
    origin = diverged(net, X, 1e200 * Y).origin
    assert (origin.phase, origin.layer, origin.gate) == ("forward", "loss", "square")


def test_an_overflow_in_the_update_names_the_parameter():
    x = X.astype(np.float32) * np.float32(1e15)
    origin = diverged(rg.MLP([3, 1], bias=False), x, optimizer="adam").origin
    assert (origin.phase, origin.layer, origin.gate) == ("update", "W1", "square")


def test_a_layer_inside_another_is_named_by_its_place():
    block = rg.Residual([rg.Dense(4, 4, rg.exp), rg.Dense(4, 4)])
    net = rg.Network([rg.Dense(3, 4), block, rg.Dense(4, 1)])
    net.parameters["b2.1"] = np.full(4, 800.0)
    origin = diverged(net).origin
    assert (origin.phase, origin.layer, origin.gate) == ("forward", "2.1", "exp")


def test_random_layers_and_batch_norm_are_replayed_as_they_were():
    net = rg.Network(
        [rg.Dense(3, 8), rg.BatchNorm(8), rg.Dropout(0.5), rg.Dense(8, 2, rg.exp), rg.Dense(2, 1)]
    )
    net.parameters["b4"] = [800.0, 0.0]
    origin = diverged(net).origin
    assert (origin.layer, origin.gate, origin.index[1]) == ("4", "exp", 0)


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_both_engines_lead_to_the_same_origin(engine: str):
    net = rg.MLP([3, 4, 1], activation="tanh")
    origin = diverged(net, optimizer=rg.SGD(1e3), engine=engine, epochs=999).origin
    assert origin is not None and origin.layer


def test_batches_of_an_iterator_are_replayed_too():
    net = rg.Network([rg.Dense(3, 4, rg.exp), rg.Dense(4, 1)])
    net.parameters["W1"] = np.full((3, 4), 0.1)
    x = X.copy()
    x[15] = 1e4
    batches = [(x[i : i + 6], Y[i : i + 6]) for i in range(0, 24, 6)]
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, batches, epochs=3, optimizer=rg.SGD(1e-6))
    origin = caught.value.origin
    assert (origin.step, origin.row, origin.gate) == (3, 3, "exp")


def test_an_estimators_error_has_the_origin_too():
    model = rg.MLPRegressor(
        hidden_layer_sizes=(4,), solver="sgd", learning_rate_init=1e3, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DivergenceError) as caught:
            model.fit(X, Y[:, 0] * 1e3)
    assert caught.value.origin is not None
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again.origin) == str(caught.value.origin)


SOLVERS = ["lbfgs", "conjugate_gradient", "scaled_conjugate_gradient", "levenberg_marquardt"]


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_solvers_of_full_batches_name_the_origin_at_their_start(optimizer: str):
    net = rg.Network([rg.Dense(3, 4, rg.exp), rg.Dense(4, 1)])
    net.parameters["W1"] = np.full((3, 4), 0.1)
    x = X.copy()
    x[15] = 1e4
    error = diverged(net, x, optimizer=optimizer)
    origin = error.origin
    assert (origin.epoch, origin.step, origin.phase) == (1, 1, "forward")
    assert (origin.layer, origin.gate, origin.row) == ("1", "exp", 15)
    assert len(origin.rows) == 24 and origin.operand == "z of layer 1"
    assert "look at the gate exp and what goes into it, z of layer 1" in str(error)


@pytest.mark.parametrize("solver", ["lbfgs", "conjugate_gradient"])
def test_estimators_with_such_solvers_do_too(solver: str):
    options = {"activation": rg.exp, "solver": solver, "random_state": 0}
    model = rg.MLPRegressor(hidden_layer_sizes=(4,), **options)
    x = X.copy()
    x[15] = 1e4
    with pytest.raises(DivergenceError) as caught:
        model.fit(x, Y[:, 0])
    assert (caught.value.origin.gate, caught.value.origin.row) == ("exp", 15)


def test_least_squares_names_the_gate_at_its_start():
    x = rg.variable("x", shape=(rg.rows,))
    a, k = rg.variable("a", shape=()), rg.variable("k", shape=())
    t = np.array([1.0, 2.0, 300.0])
    with pytest.raises(DataError, match="gate exp in the forward pass of the residuals at row 2"):
        rg.least_squares(a * rg.exp(k * x) - 1.0, {a: 1.0, k: 5.0}, {x: t})
    with pytest.raises(DataError, match="the gate square in the forward pass of the residuals"):
        rg.least_squares(a * rg.exp(k * x), {a: 1.0, k: 1.5}, {x: t})
