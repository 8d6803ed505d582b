"""The reference engine: walks the graph in order with NumPy, and keeps every value.

It is the definition that the compiled engines are checked against, so it stays plain: one NumPy
call a gate, in the order of the nodes. Buffers are made once for a number of rows and used again at
every step, so a step allocates next to nothing; after it, each value and gradient can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np

from retrograd.engines.base import Session, Snapshot
from retrograd.engines.checks import (
    checked_call,
    checked_copies,
    checked_data,
    checked_state,
    count_rows,
    first_not_finite,
    input_nodes,
)
from retrograd.engines.copies import CopiedSession
from retrograd.engines.forks import renew_in_children
from retrograd.errors import GraphError, ShapeError, unknown_name
from retrograd.graph.node import CONSTANT, VARIABLE, Array, Node
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows, with_rows
from retrograd.graph.step import Step
from retrograd.plan.share import share

KEPT_SIZES = 4  # batch sizes whose buffers are kept: the full batch, the last, and those of scoring


class Walk:
    """The nodes of a graph in order, with a buffer each, for one number of rows.

    `same` tells for each node, in order, the one that is computed for it (see `plan.share`).

    Law: after `run(values)`, `value(node)` is what the node's definition gives for these values.
    """

    def __init__(self, same: Mapping[Node, Node], inputs: Sequence[Node], n_rows: int) -> None:
        nodes = [node for node in same if same[node] is node]
        place = {node: i for i, node in enumerate(nodes)}
        self._place = {node: place[first] for node, first in same.items()}
        self._values: list[Array | None] = [node.value for node in nodes]
        self._inputs = [self._place.get(node) for node in inputs]
        self._space: dict[Node, Array] = {}
        self._n_rows = n_rows
        self._calls: list[tuple[Callable[..., Array], list[int], dict[str, Any], int]] = []
        self._owned: dict[int, dict[str, Any]] = {}  # the arguments of calls that have a buffer
        changing = {self._place[node] for node in inputs if node in self._place}
        for i, node in enumerate(nodes):
            if node.gate is VARIABLE or node.gate is CONSTANT:
                continue
            params = {key: with_rows(value, n_rows) for key, value in node.params.items()}
            if not node.gate.is_view:
                shape = with_rows(node.shape, n_rows)
                params["out"] = np.empty(shape, node.dtype) if shape else None
            places = [self._place[x] for x in node.inputs]
            if changing.isdisjoint(places):  # made of constants: computed here, once
                with np.errstate(all="ignore"):
                    self._values[i] = node.gate.numpy(*[self._values[p] for p in places], **params)
                continue
            changing.add(i)
            if params.get("out") is not None:
                self._owned[i] = params
            self._calls.append((node.gate.numpy, places, params, i))

    def run(self, given: Sequence[Array]) -> None:
        """Compute every node from the values of the inputs."""
        values = self._values
        for place, value in zip(self._inputs, given, strict=True):
            if place is not None:
                values[place] = value
        with np.errstate(all="ignore"):  # infinities are values here; training looks for them
            for function, places, params, i in self._calls:
                values[i] = function(*[values[p] for p in places], **params)

    def value(self, node: Node) -> Array:
        """The node's value of the last run: the buffer itself, overwritten by the next run."""
        if node not in self._place:
            raise GraphError(f"{node!r} is not computed here: no output depends on it")
        found = self._values[self._place[node]]
        if found is None:
            raise GraphError(f"{node!r} has no value: nothing was run yet")
        return np.asarray(found)

    def trade(self, node: Node, other: Array) -> bool:
        """Give away the buffer that holds a node's value for another of its shape, if it has one.

        `value` still reads the value given away, until the next run writes into the other.
        """
        place = self._place[node]
        params = self._owned.get(place)
        if params is None or self._values[place] is not params["out"]:
            return False
        params["out"] = other
        return True

    def space(self, node: Node) -> Array:
        """An array for an input's value, kept between runs."""
        if node not in self._space:
            self._space[node] = np.empty(with_rows(node.shape, self._n_rows), node.dtype)
        return self._space[node]


class _Walks:
    """Walks of one graph by number of rows; the least recently used is dropped."""

    def __init__(self, outputs: Sequence[Node], inputs: Sequence[Node]) -> None:
        self._same = share(order(outputs))
        self._inputs = inputs
        self._by_rows: dict[int, Walk] = {}

    def __call__(self, n_rows: int) -> Walk:
        walk = self._by_rows.pop(n_rows, None) or Walk(self._same, self._inputs, n_rows)
        self._by_rows[n_rows] = walk
        if len(self._by_rows) > KEPT_SIZES:
            del self._by_rows[next(iter(self._by_rows))]
        return walk


class NumpySession:
    """The reference session. Beyond the protocol, `value` reads any node of the last step."""

    def __init__(
        self, steps: Mapping[str, Step], state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> None:
        self._steps = dict(steps)
        self._inputs = input_nodes(steps)
        self.feed(data)
        self._state = checked_state(steps, state)
        self._walks: dict[str, _Walks] = {}
        self._last: Walk | None = None

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
        checked_copies(only, None)
        call = checked_call(
            self._steps,
            step,
            order,
            scalars,
            batch_size=batch_size,
            pass_rows=pass_rows,
            n_rows=self._n_rows,
        )
        outputs = call.step.outputs
        rates = [np.broadcast_to(rate, call.n_batches) for rate in call.scalars.values()]
        results: dict[str, list[Array]] = {name: [] for name in outputs}
        for i in range(call.n_batches):
            if stop is not None and i > 0 and stop():
                break
            walk = self._run_one(step, call.rows_of(i), [rate[i] for rate in rates])
            for name, node in outputs.items():
                results[name].append(np.array(walk.value(node)))
        return {name: _joined(outputs[name], parts) for name, parts in results.items()}

    def feed(self, data: Mapping[str, Array]) -> None:
        """See `Session.feed`."""
        self._data, self._n_rows = checked_data(self._inputs, data)

    def _run_one(self, step: str, batch: Array, scalars: Sequence[Array]) -> Walk:
        this = self._steps[step]
        if step not in self._walks:
            inputs = [*this.inputs.values(), *this.scalars.values(), *this.state.values()]
            self._walks[step] = _Walks(this.results, inputs)
        walk = self._walks[step](len(batch))
        taken = [  # the order is checked; mode="raise" would write a copy first
            np.take(self._data[name], batch, axis=0, out=walk.space(node), mode="clip")
            for name, node in this.inputs.items()
        ]
        walk.run([*taken, *scalars, *(self._state[name] for name in this.state)])
        self._last = walk
        self._state |= self._updated(this, walk)
        return walk

    def _updated(self, step: Step, walk: Walk) -> dict[str, Array]:
        """The next state. Updates read only the old, and so does `value` after the step."""
        new = {}
        for name, node in step.updates.items():
            value = walk.value(node)
            is_ours = walk.trade(node, self._state[name])
            new[name] = value if is_ours else value.copy()
        return new

    def value(self, node: Node) -> Array:
        """A copy of any node's value in the last step that ran: an activation, a gradient."""
        if self._last is None:
            raise GraphError("session: no step was run yet")
        return self._last.value(node).copy()

    def read(self, name: str, into: Array | None = None) -> Array:
        """See `Session.read`."""
        self._require_state(name)
        if into is None:
            return self._state[name].copy()
        into[...] = self._state[name]
        return into

    def write(self, name: str, value: Array) -> None:
        """See `Session.write`."""
        self._require_state(name)
        if np.shape(value) != self._state[name].shape:
            raise ShapeError(
                f"{name!r}: expected shape {self._state[name].shape}, got {np.shape(value)}"
            )
        self._state[name] = np.array(value, self._state[name].dtype, order="C")

    def _require_state(self, name: str) -> None:
        if name not in self._state:
            raise unknown_name("state variable", name, self._state)

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """See `Session.snapshot`."""
        return {name: value.copy() for name, value in self._state.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """See `Session.restore`."""
        for name, value in snapshot.items():
            self.write(name, value)

    def not_finite(self, among: Collection[str] | None = None) -> str | None:
        """See `Session.not_finite`."""
        return first_not_finite(self._state, among)

    def release(self) -> None:
        """See `Session.release`: a run keeps nothing."""


def _joined(node: Node, parts: list[Array]) -> Array:
    if has_rows(node.shape[:1]):
        return np.concatenate(parts) if parts else np.empty(with_rows(node.shape, 0), node.dtype)
    if not parts:
        return np.empty((0, *with_rows(node.shape, 0)), node.dtype)
    return np.stack(parts)


class NumpyFunction:
    """A function from values of `inputs` to values of `outputs`."""

    def __init__(self, outputs: Sequence[Node], inputs: Sequence[Node]) -> None:
        self._outputs, self._inputs = outputs, inputs
        self._walks = _Walks(outputs, inputs)
        self._lock = Lock()  # the buffers of a walk are shared between calls
        renew_in_children(self)

    def renew(self) -> None:
        """See `Renewable`."""
        self._lock = Lock()

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these inputs, as new arrays."""
        n_rows = count_rows(self._inputs, values)
        with self._lock:
            walk = self._walks(n_rows)
            walk.run(values)
            return [_taken(walk, node) for node in self._outputs]


def _taken(walk: Walk, node: Node) -> Array:
    """A value of the last run that no other will write into: its buffer, or else a copy."""
    value = walk.value(node)
    return value if walk.trade(node, np.empty_like(value)) else value.copy()


class NumpyEngine:
    """The reference engine."""

    name = "numpy"

    def open(
        self,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        *,
        copies: int | None = None,
    ) -> Session:
        """See `Engine.open`. Without copies a `NumpySession`."""
        if copies is None:
            return NumpySession(steps, state, data)
        return CopiedSession(self, steps, state, data, copies)

    def function(
        self, outputs: Sequence[Node], inputs: Sequence[Node]
    ) -> Callable[[Sequence[Array]], list[Array]]:
        """See `Engine.function`."""
        return NumpyFunction(outputs, inputs)
