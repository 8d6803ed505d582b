"""The two protocols of an engine: what opens a session, and what a session does.

A session of `copies=M` is M independent copies of one program over the same data, each with its own
state. Every array of state that goes in or out then leads with an axis of M, and so do the outputs
of a run: before the axis of batches, or before the rows. Each copy computes what it would alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

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
        pass_rows: int | None = None,
        stop: Callable[[], bool] | None = None,
        only: Sequence[int] | None = None,
    ) -> dict[str, Array]:
        """Run a step once for each batch of `order`.

        Args:
            step: which of the opened steps.
            order: (n,) int64, rows of the data; batches are its consecutive pieces. With copies
                also (M, n), an order for each.
            scalars: for each scalar of the step a number, or (n_batches,) with one for each batch.
                With copies also (M, n_batches).
            batch_size: rows in a batch, the last may be shorter; all of a pass by default.
            pass_rows: of an order of several passes, epochs one after another, the rows of each:
                no batch has rows of two, so the last of each may be shorter. It divides n, which
                it is by default.
            stop: asked between batches, before each but the first, or at least every 0.1 seconds
                where batches are shorter; once it says yes, no further batch runs. All copies have
                then run equally many.
            only: with copies, the numbers of those that run, each once; all by default. Orders,
                scalars and outputs then have as many; the state of the others stays.

        Returns:
            For each output of the step an array with one entry for each batch that ran; an output
            that leads with `rows` comes back joined along it. With copies led by an axis of M.
        """
        ...

    def feed(self, data: Mapping[str, Array]) -> None:
        """Take other rows of data in place of those before, any number of them; state stays.

        As in `Engine.open`, they are not copied, and must not change while they are used.
        """
        ...

    def read(self, name: str, into: Array | None = None) -> Array:
        """A copy of a state variable; in the array `into`, of its shape and dtype, if given."""
        ...

    def write(self, name: str, value: Array) -> None:
        """Give a state variable another value, of the same shape."""
        ...

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """A copy of all state, to `restore` later.

        An engine may put the copy off until the state changes. `into`: a snapshot of this session
        that is needed no more; its memory may be used again.
        """
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Bring back the state of a snapshot."""
        ...

    def not_finite(self, among: Collection[str] | None = None) -> str | None:
        """The name of a state variable with a NaN or an infinity, the first; None without any.

        `among`: the names of those that are looked at; all by default.
        """
        ...

    def release(self) -> None:
        """Give back the memory that only runs need; the next run takes it anew."""
        ...


class Listing(Protocol):
    """What an engine that compiles makes of a graph, as text: made when it is asked for."""

    @property
    def program(self) -> str:
        """The kernels in order: what each computes, what is fused, where values are stored."""
        ...

    @property
    def llvm_ir(self) -> str:
        """The optimised module in LLVM's intermediate language."""
        ...

    @property
    def assembly(self) -> str:
        """The machine code for the engine's processor, as an assembler reads it."""
        ...


@runtime_checkable
class Listed(Protocol):
    """A function of an engine that compiles."""

    @property
    def listing(self) -> Listing:
        """What the function is made of."""
        ...


@runtime_checkable
class Binds(Protocol):
    """A function of an engine that is faster where its last inputs are always the same arrays."""

    def bind(self, last: Sequence[Array]) -> Callable[[Sequence[Array]], list[Array]]:
        """The function of the inputs before these, which it keeps alive.

        Law: `bind(last)(first)` is what the function gives for `[*first, *last]`, also after the
        arrays of `last` were changed in place.
        """
        ...


@runtime_checkable
class Shuffles(Protocol):
    """An engine that shuffles orders faster than NumPy does."""

    def shuffle(self, generators: Sequence[np.random.RandomState], orders: Array) -> None:
        """Shuffle the orders of each generator (generators, n_orders, n), int64, without gaps.

        The first is shuffled where it lies; each other becomes the one before it, shuffled once
        more. The generators are different ones. Law: orders and generators are then as
        `RandomState.shuffle` leaves them.
        """
        ...


@runtime_checkable
class Parallel(Protocol):
    """An engine that runs copies of a program side by side."""

    @property
    def n_threads(self) -> int:
        """At most on so many threads."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Runs graphs on one kind of hardware."""

    name: str

    def open(
        self,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        *,
        copies: int | None = None,
    ) -> Session:
        """A session of these steps, with the initial state and the rows of data, both by name.

        `state` is copied; `data` is not, and must not change while the session is used. In place
        of an array, data may be what has its shape, dtype and `take` (see `arrays.SparseRows`).
        With `copies` each array of state leads with an axis of that many, also where it is 1; an
        engine with no program of its own for them has `copies.CopiedSession`.
        """
        ...

    def function(
        self, outputs: Sequence[Node], inputs: Sequence[Node]
    ) -> Callable[[Sequence[Array]], list[Array]]:
        """A function from values of `inputs` to values of `outputs`; its results are new arrays.

        It takes an array for each input, in the input's dtype and in any layout, and keeps none of
        them; ShapeError where one has another shape. It may be called from several threads at once.
        """
        ...
