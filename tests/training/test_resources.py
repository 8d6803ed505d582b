"""Memory and threads: a step does not grow, X is not copied, trainings do not meet."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np

import retrograd as rg


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
