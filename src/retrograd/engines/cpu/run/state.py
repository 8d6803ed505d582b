"""The state of a session: all variables of a dtype lie in one block, so that a copy is one move.

A snapshot is copied when the state is about to change, and not at all where nobody has it by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any
from weakref import ref

import numpy as np

from retrograd.arrays import SHORT, is_finite, is_run_finite
from retrograd.engines.base import Snapshot
from retrograd.engines.cpu.abi.layout import Layout
from retrograd.engines.cpu.run.memory import ALIGN, zeros
from retrograd.errors import ShapeError, unknown_name
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import Shape, show, with_rows
from retrograd.plan.turn import is_turned

Blocks = Mapping[np.dtype[Any], Array]


class State:
    """State variables in the layout of the code, one set for each copy; narrow ones transposed.

    - `unit`: entries of a padded row (see `Layout`).
    - `copies`: None for a single set, whose arrays then have no axis of copies.
    - `blocks`: the memory of all variables of a dtype, (copies, entries); `arrays`: that of each by
      name. Who writes there calls `part` before.
    """

    def __init__(self, nodes: Mapping[str, Node], unit: int, copies: int | None) -> None:
        self._copies = copies
        self._shapes: dict[str, Shape] = {name: node.shape for name, node in nodes.items()}
        self._turned = {name for name, node in nodes.items() if is_turned(node.shape)}
        # Of each variable: its layout, where it begins in the block of its dtype, how long it is.
        self._places: dict[str, tuple[Layout, int, int]] = {}
        ends: dict[np.dtype[Any], int] = {}
        for name, node in nodes.items():
            shape = node.shape[::-1] if name in self._turned else node.shape
            layout = Layout.of(shape, node.dtype, unit)
            n, line = layout.entries(0), ALIGN // node.dtype.itemsize
            start = ends.get(node.dtype, 0)
            self._places[name] = layout, start, n
            ends[node.dtype] = start + -(-n // line) * line
        n_copies = copies or 1
        self.blocks = {
            dtype: zeros(n_copies * end, dtype).reshape(n_copies, end)
            for dtype, end in ends.items()
        }
        self.arrays = {
            name: self.blocks[layout.dtype][:, start : start + n]
            for name, (layout, start, n) in self._places.items()
        }
        self._pieces: dict[tuple[str, ...], list[Array]] = {}
        self._standing: list[ref[StateSnapshot]] = []  # snapshots of what the state is now
        # Of each variable: the shape, dtype, start and strides of its view in bytes.
        self._frames = {name: self._frame(name) for name in nodes}
        self._views = {name: self.view(name, self.blocks) for name in nodes}

    @property
    def names(self) -> Collection[str]:
        """The names of the variables."""
        return self._shapes.keys()

    def view(self, name: str, blocks: Blocks) -> Array:
        """A variable in these blocks as NumPy has it, led by the copies if there are several."""
        shape, dtype, start, strides = self._frames[name]
        return np.ndarray(shape, dtype, blocks[dtype], start, strides)

    def _frame(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int, tuple[int, ...]]:
        layout, start, _ = self._places[name]
        shape = with_rows(self._shapes[name], 0)
        if name in self._turned:
            strides = layout.steps(shape[::-1], 0)[::-1]
        else:
            strides = layout.steps(shape, 0)
        if self._copies is not None:
            of_copy = self.blocks[layout.dtype].strides[0]
            shape, strides = (self._copies, *shape), (of_copy, *strides)
        return shape, layout.dtype, start * layout.dtype.itemsize, strides

    def read(self, name: str, into: Array | None = None) -> Array:
        """A copy of a variable, in the memory of another array if it is given."""
        self._require(name)
        if into is None:
            return np.array(self._views[name], order="C")
        into[...] = self._views[name]
        return into

    def write(self, name: str, value: Array) -> None:
        """Give a variable another value, of its shape."""
        self._require_fit(name, value)
        self.part()
        self._views[name][...] = value

    def begin(self, name: str, value: Array) -> None:
        """Give a variable its first value, of its shape; a 0 in every place is there already."""
        self._require_fit(name, value)
        if np.size(value) and not any(np.asarray(value).strides) and not np.asarray(value).flat[0]:
            return
        self._views[name][...] = value

    def _require_fit(self, name: str, value: Array) -> None:
        self._require(name)
        expected = self._shapes[name]
        if self._copies is not None:
            expected = (self._copies, *expected)
        if np.shape(value) != expected:
            led = "" if self._copies is None else f", led by {self._copies} copies"
            raise ShapeError(
                f"{name!r}: expected shape {show(expected)}{led}, got {show(np.shape(value))}"
            )

    def _require(self, name: str) -> None:
        if name not in self._shapes:
            raise unknown_name("state variable", name, self._shapes)

    def not_finite(self, among: Collection[str] | None = None) -> str | None:
        """The name of the first variable, of these or of all, that is not finite."""
        # Padding may hold anything: where memory is not finite, the variables in it are looked at.
        names = tuple(self._views if among is None else among)
        pieces = self._pieces.get(names)
        if pieces is None:
            pieces = self._pieces[names] = self._memory_of(names)
        for piece in pieces:
            if not is_run_finite(piece):
                return next((name for name in names if not is_finite(self._views[name])), None)
        return None

    def _memory_of(self, names: Collection[str]) -> list[Array]:
        """The memory of these variables, copy by copy; what lies close by is one short piece."""
        pieces: dict[np.dtype[Any], list[tuple[int, int]]] = {}
        for layout, start, n in sorted(map(self._places.__getitem__, names), key=itemgetter(1)):
            own = pieces.setdefault(layout.dtype, [])
            if own and start + n - own[-1][0] <= SHORT:
                own[-1] = own[-1][0], start + n
            else:
                own.append((start, start + n))
        return [
            block[low:high]
            for dtype, own in pieces.items()
            for block in self.blocks[dtype]
            for low, high in own
        ]

    def snapshot(self, into: Snapshot | None = None) -> StateSnapshot:
        """All variables as they are now: copied when they change, to the memory of `into`."""
        is_own = isinstance(into, StateSnapshot) and into.state is self
        found = into if isinstance(into, StateSnapshot) and is_own else StateSnapshot(self)
        if not found.stands:
            self._standing.append(ref(found))
            found.stands = True  # after it is known: Ctrl-C may come in between
        return found

    def part(self) -> None:
        """To be called before anything changes: what stands for the state becomes a copy of it."""
        if self._standing:
            for standing in [each() for each in self._standing]:
                if standing is not None and standing.stands:
                    standing.keep()
            self._standing.clear()

    def restore(self, snapshot: Snapshot) -> None:
        """Bring back the variables of a snapshot."""
        if isinstance(snapshot, StateSnapshot) and snapshot.state is self:
            if not snapshot.stands:
                self.part()
                for dtype, block in snapshot.blocks.items():
                    self.blocks[dtype][...] = block
            return
        for name, value in snapshot.items():
            self.write(name, value)


class StateSnapshot(Mapping[str, Array]):
    """A snapshot as it lies in memory: each variable is taken out, as a new array, when asked for.

    - `state`: what it is a snapshot of.
    - `stands`: whether it is the state as it is now, of which `keep` makes a copy.
    """

    def __init__(self, state: State) -> None:
        self.state, self.stands = state, False
        self._own: Blocks = {}  # a copy, or that of an older snapshot

    @property
    def blocks(self) -> Blocks:
        """The memory that it lies in."""
        return self.state.blocks if self.stands else self._own

    def keep(self) -> None:
        """Copy the state, in the memory of the last copy if there is one."""
        if not self._own:
            self._own = {dtype: block.copy() for dtype, block in self.state.blocks.items()}
        else:
            for dtype, block in self.state.blocks.items():
                self._own[dtype][...] = block
        self.stands = False

    def __getitem__(self, name: str) -> Array:
        if name not in self.state.names:
            raise KeyError(name)
        return np.array(self.state.view(name, self.blocks), order="C")

    def __contains__(self, name: object) -> bool:
        return name in self.state.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.state.names)

    def __len__(self) -> int:
        return len(self.state.names)

    def __reduce__(self) -> tuple[type[dict[str, Array]], tuple[dict[str, Array]]]:
        return dict, (dict(self),)
