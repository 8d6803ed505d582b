"""A step made ready to run: its code, the memory of each copy, and the native calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.engines.cpu.emit import BATCH, FIRST, LAST, N_ROWS, STRIDES, THREAD, THREADS
from retrograd.engines.cpu.memory import Executable, Memory, address, executable_of, require_legal
from retrograd.engines.cpu.pace import Pace
from retrograd.engines.cpu.target import Target
from retrograd.engines.cpu.team import together
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step

State = Sequence[Mapping[str, Array]]
Rates = Mapping[str, float | Array]
Outputs = dict[str, Array]

FEW = 4096  # rows of a run that are copied in and out faster than the code is pointed at them
SMALL = 256  # rows of its batches, whose memory is kept besides that of larger ones
LIGHT = 1 << 16  # bytes of its outputs


class Runner:
    """One step of a session. `states`: the state of each copy, in the layout of the code."""

    def __init__(self, step: Step, target: Target, states: State, n_threads: int) -> None:
        self._executable = executable_of(step.structure, target)
        self._states = states
        self._n_threads = n_threads
        self._data: dict[str, Array] = {}  # that the code was last pointed at
        self._copies: list[_Copy] = []
        self._memories: list[Memory] = []
        self._fixed: Fixed | None = None
        self._last = 0, 0  # rows, and rows of a batch, of the last run that was small
        # Of each output: its name, whether it leads with rows, the shape of one entry, its dtype.
        self._outputs = [
            (name, has_rows(node.shape[:1]), _of_one(node.shape), node.dtype)
            for name, node in self._executable.program.outputs.items()
        ]

    def run(
        self,
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Rates,
        stop: Callable[[], bool] | None,
        *,
        only: Sequence[int] | None = None,
    ) -> tuple[int, Outputs]:
        """Run the batches of all copies: how many batches ran, and the outputs of each copy.

        `orders` is (copies, n); outputs lead with the copies, then come batches or rows.
        `only`: the numbers of the copies that run; `orders` has one for each of them.
        """
        n_copies, n = orders.shape
        n_batches = -(-n // size)
        outputs = {
            name: np.empty((n_copies, n if leads else n_batches, *shape), dtype)
            for name, leads, shape, dtype in self._outputs
        }
        is_cold = not self._copies or self._copies[0].memory.rows < size
        if is_cold:
            self._copies = [
                _Copy(self._executable, size, state, self._n_threads) for state in self._states
            ]
            self._memories = [copy.memory for copy in self._copies]
            self._data = {}
        for name, array in data.items():
            if self._data.get(name) is not array:
                for copy in self._copies:
                    copy.hand_over_data(name, array)
        self._data = dict(data)
        copies = self._copies if only is None else [self._copies[i] for i in only]
        places = {name: (address(array), array.strides[0]) for name, array in outputs.items()}
        place = address(orders), orders.strides[0]
        for i, copy in enumerate(copies):
            copy.hand_over(i, orders, place, size, rates, places)
        pace = self._executable.pace(self._n_threads, size, n_copies)
        done = _batches(self._executable, copies, pace, n_batches, stop, is_cold=is_cold)
        require_legal(self._memories)
        return done, outputs

    def feed(self, data: Mapping[str, Array]) -> None:
        """Point what is pointed once and for all at other data; `run` looks at its data itself."""
        if self._fixed is not None:
            self._fixed.feed(data)

    def run_fixed(
        self,
        data: Mapping[str, Array],
        order: Array,
        size: int,
        rates: Rates,
        stop: Callable[[], bool] | None,
    ) -> Outputs | None:
        """Run the batches of the only copy, as `run` would; None where it must.

        From the second run of as many rows on, in memory that is pointed at once and for all.
        """
        n = len(order)
        if self._fixed is None or self._fixed.sizes != (n, size):
            is_second, self._last = self._last == (n, size), (n, size)
            if not is_second or size > SMALL:
                return None
            outputs = {
                name: np.empty((n if leads else -(-n // size), *shape), dtype)
                for name, leads, shape, dtype in self._outputs
            }
            if sum(output.nbytes for output in outputs.values()) > LIGHT:
                return None
            copy = _Copy(self._executable, size, self._states[0], self._n_threads)
            self._fixed = Fixed(self._executable, copy, data, outputs, (n, size), self._n_threads)
        return self._fixed.run(order, rates, stop)

    def run_expanded(
        self,
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Rates,
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
                name: rate[..., done : done + 1]
                if isinstance(rate, np.ndarray) and rate.ndim
                else rate
                for name, rate in rates.items()
            }
            places = np.arange(len(batch))[None]
            pieces.append(self.run(dense, places, len(batch), here, None)[1])
        if not pieces:
            none = {name: rows.take(orders[0], 0) for name, rows in data.items()}
            return self.run(none, orders, size, rates, None)
        joined = {name: np.concatenate([p[name] for p in pieces], axis=1) for name in pieces[0]}
        return len(pieces), joined


def _batches(
    executable: Executable,
    copies: Sequence[_Copy],
    pace: Pace,
    n_batches: int,
    stop: Callable[[], bool] | None,
    *,
    is_cold: bool,
) -> int:
    """Run batches until all have run or `stop` says so: how many did."""
    done = 0
    while done < n_batches:
        if stop is not None and done > 0 and stop():
            break
        turns, n_threads = pace.next(
            n_batches - done, is_stoppable=stop is not None, is_cold=is_cold
        )
        begin = time.perf_counter()
        _call(executable, copies, done, done + turns, n_threads)
        pace.note(n_threads, turns, time.perf_counter() - begin, is_cold=is_cold)
        is_cold = False
        done += turns
    return done


def _call(
    executable: Executable, copies: Sequence[_Copy], first: int, last: int, n_threads: int
) -> None:
    """A native call for a range of batches: each thread runs its part of them, or its copies."""
    code = executable.code
    if len(copies) > 1:
        every = [(copy.table, copy.parts(first, last, 1)[0]) for copy in copies]
        together(code, [every] * min(n_threads, len(copies)), is_shared=True)
    elif n_threads == 1:
        code.call(copies[0].table, copies[0].parts(first, last, 1)[0])
    else:
        parts = copies[0].parts(first, last, n_threads)
        together(code, [[(copies[0].table, part)] for part in parts])


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
        place: tuple[int, int],
        size: int,
        rates: Rates,
        places: Mapping[str, tuple[int, int]],
    ) -> None:
        """Point the code at the order, the rates and the outputs of copy `i` in this run.

        `place`: where the orders of all copies begin, and how far apart they are; `places`: the
        same of each output.
        """
        pointers, figures = self._pointers, self._figures
        self._kept = [orders]
        pointers[self._order] = place[0] + i * place[1]
        figures[N_ROWS], figures[BATCH] = orders.shape[1], size
        for name, scalar, cell, number in self.scalars:
            rate = rates[name]
            if isinstance(rate, np.ndarray) and rate.ndim == 2:
                rate = rate[i]
            if not isinstance(rate, np.ndarray) or rate.ndim == 0:
                number[0] = rate
                if figures[scalar]:
                    figures[scalar] = 0
                    pointers[cell] = address(number)
            else:
                rate = rate if rate.strides[0] else rate.copy()  # a stride of 0 means a number
                self._kept.append(rate)
                figures[scalar] = rate.strides[0]
                pointers[cell] = address(rate)
        for name, cell in self._outputs:
            begin, stride = places[name]
            pointers[cell] = begin + i * stride

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
            return self.alone
        self._threads = [self._figures.copy() for _ in range(n_threads)]
        for t, figures in enumerate(self._threads):
            figures[THREAD], figures[THREADS] = t, n_threads
        return [address(figures) for figures in self._threads]


class Fixed:
    """Runs of equal size: order, rates and outputs stay where they are.

    What they hold is copied in and out, which for few rows takes less time than pointing the code
    at other memory. `sizes`: rows, and rows of a batch.
    """

    def __init__(
        self,
        executable: Executable,
        copy: _Copy,
        data: Mapping[str, Array],
        outputs: Outputs,
        sizes: tuple[int, int],
        n_threads: int,
    ) -> None:
        self.sizes = n, size = sizes
        self._executable, self._copies, self._outputs = executable, [copy], outputs
        self._n_batches = -(-n // size)
        self._order = np.zeros(n, np.int64)
        self._numbers = [(name, number) for name, _, _, number in copy.scalars]
        self._error = copy.memory.error
        rates = {name: 0.0 for name, _ in self._numbers}
        places = {name: (address(output), 0) for name, output in outputs.items()}
        copy.hand_over(0, self._order[None], (address(self._order), 0), size, rates, places)
        self.feed(data)
        copy.parts(0, 1, 1)
        self._call = partial(executable.code.call, copy.table, copy.alone[0])
        self._is_one_call = self._n_batches == 1 and n_threads == 1
        self._pace = executable.pace(n_threads, size, 1)

    def feed(self, data: Mapping[str, Array]) -> None:
        """Point the code at these rows of data."""
        for name, array in data.items():
            self._copies[0].hand_over_data(name, array)

    def run(self, order: Array, rates: Rates, stop: Callable[[], bool] | None) -> Outputs:
        """The outputs of the batches that ran, as new arrays led by batches, or by rows."""
        self._order[:] = order
        for name, number in self._numbers:
            number[0] = rates[name]
        if self._is_one_call:
            self._call()
            done = 1
        else:
            done = _batches(
                self._executable, self._copies, self._pace, self._n_batches, stop, is_cold=False
            )
        if self._error[0]:
            require_legal([self._copies[0].memory])
        if done == self._n_batches:
            return {name: output.copy() for name, output in self._outputs.items()}
        leads = self._executable.program.outputs
        n_rows = done * self.sizes[1]
        return {
            name: output[: n_rows if has_rows(leads[name].shape[:1]) else done].copy()
            for name, output in self._outputs.items()
        }
