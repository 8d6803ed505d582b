"""The compiled session: state laid out for a program, and native calls that run whole epochs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from retrograd.arrays import require_integer
from retrograd.engines.base import Snapshot
from retrograd.engines.batches import checked_batches
from retrograd.engines.checks import (
    checked_copies,
    checked_data,
    checked_order,
    checked_scalars,
    checked_step,
    found_state,
    input_nodes,
    state_nodes,
)
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.memory import Buffers, line
from retrograd.engines.cpu.run.runner import FEW, Runner
from retrograd.engines.cpu.run.state import State
from retrograd.errors import GraphError
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step

FLOATS = frozenset({float})  # the type of numbers that need no more checks
LISTED = 64  # rows that are looked at faster as a list


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
        self._runners: dict[str, Runner] = {}
        self._inputs = input_nodes(steps)
        self.feed(data)
        self._state = State(state_nodes(steps), target.bytes // 4, self._copies)
        self._buffers = Buffers()
        if copies is None:
            state = found_state(steps, state)
        for name in self._state.names:
            if name not in state:
                raise GraphError(f"session: state {name} has no value")
            self._state.begin(name, state[name])

    def run(
        self,
        step: str,
        order: Array,
        scalars: Mapping[str, float | Array] | None = None,
        *,
        batch_size: int | None = None,
        pass_rows: int | None = None,
        stop: Callable[[], bool] | None = None,
        only: Sequence[int] | None = None,
    ) -> dict[str, Array]:
        """See `Session.run`."""
        this, given = checked_step(self._steps, step, batch_size), scalars or {}
        if this.updates:
            self._state.part()
        runner = self._runners.get(step) or self._runner(step)
        chosen = checked_copies(only, self._copies)
        n_copies = self._copies if chosen is None else len(chosen)
        are_floats = {*map(type, map(given.get, this.scalars))} <= FLOATS
        if are_floats and pass_rows is None and self._is_ready(order):
            own = len(order) if batch_size is None else min(batch_size, len(order))
            repeated = runner.run_repeated(self._data, order, own, given, stop)
            if repeated is not None:
                return repeated
        rows = checked_order(order, self._n_rows, n_copies)
        if rows.strides[-1] != rows.itemsize or rows.strides[0] < 0:
            rows = np.ascontiguousarray(rows)
        n = rows.shape[-1]
        batches = checked_batches(n, batch_size, pass_rows)
        rates: Mapping[str, float | Array] = given
        if not are_floats:
            rates = checked_scalars(this, given, batches.count(n), n_copies)
        orders = rows[None] if self._copies is None else rows
        if self._is_sparse:
            done, outputs = runner.run_expanded(self._data, orders, batches, rates, stop)
        else:
            done, outputs = runner.run(self._data, orders, batches, rates, stop, only=chosen)
        n_ran = batches.start(done)
        results = {}
        for name, node in this.outputs.items():
            ran = n_ran if has_rows(node.shape[:1]) else done
            found = outputs[name]
            results[name] = found[0, :ran] if self._copies is None else found[:, :ran]
        return results

    def feed(self, data: Mapping[str, Array]) -> None:
        """See `Session.feed`."""
        found, self._n_rows = checked_data(self._inputs, data)
        self._data = {name: line(array) for name, array in found.items()}
        self._is_sparse = any(not isinstance(array, np.ndarray) for array in self._data.values())
        if not self._is_sparse:  # sparse rows are expanded into arrays of their own
            for runner in self._runners.values():
                runner.feed(self._data)

    def _is_ready(self, order: Array) -> bool:
        """Whether an order has few rows, and needs no more checks; told in about 1 us.

        Law: where it says yes, `checked_order` returns the order itself.
        """
        if (
            type(order) is not np.ndarray
            or order.dtype != np.int64
            or order.ndim != 1
            or not 0 < len(order) <= FEW
            or self._is_sparse
            or self._copies is not None
        ):
            return False
        if self._n_rows is None:
            return True
        if len(order) <= LISTED:
            rows = order.tolist()
            return min(rows) >= 0 and max(rows) < self._n_rows
        # As an unsigned number, one below 0 is larger than any number of rows.
        return bool(np.maximum.reduce(order.view(np.uint64)) < self._n_rows)

    def _runner(self, step: str) -> Runner:
        """What runs a step, made when it is first asked for."""
        made = Runner(
            self._steps[step],
            self._target,
            self._state.arrays,
            self._buffers,
            self._n_threads,
            self._copies or 1,
        )
        return self._runners.setdefault(step, made)

    def read(self, name: str, into: Array | None = None) -> Array:
        """See `Session.read`."""
        return self._state.read(name, into)

    def write(self, name: str, value: Array) -> None:
        """See `Session.write`."""
        self._state.write(name, value)

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """See `Session.snapshot`."""
        return self._state.snapshot(into)

    def restore(self, snapshot: Snapshot) -> None:
        """See `Session.restore`."""
        self._state.restore(snapshot)

    def not_finite(self, among: Collection[str] | None = None) -> str | None:
        """See `Session.not_finite`."""
        return self._state.not_finite(among)

    def release(self) -> None:
        """See `Session.release`."""
        self._runners.clear()
