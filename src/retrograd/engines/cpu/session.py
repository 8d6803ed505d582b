"""The compiled session: state laid out for a program, and native calls that run whole epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from retrograd.arrays import require_integer
from retrograd.engines.base import Snapshot
from retrograd.engines.checks import (
    checked_data,
    checked_order,
    checked_scalars,
    checked_state,
    state_nodes,
)
from retrograd.engines.cpu.emit import FIRST, LAST, THREAD, THREADS
from retrograd.engines.cpu.layout import Layout
from retrograd.engines.cpu.memory import Executable, Memory, address, allocate, line
from retrograd.engines.cpu.target import Target
from retrograd.engines.cpu.team import together
from retrograd.errors import GraphError, OptionError, ShapeError, unknown_name
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows, show
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan

SLICE = 0.05  # seconds between two questions whether to stop
WORTH = 40e-6  # seconds of a step from which on several threads are tried


class CpuSession:
    """The compiled session (see `engines.base.Session`), of one copy or of several."""

    def __init__(
        self,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        target: Target,
        *,
        copies: int | None = None,
        n_threads: int = 1,
    ) -> None:
        self._target, self._steps, self._n_threads = target, dict(steps), n_threads
        self._copies = None if copies is None else require_integer("session", "copies", copies)
        found, self._n_rows = checked_data(steps, data)
        self._data = {name: line(array) for name, array in found.items()}
        self._is_sparse = any(not isinstance(array, np.ndarray) for array in self._data.values())
        self._nodes = state_nodes(steps)
        unit = target.bytes // 4
        self._layouts = {
            name: Layout.of(node.shape, node.dtype, unit) for name, node in self._nodes.items()
        }
        self._state: list[dict[str, Array]] = [
            {
                name: allocate(self._layouts[name].entries(0), node.dtype)
                for name, node in self._nodes.items()
            }
            for _ in range(self._copies or 1)
        ]
        if copies is None:
            state = checked_state(steps, state)
        for name in self._nodes:
            if name not in state:
                raise GraphError(f"session: state {name} has no value")
            self.write(name, state[name])
        self._loaded: dict[str, _Loaded] = {}

    def run(
        self,
        step: str,
        order: Array,
        scalars: Mapping[str, float | Array] | None = None,
        *,
        batch_size: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> dict[str, Array]:
        """See `Session.run`."""
        if step not in self._steps:
            raise unknown_name("step", step, self._steps)
        if batch_size is not None and batch_size < 1:
            raise OptionError(f"session: batch_size is at least 1, got {batch_size}")
        this = self._steps[step]
        rows = np.ascontiguousarray(checked_order(order, self._n_rows, self._copies))
        n = rows.shape[-1]
        size = max(1, n) if batch_size is None else min(batch_size, max(1, n))
        rates = checked_scalars(this, scalars or {}, -(-n // size), self._copies)
        if step not in self._loaded:
            self._loaded[step] = _Loaded(this, self._target, self._n_threads)
        loaded = self._loaded[step]
        run = loaded.run_expanded if self._is_sparse else loaded.run
        done, outputs = run(self._state, self._data, np.atleast_2d(rows), size, rates, stop)
        results = {}
        for name, node in this.outputs.items():
            ran = min(done * size, n) if has_rows(node.shape[:1]) else done
            whole = outputs[name][:, :ran]
            results[name] = whole[0] if self._copies is None else whole
        return results

    def read(self, name: str) -> Array:
        """See `Session.read`."""
        views = [np.array(view) for view in self._views(name)]
        return views[0] if self._copies is None else np.stack(views)

    def write(self, name: str, value: Array) -> None:
        """See `Session.write`."""
        views = self._views(name)
        expected = self._nodes[name].shape
        if self._copies is not None:
            expected = (self._copies, *expected)
        if np.shape(value) != expected:
            led = "" if self._copies is None else f", led by {self._copies} copies"
            raise ShapeError(
                f"{name!r}: expected shape {show(expected)}{led}, got {show(np.shape(value))}"
            )
        for i, view in enumerate(views):
            view[...] = value if self._copies is None else np.asarray(value)[i]

    def _views(self, name: str) -> list[Array]:
        if name not in self._nodes:
            raise unknown_name("state variable", name, self._nodes)
        shape, layout = self._nodes[name].shape, self._layouts[name]
        return [layout.view(state[name], shape, 0) for state in self._state]

    def snapshot(self) -> Snapshot:
        """See `Session.snapshot`."""
        return {name: self.read(name) for name in self._nodes}

    def restore(self, snapshot: Snapshot) -> None:
        """See `Session.restore`."""
        for name, value in snapshot.items():
            self.write(name, value)


class _Loaded:
    """A step of a session: its code, its memory, and how long a batch takes."""

    def __init__(self, step: Step, target: Target, n_threads: int) -> None:
        self._step = step
        self._executable = Executable(plan(step), target)
        self._memories: list[Memory] = []
        self._n_threads = n_threads
        self._pace: dict[int, float] = {}  # seconds a batch, by the number of threads

    def run(
        self,
        states: list[dict[str, Array]],
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Mapping[str, Array],
        stop: Callable[[], bool] | None,
    ) -> tuple[int, dict[str, Array]]:
        """Run the batches of all copies: how many batches ran, and the outputs of each copy."""
        n_copies, n = len(states), orders.shape[-1]
        n_batches = -(-n // size)
        outputs = {
            name: np.zeros(
                (n_copies, n, *node.shape[1:])
                if has_rows(node.shape[:1])
                else (n_copies, n_batches, *node.shape),
                node.dtype,
            )
            for name, node in self._executable.program.outputs.items()
        }
        if not self._memories or self._memories[0].rows < size:
            self._memories = [Memory(self._executable, size) for _ in states]
        numbers = [
            self._hand_over(i, states[i], data, orders[i], size, rates, outputs)
            for i in range(n_copies)
        ]
        done = 0
        while done < n_batches:
            if stop is not None and done > 0 and stop():
                break
            turns, n_threads = self._next(n_batches - done, is_stoppable=stop is not None)
            for own in numbers:
                own[FIRST], own[LAST] = done, done + turns
            begin = time.perf_counter()
            self._call(numbers, n_threads)
            pace = (time.perf_counter() - begin) / turns
            self._pace[n_threads] = min(pace, self._pace.get(n_threads, pace))
            done += turns
        for memory in self._memories:
            memory.require_legal()
        return done, outputs

    def run_expanded(
        self,
        states: list[dict[str, Array]],
        data: Mapping[str, Array],
        orders: Array,
        size: int,
        rates: Mapping[str, Array],
        stop: Callable[[], bool] | None,
    ) -> tuple[int, dict[str, Array]]:
        """The same over sparse rows: each batch is expanded before it runs, never the whole."""
        pieces = []
        for done, start in enumerate(range(0, orders.shape[-1], size)):
            if stop is not None and done > 0 and stop():
                break
            batch = orders[0, start : start + size]
            dense = {name: np.ascontiguousarray(rows.take(batch, 0)) for name, rows in data.items()}
            here = {name: rate[..., done : done + 1] for name, rate in rates.items()}
            places = np.arange(len(batch))[None]
            pieces.append(self.run(states, dense, places, len(batch), here, None)[1])
        if not pieces:
            none = {name: rows.take(orders[0], 0) for name, rows in data.items()}
            return self.run(states, none, orders, size, rates, None)
        joined = {name: np.concatenate([p[name] for p in pieces], axis=1) for name in pieces[0]}
        return len(pieces), joined

    def _hand_over(
        self,
        copy: int,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        order: Array,
        size: int,
        rates: Mapping[str, Array],
        outputs: Mapping[str, Array],
    ) -> Array:
        """Point the code at the arrays of one copy; its table of numbers."""
        memory, program = self._memories[copy], self._executable.program
        memory.point("order", order)
        strides = []
        for name, node in program.scalars.items():
            rate = rates[name] if rates[name].ndim < 2 else rates[name][copy]
            memory.point(node, rate)
            strides.append(rate.strides[0])
        for name in program.inputs:
            memory.point(("data", name), data[name])
            strides.append(data[name].strides[0])
        for name, node in program.state.items():
            memory.point(node, state[name])
        for name, node in program.outputs.items():
            memory.point(node, outputs[name][copy])
        return np.array([len(order), size, 0, 0, 0, 1, *strides], np.int64)

    def _call(self, numbers: list[Array], n_threads: int) -> None:
        """One native call for each thread: of its part of a batch, or of its copies."""
        call = self._executable.code.call
        tables = [address(memory.pointers) for memory in self._memories]
        if len(tables) == 1:
            own = [numbers[0].copy() for _ in range(n_threads)]
            for i, figures in enumerate(own):
                figures[THREAD], figures[THREADS] = i, n_threads
            together([lambda f=f: call(tables[0], address(f)) for f in own])  # type: ignore[misc]
            return

        def run_copies(first: int) -> None:
            for i in range(first, len(tables), n_threads):
                call(tables[i], address(numbers[i]))

        together([lambda t=t: run_copies(t) for t in range(n_threads)])  # type: ignore[misc]

    def _next(self, n_left: int, *, is_stoppable: bool) -> tuple[int, int]:
        """How many batches to run in the next call, and on how many threads.

        Several threads are tried once a step is known to be long enough, and kept if they are
        faster; the numbers that come out are the same.
        """
        if 1 not in self._pace:
            return min(n_left, 2 if is_stoppable or self._n_threads > 1 else n_left), 1
        alone = self._pace[1]
        tries = self._n_threads > 1 and alone > WORTH
        if tries and self._n_threads not in self._pace:
            return min(n_left, max(1, int(SLICE / 5 / alone))), self._n_threads
        best = min(self._pace, key=lambda t: self._pace[t])
        limit = max(1, int(SLICE / self._pace[best]))
        return (min(n_left, limit) if is_stoppable else n_left), best
