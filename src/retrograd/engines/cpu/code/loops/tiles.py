"""Tiles: the columns of some rows of an array, with a row in each lane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.scratch import LINE
from retrograd.engines.cpu.code.builder.integers import BOOL, I8, POINTER, Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.reductions import Fold, across_lanes
from retrograd.engines.cpu.code.loops.transpose import Lines, turn_block
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, Index, short_index
from retrograd.graph.node import Node

UNROLLED = 4  # vectors of a single row that are added up without a loop


@dataclass(frozen=True, eq=False)
class RowTile:
    """The entries of as many rows of a node as there are lanes, column after column.

    What lies row by row in memory is turned in registers, a square block at a time; where there are
    fewer rows than lanes, the other lanes hold what has no meaning.
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
        """Read so many rows from the node's memory, from this one on."""
        self._turn(row, count, is_read=True)

    def spill(self, row: Int, count: Int) -> None:
        """Write so many rows to the node's memory, from this one on."""
        self._turn(row, count, is_read=False)

    @property
    def _align(self) -> int:
        return int(self.body.n * self._dtype.itemsize)

    def _pointer(self, at: At) -> Any:
        step = self.v.scalar if at.step else self.v.type
        return self.body.gep(self.pointer, step, at.base)

    def _turn(self, row: Int, count: Int, *, is_read: bool) -> None:
        """Turn rows, a block after another; in a dense array the last may be narrower."""
        body, v, n = self.body, self.v, self.body.n
        layout = body.places[self.node].layout
        stride = layout.strides(body.rows, body.integers)[0]
        offset = body.integers.mul(row, stride)
        rows = Lines(body.gep(body.places[self.node].pointer, v.scalar, offset), stride, count)
        whole = self.columns if layout.is_padded else self.columns // n * n
        if whole:
            with loop(body.builder, 0, whole, n) as turn:
                here = replace(rows, pointer=body.gep(rows.pointer, v.scalar, turn.i))
                tile = Lines(self._pointer(At(turn.i)), n, min(n, self.columns))
                turn_block(v, *((here, tile) if is_read else (tile, here)))
        if whole < self.columns:
            here = replace(rows, pointer=body.gep(rows.pointer, v.scalar, whole))
            self._turn_narrow(here, whole, is_read=is_read)

    def _turn_narrow(self, rows: Lines, column: int, *, is_read: bool) -> None:
        """Columns from this one on, fewer than there are lanes: through memory of whole vectors."""
        body, b, v, item = self.body, self.body.builder, self.v, self._dtype.itemsize
        mask, n = body.mask(self.columns - column), body.n
        with body.in_prologue():
            block = b.alloca(ir.ArrayType(v.type, n))
            block.type = POINTER
        tile = Lines(self._pointer(At(column)), n, n)
        if not is_read:
            turn_block(v, tile, Lines(block, n, n))
        with loop(b, 0, rows.count) as turn:
            there = body.gep(rows.pointer, v.scalar, body.integers.mul(turn.i, rows.stride))
            here = body.gep(block, v.type, turn.i)
            if is_read:
                found = body.masked("load", v.type, there, self._dtype, mask)
                b.store(found, here, align=item)
            else:
                found = b.load(here, align=item, typ=v.type)
                body.masked("store", v.type, there, self._dtype, mask, found)
        if is_read:
            turn_block(v, Lines(block, n, rows.count), tile)


def tiles_of(body: Body, nodes: Iterable[Node], columns: Any, scratch: Any) -> dict[Node, RowTile]:
    """A tile for each node, one after another in scratch memory."""
    tiles: dict[Node, RowTile] = {}
    place = 0
    for node in nodes:
        tiles[node] = RowTile(body, node, columns, body.gep(scratch, I8, place))
        whole = body.integers.round_up(columns, body.n) * body.n * node.dtype.itemsize
        place += body.integers.round_up(whole, LINE)
    return tiles
