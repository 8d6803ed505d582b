"""Packing of a matrix of bfloat16 numbers: computed two rows at a time, or turned in registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.cut import UNIT
from retrograd.engines.cpu.abi.layout import Packed, pairs_in
from retrograd.engines.cpu.code.builder.integers import I16, POINTER, Int, loop
from retrograd.engines.cpu.code.functions.bfloat16 import as_half
from retrograd.engines.cpu.code.loops.axes import Part, number
from retrograd.engines.cpu.code.loops.pairs import pair
from retrograd.engines.cpu.code.loops.transpose import Lines, turn_block
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At
from retrograd.graph.node import Node
from retrograd.plan.pack import PACK
from retrograd.plan.program import Kernel, is_number

GROUP = UNIT // 2  # lines: what threads take at least


@dataclass(frozen=True)
class PackedPlace:
    """Where a packed matrix lies: a pointer, and the layout there."""

    pointer: Any
    layout: Packed


def run_packing(body: Body, kernel: Kernel, part: Part, place: PackedPlace) -> None:
    """Pack the part of the rows, of which threads take whole pairs.

    Some lines at a time, panel by panel: what is read and what is written then touch few pages.
    """
    (node,) = kernel.stores
    integers, size = body.integers, number(body, place.layout.shape[0])
    arrays = [x for x in kernel.loads if not is_number(x)]
    is_padded = all(body.places[x].layout.is_padded for x in arrays)
    kind = Packing if node.gate is PACK else TurnedPacking
    packing = kind(body, node.inputs[0], place, size, is_padded)
    first, last = integers.div(part.low, 2), pairs_in(part.high, integers)
    # Lines before this one have both their rows.
    whole = integers.max(first, integers.div(integers.min(part.high, size), 2))
    packing.store_lines(first, whole, last)
    if place.layout.group > 1:
        # Those that fill the group, by the thread that has the last row.
        is_last = body.builder.and_(
            integers.less(part.low, part.high), integers.less(integers.sub(size, 1), part.high)
        )
        with body.builder.if_then(is_last):
            packing.clear_lines(last)


@dataclass(frozen=True)
class Packing:
    """Packs `x`, (size, columns). `is_padded`: whether whole vectors may be read beyond a row."""

    body: Body
    x: Node
    place: PackedPlace
    size: Int
    is_padded: bool

    def store_lines(self, first: Int, whole: Int, last: Int) -> None:
        """Lines from the first on; those from `whole` to the last lack their second row."""
        integers = self.body.integers
        with loop(self.body.builder, first, last, GROUP) as group:
            stop = integers.min(integers.add(group.i, GROUP), last)
            for low, high, wide in self._panels():
                with loop(self.body.builder, low, high, wide) as panel:
                    with loop(self.body.builder, group.i, integers.min(stop, whole)) as line:
                        self._store_line(panel.i, wide, line.i, is_whole=True)
                    with loop(self.body.builder, integers.max(group.i, whole), stop) as line:
                        self._store_line(panel.i, wide, line.i, is_whole=False)

    def clear_lines(self, first: Int) -> None:
        """Zeros in all lines from the first on."""
        body, integers = self.body, self.body.integers
        depth = self.place.layout.depth(body.rows, integers)
        for low, high, wide in self._panels():
            with loop(body.builder, low, high, wide) as panel:
                start = self._start(panel.i, wide, first)
                stop = integers.mul(integers.sub(depth, first), wide)
                with loop(body.builder, 0, stop, body.n) as turn:
                    place = body.gep(start, self._v.scalar, turn.i)
                    body.builder.store(self._v.const(0.0), place, align=4)

    def _store_line(self, column: Int, wide: int, line: Int, *, is_whole: bool) -> None:
        """A line of the panel that begins at a column."""
        body, integers = self.body, self.body.integers
        row = integers.mul(line, 2)
        rows = [row, integers.add(row, 1)] if is_whole else [row]
        to = self._start(column, wide, line)
        with loop(body.builder, column, self._end(column, wide), body.n) as turn:
            body.forget()
            numbers = [self._value(At(row), At(turn.i, 1)) for row in rows]
            place = body.gep(to, self._v.scalar, integers.sub(turn.i, column))
            body.builder.store(pair(self._v, *numbers), place, align=4)

    def _value(self, row: At, column: At) -> Any:
        """A vector of x along its columns."""
        body = self.body
        if not self.is_padded and body.n > 1:
            body.count = body.integers.sub(number(body, self.x.shape[1]), column.base)
        found = body.widen(body.value(self.x, (row, column))).value
        body.count = None
        return found

    @property
    def _v(self) -> Any:
        return self.body.lanes(self.x.dtype)

    def _panels(self) -> Iterator[tuple[int, int, int]]:
        """Ranges of columns, and how many columns wide the panels are in each."""
        for low, high, units in self.place.layout.panels():
            yield low, high, units * self.place.layout.unit

    def _end(self, column: Int, wide: int) -> Int:
        """Where the columns of a panel end; beyond the last there is part of a vector."""
        n_columns = self.place.layout.shape[1]
        integers = self.body.integers
        return integers.min(integers.add(column, wide), integers.round_up(n_columns, self.body.n))

    def _start(self, column: Int, wide: int, line: Int) -> Any:
        """Where a line of the panel that begins at a column lies."""
        integers = self.body.integers
        depth = self.place.layout.depth(self.body.rows, integers)
        place = integers.add(integers.mul(column, depth), integers.mul(line, wide))
        return self.body.gep(self.place.pointer, self._v.scalar, place)


class TurnedPacking(Packing):
    """Packs the transposed `x`, (columns, size): along its rows lie the words of a column."""

    def store_lines(self, first: Int, whole: Int, last: Int) -> None:
        """As many lines at a time as a vector has words, then what is left."""
        body, integers, n = self.body, self.body.integers, self.body.n
        with body.in_prologue():
            memory = body.builder.alloca(ir.ArrayType(self._v.type, n))
            memory.align, memory.type = 64, POINTER
        blocks = integers.sub(whole, first)
        whole = integers.add(first, integers.mul(integers.div(blocks, n), n))
        for start, stop, is_whole in ((first, whole, True), (whole, last, False)):
            with loop(body.builder, start, stop, n) as line:
                n_lines = n if is_whole else integers.sub(stop, line.i)
                for low, high, wide in self._panels():
                    with (
                        loop(body.builder, low, high, wide) as panel,
                        loop(body.builder, panel.i, self._end(panel.i, wide), n) as column,
                    ):
                        self._load_words(memory, column.i, line.i, is_whole=is_whole)
                        to = self._start(panel.i, wide, line.i)
                        inside = integers.sub(column.i, panel.i)
                        to = body.gep(to, self._v.scalar, inside)
                        turn_block(self._v, Lines(memory, n, n), Lines(to, wide, n_lines))

    def _load_words(self, memory: Any, column: Int, line: Int, *, is_whole: bool) -> None:
        """The words from a line on of as many columns as there are lanes, column after column."""
        body, integers = self.body, self.body.integers
        stop = integers.min(integers.sub(self.place.layout.shape[1], column), body.n)
        with loop(body.builder, 0, stop) as turn:
            body.forget()
            row, first = At(integers.add(column, turn.i)), integers.mul(line, 2)
            place = body.gep(memory, self._v.type, turn.i)
            for w in range(2):
                at = At(integers.add(first, w * body.n), 1)
                half = as_half(self._v, self._along(row, at, is_whole=is_whole))
                body.builder.store(half, body.gep(place, I16, w * body.n), align=2)

    def _along(self, row: At, at: At, *, is_whole: bool) -> Any:
        """A vector of x along a row; beyond the end of the row it is 0."""
        found = self._value(row, at)
        if is_whole:
            return found
        left = self.body.integers.sub(self.size, at.base)
        return self._v.select(self.body.mask(left), found, self._v.const(0.0))
