"""Copies of a product's operands, laid out in the order in which its blocks read them.

B is copied a few columns of blocks at a time: each is a panel of its own, row after row. A, which
lies column by column, is copied once, block of rows after block of rows. Far-apart lines would fall
into few sets of the first cache and touch a page each; copied together they stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi import scratch
from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.tile import Matrix, Panel
from retrograd.engines.cpu.code.values.body import Body

GROUP = 8  # blocks of rows that are copied at once


@dataclass(frozen=True)
class Packing:
    """Copies into a thread's scratch memory: first some panels of B, then its rows of A.

    `first`: of its rows. `widest`: columns of the widest panel.
    """

    body: Body
    v: Lanes
    scratch: Any
    k: Int
    first: Int
    widest: int

    def columns(self, width: int) -> Int:
        """How many columns are copied at once, whole panels of so many vectors."""
        body = self.body
        wide = width * body.n
        fit = scratch.PANELS // (wide * self.v.dtype.itemsize)
        if isinstance(self.k, int):
            return max(1, fit // max(1, self.k)) * wide
        builder = body.builder
        number = builder.sdiv(as_value(fit), body.integers.max(self.k, 1))
        return builder.mul(body.integers.max(number, 1), as_value(wide))

    def copy_a(self, a: Matrix, low: Int, high: Int, height: int) -> None:
        """Blocks of rows from `low` to before `high`, of an A that is contiguous down its columns.

        Some blocks at once, so that a line of A is read once.
        """
        body, v, builder, integers = self.body, self.v, self.body.builder, self.body.integers
        kind = ir.VectorType(v.scalar, height) if height > 1 else v.scalar
        with loop(builder, low, high, GROUP * height) as group:
            stop = integers.min(integers.add(group.i, GROUP * height), high)
            with loop(builder, 0, self.k) as turn:
                line = body.gep(a.pointer, v.scalar, integers.mul(turn.i, a.right))
                inside = integers.mul(turn.i, height)
                with loop(builder, group.i, stop, height) as row:
                    found = body.gep(line, v.scalar, row.i)
                    part = builder.load(found, align=v.dtype.itemsize, typ=kind)
                    place = body.gep(self.rows(row.i, height).pointer, v.scalar, inside)
                    builder.store(part, place, align=v.dtype.itemsize)

    def rows(self, i: Int, height: int) -> Matrix:
        """The copied block of rows that begins at a row."""
        integers = self.body.integers
        of_panels = scratch.PANELS // self.v.dtype.itemsize
        of_b = integers.add(of_panels, integers.mul(self.k, self.widest))
        before = integers.mul(integers.sub(i, self.first), self.k)
        pointer = self.body.gep(self.scratch, self.v.scalar, integers.add(of_b, before))
        return Matrix(pointer, 1, height, True)

    def copy_b(self, b: Matrix, start: Int, stop: Int, panel: Panel) -> None:
        """The panels from column `start` to before `stop`."""
        body, v, builder = self.body, self.v, self.body.builder
        n, width = body.n, panel.width
        with loop(builder, start, stop, width * n) as column:
            masks = panel.masks(body, b, column.i)
            to = self.panel(start, column.i, width)
            from_ = body.gep(b.pointer, v.scalar, column.i)
            with loop(builder, 0, self.k) as turn:
                line = body.gep(from_, v.scalar, body.integers.mul(turn.i, b.down))
                place = body.gep(to.pointer, v.scalar, body.integers.mul(turn.i, to.down))
                for w, vector in enumerate(b.vectors(body, v, line, masks, width)):
                    at = body.gep(place, v.scalar, w * n)
                    builder.store(vector, at, align=v.dtype.itemsize)

    def panel(self, start: Int, column: Int, width: int) -> Matrix:
        """The copied panel that begins at a column."""
        integers = self.body.integers
        before = integers.mul(integers.sub(column, start), self.k)
        pointer = self.body.gep(self.scratch, self.v.scalar, before)
        return Matrix(pointer, width * self.body.n, 1, True)
