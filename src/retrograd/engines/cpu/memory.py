"""A program made ready to run: its machine code, and the memory that the code is handed."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from retrograd.engines.cpu import cache
from retrograd.engines.cpu.body import PICKING
from retrograd.engines.cpu.crew import emit_crew
from retrograd.engines.cpu.emit import emit
from retrograd.engines.cpu.layout import Layout, Now
from retrograd.engines.cpu.machine import Code, assemble, load, machine, optimize
from retrograd.engines.cpu.pace import Pace
from retrograd.engines.cpu.packing import scratch_bytes
from retrograd.engines.cpu.table import SCRATCH, Table
from retrograd.engines.cpu.target import Target
from retrograd.errors import DataError
from retrograd.graph.node import Array, Node
from retrograd.graph.order import flops
from retrograd.graph.structure import Structure
from retrograd.plan.program import Program, signature
from retrograd.plan.schedule import plan_of

ALIGN = 64  # bytes: a cache line, and the widest vector


def allocate(entries: int, dtype: np.dtype[Any]) -> Array:
    """Zeros that begin on a cache line."""
    raw = np.zeros(entries * dtype.itemsize + ALIGN, np.uint8)
    start = -address(raw) % ALIGN
    return raw[start : start + entries * dtype.itemsize].view(dtype)


def address(array: Array) -> int:
    """Where an array's first entry lies."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # is a buffer
    except (TypeError, ValueError):  # a slower way, for what is read-only, empty or has gaps
        return int(array.__array_interface__["data"][0])


class Executable:
    """A program's machine code, the table of what it is handed, and how fast it was.

    `pace(n_threads, size, n_copies)` is what was measured of batches of that size.
    """

    def __init__(self, program: Program, target: Target, *, is_direct: bool = False) -> None:
        self.program, self.target = program, target
        self.table = Table(program, target.bytes // 4, is_direct)
        self.code = code_of(program, target, self.table)
        self.pace = lru_cache(maxsize=SIZES)(partial(_pace, program))
        # What lives in memory of its own within a batch, by its key in the table.
        rooms = [n for n in program.stored() if isinstance(self.table.memory(n), tuple)]
        if not is_direct:
            rooms += program.inputs.values()
        self.rooms: dict[object, Layout] = {}
        for node in rooms:
            self.rooms.setdefault(self.table.memory(node), self.table.layout(node))
        self.sizes = lru_cache(maxsize=SIZES)(self._sizes)

    def _sizes(self, rows: int) -> tuple[int, list[tuple[object, int, np.dtype[Any]]]]:
        """For batches of so many rows: bytes of a thread's scratch, and the entries of each room."""
        rooms = [(key, one.entries(rows), one.dtype) for key, one in self.rooms.items()]
        return scratch_bytes(self.program, self.target, rows, Now()), rooms

    @cached_property
    def constants(self) -> dict[Node, Array]:
        """The arrays among the constants, in their layout; they are only read."""
        found = {}
        for node in self.table.arrays():
            assert node.value is not None
            found[node] = packed(self.table, node, node.value)
        return found


def _pace(program: Program, n_threads: int, size: int, n_copies: int) -> Pace:
    results = (*program.outputs.values(), *program.updates.values())
    return Pace(n_threads, n_copies * flops(results, n_rows=size))


KEPT_PLANS = 64  # structures whose executables are kept
SIZES = 16  # batch sizes of an executable whose pace is kept


def executable_of(structure: Structure, target: Target, *, is_direct: bool = False) -> Executable:
    """What runs a graph; graphs of equal structure share it, and only the first is planned.

    Its program has the nodes of the first graph: what is handed over is found by name.
    """
    make = _kept if structure.is_comparable else _executable
    return make(structure, target, is_direct=is_direct)


def _executable(structure: Structure, target: Target, *, is_direct: bool) -> Executable:
    return Executable(plan_of(structure), target, is_direct=is_direct)


_kept = lru_cache(maxsize=KEPT_PLANS)(_executable)


_CODES: OrderedDict[tuple[str, str], Code] = OrderedDict()
KEPT_CODES = 256  # programs whose code stays loaded
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # a lock held in a fork would never be released in the child
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


def code_of(program: Program, target: Target, table: Table) -> Code:
    """The code of a program: what is loaded already, or kept on disk, or made now."""
    layout = "direct" if table.is_direct else "gathered"
    key = f"{layout}\n{signature(program)}"
    return _code(key, "run", target, lambda: emit(program, target, table))


@lru_cache
def crew_code(target: Target, symbol: str) -> Code:
    """The code that lends threads to calls: "serve" or "lead" (see `emit_crew`)."""
    return _code("crew", symbol, target, lambda: emit_crew(target))


def _code(key: str, symbol: str, target: Target, make: Callable[[], Any]) -> Code:
    key = f"{machine(target)} {key}"
    with _LOCK:  # LLVM is handed one module at a time
        if (key, symbol) in _CODES:
            _CODES.move_to_end((key, symbol))
            return _CODES[key, symbol]
        kept = cache.read(key)
        if kept is None:
            kept = assemble(optimize(str(make()), target), target)
            cache.write(key, kept)
        code = _CODES[key, symbol] = load(kept, symbol)
        if len(_CODES) > KEPT_CODES:
            _CODES.popitem(last=False)
        return code


class Memory:
    """The arrays of one executable, for batches of up to `rows` rows and so many threads.

    `pointers` is the table that the code reads; what a pointer leads to is kept alive in `arrays`,
    but for what is handed over by `point`, which the caller keeps.
    """

    def __init__(self, executable: Executable, rows: int, n_threads: int = 1) -> None:
        self.rows = rows
        self._table = executable.table
        self.pointers = np.zeros(len(self._table.cells), np.uintp)
        self.arrays: dict[object, Array] = {}
        self.error = np.zeros(2, np.int64)
        self._keep("error", self.error)
        self._keep("barrier", allocate(64, np.dtype(np.int64)))
        of_thread, rooms = executable.sizes(rows)
        self._keep(SCRATCH, allocate(n_threads * of_thread // 4, np.dtype(np.float32)))
        for node, array in executable.constants.items():
            self._keep(node, array)
        for key, entries, dtype in rooms:
            self._keep(key, allocate(entries, dtype))

    def _keep(self, key: object, array: Array) -> None:
        self.arrays[key] = array
        self.point(key, array)

    def point(self, key: object, array: Array) -> None:
        """Hand an array to the code that the caller keeps alive."""
        self.pointers[self._table.cells[key]] = address(array)


def require_legal(memories: Iterable[Memory]) -> None:
    """Raise DataError if an index was out of range in what ran with any of these memories."""
    wrong = [memory.error for memory in memories if memory.error[0]]
    if wrong:
        code, index = map(int, wrong[0])
        for error in wrong:
            error[:] = 0  # the next run starts afresh
        size, gate = divmod(code - 1, len(PICKING))
        raise DataError(
            f"{PICKING[gate]}: index {index} is out of range for an axis of size {size}"
        )


def packed(table: Table, node: Node, value: Array) -> Array:
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
