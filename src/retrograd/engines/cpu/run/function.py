"""A compiled function of arrays: a graph run over arrays that stay where the caller has them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.engines.checks import count_rows
from retrograd.engines.cpu.abi.places import FIRST, LAST, STRIDES
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.executable import executable_of
from retrograd.engines.cpu.run.listing import CpuListing
from retrograd.engines.cpu.run.memory import Memory, address, require_legal
from retrograd.engines.cpu.run.pool import run_parallel
from retrograd.engines.cpu.run.single_row import SingleRow
from retrograd.engines.forks import renew_in_children
from retrograd.errors import DataError
from retrograd.graph.node import Array, Node
from retrograd.graph.order import order
from retrograd.graph.shape import Rows, has_rows, with_rows
from retrograd.graph.structure import Structure
from retrograd.plan.rows import is_row_by_row

BLOCK = 64  # rows worked on at once where rows do not depend on each other
PIECES = 8  # of the rows for each thread: they are not equally fast at all times
SHARED = 1 << 22  # operations of a call from which on several threads share it


def _is_plain(value: Array) -> bool:
    """Whether the code can be pointed at an array as it is."""
    return type(value) is np.ndarray and value.flags.c_contiguous


def _is_largest_row(node: Node) -> bool:
    """Whether a node is the largest entry over rows, which there must be then."""
    return node.gate.name == "max" and any(
        isinstance(node.inputs[0].shape[axis], Rows) for axis in node.params["axes"]
    )


class CpuFunction:
    """A function from values of `inputs` to values of `outputs`."""

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node], target: Target, n_threads: int
    ) -> None:
        self._inputs, self._target, self._n_threads = list(inputs), target, n_threads
        leading = [i for i, node in enumerate(inputs) if has_rows(node.shape[:1])]
        self._leading = leading
        graph = Structure(
            inputs={f"input {i}": inputs[i] for i in leading},
            state={f"input {i}": node for i, node in enumerate(inputs) if i not in leading},
            outputs={f"output {i}": node for i, node in enumerate(outputs)},
        )
        self._executable = executable_of(graph, target, is_direct=True)
        self._program = self._executable.program
        self._is_row_by_row = bool(leading) and is_row_by_row(self._program)
        self._needs_rows = any(map(_is_largest_row, order(outputs)))
        self._flops = sum(node.gate.flops(node, *node.inputs, n_rows=1) for node in order(outputs))
        self._lock = threading.Lock()  # the memory of a call is used by the next
        self._memories: list[Memory] = []  # one for each thread
        self._figures = np.zeros(STRIDES + len(leading), np.int64)
        self._seen: list[Any] = [None] * len(self._inputs)  # the arguments of the last call
        self._tails = [
            node.shape[1:] if i in leading else None for i, node in enumerate(self._inputs)
        ]
        others = [node for i, node in enumerate(inputs) if i not in leading]
        self._has_rows_elsewhere = any(has_rows(node.shape) for node in others)
        self._results = [(node.shape, node.dtype) for node in outputs]
        # Who takes one has it alone: no lock. What Ctrl-C or a fork cuts off does not come back.
        self._singles: list[SingleRow] = []
        # Those that do not lead with rows, as the last call had them, and what stands for them.
        self._others: tuple[list[tuple[int, Callable[[], Any]]], object]
        self._others = [(i, lambda: None) for i in range(len(inputs)) if i not in leading], object()
        renew_in_children(self)

    def renew(self) -> None:
        """See `Renewable`. The call that another thread had begun is forgotten."""
        self._lock = threading.Lock()
        for memory in self._memories:
            memory.error[:] = 0

    @property
    def listing(self) -> CpuListing:
        """What this function is made of, as text."""
        return CpuListing(self._program, self._target, is_direct=True)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these inputs, as new arrays."""
        others, mark = self._others
        for i, seen in others:
            if seen() is not values[i]:
                mark = self._see(values)
                break
        return self._run(mark, (), values)

    def bind(self, last: Sequence[Array]) -> Callable[[Sequence[Array]], list[Array]]:
        """See `Binds`."""
        arrays = [*last]
        n = len(self._inputs) - len(arrays)
        if self._leading == [*range(n)] and all(map(_is_plain, arrays)):
            return partial(self._run, object(), arrays)
        return lambda first: self([*first, *arrays])

    def _see(self, values: Sequence[Array]) -> object:
        """What stands for the inputs that do not lead with rows, as long as they live."""
        mark, others = object(), [i for i, _ in self._others[0]]
        if all(_is_plain(values[i]) for i in others):  # others are copied, for this call alone
            self._others = [(i, weakref.ref(values[i])) for i in others], mark
        return mark

    def _run(self, mark: object, last: Sequence[Array], first: Sequence[Array]) -> list[Array]:
        """The outputs for the inputs, of which the first have all that lead with rows.

        `mark` is an object that stands for all others: where it is the same, so are they.
        """
        found = None
        try:
            single = self._singles.pop()
        except IndexError:
            single = None
        if single is not None and single.mark is mark:
            found = single.run(first)
        elif self._leading and all(np.shape(first[i])[:1] == (1,) for i in self._leading):
            single = single or SingleRow(self._executable, self._inputs)
            arrays = [np.asarray(value, order="C") for value in (*first, *last)]
            count_rows(self._inputs, arrays)
            single.follow(arrays, mark)
            found = single.run(arrays)
        if single is not None:
            self._singles.append(single)
        if found is None:
            with self._lock:
                return self._call([*first, *last])
        return found

    def _call(self, values: Sequence[Array]) -> list[Array]:
        arrays, n = values, self._rows_at_sight(values)
        if n is None:
            arrays = [np.asarray(value, order="C") for value in values]
            n = count_rows(self._inputs, arrays)
            if n == 0 and self._needs_rows:
                raise DataError("max: there is no largest entry of no rows")
        size = max(1, min(n, BLOCK) if self._is_row_by_row else n)
        n_threads = 1
        if self._is_row_by_row and n > size and self._flops * n > SHARED:
            n_threads = min(self._n_threads, -(-n // size))
        outputs = [np.empty(with_rows(shape, n), dtype) for shape, dtype in self._results]
        if self._memories and self._memories[0].rows < size:
            self._memories = []
        while len(self._memories) < n_threads:
            self._add_memory(size)
        self._hand_over(arrays, outputs)
        # Of no rows there is one batch too: a sum over none is 0.
        n_batches = max(1, -(-n // size))
        self._figures[:STRIDES] = (n, size, 0, n_batches, 0, 1)
        self._share(n_batches, n_threads)
        require_legal(self._memories)
        return outputs

    def _share(self, n_batches: int, n_threads: int) -> None:
        """Run the batches; several threads take a few at a time, whoever is free."""
        code, tables = (
            self._executable.code,
            [address(memory.pointers) for memory in self._memories],
        )
        if n_threads == 1:
            code.call(tables[0], address(self._figures))
            return
        n_pieces = min(n_batches, PIECES * n_threads)
        figures = np.tile(self._figures, (n_pieces, 1))
        bounds = np.arange(n_pieces + 1) * n_batches // n_pieces
        figures[:, FIRST], figures[:, LAST] = bounds[:-1], bounds[1:]
        pieces = [address(figures) + i * figures.strides[0] for i in range(n_pieces)]
        jobs = [[(table, piece) for piece in pieces] for table in tables[:n_threads]]
        run_parallel(code, jobs, is_shared=True)

    def _rows_at_sight(self, values: Sequence[Array]) -> int | None:
        """The number of rows, where all but the leading inputs are those of the last call.

        One row should cost little more than its arithmetic. None where a longer look is needed.
        """
        if self._has_rows_elsewhere:
            return None
        n = None
        for value, seen, tail in zip(values, self._seen, self._tails, strict=True):
            if tail is None:
                if seen is None or seen() is not value:
                    return None
            elif (
                type(value) is not np.ndarray
                or value.shape[1:] != tail
                or not value.flags.c_contiguous
                or n not in (None, len(value))
            ):
                return None
            else:
                n = len(value)
        return n or None

    def _add_memory(self, rows: int) -> None:
        memory = Memory(self._executable, rows)
        self._seen = [None] * len(self._inputs)  # first: Ctrl-C or a fork may come in between
        self._memories.append(memory)

    def _hand_over(self, arrays: Sequence[Array], outputs: list[Array]) -> None:
        """Point the code at the caller's arrays, those that are not the same as last time."""
        for i, array in enumerate(arrays):
            seen = self._seen[i]
            if seen is not None and seen() is array:
                continue
            self._seen[i] = None  # until all know of it: Ctrl-C may come in between
            if self._tails[i] is None:
                key: object = self._program.state[f"input {i}"]
            else:
                key = ("data", f"input {i}")
                self._figures[STRIDES + self._leading.index(i)] = array.strides[0]
            for memory in self._memories:
                memory.point(key, array)
            self._seen[i] = weakref.ref(array)  # the caller's: it is not kept alive
        for node, array in zip(self._program.outputs.values(), outputs, strict=True):
            for memory in self._memories:
                memory.point(node, array)
