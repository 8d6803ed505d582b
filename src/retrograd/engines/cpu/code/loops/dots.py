"""Products where both operands are contiguous along k: dot products of rows with a few columns.

Lanes lie along k and are added up in the end, in a fixed tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.loops.blocks import Block, Matrix, Panel
from retrograd.engines.cpu.code.loops.reductions import FOLDS, across_lanes
from retrograd.engines.cpu.code.loops.tile import Tile
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import HERE, At

HEIGHT = 4  # rows at once


@dataclass(frozen=True)
class Dots:
    """The dot products of rows of A with columns of B, k entries each."""

    body: Body
    tile: Tile
    a: Matrix
    b: Matrix
    k: Int

    def one_column(self, part: Part) -> None:
        """The rows of a part where B has one column: as many as there are lanes make a vector."""
        body, v, builder = self.body, self.tile.v, self.body.builder
        integers, scratch, item = body.integers, self.tile.scratch(1), v.dtype.itemsize

        def put(totals: Sequence[Any], block: Int, row: Int) -> None:
            for r, each in enumerate(totals):
                total = across_lanes(v, each, FOLDS["sum"])
                builder.store(total, body.gep(scratch, v.scalar, integers.add(row, r)), align=item)

        with loop(builder, part.low, part.high, body.n) as block:
            left = integers.min(integers.sub(part.high, block.i), body.n)
            for row, height in self._rows(0, left, HEIGHT):
                with row as turn:
                    first = integers.add(block.i, turn.i)
                    put(self._totals(first, height, 1), block.i, turn.i)
            value = builder.load(scratch, align=item, typ=v.type)
            body.forget()
            body.count = left
            self.tile.finish(value, At(block.i, 1), HERE)
            body.count = None

    def few_columns(self, n: int, part: Part, most: int) -> None:
        """The rows of a part, `most` dot products at once: the columns of a row make vectors."""
        lanes = self.body.n
        panel = Panel(0, n, -(-n // lanes), n)
        for row, height in self._rows(part.low, part.high, min(HEIGHT, max(1, most // n))):
            with row as turn:
                totals = self._totals(turn.i, height, n)
                values = []
                for r in range(height):
                    own = totals[r * n : (r + 1) * n]
                    values += [joined(self.tile.v, own[j : j + lanes]) for j in range(0, n, lanes)]
                self.tile.store(values, Block(turn.i, height, 0, panel))

    def _rows(self, low: Int, high: Int, height: int) -> list[tuple[Any, int]]:
        """Loops over rows, so many at a time, and then over what is left one by one."""
        builder, integers = self.body.builder, self.body.integers
        if height == 1:
            return [(loop(builder, low, high), 1)]
        count = integers.mul(integers.div(integers.sub(high, low), height), height)
        whole = integers.add(low, count)
        return [(loop(builder, low, whole, height), height), (loop(builder, whole, high), 1)]

    def _totals(self, row: Int, height: int, n: int) -> list[Any]:
        """Of each row each column's products, added up lane by lane; none waits for another."""
        body, v, integers = self.body, self.tile.v, self.body.integers
        whole = integers.mul(integers.div(self.k, body.n), body.n)
        lines = [self._line(self.a, integers.add(row, r), self.a.down) for r in range(height)]
        columns = [self._line(self.b, j, self.b.right) for j in range(n)]

        def vectors(pointers: Sequence[Any], at: Int, mask: Any) -> list[Any]:
            places = [body.gep(pointer, v.scalar, at) for pointer in pointers]
            if mask is None:
                return [body.builder.load(x, align=v.dtype.itemsize, typ=v.type) for x in places]
            return [body.masked("load", v.type, x, v.dtype, mask) for x in places]

        def added(totals: Sequence[Any], at: Int, mask: Any) -> list[Any]:
            rows, new = vectors(lines, at, mask), list(totals)
            for j, y in enumerate(vectors(columns, at, mask)):
                for r, x in enumerate(rows):
                    new[r * n + j] = v.fma(x, y, new[r * n + j])
            return new

        with loop(body.builder, 0, whole, body.n, [v.const(0.0)] * (height * n)) as turn:
            turn.carry(added(turn.values, turn.i, None))
        if isinstance(self.k, int) and self.k % body.n == 0:
            return turn.values
        with loop(body.builder, whole, self.k, body.n, turn.values) as tail:
            mask = body.mask(integers.sub(self.k, tail.i))  # lanes beyond the end are zeros
            tail.carry(added(tail.values, tail.i, mask))
        return tail.values

    def _line(self, x: Matrix, i: Int, step: Int) -> Any:
        return self.body.gep(x.pointer, self.tile.v.scalar, self.body.integers.mul(i, step))


def joined(v: Lanes, vectors: Sequence[Any]) -> Any:
    """The sum of the lanes of each vector, in a lane of its own; there are no more than lanes.

    In log2(lanes) steps: a vector with g sums in turn, over and over, and another become one with
    2 g. What has no other is joined with itself, and the lanes beyond the last sum mean nothing.
    """
    found, g = list(vectors), 1
    while g < v.n:
        pairs = [(x, found[i + 1] if i + 1 < len(found) else x) for i, x in enumerate(found)][::2]
        found = [_interleaved(v, x, y, g) for x, y in pairs]
        g *= 2
    return found[0]


def _interleaved(v: Lanes, x: Any, y: Any, g: int) -> Any:
    """Sums of x and of y in turn, g of each: of twice as many lanes each."""
    from_x = [j % (2 * g) < g for j in range(v.n)]
    same = [j if is_x else v.n + j for j, is_x in enumerate(from_x)]
    other = [j + g if is_x else v.n + j - g for j, is_x in enumerate(from_x)]
    picks = (ir.Constant(ir.VectorType(I32, v.n), [I32(i) for i in own]) for own in (same, other))
    return v.add(*(v.builder.shuffle_vector(x, y, pick) for pick in picks))
