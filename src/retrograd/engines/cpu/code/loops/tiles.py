"""Tiles: the columns of some rows of an array, with a row in each lane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.scratch import LINE
from retrograd.engines.cpu.code.builder.integers import BOOL, I8, Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.reductions import Fold, across_lanes
from retrograd.engines.cpu.code.loops.transpose import room, turn_block
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, Index, short_index
from retrograd.graph.node import Node

UNROLLED = 4  # vectors of a single row that are added up without a loop


@dataclass(frozen=True, eq=False)
class Tile:
    """The entries of as many rows of a node as there are lanes, column after column.

    What lies row by row in memory is turned in registers, a square block at a time; where fewer
    rows are left than there are lanes, it is copied entry by entry, and other lanes hold anything.
    Where a single row is worked on, its entries lie one after another, and lanes step along them.
    """

    body: Body
    node: Node
    columns: int
    pointer: Any

    @property
    def v(self) -> Lanes:
        """The vectors of a column."""
        return self.body.lanes(self._dtype)

    @property
    def _dtype(self) -> Any:
        return self.node.dtype

    def value(self, index: Index) -> Operand:
        """The entries at a place along the columns."""
        _, at = short_index(index, self.node.shape)
        align = self._align if not at.step else self._dtype.itemsize
        value = self.body.builder.load(self._pointer(at), align=align, typ=self.v.type)
        return Operand(value, self._dtype, self.body.n > 1)

    def store(self, at: At, operand: Operand) -> None:
        """Set the entries at a place along the columns."""
        align = self._align if not at.step else self._dtype.itemsize
        self.body.builder.store(operand.value, self._pointer(at), align=align)

    def folded(self, fold: Fold, parts: int) -> Any:
        """The entries of a single row folded into one number: every so many-th into a part."""
        body, item = self.body, self._dtype.itemsize
        v = Lanes(body.builder, self._dtype, parts, has_fma=body.has_fma)
        whole = self.columns // parts * parts

        def entries(column: Int) -> Any:
            pointer = body.gep(self.pointer, v.scalar, column)
            return body.builder.load(pointer, align=item, typ=v.type)

        some = min(whole, UNROLLED * parts)
        total = v.const(fold.start)
        for column in range(0, some, parts):
            total = fold.combine(v, total, entries(column))
        if some < whole:
            with loop(body.builder, some, whole, parts, [total]) as turn:
                turn.carry([fold.combine(v, turn.values[0], entries(turn.i))])
            total = turn.values[0]
        if whole < self.columns:
            left = [ir.Constant(BOOL, int(whole + i < self.columns)) for i in range(parts)]
            mask = ir.Constant(v.mask_type, left)
            rest = v.select(mask, entries(whole), v.const(fold.start))
            total = fold.combine(v, total, rest)
        return across_lanes(v, total, fold)

    def fill(self, row: Int, count: Int) -> None:
        """Read rows from the node's memory, from this one on."""
        self._whole_or_part(row, count, is_read=True)

    def spill(self, row: Int, count: Int) -> None:
        """Write rows to the node's memory, from this one on."""
        self._whole_or_part(row, count, is_read=False)

    @property
    def _align(self) -> int:
        return int(self.body.n * self._dtype.itemsize)

    def _pointer(self, at: At) -> Any:
        step = self.v.scalar if at.step else self.v.type
        return self.body.gep(self.pointer, step, at.base)

    def _whole_or_part(self, row: Int, count: Int, *, is_read: bool) -> None:
        b, n = self.body.builder, self.body.n
        if n == 1:
            self._entries(row, count, is_read=is_read)
            return
        is_whole = b.icmp_signed("==", as_value(count), as_value(n))
        with b.if_else(is_whole) as (whole, part):
            with whole:
                self._blocks(row, is_read=is_read)
            with part:
                self._entries(row, count, is_read=is_read)

    def _entries(self, row: Int, count: Int, *, is_read: bool) -> None:
        body, scalar, item = self.body, self.v.scalar, self._dtype.itemsize
        rows = self._in_memory(row)
        with loop(body.builder, 0, count) as i, loop(body.builder, 0, self.columns) as j:
            there = body.gep(rows, scalar, body.integers.add(self._offset(i.i), j.i))
            here = body.integers.add(body.integers.mul(j.i, body.n), i.i)
            pair = [there, body.gep(self.pointer, scalar, here)]
            source, to = pair if is_read else reversed(pair)
            body.builder.store(body.builder.load(source, align=item, typ=scalar), to, align=item)

    def _blocks(self, row: Int, *, is_read: bool) -> None:
        body, n = self.body, self.body.n
        is_padded = body.places[self.node].layout.is_padded
        whole = self.columns if is_padded else self.columns // n * n
        if whole:
            with loop(body.builder, 0, whole, n) as turn:
                rows = body.gep(self._in_memory(row), self.v.scalar, turn.i)
                pair = [(rows, self._offset(1)), (self._pointer(At(turn.i)), n)]
                turn_block(self.v, *(pair if is_read else reversed(pair)))
        if whole < self.columns:
            self._last_block(row, whole, is_read=is_read)

    def _last_block(self, row: Int, column: int, *, is_read: bool) -> None:
        """The columns from this one on, fewer than there are lanes, of a dense array."""
        body, b, v, n = self.body, self.body.builder, self.v, self.body.n
        with body.in_prologue():
            block = room(v)
        tile, mask = (self._pointer(At(column)), n), body.mask(self.columns - column)
        rows = body.gep(self._in_memory(row), v.scalar, column)
        if not is_read:
            turn_block(v, tile, (block, n))
        with loop(b, 0, n) as turn:
            there = body.gep(rows, v.scalar, self._offset(turn.i))
            here = body.gep(block, v.type, turn.i)
            if is_read:
                found = body.masked("load", v.type, there, self._dtype, mask)
                b.store(found, here, align=self._dtype.itemsize)
            else:
                found = b.load(here, align=self._dtype.itemsize, typ=v.type)
                body.masked("store", v.type, there, self._dtype, mask, found)
        if is_read:
            turn_block(v, (block, n), tile)

    def _in_memory(self, row: Int) -> Any:
        pointer = self.body.places[self.node].pointer
        return self.body.gep(pointer, self.v.scalar, self._offset(row))

    def _offset(self, rows: Int) -> Int:
        """How far rows lie apart in memory."""
        stride = self.body.places[self.node].layout.strides(self.body.rows, self.body.integers)[0]
        return self.body.integers.mul(rows, stride)


def tiles_of(body: Body, nodes: Iterable[Node], columns: Any, scratch: Any) -> dict[Node, Tile]:
    """A tile for each node, one after another in scratch memory."""
    tiles: dict[Node, Tile] = {}
    place = 0
    for node in nodes:
        tiles[node] = Tile(body, node, columns, body.gep(scratch, I8, place))
        whole = body.integers.round_up(columns, body.n) * body.n * node.dtype.itemsize
        place += body.integers.round_up(whole, LINE)
    return tiles
