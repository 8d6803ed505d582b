"""Orders shuffled off the interpreter's lock, on several threads, as NumPy would shuffle them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache, lru_cache

import numpy as np

from retrograd.engines.cpu.machine.compiled import Code, compiled
from retrograd.engines.cpu.machine.host import host
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.memory import address
from retrograd.engines.cpu.run.pool import run_parallel
from retrograd.engines.orders import shuffle_in_turn
from retrograd.graph.node import Array


def shuffle(generators: Sequence[np.random.RandomState], orders: Array, n_threads: int) -> None:
    """See `engines.base.Shuffles`. NumPy itself shuffles for what is no Mersenne Twister."""
    every = [generator._bit_generator for generator in generators]
    if not all(type(one) is np.random.MT19937 for one in every) or not _is_state_known():
        shuffle_in_turn(generators, orders)
        return
    n_orders, n = orders.shape[1:]
    numbers = np.array([n, n_orders], np.int64)
    with ExitStack() as held:
        for one in every:
            held.enter_context(one.lock)
        tables = np.empty((len(every), 2), np.uintp)
        tables[:, 0] = [one.ctypes.state_address for one in every]
        tables[:, 1] = address(orders) + orders.strides[0] * np.arange(len(every))
        job = [(place, address(numbers)) for place in _rows(tables)]
        if len(job) == 1 or n_threads == 1:
            for task in job:
                _code(host()).call(*task)
        else:
            run_parallel(_code(host()), [job] * min(n_threads, len(job)), is_shared=True)


def _rows(table: Array) -> list[int]:
    """Where the rows of a table lie."""
    return [address(table) + i * table.strides[0] for i in range(len(table))]


@lru_cache
def _code(target: Target) -> Code:
    def make() -> list[str]:
        from retrograd.engines.cpu.code.shuffle import emit_shuffle  # needs LLVM

        return [str(emit_shuffle(target))]

    return compiled("shuffle", "shuffle", target, make)


@cache
def _is_state_known() -> bool:
    """Whether this NumPy keeps a twister's state as 1.24 to 2.4 do: its words, then the place.

    NumPy tells where the state lies, but not how.
    """
    one = np.random.MT19937(0)
    one.random_raw(3)
    told = one.state["state"]
    words = (ctypes.c_uint32 * (len(told["key"]) + 1)).from_address(one.ctypes.state_address)
    return [*words] == [*told["key"], told["pos"]]
