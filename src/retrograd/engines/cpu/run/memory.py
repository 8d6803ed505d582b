"""The memory that native code is handed: the arrays of an executable, and the table of pointers."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from retrograd.engines.cpu.abi.places import PICKING
from retrograd.engines.cpu.abi.table import SCRATCH, Table
from retrograd.engines.cpu.run.executable import Executable
from retrograd.errors import DataError
from retrograd.graph.node import Array, Node

Size = tuple[int, np.dtype[Any]]
"""How many entries, and of which dtype."""

ALIGN = 64  # bytes: a cache line, and the widest vector
# From so many bytes on NumPy asks Linux for large pages, of this size. What lies before the first
# of them in an array would come as up to 511 small ones, each a fault of its own.
LARGE, PAGE = 1 << 22, 1 << 21


def allocate(entries: int, dtype: np.dtype[Any]) -> Array:
    """An array that begins on a cache line, a large one on a large page; it may hold anything."""
    return _placed(np.empty, entries, dtype)


def zeros(entries: int, dtype: np.dtype[Any]) -> Array:
    """The same with a 0 in each place; pages that nobody wrote to take no memory yet."""
    return _placed(np.zeros, entries, dtype)


def _placed(make: Callable[..., Array], entries: int, dtype: np.dtype[Any]) -> Array:
    n_bytes = entries * dtype.itemsize
    start_at = ALIGN if n_bytes < LARGE else PAGE
    raw = make(n_bytes + start_at, np.uint8)
    start = -address(raw) % start_at
    return raw[start : start + n_bytes].view(dtype)


def address(array: Array) -> int:
    """Where an array's first entry lies."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # is a buffer
    except (TypeError, ValueError):  # a slower way, for what is read-only, empty or has gaps
        return int(array.__array_interface__["data"][0])


class Buffers:
    """Buffers that memories share, which are never in use at the same time.

    They live as long as a memory has them.
    """

    def __init__(self) -> None:
        self._arrays: WeakValueDictionary[tuple[Size, int], Array] = WeakValueDictionary()

    def of(self, sizes: Iterable[Size]) -> list[Array]:
        """A buffer for each of these sizes, no two of them the same."""
        found, taken = [], Counter[Size]()
        for size in sizes:
            key = size, taken[size]
            taken[size] += 1
            array = self._arrays.get(key)
            if array is None:
                array = self._arrays[key] = allocate(*size)
            found.append(array)
        return found


class Memory:
    """The arrays of one executable, for batches of up to `rows` rows and so many threads.

    `pointers` are the tables that the code reads, one for each copy; what a pointer leads to is
    kept alive in `arrays`, but for what is handed over by `point`, which the caller keeps.
    `shared`: with memories of other executables, that run at other times.
    """

    def __init__(
        self,
        executable: Executable,
        rows: int,
        n_threads: int = 1,
        shared: Buffers | None = None,
        *,
        copies: int = 1,
    ) -> None:
        self.rows = rows
        self._table = table = executable.table
        self.pointers = np.zeros((copies, len(table.cells)), np.uintp)
        self._columns = by_column(self.pointers)
        self.each = np.arange(copies, dtype=np.uintp)
        self.arrays: dict[object, Array] = {}
        self.error = np.zeros((copies, 2), np.int64)
        self._keep("error", self.error, self.error.strides[0])
        self._keep("barrier", zeros(64 * copies, np.dtype(np.int64)), 64 * 8)
        for node in table.arrays:
            if node not in executable.constants:
                assert node.value is not None
                executable.constants[node] = laid_out(table, node, node.value)
            self._keep(node, executable.constants[node])
        scratch, needed = executable.sizes(rows, n_threads)
        sizes: dict[object, Size] = {SCRATCH: (scratch // 4, np.dtype(np.float32))}
        sizes |= needed
        # Of each buffer the bytes of a copy: whole lines.
        strides = [-(-n * dtype.itemsize // ALIGN) * ALIGN for n, dtype in sizes.values()]
        every = zip(strides, sizes.values(), strict=True)
        buffers = (shared or Buffers()).of(
            (copies * stride // dtype.itemsize, dtype) for stride, (_, dtype) in every
        )
        for key, array, stride in zip(sizes, buffers, strides, strict=True):
            self._keep(key, array, stride)

    def _keep(self, key: object, array: Array, stride: int = 0) -> None:
        self.arrays[key] = array
        self.point(key, array, stride)

    def point(self, key: object, array: Array, stride: int = 0) -> None:
        """Hand an array to the code that the caller keeps alive.

        `stride`: bytes from what one copy is handed to what the next is; 0 for the same.
        """
        self._columns[self._table.cells[key]] = starts(address(array), stride, self.each)


def by_column(table: Array) -> Array:
    """A table, led by the copies, as what is set column by column: of one copy, its row."""
    return table[0] if len(table) == 1 else table.T


def starts(start: int, stride: int, each: Array) -> int | Array:
    """Where something begins for each copy, so many bytes apart; the place itself for one."""
    return start + stride * each if stride and len(each) > 1 else start


def require_legal(memories: Iterable[Memory]) -> None:
    """Raise DataError if an index was out of range in what ran with any of these memories."""
    wrong = [memory.error for memory in memories if any(memory.error[:, 0].tolist())]
    if wrong:
        code, index = map(int, wrong[0][wrong[0][:, 0] > 0][0])
        for error in wrong:
            error[:] = 0  # the next run starts afresh
        size, gate = divmod(code - 1, len(PICKING))
        raise DataError(
            f"{PICKING[gate]}: index {index} is out of range for an axis of size {size}"
        )


def laid_out(table: Table, node: Node, value: Array) -> Array:
    """A value in the layout of its node, which has no rows."""
    layout = table.layout(node)
    memory = allocate(layout.entries(0), node.dtype)
    layout.view(memory, node.shape, 0)[...] = value
    return memory


def line(array: Array) -> Array:
    """An array each of whose rows is contiguous, itself if they are; a source of rows as it is."""
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array[:1].flags.c_contiguous:
        return array
    return np.ascontiguousarray(array)
