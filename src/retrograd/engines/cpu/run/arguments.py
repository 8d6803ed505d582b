"""What native code is called with for copies of a program: memory, pointers and integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrograd.engines.batches import Batches
from retrograd.engines.cpu.abi.places import BATCH, FIRST, LAST, PASS, STRIDES, THREAD, THREADS
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import Buffers, Memory, address, by_column, starts
from retrograd.engines.cpu.run.pool import ParallelCall
from retrograd.graph.node import Array

Rates = Mapping[str, float | Array]
Outputs = dict[str, Array]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Places:
    """Where the orders and outputs of a run begin, and how far apart those of its copies lie."""

    order: tuple[int, int]
    outputs: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, orders: Array, outputs: Mapping[str, Array]) -> Places:
        """The places of arrays that lead with the copies."""
        found = {name: (address(output), output.strides[0]) for name, output in outputs.items()}
        return cls((address(orders), orders.strides[0]), found)


class Arguments:
    """The memory of all copies, and the tables of numbers that they and their threads read.

    `states`: of each state variable the memory, (copies, entries).
    """

    def __init__(
        self,
        executable: Executable,
        rows: int,
        states: Mapping[str, Array],
        n_threads: int,
        shared: Buffers,
        copies: int = 1,
    ) -> None:
        self.memory = Memory(executable, rows, n_threads, shared, copies=copies)
        program = executable.program
        self._pointers, cells = self.memory.pointers, executable.table.cells
        columns = by_column(self._pointers)
        for name, node in program.state.items():
            self.memory.point(node, states[name][0], states[name].strides[0])
        # Of each scalar: its name, its place among the strides, its pointer, room for a number of
        # each copy.
        self.scalars = [
            (name, place, cells[node], np.zeros(copies, node.dtype))
            for place, (name, node) in enumerate(program.scalars.items(), start=STRIDES)
        ]
        for _, _, cell, numbers in self.scalars:
            columns[cell] = starts(address(numbers), numbers.itemsize, self.memory.each)
        self._moving: set[str] = set()  # scalars that had a number for each batch in some run
        # Of each array of data: the place of its stride, and its pointer.
        self._data = {
            name: (place, cells["data", name])
            for place, name in enumerate(program.inputs, start=STRIDES + len(self.scalars))
        }
        self._outputs = [(name, cells[node]) for name, node in program.outputs.items()]
        self._order = cells["order"]
        self._kept: list[Array] = []  # arrays that the code reads until the next run
        n_figures = STRIDES + len(program.scalars) + len(program.inputs)
        self._figures = np.zeros((copies, n_figures), np.int64)
        self._by_figure = by_column(self._figures)
        self._by_figure[THREADS] = 1
        self._threads = self._figures[:0]  # of the threads that share a copy
        self._pieces = self._figures[None, :0]  # of the later pieces of each copy
        # The addresses that the code is called with, for each copy; those of the copies that run.
        self._pairs = self._running = np.empty((copies, 2), np.int64)
        for place, table in enumerate((self._pointers, self._figures)):
            self._pairs[:, place] = starts(address(table), table.strides[0], self.memory.each)
        self._one, self._pair = 0, self._pairs[0].tolist()  # of the first of them
        self.ready: dict[Pairs, ParallelCall] = {}  # of the threads that share a copy, by `parts`

    @property
    def n_running(self) -> int:
        """How many copies run."""
        return len(self._running)

    def hand_over(
        self,
        orders: Array,
        batches: Batches,
        rates: Rates,
        places: Places,
        only: Sequence[int] | None = None,
    ) -> None:
        """Point the code at the orders, the rates and the outputs of a run: of `only` these copies.

        What is handed over leads with the copies that run.
        """
        own, figures, each = self._pointers, self._by_figure, self.memory.each[: len(orders)]
        self._running = self._pairs
        if only is not None:
            own, self._running, self._one = own[only], self._pairs[only], only[0]
            self._pair = self._running[0].tolist()
        pointers = by_column(own)  # a view
        self._kept = [orders]
        pointers[self._order] = starts(*places.order, each)
        figures[PASS], figures[BATCH] = batches.rows, batches.size
        for name, place, cell, numbers in self.scalars:
            rate = rates[name]
            if not isinstance(rate, np.ndarray) or rate.ndim == 0:
                numbers[...] = rate
                if name in self._moving:
                    figures[place] = 0
                    mine = self.memory.each[only or ...]
                    own[:, cell] = address(numbers) + numbers.itemsize * mine
            else:
                if not rate.strides[-1] or rate.strides[0] < 0:  # a stride of 0 means a number
                    rate = rate.copy()
                self._kept.append(rate)
                self._moving.add(name)
                figures[place] = rate.strides[-1]
                of_copy = rate.strides[0] if rate.ndim == 2 else 0
                pointers[cell] = starts(address(rate), of_copy, each)
        for name, cell in self._outputs:
            pointers[cell] = starts(*places.outputs[name], each)
        if only is not None:
            self._pointers[only] = own

    def hand_over_data(self, name: str, array: Array) -> None:
        """Point the code at an array of data."""
        if name in self._data:
            place, cell = self._data[name]
            self._by_figure[place] = array.strides[0]
            self._pointers[:, cell] = address(array)

    def job(self, first: int, last: int, n_pieces: int = 1) -> Array:
        """What the code is called with for a range of batches: (n_pieces * running, 2).

        The first piece of each copy that runs, then the second of each, and so on.
        """
        bounds = [first + (last - first) * i // n_pieces for i in range(n_pieces + 1)]
        self._pieces = np.tile(self._figures, (n_pieces - 1, 1, 1))
        found = [self._running]
        self._by_figure[FIRST], self._by_figure[LAST] = bounds[:2]
        for figures, begin, end in zip(self._pieces, bounds[1:-1], bounds[2:], strict=True):
            figures[:, FIRST], figures[:, LAST] = begin, end
            later = self._running.copy()
            later[:, 1] += address(figures) - address(self._figures)
            found.append(later)
        return np.concatenate(found) if n_pieces > 1 else self._running

    def parts(self, first: int, last: int, n_threads: int) -> Pairs:
        """The same for each of the threads that share the one copy that runs."""
        self._by_figure[FIRST], self._by_figure[LAST] = first, last
        table, alone = self._pair
        if n_threads == 1:
            return ((table, alone),)
        if len(self._threads) != n_threads:
            self._threads = np.empty((n_threads, self._figures.shape[1]), np.int64)
        self._threads[...] = self._figures[self._one]
        self._threads[:, THREAD], self._threads[:, THREADS] = range(n_threads), n_threads
        start, stride = address(self._threads), self._threads.strides[0]
        return tuple([(table, start + t * stride) for t in range(n_threads)])
