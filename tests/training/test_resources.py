"""Memory and threads: a step does not grow, X is not copied, trainings do not meet."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.run.state import StateSnapshot


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_X_is_not_copied():
    X = np.random.default_rng(0).normal(size=(100_000, 20))
    Y = X[:, :1].copy()
    assert X.nbytes > 15e6

    def train(n):
        rg.train(rg.MLP([20, 4, 1]), X[:n], Y[:n], epochs=1, batch_size=1000)

    train(3000)  # the code is made once, and kept
    used = peak(lambda: train(len(X)))
    # The order of the rows and the check for NaN are far smaller than X.
    assert used < 0.4 * X.nbytes


def test_memory_does_not_grow_over_epochs():
    X = np.random.default_rng(0).normal(size=(200, 5))
    held = []

    def note(net, history):
        held.append(tracemalloc.get_traced_memory()[0])

    def train():
        rg.train(rg.MLP([5, 30, 1]), X, X[:, :1], epochs=25, batch_size=20, callbacks=[note])

    train()  # the code is made once, and kept
    held.clear()
    peak(train)
    assert held[-1] - held[9] < 10_000


def wide():
    """A network whose weights are far larger than its rows, and the bytes of its state."""
    net = rg.MLP([300, 1200, 400, 2])
    return net, 3 * sum(w.nbytes for w in net.parameters.values())


@pytest.mark.parametrize(("epochs", "most"), [(1, 2.3), (4, 3.3)])
def test_a_training_holds_its_state_once_and_once_more_to_return_to(epochs, most):
    X = np.random.default_rng(0).normal(size=(16, 300))

    def train():
        net, _ = wide()
        return net, rg.train(net, X, X[:, :2], epochs=epochs, batch_size=8, optimizer="adam")

    train()  # the code is made once, and kept
    # Besides, the first weights are a third of it, and a step has gradients of its own.
    assert peak(train) < most * wide()[1]


def move(net, history):
    net.parameters["W1"] = 0.9 * net.parameters["W1"]


WAYS = {
    "as it is": {},
    "validation": {"validation": 0.25},
    "a callback that looks": {"callbacks": [lambda net, history: None]},
    "a callback that moves": {"callbacks": [move]},
    "an average": {"optimizer": rg.EMA(rg.SGD(0.01), 0.5)},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_the_state_is_copied_between_epochs_alone(way, is_stream, epochs, monkeypatch):
    copied, keep = [], StateSnapshot.keep
    monkeypatch.setattr(StateSnapshot, "keep", lambda self: (copied.append(self), keep(self))[1])
    X = np.random.default_rng(0).normal(size=(40, 5))
    options = WAYS[way] | {"epochs": epochs, "engine": "cpu"}
    net = rg.MLP([5, 4, 5])
    if is_stream:
        options |= {"validation": (X, X)} if way == "validation" else {}
        rg.train(net, [(X, X)], **options)
    else:
        rg.train(net, X, X, **options)
    assert len(copied) == epochs - 1


def train(seed):
    X = np.random.default_rng(seed).normal(size=(100, 3))
    net = rg.MLP([3, 8, 1], seed=seed)
    history = rg.train(net, X, X[:, :1] * X[:, 1:2], epochs=15, batch_size=9, seed=seed)
    return net.parameters["W1"], history.J


def in_threads(seeds):
    found = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: train(seed)}))
        for seed in seeds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_thread_trains_as_the_main_thread_does():
    found = in_threads([3])[3]
    expected = train(3)
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]


def test_two_trainings_at_once_do_not_meet():
    found = in_threads([1, 2, 3, 4])
    for seed in (1, 2, 3, 4):
        expected = train(seed)
        np.testing.assert_array_equal(found[seed][0], expected[0])
        assert found[seed][1] == expected[1]
