"""A diverging run names epoch and step and leaves the last finite weights."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError
from retrograd.training.session import TrainingSession

RNG = np.random.default_rng(16)
X = RNG.normal(size=(23, 2))
Y = X @ [[1.0], [-2.0]]


def step_by_step(W, rate, batch_size, epochs):
    """The last finite weights of plain descent on 1/2 (x W - y)**2, and where it ends."""
    with np.errstate(all="ignore"):
        for epoch in range(1, epochs + 1):
            for step, start in enumerate(range(0, len(X), batch_size), start=1):
                x, y = X[start : start + batch_size], Y[start : start + batch_size]
                e = x @ W - y
                J, new = 0.5 * (e**2).sum(axis=1).mean(), W - rate * x.T @ (e / len(x))
                if not (np.isfinite(J) and np.isfinite(new).all()):
                    return W, epoch, step
                W = new
    raise AssertionError("it did not diverge")


@pytest.mark.parametrize("batch_size", [1, 5, 23])
@pytest.mark.parametrize("rate", [30.0, 1e5, 1e160])
def test_the_last_finite_weights_stay_and_epoch_and_step_are_named(rate, batch_size):
    net = rg.MLP([2, 1], bias=False)
    W, epoch, step = step_by_step(net.parameters["W1"].copy(), rate, batch_size, 400)
    with pytest.raises(DivergenceError) as caught:
        rg.train(
            net,
            X,
            Y,
            optimizer=rg.SGD(rate),
            epochs=400,
            batch_size=batch_size,
            shuffle=False,
        )
    n_steps = -(-len(X) // batch_size)
    assert (caught.value.epoch, caught.value.step) == (epoch, step)
    assert f"training diverged at epoch {epoch}, step {step} of {n_steps}: J is" in str(
        caught.value
    )
    assert "smaller learning_rate" in str(caught.value)
    np.testing.assert_allclose(net.parameters["W1"], W, rtol=1e-6)
    assert np.isfinite(net.parameters["W1"]).all()


def test_shuffled_runs_replay_the_same_order():
    """The run that stops just before the step has the weights that the diverged run leaves."""
    net = rg.MLP([2, 1], bias=False)
    options = {"optimizer": rg.SGD(20.0, momentum=0.5), "batch_size": 23}
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, X, Y, epochs=999, **options)
    other = rg.MLP([2, 1], bias=False)
    rg.train(other, X, Y, epochs=caught.value.epoch - 1, **options)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_a_state_that_overflows_is_named():
    """In float32 Adam's v overflows first, and would stand still for ever after."""
    x = X.astype(np.float32) * np.float32(1e15)
    net = rg.MLP([2, 1], bias=False)
    with pytest.raises(DivergenceError, match=r"step 1 of 1: J is .*v of W1 is not finite"):
        rg.train(net, x, Y, epochs=2, batch_size=None)


def test_epochs_are_counted_through_a_resumed_run():
    net = rg.MLP([2, 1], bias=False)
    options = {"optimizer": rg.SGD(100.0), "batch_size": None}
    history = rg.train(net, X, Y, epochs=3, **options)
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, X, Y, epochs=999, resume=history, **options)
    whole = rg.MLP([2, 1], bias=False)
    with pytest.raises(DivergenceError) as expected:
        rg.train(whole, X, Y, epochs=999, **options)
    assert caught.value.epoch == expected.value.epoch > 3


def test_a_network_with_an_infinite_weight_is_refused_before_training():
    net = rg.MLP([2, 1])
    net.parameters["W1"][0, 0] = np.inf
    with pytest.raises(rg.errors.DataError, match="parameter W1: inf at row 0"):
        rg.train(net, X, Y)


def test_categories_are_no_numbers_to_scale():
    rng = np.random.default_rng(0)
    ends = rg.Inputs({"a": [rg.Embedding(50, 5)], "b": 2})
    net = rg.Network([ends, rg.Dense(7, 33, "softplus"), rg.Dense(33, 3)])
    rows = {"a": np.arange(60) % 50, "b": rng.normal(size=(60, 2))}
    for scale, advice in ((1.0, "gradients that are clipped"), (1e3, "scaled inputs")):
        given = rows | {"b": scale * rows["b"]}
        with pytest.raises(DivergenceError, match=advice) as caught:
            rg.train(net, given, rng.normal(size=(60, 3)), optimizer=rg.SGD(5.0), epochs=9)
        assert "is 49" not in str(caught.value)


ADVICE = [
    (1.0, 1.0, {}, "Try a smaller learning_rate, or gradients that are clipped, rg.Clip"),
    (1e3, 1.0, {}, r"Try a smaller learning_rate, or scaled inputs \(the largest number of X is"),
    (1.0, 1e3, {}, r"Try a smaller learning_rate, or scaled targets \(the largest number of Y is"),
    (1.0, 1.0, {"optimizer": rg.Clip(rg.SGD(1e200), norm=1e200)}, "Try a smaller learning_rate$"),
]


@pytest.mark.parametrize("of_x, of_y, options, advice", ADVICE)
def test_the_advice_fits_the_data(of_x, of_y, options, advice):
    chosen = {"optimizer": rg.SGD(1e200), "epochs": 5, **options}
    with pytest.raises(DivergenceError, match=advice) as caught:
        rg.train(rg.MLP([2, 1]), of_x * X, of_y * Y, **chosen)
    assert ("scaled inputs" in str(caught.value)) == (of_x > 1)
    assert ("scaled targets" in str(caught.value)) == (of_y > 1)


@pytest.mark.parametrize("of_x, rest", [(1.0, ""), (1e200, "; or try scaled inputs (the largest")])
def test_before_the_first_update_the_advice_is_to_look_at_the_gate(of_x, rest):
    net = rg.MLP([2, 4, 1], activation=rg.log if of_x == 1 else "relu")
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, of_x * X, Y, epochs=3)
    origin = caught.value.origin
    assert (origin.phase, origin.epoch, origin.step) == ("forward", 1, 1)
    advice = str(caught.value).partition("the last finite weights. ")[2]
    assert advice.startswith(
        f"No weight was updated yet: look at the gate {origin.gate} and what goes into it, "
        f"{origin.operand}{rest}"
    )
    assert "learning_rate" not in advice and "clipped" not in advice


def test_an_epoch_that_is_finite_when_it_is_run_again_is_told(monkeypatch):
    """As where rounding differs between an epoch in one go and step by step."""
    whole = TrainingSession.epoch

    def epoch(self, order, *arguments, **options):
        found = whole(self, order, *arguments, **options)
        return found._replace(J=found.J * np.inf) if len(order) == len(X) else found

    monkeypatch.setattr(TrainingSession, "epoch", epoch)
    net = rg.MLP([2, 1])
    with pytest.raises(DivergenceError, match="diverged in epoch 1: run again step by step") as it:
        rg.train(net, X, Y, batch_size=10)
    assert (it.value.epoch, it.value.step) == (1, 3)
    assert "at the edge of what float64 holds" in str(it.value)
    assert np.isfinite(net.parameters["W1"]).all()


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_what_a_callback_wrote_is_what_a_diverged_epoch_returns_to(at, engine, is_stream):
    """It writes weights from which the first step of the next epoch diverges; 0: those at first."""
    net = rg.MLP([2, 1], bias=False)
    huge = np.array([[1e200], [-1e200]])

    def write(net, history):
        if history.epochs == at:
            net.parameters["W1"] = huge

    if not at:
        net.parameters["W1"] = huge
    data = ([(X, Y)],) if is_stream else (X, Y)
    with pytest.raises(DivergenceError) as caught:
        rg.train(net, *data, optimizer=rg.SGD(0.01), epochs=9, callbacks=[write], engine=engine)
    assert (caught.value.epoch, caught.value.step) == (at + 1, 1)
    np.testing.assert_array_equal(net.parameters["W1"], huge)
