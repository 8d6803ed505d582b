"""A step made ready to run: its code, the memory of each copy, and the native calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.engines.cpu.emit import BATCH, FIRST, LAST, N_ROWS, STRIDES, THREAD, THREADS
from retrograd.engines.cpu.memory import Executable, Memory, address, require_legal
from retrograd.engines.cpu.pace import Pace
from retrograd.engines.cpu.target import Target
from retrograd.engines.cpu.team import together
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan

State = Sequence[Mapping[str, Array]]
Outputs = dict[str, Array]


class Runner:
    """One step of a session. `states`: the state of each copy, in the layout of the code."""

    def __init__(self, step: Step, target: Target, states: State, n_threads: int) -> None:
        self._executable = Executable(plan(step), target)
        self._program = self._executable.program
        self._states = states
        self._n_threads = n_threads
        self._pace = Pace(n_threads, 0)
        self._data: dict[str, Array] = {}  # that the code was last pointed at
        self._copies: list[_Copy] = []

    def run(
        self,
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Mapping[str, Array],
        stop: Callable[[], bool] | None,
    ) -> tuple[int, Outputs]:
        """Run the batches of all copies: how many batches ran, and the outputs of each copy.

        `orders` is (copies, n); outputs lead with the copies, then come batches or rows.
        """
        n_copies, n = orders.shape
        n_batches = -(-n // size)
        outputs = {
            name: np.zeros(
                (n_copies, n if has_rows(node.shape[:1]) else n_batches, *_of_one(node.shape)),
                node.dtype,
            )
            for name, node in self._program.outputs.items()
        }
        if not self._copies or self._copies[0].memory.rows < size:
            self._copies = [
                _Copy(self._executable, size, state, self._n_threads) for state in self._states
            ]
            self._data = {}
        for i, copy in enumerate(self._copies):
            copy.hand_over(i, orders, size, rates, outputs)
            for name, array in data.items():
                if self._data.get(name) is not array:
                    copy.hand_over_data(name, array)
        self._data = dict(data)
        if size != self._pace.size:
            self._pace = Pace(self._n_threads, size)
        done = 0
        while done < n_batches:
            if stop is not None and done > 0 and stop():
                break
            turns, n_threads = self._pace.next(n_batches - done, is_stoppable=stop is not None)
            begin = time.perf_counter()
            self._call(done, done + turns, n_threads)
            self._pace.note(n_threads, turns, time.perf_counter() - begin)
            done += turns
        require_legal(copy.memory for copy in self._copies)
        return done, outputs

    def run_expanded(
        self,
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Mapping[str, Array],
        stop: Callable[[], bool] | None,
    ) -> tuple[int, Outputs]:
        """The same over sparse rows: each batch is expanded before it runs, never the whole."""
        pieces = []
        for done, start in enumerate(range(0, orders.shape[-1], size)):
            if stop is not None and done > 0 and stop():
                break
            batch = orders[0, start : start + size]
            dense = {name: np.ascontiguousarray(rows.take(batch, 0)) for name, rows in data.items()}
            here = {
                name: rate[..., done : done + 1] if rate.ndim else rate
                for name, rate in rates.items()
            }
            places = np.arange(len(batch))[None]
            pieces.append(self.run(dense, places, len(batch), here, None)[1])
        if not pieces:
            none = {name: rows.take(orders[0], 0) for name, rows in data.items()}
            return self.run(none, orders, size, rates, None)
        joined = {name: np.concatenate([p[name] for p in pieces], axis=1) for name in pieces[0]}
        return len(pieces), joined

    def _call(self, first: int, last: int, n_threads: int) -> None:
        """Native calls for a range of batches: each thread runs its part of them, or its copies."""
        call = self._executable.code.call
        copies = self._copies
        if len(copies) == 1:
            parts = copies[0].parts(first, last, n_threads)
            together([partial(call, copies[0].table, part) for part in parts])
            return
        parts = [copy.parts(first, last, 1)[0] for copy in copies]

        def run_copies(start: int) -> None:
            for i in range(start, len(copies), n_threads):
                call(copies[i].table, parts[i])

        together([partial(run_copies, t) for t in range(min(n_threads, len(copies)))])


def _of_one(shape: Sequence[Any]) -> tuple[Any, ...]:
    """The shape of one entry of an output: of a row, or of a batch."""
    return tuple(shape[1:] if has_rows(tuple(shape[:1])) else shape)


class _Copy:
    """The memory of one copy, and the tables of numbers of its threads."""

    def __init__(
        self, executable: Executable, rows: int, state: Mapping[str, Array], n_threads: int
    ) -> None:
        self.memory = Memory(executable, rows, n_threads)
        self._program = program = executable.program
        for name, node in program.state.items():
            self.memory.point(node, state[name])
        self._numbers = {name: np.zeros(1, node.dtype) for name, node in program.scalars.items()}
        for node, number in zip(program.scalars.values(), self._numbers.values(), strict=True):
            self.memory.point(node, number)
        self._kept: list[Array] = []  # arrays that the code reads until the next run
        self._figures = np.zeros(STRIDES + len(program.scalars) + len(program.inputs), np.int64)
        self._figures[THREADS] = 1
        self._threads: list[Array] = []
        self.table = address(self.memory.pointers)

    def hand_over(
        self,
        i: int,
        orders: Array,
        size: int,
        rates: Mapping[str, Array],
        outputs: Mapping[str, Array],
    ) -> None:
        """Point the code at the order, the rates and the outputs of copy `i` in this run."""
        self._kept = [orders]
        self.memory.point("order", orders[i])
        self._figures[N_ROWS], self._figures[BATCH] = orders.shape[1], size
        for place, (name, node) in enumerate(self._program.scalars.items(), start=STRIDES):
            rate = rates[name]
            if rate.ndim == 2:
                rate = rate[i]
            if rate.ndim == 0:
                self._numbers[name][0] = rate
                if self._figures[place]:
                    self._figures[place] = 0
                    self.memory.point(node, self._numbers[name])
            else:
                rate = rate if rate.strides[0] else rate.copy()  # a stride of 0 means a number
                self._kept.append(rate)
                self._figures[place] = rate.strides[0]
                self.memory.point(node, rate)
        for name, node in self._program.outputs.items():
            self.memory.point(node, outputs[name][i])

    def hand_over_data(self, name: str, array: Array) -> None:
        """Point the code at an array of data."""
        if name in self._program.inputs:
            place = STRIDES + len(self._program.scalars) + [*self._program.inputs].index(name)
            self._figures[place] = array.strides[0]
            self.memory.point(("data", name), array)

    def parts(self, first: int, last: int, n_threads: int) -> list[int]:
        """Where the numbers of each thread lie, for a range of batches."""
        self._figures[FIRST], self._figures[LAST] = first, last
        if n_threads == 1:
            return [address(self._figures)]
        self._threads = [self._figures.copy() for _ in range(n_threads)]
        for t, figures in enumerate(self._threads):
            figures[THREAD], figures[THREADS] = t, n_threads
        return [address(figures) for figures in self._threads]
