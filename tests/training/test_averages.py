"""Optimizers that read other weights out than they train: who sees which weights."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError, OptionError
from retrograd.nn.losses import find_loss
from retrograd.training.session import TrainingSession, check_rows
from retrograd.training.step import in_general, objective, training_steps

RNG = np.random.default_rng(21)
X, Y = RNG.normal(size=(24, 3)), RNG.normal(size=(24, 1))
AVERAGING = {
    "ema": rg.EMA(rg.SGD(0.2), 0.7),
    "swa": rg.SWA(rg.SGD(0.2), start=1, every=2),
    "lookahead": rg.Lookahead(rg.SGD(0.2), every=4),
    "schedule-free": rg.ScheduleFreeAdamW(0.1),
    "inside": rg.Clip(rg.EMA(rg.SGD(0.2), 0.7), value=10.0),
    "of a group": rg.Groups({"W*": rg.EMA(rg.SGD(0.2), 0.7)}, default=rg.SGD(0.2)),
    "of a fallback": rg.Muon(0.1, fallback=rg.EMA(rg.SGD(0.2), 0.7)),
}
ENGINES = ["numpy", "cpu"]


def mlp(dtype=np.float64):
    return rg.MLP([3, 4, 1], activation="tanh", dtype=dtype)


def opened(net, optimizer, engine="numpy"):
    loss = find_loss("auto", net)
    return TrainingSession(net, check_rows(net, loss, X, Y), loss=loss, optimizer=optimizer,
                           engine=engine)  # fmt: skip


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", AVERAGING)
def test_the_session_reads_and_scores_the_averages(name, engine):
    net = mlp()
    session = opened(net, AVERAGING[name], engine)
    assert same(session.parameters(), net.parameters)
    session.epoch(np.arange(24), 5, lambda: False)
    read = session.parameters()
    trained = {parameter: session.engine.read(parameter) for parameter in read}
    assert not same(read, trained)
    net.parameters.update(read)
    np.testing.assert_allclose(
        session.score(np.arange(24))[1], net.predict(X, engine="numpy"), rtol=1e-12
    )


@pytest.mark.parametrize("name", AVERAGING)
def test_what_is_assigned_is_what_is_read_and_the_rest_goes_on(name):
    session = opened(mlp(), AVERAGING[name])
    session.epoch(np.arange(24), 5, lambda: False)
    before = session.engine.snapshot()
    session.assign(session.parameters())  # nothing new
    assert same(before, session.engine.snapshot())
    given = session.parameters() | {"W1": np.full((3, 4), 0.25)}
    session.assign(given)
    assert same(session.parameters(), given)
    assert np.array_equal(session.engine.read("W1"), given["W1"])
    assert np.array_equal(session.engine.read("W2"), before["W2"])


@pytest.mark.parametrize("name", AVERAGING)
def test_looking_on_changes_nothing(name):
    net, other = mlp(), mlp()
    seen = []
    rg.train(
        net, X, Y, optimizer=AVERAGING[name], epochs=6, batch_size=7,
        callbacks=[lambda net, h: seen.append(net.parameters["W1"].copy())],
    )  # fmt: skip
    rg.train(other, X, Y, optimizer=AVERAGING[name], epochs=6, batch_size=7)
    assert same(net.parameters, other.parameters)
    np.testing.assert_array_equal(seen[-1], net.parameters["W1"])


@pytest.mark.parametrize("name", AVERAGING)
def test_the_best_averages_by_validation_are_kept(name):
    net, seen = mlp(), []
    history = rg.train(
        net, X, Y, optimizer=AVERAGING[name], epochs=8, batch_size=7, validation=(X[:6], -Y[:6]),
        callbacks=[lambda net, h: seen.append(dict(net.parameters))],
    )  # fmt: skip
    assert same(net.parameters, seen[history.best_epoch - 1])
    J = 0.5 * np.square(net.predict(X[:6]) + Y[:6]).mean()
    assert history.validation_J[history.best_epoch - 1] == pytest.approx(J, rel=1e-12)


def test_every_start_begins_its_averages_anew():
    net, starts = mlp(), []
    optimizer = rg.SWA(rg.SGD(1e-9), start=100)
    rg.train(net, X, Y, optimizer=optimizer, epochs=1, batch_size=None, random_starts=3,
             callbacks=[lambda net, h: starts.append(net.parameters["W1"].copy())])  # fmt: skip
    assert np.abs(starts[0] - mlp().parameters["W1"]).max() < 1e-6
    assert np.abs(starts[0] - starts[1]).max() > 0.01
    assert np.abs(starts[1] - starts[2]).max() > 0.01


def test_parameters_assigned_between_runs_are_gone_on_from():
    net, optimizer = rg.MLP([3, 1], bias=False), rg.EMA(rg.SGD(0.1), 0.5)
    history = rg.train(net, X, Y, optimizer=optimizer, epochs=1, batch_size=None)
    W = np.ones((3, 1))
    net.parameters["W1"] = W
    rg.train(net, X, Y, optimizer=optimizer, epochs=1, batch_size=None, resume=history)
    stepped = W - 0.1 * X.T @ (X @ W - Y) / len(X)
    np.testing.assert_allclose(net.parameters["W1"], (W + stepped) / 2, rtol=1e-12)


def test_a_run_that_diverges_leaves_finite_averages():
    net = rg.MLP([3, 1], bias=False)
    optimizer = rg.EMA(rg.SGD(1e200), 0.5)
    with pytest.raises(DivergenceError):
        rg.train(net, X, Y, optimizer=optimizer, epochs=5, batch_size=None)
    assert np.isfinite(net.parameters["W1"]).all()


def test_averages_in_float32_and_mixed_precision_have_the_parameters_dtype():
    for precision in ("float32", "bfloat16"):
        net = mlp()
        history = rg.train(net, X, Y, optimizer=AVERAGING["ema"], epochs=20, precision=precision)
        assert net.parameters["W1"].dtype == np.float32
        assert history.J[-1] < history.J[0]


def test_an_accumulated_step_is_that_of_the_whole_batch():
    whole, parts = mlp(), mlp()
    rg.train(whole, X, Y, optimizer=rg.Adam(0.1), epochs=4, batch_size=24, shuffle=False)
    accumulated = rg.Accumulate(rg.Adam(0.1), every=3)
    rg.train(parts, X, Y, optimizer=accumulated, epochs=4, batch_size=8, shuffle=False)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-11)


def test_a_group_without_parameters_is_an_error_that_names_them():
    optimizer = rg.Groups({"weights*": rg.SGD(0.1)}, default=rg.SGD(0.1))
    with pytest.raises(OptionError, match=r"'weights\*' fits no parameter .* W1, b1, W2, b2"):
        rg.train(mlp(), X, Y, optimizer=optimizer, epochs=1)


def test_a_group_follows_its_own_rate():
    net, before = mlp(), mlp()
    optimizer = rg.Groups({"W1": rg.SGD(1e-9), "b*": rg.SGD(lambda step: 1e-9)}, rg.SGD(0.1))
    history = rg.train(net, X, Y, optimizer=optimizer, epochs=3)
    moved = {name: np.abs(w - before.parameters[name]).max() for name, w in net.parameters.items()}
    assert max(moved["W1"], moved["b1"], moved["b2"]) < 1e-6 < 0.01 < moved["W2"]
    assert history.learning_rate == [0.1] * 3


def test_the_form_of_nested_optimizers_has_no_numbers_left():
    optimizer = rg.EMA(rg.Groups({"b*": rg.Rprop(0.3)}, default=rg.Muon(0.1)), 0.9)
    other = rg.EMA(rg.Groups({"b*": rg.Rprop(0.4)}, default=rg.Muon(0.2)), 0.8)
    assert set(in_general(optimizer).numbers().values()) == {0.0, 0.5}
    assert in_general(optimizer) == in_general(other)
    assert hash(in_general(optimizer)) == hash(in_general(other))
    assert in_general(rg.Muon()) != in_general(rg.Muon(iterations=4))


def test_what_does_not_average_has_no_step_to_read():
    net = mlp()
    loss = find_loss("auto", net)
    J = objective(net, loss, loss.target(Y, 1, np.float64))
    assert "read" not in training_steps(J, rg.Clip(rg.Adam(), value=1.0))
    read = training_steps(J, AVERAGING["schedule-free"])["read"]
    assert set(read.scalars) == {"beta1"}
    assert not read.updates


def test_a_training_without_a_step_of_accumulate_says_so():
    net, before = mlp(), dict(mlp().parameters)
    optimizer = rg.Accumulate(rg.Adam(0.1), every=9)
    with pytest.warns(UserWarning, match="Accumulate took no step: 4 batches came"):
        history = rg.train(net, X, Y, optimizer=optimizer, epochs=2, batch_size=-(-len(X) // 2))
    assert all(np.array_equal(w, net.parameters[name]) for name, w in before.items())
    rg.train(net, X, Y, optimizer=optimizer, epochs=3, batch_size=-(-len(X) // 2), resume=history)
    assert not np.array_equal(net.parameters["W1"], before["W1"])


def test_a_group_that_accumulates_in_vain_says_so_too():
    optimizer = rg.Groups({"b*": rg.Accumulate(rg.SGD(0.1), every=9)}, default=rg.SGD(0.1))
    with pytest.warns(UserWarning, match="Accumulate took no step"):
        rg.train(mlp(), X, Y, optimizer=optimizer, epochs=1, batch_size=None)
