"""What native code is called with for one copy of a program: its memory, pointers and integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from retrograd.engines.batches import Batches
from retrograd.engines.cpu.abi.places import BATCH, FIRST, LAST, PASS, STRIDES, THREAD, THREADS
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import Buffers, Memory, address
from retrograd.graph.node import Array

Rates = Mapping[str, float | Array]
Outputs = dict[str, Array]


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
    """The memory of one copy, and the tables of numbers of its threads."""

    def __init__(
        self,
        executable: Executable,
        rows: int,
        state: Mapping[str, Array],
        n_threads: int,
        shared: Buffers,
    ) -> None:
        self.memory = Memory(executable, rows, n_threads, shared)
        program = executable.program
        self._pointers, cells = self.memory.pointers, executable.table.cells
        for name, node in program.state.items():
            self.memory.point(node, state[name])
        # Of each scalar: its name, its place among the strides, its pointer, room for a number.
        self.scalars = [
            (name, place, cells[node], np.zeros(1, node.dtype))
            for place, (name, node) in enumerate(program.scalars.items(), start=STRIDES)
        ]
        for _, _, cell, number in self.scalars:
            self._pointers[cell] = address(number)
        # Of each array of data: the place of its stride, and its pointer.
        self._data = {
            name: (place, cells["data", name])
            for place, name in enumerate(program.inputs, start=STRIDES + len(self.scalars))
        }
        self._outputs = [(name, cells[node]) for name, node in program.outputs.items()]
        self._order = cells["order"]
        self._kept: list[Array] = []  # arrays that the code reads until the next run
        self._figures = np.zeros(STRIDES + len(program.scalars) + len(program.inputs), np.int64)
        self._figures[THREADS] = 1
        self._threads: list[Array] = []
        self.table, self.alone = address(self._pointers), [address(self._figures)]

    def hand_over(
        self,
        i: int,
        orders: Array,
        batches: Batches,
        rates: Rates,
        places: Places,
    ) -> None:
        """Point the code at the order, the rates and the outputs of copy `i` in this run."""
        pointers, figures = self._pointers, self._figures
        self._kept = [orders]
        pointers[self._order] = places.order[0] + i * places.order[1]
        figures[PASS], figures[BATCH] = batches.rows, batches.size
        for name, place, cell, number in self.scalars:
            rate = rates[name]
            if isinstance(rate, np.ndarray) and rate.ndim == 2:
                rate = rate[i]
            if not isinstance(rate, np.ndarray) or rate.ndim == 0:
                number[0] = rate
                if figures[place]:
                    figures[place] = 0
                    pointers[cell] = address(number)
            else:
                rate = rate if rate.strides[0] else rate.copy()  # a stride of 0 means a number
                self._kept.append(rate)
                figures[place] = rate.strides[0]
                pointers[cell] = address(rate)
        for name, cell in self._outputs:
            begin, stride = places.outputs[name]
            pointers[cell] = begin + i * stride

    def hand_over_data(self, name: str, array: Array) -> None:
        """Point the code at an array of data."""
        if name in self._data:
            place, cell = self._data[name]
            self._figures[place] = array.strides[0]
            self._pointers[cell] = address(array)

    def parts(self, first: int, last: int, n_threads: int) -> list[int]:
        """Where the numbers of each thread lie, for a range of batches."""
        self._figures[FIRST], self._figures[LAST] = first, last
        if n_threads == 1:
            return self.alone
        self._threads = [self._figures.copy() for _ in range(n_threads)]
        for t, figures in enumerate(self._threads):
            figures[THREAD], figures[THREADS] = t, n_threads
        return [address(figures) for figures in self._threads]
