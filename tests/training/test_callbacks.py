"""Callbacks between epochs: they read, assign, stop, and may fail."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, DivergenceError, OptionError

RNG = np.random.default_rng(15)
X = RNG.normal(size=(20, 2))
Y = X @ [[1.0], [-2.0]]


def linear():
    return rg.MLP([2, 1], bias=False)


def test_a_callback_sees_the_weights_and_the_history_of_the_epoch():
    seen = []

    def note(net, history):
        seen.append((history.epochs, history.J[-1], net.parameters["W1"].copy()))

    net = linear()
    history = rg.train(net, X, Y, epochs=3, callbacks=[note])
    assert [(epoch, J) for epoch, J, _ in seen] == list(zip([1, 2, 3], history.J, strict=True))
    np.testing.assert_array_equal(seen[-1][2], net.parameters["W1"])
    assert (seen[0][2] != seen[1][2]).any()


def test_looking_on_changes_nothing():
    net, other = linear(), linear()
    rg.train(net, X, Y, epochs=5, callbacks=[lambda net, history: None])
    rg.train(other, X, Y, epochs=5)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_a_callback_stops_by_returning_true():
    history = rg.train(linear(), X, Y, epochs=9, callbacks=[lambda net, h: h.epochs == 3])
    assert history.stopped == "callback"
    assert history.epochs == 3


def test_every_callback_is_called_even_if_one_stops():
    called = []
    callbacks = [lambda net, h: True, lambda net, h: called.append(1)]
    rg.train(linear(), X, Y, epochs=2, callbacks=callbacks)
    assert called == [1]


def test_assigned_parameters_are_trained_on():
    def reset(net, history):
        if history.epochs == 2:
            net.parameters["W1"] = [[7.0], [7.0]]

    net = linear()
    rg.train(net, X, Y, optimizer=rg.SGD(0.1), epochs=3, batch_size=None, callbacks=[reset])
    W = np.full((2, 1), 7.0)
    np.testing.assert_allclose(
        net.parameters["W1"], W - 0.1 * X.T @ (X @ W - Y) / len(X), rtol=1e-12
    )


def test_a_parameter_made_nan_in_place_is_a_data_error():
    def spoil(net, history):
        net.parameters["W1"][0, 0] = np.nan

    net = linear()
    with pytest.raises(DataError, match="parameter W1: nan at row 0, column 0"):
        rg.train(net, X, Y, epochs=3, callbacks=[spoil])
    assert np.isfinite(net.parameters["W1"]).all()


def test_what_a_callback_raises_comes_through_and_the_weights_are_the_newest():
    def fail(net, history):
        if history.epochs == 2:
            raise RuntimeError("disk full")

    net, other = linear(), linear()
    with pytest.raises(RuntimeError, match="disk full"):
        rg.train(net, X, Y, epochs=5, callbacks=[fail])
    rg.train(other, X, Y, epochs=2)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_divergence_after_an_assignment_is_replayed_from_the_assigned_weights():
    def blow_up(net, history):
        if history.epochs == 2:
            net.parameters["W1"] = np.full((2, 1), 1e200)

    net = linear()
    with pytest.raises(DivergenceError, match=r"epoch 3, step 1 of 4: J is inf") as caught:
        rg.train(net, X, Y, epochs=5, batch_size=5, callbacks=[blow_up])
    assert (caught.value.epoch, caught.value.step) == (3, 1)
    assert (net.parameters["W1"] == 1e200).all()


@pytest.mark.parametrize("callbacks", [lambda net, history: None, [3]])
def test_callbacks_that_are_no_list_of_functions_are_an_error(callbacks):
    with pytest.raises(OptionError, match="callbacks is a list of functions"):
        rg.train(rg.MLP([1, 1]), [[1.0], [2.0]], [1.0, 2.0], epochs=1, callbacks=callbacks)
