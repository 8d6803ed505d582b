"""Tiles: the columns of some rows of an array, with a row in each lane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.scratch import LINE
from retrograd.engines.cpu.code.builder.integers import I8, Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.transpose import turned
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import Index, short_index
from retrograd.graph.node import Node


@dataclass(frozen=True, eq=False)
class Tile:
    """The entries of as many rows of a node as there are lanes, column after column.

    What lies row by row in memory is turned in registers, a square block at a time; where fewer
    rows are left than there are lanes, it is copied entry by entry, and other lanes hold anything.
    """

    body: Body
    node: Node
    columns: int
    pointer: Any

    @property
    def v(self) -> Lanes:
        """Vectors of one column."""
        return self.body.lanes(self.node.dtype)

    def value(self, index: Index) -> Operand:
        """The entries at a column of the index; its rows are those that the tile holds."""
        _, column = short_index(index, self.node.shape)
        value = self.body.builder.load(self._at(column.base), align=self._align, typ=self.v.type)
        return Operand(value, self.node.dtype, self.body.n > 1)

    def store(self, column: Int, operand: Operand) -> None:
        """Set the entries of a column."""
        self.body.builder.store(operand.value, self._at(column), align=self._align)

    def fill(self, row: Int, count: Int) -> None:
        """Read rows from the node's memory, from this one on."""
        self._by_block_or_entry(row, count, is_read=True)

    def spill(self, row: Int, count: Int) -> None:
        """Write rows to the node's memory, from this one on."""
        self._by_block_or_entry(row, count, is_read=False)

    @property
    def _align(self) -> int:
        return self.body.n * self.node.dtype.itemsize

    def _at(self, column: Int) -> Any:
        return self.body.gep(self.pointer, self.v.type, column)

    def _by_block_or_entry(self, row: Int, count: Int, *, is_read: bool) -> None:
        b = self.body.builder
        if self.body.n == 1:
            self._entries(row, count, is_read=is_read)
            return
        is_whole = b.icmp_signed("==", as_value(count), as_value(self.body.n))
        with b.if_else(is_whole) as (whole, part):
            with whole:
                for column in range(0, self.columns, self.body.n):
                    self._block(row, column, is_read=is_read)
            with part:
                self._entries(row, count, is_read=is_read)

    def _entries(self, row: Int, count: Int, *, is_read: bool) -> None:
        body, scalar, item = self.body, self.v.scalar, self.node.dtype.itemsize
        rows = self._rows(row)
        with loop(body.builder, 0, count) as i, loop(body.builder, 0, self.columns) as j:
            there = body.gep(rows, scalar, body.integers.add(self._offset(i.i), j.i))
            here = body.integers.add(body.integers.mul(j.i, body.n), i.i)
            pair = [there, body.gep(self.pointer, scalar, here)]
            source, to = pair if is_read else reversed(pair)
            body.builder.store(body.builder.load(source, align=item, typ=scalar), to, align=item)

    def _block(self, row: Int, column: int, *, is_read: bool) -> None:
        """Columns from this one on, as many as there are lanes or are left."""
        body, v, item = self.body, self.v, self.node.dtype.itemsize
        b, n, rows = body.builder, body.n, self._rows(row)
        count = min(n, self.columns - column)
        is_masked = count < n and not body.places[self.node].layout.is_padded
        mask = body.mask(count) if is_masked else None
        there = [body.gep(rows, v.scalar, self._offset(r) + column) for r in range(n)]
        here = [self._at(column + i) for i in range(count)]
        if is_read:
            vectors = [
                body.masked("load", v.type, p, self.node.dtype, mask)
                if is_masked
                else b.load(p, align=item, typ=v.type)
                for p in there
            ]
            for vector, p in zip(turned(b, vectors), here, strict=False):
                b.store(vector, p, align=self._align)
            return
        vectors = [b.load(p, align=self._align, typ=v.type) for p in here]
        vectors += [ir.Constant(v.type, ir.Undefined)] * (n - count)
        for vector, p in zip(turned(b, vectors), there, strict=True):
            if is_masked:
                body.masked("store", v.type, p, self.node.dtype, mask, vector)
            else:
                b.store(vector, p, align=item)

    def _rows(self, row: Int) -> Any:
        place = self.body.places[self.node]
        return self.body.gep(
            place.pointer, self.v.scalar, self.body.integers.mul(row, self._offset(1))
        )

    def _offset(self, rows: Int) -> Any:
        """How far rows lie apart in memory."""
        stride = self.body.places[self.node].layout.strides(self.body.rows, self.body.integers)[0]
        return self.body.integers.mul(rows, stride)


def tiles_of(
    body: Body, nodes: Iterable[Node], columns: int, scratch: Any
) -> dict[Node, Tile]:
    """A tile for each node, one after another in scratch memory."""
    tiles: dict[Node, Tile] = {}
    place = 0
    for node in nodes:
        tiles[node] = Tile(body, node, columns, body.gep(scratch, I8, place))
        place += body.integers.round_up(columns * body.n * node.dtype.itemsize, LINE)
    return tiles
