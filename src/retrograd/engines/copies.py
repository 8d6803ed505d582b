"""Copies of one program as one session, on any engine: a session for each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from retrograd.arrays import require_integer
from retrograd.engines.base import Engine, Session, Snapshot
from retrograd.engines.checks import checked_call, checked_copies, first_not_finite, state_nodes
from retrograd.errors import ShapeError, unknown_name
from retrograd.graph.node import Array
from retrograd.graph.shape import show
from retrograd.graph.step import Step


class CopiedSession:
    """M sessions of one engine as one, all over the same data: `Engine.open` with `copies=M`.

    Law: each copy computes, bit for bit, what it computes in a session of its own.
    """

    def __init__(
        self,
        engine: Engine,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        copies: int,
    ) -> None:
        self.copies = require_integer("session", "copies", copies)
        self._steps = dict(steps)
        # A state variable has no `rows`: its shape is numbers only.
        self._shapes = {
            name: (self.copies, *node.shape) for name, node in state_nodes(steps).items()
        }
        own = {name: self._split(name, state[name]) for name in self._shapes if name in state}
        self._sessions: list[Session] = [
            engine.open(steps, {name: parts[m] for name, parts in own.items()}, data)
            for m in range(self.copies)
        ]
        self._n_rows = self._count(data)

    def _count(self, data: Mapping[str, Array]) -> int | None:
        names = [name for step in self._steps.values() for name in step.inputs]
        return np.shape(data[names[0]])[0] if names else None

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
        chosen = checked_copies(only, self.copies)
        sessions = self._sessions if chosen is None else [self._sessions[m] for m in chosen]
        call = checked_call(
            self._steps,
            step,
            order,
            scalars,
            batch_size=batch_size,
            pass_rows=pass_rows,
            n_rows=self._n_rows,
            copies=len(sessions),
        )
        whole = (len(sessions), call.n_batches)
        rates = {name: np.broadcast_to(rate, whole) for name, rate in call.scalars.items()}

        def run(orders: Array, part: slice, **options: Any) -> dict[str, Array]:
            runs = [
                session.run(
                    step, order, {name: rate[m, part] for name, rate in rates.items()}, **options
                )
                for m, (session, order) in enumerate(zip(sessions, orders, strict=True))
            ]
            return {name: np.stack([one[name] for one in runs]) for name in runs[0]}

        if stop is None or not call.n_batches:
            return run(call.order, slice(None), batch_size=batch_size, pass_rows=pass_rows)
        # Where all may be stopped they go batch by batch, so that all have run equally many.
        pieces: list[dict[str, Array]] = []
        for i in range(call.n_batches):
            if i > 0 and stop():
                break
            pieces.append(run(call.rows_of(i), slice(i, i + 1)))
        return {name: _joined([piece[name] for piece in pieces]) for name in pieces[0]}

    def feed(self, data: Mapping[str, Array]) -> None:
        """See `Session.feed`."""
        for session in self._sessions:
            session.feed(data)
        self._n_rows = self._count(data)

    def read(self, name: str, into: Array | None = None) -> Array:
        """See `Session.read`."""
        return np.stack([session.read(name) for session in self._sessions], out=into)

    def write(self, name: str, value: Array) -> None:
        """See `Session.write`."""
        if name not in self._shapes:
            raise unknown_name("state variable", name, self._shapes)
        for session, part in zip(self._sessions, self._split(name, value), strict=True):
            session.write(name, part)

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """See `Session.snapshot`."""
        return {name: self.read(name) for name in self._shapes}

    def restore(self, snapshot: Snapshot) -> None:
        """See `Session.restore`."""
        for name, value in snapshot.items():
            self.write(name, value)

    def not_finite(self, among: Collection[str] | None = None) -> str | None:
        """See `Session.not_finite`."""
        return first_not_finite(self.snapshot(), among)

    def release(self) -> None:
        """See `Session.release`."""
        for session in self._sessions:
            session.release()

    def _split(self, name: str, value: Array) -> Array:
        array, expected = np.asarray(value), self._shapes[name]
        if array.shape != expected:
            raise ShapeError(
                f"{name!r}: expected shape {show(expected)}, led by {self.copies} copies, "
                f"got {show(array.shape)}"
            )
        return array


def _joined(parts: Sequence[Array]) -> Array:
    """Along the batches, or along the rows of an output that leads with them: axis 1 of both."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
