"""The two protocols of an engine: what opens a session, and what a session does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from retrograd.graph.node import Array, Node
from retrograd.graph.step import Step

Snapshot = Mapping[str, Array]


class Session(Protocol):
    """Some steps opened on data: owns the parameters and the optimizer's state between runs."""

    def run(
        self,
        step: str,
        order: Array,
        scalars: Mapping[str, float | Array] | None = None,
        *,
        batch_size: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> dict[str, Array]:
        """Run a step once for each batch of `order`.

        Args:
            step: which of the opened steps.
            order: (n,) int64, rows of the data; batches are its consecutive pieces.
            scalars: for each scalar of the step a number, or an array with one for each batch.
            batch_size: rows in a batch, the last may be shorter; all of `order` by default.
            stop: asked before each batch but the first; once it says yes, no further batch runs.

        Returns:
            For each output of the step an array with one entry for each batch that ran; an output
            that leads with `rows` comes back joined along it.
        """
        ...

    def read(self, name: str) -> Array:
        """A copy of a state variable."""
        ...

    def write(self, name: str, value: Array) -> None:
        """Give a state variable another value, of the same shape."""
        ...

    def snapshot(self) -> Snapshot:
        """A copy of all state, to `restore` later."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Bring back the state of a snapshot."""
        ...


class Engine(Protocol):
    """Runs graphs on one kind of hardware."""

    name: str

    def open(
        self, steps: Mapping[str, Step], state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> Session:
        """A session of these steps, with the initial state and the rows of data, both by name.

        `state` is copied; `data` is not, and must not change while the session is used. In place
        of an array, data may be what has its shape, dtype and `take` (see `arrays.SparseRows`).
        """
        ...

    def function(
        self, outputs: Sequence[Node], inputs: Sequence[Node]
    ) -> Callable[[Sequence[Array]], list[Array]]:
        """A function from values of `inputs` to values of `outputs`; its results are new arrays."""
        ...
