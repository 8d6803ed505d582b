"""Orders shuffled off the interpreter's lock, on several threads, as NumPy would shuffle them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import numpy as np

from retrograd.engines.cpu.machine.compiled import Code, compiled
from retrograd.engines.cpu.machine.host import host
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.memory import address
from retrograd.engines.cpu.run.pool import run_parallel
from retrograd.graph.node import Array


def shuffle(generators: Sequence[np.random.RandomState], orders: Array, n_threads: int) -> None:
    """See `engines.base.Shuffles`."""
    n_orders, n = orders.shape[1:]
    numbers = np.array([n, n_orders], np.int64)
    with ExitStack() as held:
        for one in generators:
            held.enter_context(one._bit_generator.lock)
        tables = np.empty((len(generators), 2), np.uintp)
        tables[:, 0] = [_bits_of(one) for one in generators]
        tables[:, 1] = address(orders) + orders.strides[0] * np.arange(len(generators))
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
    def make() -> str:
        from retrograd.engines.cpu.code.shuffle import emit_shuffle  # needs LLVM

        return str(emit_shuffle(target))

    return compiled("shuffle", "shuffle", target, make)


def _bits_of(generator: np.random.RandomState) -> int:
    """Where a generator's `bitgen_t` lies   [NumPy reference, "Extending"]."""
    capsule: Any = generator._bit_generator.capsule
    return int(_pointer_of()(capsule, b"BitGenerator"))


@lru_cache
def _pointer_of() -> Any:
    kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return kind(("PyCapsule_GetPointer", ctypes.pythonapi))
