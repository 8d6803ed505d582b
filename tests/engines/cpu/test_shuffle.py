"""Orders that the engine shuffles are NumPy's, and so are the generators afterwards."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from retrograd.engines.base import Shuffles
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.run import shuffle as module
from retrograd.run import find_engine

KINDS = [np.random.MT19937, np.random.PCG64, np.random.Philox, np.random.SFC64]


def by_numpy(generators, orders):
    """What `Shuffles.shuffle` is to do, in NumPy's words."""
    for generator, own in zip(generators, orders, strict=True):
        generator.shuffle(own[0])
        for before, order in pairwise(own):
            order[:] = before
            generator.shuffle(order)


def words(state):
    """The state of a generator, as what can be compared."""
    if isinstance(state, dict):
        return {name: words(value) for name, value in state.items()}
    return np.asarray(state).tolist()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 16, 17, 700, 70_000])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_orders_and_generators_are_as_numpy_leaves_them(kind, n_threads, n):
    n_orders = 2 if n > 1000 else 7
    ours, others = ([np.random.RandomState(kind(seed)) for seed in range(5)] for _ in range(2))
    for generator in (*ours, *others):
        generator.random_sample(3)  # somewhere within its block of numbers
    found = np.zeros((5, n_orders, n), np.int64)
    found[:, 0] = np.arange(n)[::-1]
    expected = found.copy()
    CpuEngine(n_threads=n_threads).shuffle(ours, found)
    by_numpy(others, expected)
    np.testing.assert_array_equal(found, expected)
    for own, other in zip(ours, others, strict=True):
        assert words(own.get_state(legacy=False)) == words(other.get_state(legacy=False))


def test_a_state_is_known_only_where_it_lies_as_it_is_told(monkeypatch):
    assert module._is_state_known.__wrapped__()
    told = np.random.MT19937(0).state
    told["state"]["pos"] = 2  # it is 3

    class Another(np.random.MT19937):
        state = property(lambda self: told)

    monkeypatch.setattr(np.random, "MT19937", Another)
    assert not module._is_state_known.__wrapped__()


def test_a_state_that_is_not_known_is_left_to_numpy(monkeypatch):
    monkeypatch.setattr(module, "_is_state_known", lambda: False)
    monkeypatch.setattr(module, "_code", None)
    own, other = np.random.RandomState(1), np.random.RandomState(1)
    found = np.zeros((1, 2, 10), np.int64)
    found[0, 0] = range(10)
    expected = found.copy()
    CpuEngine(n_threads=1).shuffle([own], found)
    by_numpy([other], expected)
    np.testing.assert_array_equal(found, expected)


def test_engines_say_whether_they_shuffle():
    assert isinstance(find_engine("cpu"), Shuffles)
    assert not isinstance(find_engine("numpy"), Shuffles)
