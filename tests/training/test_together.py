"""Random starts that are trained at once: each is what it is alone, bit for bit."""

from __future__ import annotations

import math
import signal
import threading
import time

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError, DivergenceError
from retrograd.training import starts, train
from retrograd.training.interrupt import Interrupt

RNG = np.random.default_rng(15)
N = 50
X = RNG.normal(size=(N, 3))
Y = np.sin(2 * X[:, :1]) * X[:, 1:2]
LABELS = (Y[:, 0] > 0).astype(int) + (X[:, 2] > 1)
WEIGHTS = RNG.uniform(0.5, 2.0, N)
MANY = 9  # starts
TWO_THREADS = CpuEngine(n_threads=2)
BROKEN = {"W1": np.full((3, 5), np.nan)}


class Threaded(NumpyEngine):
    """The reference engine, as if it had threads: it asks whether to stop before each batch."""

    n_threads = 2


def mlp():
    return rg.MLP([3, 5, 1], activation="tanh")


def classifier():
    return rg.MLP([3, 5, 3], activation="relu", output="softmax")


def layers(*inner):
    return rg.Network([rg.Dense(3, 6), *inner, rg.Dense(6, 1)])


def look(network, history):
    """A callback that does nothing: with it starts are trained one after another."""


@pytest.fixture
def sizes(monkeypatch):
    """How many starts were trained at once, in each call."""
    found = []

    def noted(session, network, job, beginning, n_starts, size):
        found.append(size)
        return starts.at_once(session, network, job, beginning, n_starts, size)

    monkeypatch.setattr(train, "at_once", noted)
    return found


def trained(network, y=Y, *, random_starts=MANY, **options):
    usual = {"epochs": 4, "batch_size": 16, "engine": TWO_THREADS}
    options = {**usual, "random_starts": random_starts, **options}
    return rg.train(network, X, y, **options)


def assert_same(one, other):
    """Equality of two histories, bit for bit, but for the time."""
    for name, value in vars(one).items():
        if name not in ("seconds", "checkpoint"):
            np.testing.assert_equal(getattr(other, name), value, err_msg=name)
    a, b = one.checkpoint, other.checkpoint
    assert (a.optimizer, a.seed, a.rows, a.stream) == (b.optimizer, b.seed, b.rows, b.stream)
    np.testing.assert_equal(dict(a.state), dict(b.state))
    np.testing.assert_equal(dict(a.parameters), dict(b.parameters))


def assert_equal_to_one_by_one(make, sizes, y=Y, **options):
    together, alone = make(), make()
    one = trained(together, y, **options)
    assert sizes
    assert sizes.pop() > 1
    other = trained(alone, y, callbacks=[look], **options)
    assert not sizes
    assert len(one.starts) == MANY
    assert_same(one, other)
    np.testing.assert_equal(dict(together.parameters), dict(alone.parameters))
    return one


@pytest.mark.parametrize(
    "optimizer",
    [
        rg.SGD(0.1, momentum=0.9),
        rg.Adam(0.05),
        rg.Lion(0.01),
        rg.Muon(0.02),
        rg.Adafactor(0.05),
        rg.Clip(rg.RMSprop(0.01), global_norm=0.1),
        rg.Decay(rg.SGD(0.05), weight_decay=0.01),
        rg.SAM(rg.SGD(0.1)),
        rg.Accumulate(rg.SGD(0.1), every=3),
        rg.SGD(rg.schedules.Cosine(0.2, steps=10)),
        rg.SGD(rg.schedules.ReduceOnPlateau(0.5, factor=0.5, patience=0)),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_starts_at_once_are_those_one_by_one(optimizer, sizes):
    assert_equal_to_one_by_one(mlp, sizes, optimizer=optimizer, l2=0.01)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "log_cosh", rg.Quantile(0.3)])
def test_losses_of_numbers(loss, sizes):
    assert_equal_to_one_by_one(mlp, sizes, loss=loss)


@pytest.mark.parametrize(
    "options",
    [{}, {"class_weight": "balanced"}, {"loss": "focal"}, {"validation": 0.3, "patience": 1}],
)
def test_losses_of_classes(options, sizes):
    assert_equal_to_one_by_one(classifier, sizes, LABELS, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": None},
        {"batch_size": 1, "epochs": 2},
        {"batch_size": 25},
        {"shuffle": False},
        {"sample_weight": WEIGHTS, "validation": 0.2},
        {"frozen": ["W1"], "statistics": True},
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"seed": 7},
        {"engine": Threaded()},
    ],
    ids="-".join,
)
def test_options(options, sizes):
    assert_equal_to_one_by_one(mlp, sizes, **options)


@pytest.mark.parametrize("inner", [rg.Dropout(0.4), rg.BatchNorm(6)], ids=["dropout", "batch norm"])
def test_layers_with_numbers_of_their_own(inner, sizes):
    history = assert_equal_to_one_by_one(lambda: layers(inner), sizes, validation=0.2)
    assert len(set(history.starts)) == MANY


def test_heads(sizes):
    def make():
        heads = rg.Heads({"a": [rg.Dense(6, 1)], "b": [rg.Dense(6, 2)]})
        return rg.Network([rg.Dense(3, 6, "tanh"), heads])

    y = {"a": Y, "b": X[:, :2] ** 2}
    history = assert_equal_to_one_by_one(make, sizes, y, validation=0.2)
    assert set(history.J_of) == set(history.validation_J_of) == {"a", "b"}


def test_each_start_stops_by_its_own_rules(sizes):
    """The best is kept as it was when it stopped, while others went on."""
    lengths = set()
    for seed in range(6):
        options = {"validation": 0.4, "patience": 2, "epochs": 60, "seed": seed}
        lengths.add(
            assert_equal_to_one_by_one(mlp, sizes, optimizer=rg.Adam(0.1), **options).epochs
        )
    assert len(lengths) > 1
    assert assert_equal_to_one_by_one(mlp, sizes, tolerance=0.05, epochs=60).stopped == "tolerance"


def test_the_number_of_threads_changes_no_bit(sizes):
    """One thread takes the starts one by one, three share nine copies."""
    one, three = mlp(), mlp()
    history = trained(one, engine=CpuEngine(n_threads=1), validation=0.2)
    assert not sizes
    assert_same(history, trained(three, engine=CpuEngine(n_threads=3), validation=0.2))
    assert sizes == [MANY]
    np.testing.assert_equal(dict(one.parameters), dict(three.parameters))


def test_starts_that_are_too_many_at_once_go_in_groups(sizes, monkeypatch):
    network = mlp()
    whole = trained(network, random_starts=20)
    n_weights = sum(value.size for value in network.parameters.values())
    monkeypatch.setattr(starts, "AT_ONCE", 19 * starts.LEAST * n_weights)
    assert_same(whole, trained(mlp(), random_starts=20))
    assert sizes == [20, 10]


def test_starts_of_many_rows_are_not_shuffled_all_at_once(sizes, monkeypatch):
    whole = trained(mlp(), random_starts=20)
    for few, expected in ((10, [10]), (starts.FEW - 1, [])):
        sizes.clear()
        monkeypatch.setattr(starts, "ORDERS", few * len(X))
        assert_same(whole, trained(mlp(), random_starts=20))
        assert sizes == expected


def test_few_starts_and_large_steps_go_one_by_one(sizes):
    assert len(trained(mlp(), random_starts=starts.FEW - 1).starts) == starts.FEW - 1
    wide = rg.MLP([3, 2000, 1])
    rows = np.tile(X, (40, 1)), np.tile(Y, (40, 1))
    rg.train(wide, *rows, epochs=1, batch_size=None, random_starts=8, engine=TWO_THREADS)
    assert not sizes


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [look]},
        {"progress": True},
        {"max_seconds": 100.0},
        {"optimizer": "lbfgs"},
        {"engine": "numpy"},
        {"optimizer": rg.EMA(rg.SGD(0.1))},  # what it predicts with is asked for one by one
    ],
    ids="-".join,
)
def test_options_that_want_them_one_by_one(options, sizes):
    assert len(trained(mlp(), **options).starts) == MANY
    assert not sizes


def overflowing():
    network = mlp()
    network.parameters["W2"] = np.full((5, 1), 1e200)  # the present weights overflow at once
    return network


@pytest.mark.parametrize("options", [{}, {"validation": 0.2}], ids=["plain", "validation"])
def test_a_start_that_diverges_is_left_out(options, sizes):
    options["loss"] = "squared_error"
    history = assert_equal_to_one_by_one(overflowing, sizes, **options)
    assert math.isnan(history.starts[0])
    assert np.isfinite(history.starts[1:]).all()


def test_where_all_diverge_the_error_is_that_of_the_last(sizes):
    options = {"optimizer": rg.SGD(1e60), "loss": "squared_error", "epochs": 9}
    together, alone = mlp(), mlp()
    with pytest.raises(DivergenceError) as one:
        trained(together, **options)
    assert sizes == [MANY]
    with pytest.raises(DivergenceError) as other:
        trained(alone, callbacks=[look], **options)
    assert str(one.value) == str(other.value)
    assert (one.value.epoch, one.value.step) == (other.value.epoch, other.value.step)
    assert all(np.isfinite(value).all() for value in together.parameters.values())
    np.testing.assert_equal(dict(together.parameters), dict(alone.parameters))


def test_fresh_weights_that_are_not_finite_are_an_error(monkeypatch, sizes):
    def weights(self, network, number):
        return {**network.parameters, **BROKEN}

    monkeypatch.setattr(starts.Beginning, "weights", weights)
    with pytest.raises(DataError, match="parameter W1"):
        trained(mlp())
    assert sizes == [MANY]


def test_the_kept_start_can_be_resumed(sizes):
    together, alone = mlp(), mlp()
    one = rg.train(together, X, Y, epochs=3, resume=trained(together))
    other = rg.train(alone, X, Y, epochs=3, resume=trained(alone, callbacks=[look]))
    assert sizes == [MANY]
    assert one.epochs == 7
    assert_same(one, other)


def test_ctrl_c_while_starts_are_scored_ends_all_of_them(sizes):
    """It comes in the third epoch, at the score of the fifth start."""
    calls = []

    def score(y, output):
        calls.append(output)
        if len(calls) == 2 * MANY + 5:
            signal.raise_signal(signal.SIGINT)
        return -float(np.mean((y - output) ** 2))

    network = mlp()
    history = trained(network, validation=0.2, score=score, epochs=100)
    assert len(calls) == 2 * MANY + 5
    assert sizes == [MANY]
    assert history.stopped == "interrupted"
    assert history.epochs in (2, 3)
    assert len(history.starts) == MANY
    best = history.validation_score[history.best_epoch - 1]
    assert best == max(history.starts)
    kept = history.checkpoint.parameters
    np.testing.assert_equal(dict(network.parameters), dict(kept))
    assert rg.train(network, X, Y, validation=0.2, score=score, resume=history).epochs > 3


def test_ctrl_c_between_batches_keeps_the_newest_weights(monkeypatch):
    """A flag that is up from its third question on: the first epoch is left in the middle."""
    asked = []
    monkeypatch.setattr(Interrupt, "__call__", lambda self: asked.append(1) or len(asked) > 2)
    network, other = mlp(), mlp()
    history = trained(network, batch_size=8, shuffle=False, engine=Threaded())
    monkeypatch.undo()
    assert (history.stopped, history.epochs) == ("interrupted", 0)
    assert history.starts == [-np.inf] * MANY
    rg.train(other, X[:24], Y[:24], epochs=1, batch_size=8, shuffle=False, engine="numpy")
    np.testing.assert_equal(dict(network.parameters), dict(other.parameters))


def test_ctrl_c_is_answered_at_once(sizes):
    rows = np.tile(X, (2000, 1)), np.tile(Y, (2000, 1))
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)  # its handler runs in the main thread

    trained(mlp(), epochs=1)  # code is made
    timer = threading.Timer(0.3, press)
    timer.start()
    history = rg.train(mlp(), *rows, epochs=10**4, random_starts=MANY, engine=TWO_THREADS)
    assert time.perf_counter() - pressed[0] < 1.0
    timer.join()
    assert sizes == [MANY, MANY]
    assert history.stopped == "interrupted"
    assert len(history.starts) == MANY


def test_a_second_ctrl_c_is_a_keyboard_interrupt_and_the_weights_are_finite():
    def score(y, output):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    network, before = mlp(), mlp().parameters
    with pytest.raises(KeyboardInterrupt):
        trained(network, validation=0.2, score=score)
    np.testing.assert_equal(dict(network.parameters), dict(before))
