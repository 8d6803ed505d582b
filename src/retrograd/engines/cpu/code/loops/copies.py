"""Copies of a product's operands, laid out in the order in which its blocks read them.

B is copied a few columns of blocks at a time: each is a panel of its own, row after row. A, which
lies column by column, is copied once, block of rows after block of rows. Far-apart lines would fall
into few sets of the first cache and touch a page each; copied together they stream.

Where bfloat16 numbers go in pairs, B is packed already (see `packing`), and an A that lies column
by column is copied in words of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.abi import scratch
from retrograd.engines.cpu.abi.layout import Packed, pairs_in
from retrograd.engines.cpu.code.builder.integers import I16, I32, Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.blocks import Matrix, Panel
from retrograd.engines.cpu.code.loops.pairs import words
from retrograd.engines.cpu.code.values.body import Body

GROUP = 8  # blocks of rows that are copied at once


@dataclass(frozen=True)
class Copies:
    """Copies into a thread's scratch memory: first some panels of B, then its rows of A.

    `first`: of its rows. `widest`: columns of the widest panel.
    """

    body: Body
    v: Lanes
    scratch: Any
    k: Int
    first: Int
    widest: int

    @property
    def depth(self) -> Int:
        """How many lines along k the blocks read."""
        return self.k

    def copies(self, a: Matrix) -> bool:
        """Whether rows of A are copied: where they lie column by column."""
        return isinstance(a.down, int) and a.down == 1

    def columns(self, width: int) -> Int:
        """How many columns stay at hand, whole panels of so many vectors."""
        body = self.body
        wide = width * body.n
        fit = scratch.PANELS // (wide * self.v.dtype.itemsize)
        if isinstance(self.depth, int):
            return max(1, fit // max(1, self.depth)) * wide
        builder = body.builder
        number = builder.sdiv(as_value(fit), body.integers.max(self.depth, 1))
        return builder.mul(body.integers.max(number, 1), as_value(wide))

    def copy_a(self, a: Matrix, low: Int, high: Int, height: int) -> None:
        """Blocks of rows from `low` to before `high`, of an A that is contiguous down its columns.

        Some blocks at once, so that a line of A is read once.
        """
        builder, integers = self.body.builder, self.body.integers
        v = Lanes(builder, self.v.dtype, height)
        with loop(builder, low, high, GROUP * height) as group:
            stop = integers.min(integers.add(group.i, GROUP * height), high)
            self._copy_lines(v, a, group.i, stop)

    def _copy_lines(self, v: Lanes, a: Matrix, low: Int, high: Int) -> None:
        """All lines of some blocks of rows, a vector a block."""
        integers = self.body.integers
        with loop(self.body.builder, 0, self.k) as line:
            start = self._at(a.pointer, integers.mul(line.i, a.right))
            with loop(self.body.builder, low, high, v.n) as row:
                self._store_line(v, a, row.i, line.i, self._load(v, self._at(start, row.i)))

    def _store_line(self, v: Lanes, a: Matrix, row: Int, line: Int, value: Any) -> None:
        """A line of the copied block that begins at a row."""
        block = self._block(row, v.n).pointer
        self._store(self._at(block, self.body.integers.mul(line, v.n)), value)

    def rows(self, a: Matrix, i: Int, height: int) -> Matrix:
        """The block of rows that begins at a row: the copied one, or where it lies."""
        if self.copies(a):
            return self._block(i, height)
        start = self._at(a.pointer, self.body.integers.mul(i, a.down))
        return Matrix(start, a.down, a.right, a.is_padded)

    def _block(self, i: Int, height: int) -> Matrix:
        """The copied block of rows that begins at a row."""
        before = self.body.integers.mul(self.body.integers.sub(i, self.first), self.depth)
        return Matrix(self._at(self._of_a, before), 1, height, True)

    def copy_b(self, b: Matrix, start: Int, stop: Int, panel: Panel) -> None:
        """The panels from column `start` to before `stop`."""
        body, v, width = self.body, self.v, panel.width
        with loop(body.builder, start, stop, width * body.n) as column:
            masks = panel.masks(body, b, column.i)
            to = self.panel(b, start, column.i, panel)
            from_ = self._at(b.pointer, column.i)
            with loop(body.builder, 0, self.k) as line:
                place = self._at(from_, body.integers.mul(line.i, b.down))
                at = self._at(to.pointer, body.integers.mul(line.i, to.down))
                for w, vector in enumerate(b.vectors(body, v, place, masks, width)):
                    self._store(self._at(at, w * body.n), vector)

    def panel(self, b: Matrix, start: Int, column: Int, panel: Panel) -> Matrix:
        """The panel that begins at a column, of those that were copied from column `start` on."""
        integers = self.body.integers
        before = integers.mul(integers.sub(column, start), self.depth)
        return Matrix(self._at(self.scratch, before), panel.width * self.body.n, 1, True)

    @property
    def _of_a(self) -> Any:
        """Where the rows of A are copied to."""
        integers = self.body.integers
        of_panels = scratch.PANELS // self.v.dtype.itemsize
        of_one = integers.mul(self.depth, self.widest)
        return self._at(self.scratch, integers.add(of_panels, of_one))

    def _at(self, pointer: Any, place: Int) -> Any:
        return self.body.gep(pointer, self.v.scalar, place)

    def _load(self, v: Lanes, place: Any) -> Any:
        return self.body.builder.load(place, align=v.dtype.itemsize, typ=v.type)

    def _store(self, place: Any, value: Any) -> None:
        self.body.builder.store(value, place, align=self.v.dtype.itemsize)


@dataclass(frozen=True)
class PairCopies(Copies):
    """The same for bfloat16 numbers in pairs (see `pairs`); A has two bytes for each."""

    packed: Packed

    @property
    def depth(self) -> Int:
        """Two numbers that follow each other along k make a word."""
        return pairs_in(self.k, self.body.integers)

    def copies(self, a: Matrix) -> bool:
        """Rows are words as they lie, if the last number is not alone in one."""
        return super().copies(a) or not isinstance(self.k, int) or self.k % 2 == 1

    def copy_a(self, a: Matrix, low: Int, high: Int, height: int) -> None:
        """Blocks of rows that lie column by column, or each row for itself."""
        if super().copies(a):
            super().copy_a(a, low, high, height)
            return
        body, integers, n = self.body, self.body.integers, self.body.n
        last = integers.sub(self.depth, 1)
        with loop(body.builder, low, high) as row:
            from_, to = self._row(a, row.i), self._copied_row(row.i)
            with loop(body.builder, 0, self.depth, n) as word:
                self._store(self._at(to, word.i), self._load_words(self._at(from_, word.i)))
            alone = body.builder.load(self._at(from_, last), align=2, typ=I16)
            self._store(self._at(to, last), body.builder.zext(alone, I32))

    def rows(self, a: Matrix, i: Int, height: int) -> Matrix:
        """The block of rows, or the rows, that begin at a row."""
        if super().copies(a):
            return self._block(i, height)
        if self.copies(a):
            return Matrix(self._copied_row(i), self._down, 1, True)
        return Matrix(self._row(a, i), self.body.integers.div(a.down, 2), 1, True)

    def copy_b(self, b: Matrix, start: Int, stop: Int, panel: Panel) -> None:
        """Nothing: it is where it should be."""

    def panel(self, b: Matrix, start: Int, column: Int, panel: Panel) -> Matrix:
        """The packed panel with a column, from there on: its first, or one in the midst of it."""
        integers, packed = self.body.integers, self.packed
        (wide,) = (width * packed.unit for low, _, width in packed.panels() if low == panel.low)
        number = integers.div(integers.sub(column, panel.low), wide)
        first = integers.add(panel.low, integers.mul(number, wide))
        before = integers.add(integers.mul(first, self.depth), integers.sub(column, first))
        return Matrix(self._at(b.pointer, before), wide, 1, True)

    def _copy_lines(self, v: Lanes, a: Matrix, low: Int, high: Int) -> None:
        builder, integers = self.body.builder, self.body.integers
        whole = integers.div(self.k, 2)
        for start, stop, is_whole in ((0, whole, True), (whole, self.depth, False)):
            with loop(builder, start, stop) as line:
                first = integers.mul(line.i, 2)
                lines = [first, integers.add(first, 1)] if is_whole else [first]
                starts = [self._entry(a.pointer, integers.mul(k, a.right)) for k in lines]
                with loop(builder, low, high, v.n) as row:
                    places = [self._entry(start, row.i) for start in starts]
                    self._store_line(v, a, row.i, line.i, words(v, places))

    def _row(self, a: Matrix, i: Int) -> Any:
        """Where a row of A lies."""
        return self._entry(a.pointer, self.body.integers.mul(i, a.down))

    def _copied_row(self, i: Int) -> Any:
        integers = self.body.integers
        return self._at(self.scratch, integers.mul(integers.sub(i, self.first), self._down))

    @property
    def _down(self) -> Int:
        """Words from a copied row to the next: whole vectors."""
        return self.body.integers.round_up(self.depth, self.body.n)

    @property
    def _of_a(self) -> Any:
        return self.scratch

    def _entry(self, pointer: Any, place: Int) -> Any:
        return self.body.gep(pointer, I16, place)

    def _load_words(self, place: Any) -> Any:
        return self.body.builder.load(place, align=2, typ=self.v.type)
