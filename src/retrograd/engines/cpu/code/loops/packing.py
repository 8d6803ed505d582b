"""Copies of a product's operands, laid out in the order in which its blocks read them.

B is copied a few columns of blocks at a time: each is a panel of its own, row after row. A, which
lies column by column, is copied once, block of rows after block of rows. Far-apart lines would fall
into few sets of the first cache and touch a page each; copied together they stream. Of bfloat16
numbers both are copied in pairs, wherever they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.engines.cpu.abi import scratch
from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.blocks import Matrix, Panel
from retrograd.engines.cpu.code.loops.pairs import pair, pairs_along
from retrograd.engines.cpu.code.values.body import Body

GROUP = 8  # blocks of rows that are copied at once

LineLoop = AbstractContextManager[tuple[Int, list[Int]]]


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

    together: ClassVar[int] = 1  # lines along k that make one of a copy

    @property
    def depth(self) -> Int:
        """How many lines along k the copies have."""
        return self.k

    def copies(self, a: Matrix) -> bool:
        """Whether rows of A are copied: where they lie column by column."""
        return isinstance(a.down, int) and a.down == 1

    def columns(self, width: int) -> Int:
        """How many columns are copied at once, whole panels of so many vectors."""
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
        builder, integers, item = self.body.builder, self.body.integers, self.v.dtype.itemsize
        v = Lanes(builder, self.v.dtype, height)
        with loop(builder, low, high, GROUP * height) as group:
            stop = integers.min(integers.add(group.i, GROUP * height), high)
            for lines in self._lines():
                with lines as (number, sources):
                    starts = [self._at(a.pointer, integers.mul(k, a.right)) for k in sources]
                    inside = integers.mul(number, height)
                    with loop(builder, group.i, stop, height) as row:
                        places = [self._at(start, row.i) for start in starts]
                        found = [builder.load(place, align=item, typ=v.type) for place in places]
                        to = self._at(self.rows(a, row.i, height).pointer, inside)
                        builder.store(self._made(v, found), to, align=item)

    def rows(self, a: Matrix, i: Int, height: int) -> Matrix:
        """The copied block of rows that begins at a row."""
        before = self.body.integers.mul(self.body.integers.sub(i, self.first), self.depth)
        return Matrix(self._at(self._of_a, before), 1, height, True)

    def copy_b(self, b: Matrix, start: Int, stop: Int, panel: Panel) -> None:
        """The panels from column `start` to before `stop`."""
        body, v, width = self.body, self.v, panel.width
        with loop(body.builder, start, stop, width * body.n) as column:
            masks = panel.masks(body, b, column.i)
            to = self.panel(start, column.i, width)
            from_ = self._at(b.pointer, column.i)
            for lines in self._lines():
                with lines as (number, sources):
                    places = [self._at(from_, body.integers.mul(k, b.down)) for k in sources]
                    found = [b.vectors(body, v, place, masks, width) for place in places]
                    line = self._at(to.pointer, body.integers.mul(number, to.down))
                    for w, vectors in enumerate(zip(*found, strict=True)):
                        at = self._at(line, w * body.n)
                        body.builder.store(self._made(v, vectors), at, align=v.dtype.itemsize)

    def panel(self, start: Int, column: Int, width: int) -> Matrix:
        """The copied panel that begins at a column."""
        integers = self.body.integers
        before = integers.mul(integers.sub(column, start), self.depth)
        return Matrix(self._at(self.scratch, before), width * self.body.n, 1, True)

    @property
    def _of_a(self) -> Any:
        """Where the rows of A are copied to."""
        integers = self.body.integers
        of_panels = scratch.PANELS // self.v.dtype.itemsize
        of_one = integers.mul(self.depth, self.widest)
        return self._at(self.scratch, integers.add(of_panels, of_one))

    def _at(self, pointer: Any, place: Int) -> Any:
        return self.body.gep(pointer, self.v.scalar, place)

    def _lines(self) -> list[LineLoop]:
        """Loops over the lines of a copy: the number of each, and of those that it is made of."""
        return [self._line(0, self.k, 1)]

    @contextmanager
    def _line(self, start: Int, stop: Int, n_sources: int) -> Iterator[tuple[Int, list[Int]]]:
        integers = self.body.integers
        with loop(self.body.builder, start, stop) as turn:
            first = integers.mul(turn.i, self.together)
            yield turn.i, [integers.add(first, i) for i in range(n_sources)]

    def _made(self, v: Lanes, found: Sequence[Any]) -> Any:
        """A vector of the copy from those of its sources."""
        (one,) = found
        return one


class PairPacking(Packing):
    """Copies of bfloat16 numbers in pairs (see `pairs`)."""

    together = 2

    @property
    def depth(self) -> Int:
        """Two numbers that follow each other along k make a word."""
        return scratch.pairs_in(self.k, self.body.integers)

    def copies(self, a: Matrix) -> bool:
        """All rows of A, wherever they lie."""
        return True

    def copy_a(self, a: Matrix, low: Int, high: Int, height: int) -> None:
        """Blocks of rows that lie column by column, or each row for itself."""
        if super().copies(a):
            super().copy_a(a, low, high, height)
            return
        body, v, n = self.body, self.v, self.body.n
        integers, item = body.integers, self.v.dtype.itemsize
        whole = integers.mul(integers.div(self.k, 2 * n), 2 * n)
        with loop(body.builder, low, high) as row:
            line = self._at(a.pointer, integers.mul(row.i, a.down))
            to = self.rows(a, row.i, 1).pointer
            for start, stop, is_whole in ((0, whole, True), (whole, self.k, False)):
                with loop(body.builder, start, stop, 2 * n) as turn:
                    places = [self._at(line, integers.add(turn.i, w * n)) for w in range(2)]
                    if is_whole:
                        found = [body.builder.load(x, align=item, typ=v.type) for x in places]
                    else:  # what follows the row has no meaning
                        left = [integers.sub(self.k, integers.add(turn.i, w * n)) for w in range(2)]
                        found = [
                            body.masked("load", v.type, place, v.dtype, body.mask(count))
                            for place, count in zip(places, left, strict=True)
                        ]
                    at = self._at(to, integers.div(turn.i, 2))
                    body.builder.store(pairs_along(v, *found), at, align=item)

    def rows(self, a: Matrix, i: Int, height: int) -> Matrix:
        """The copied block of rows, or the copied rows, that begin at a row."""
        if super().copies(a):
            return super().rows(a, i, height)
        integers = self.body.integers
        down = integers.round_up(self.depth, self.body.n)
        before = integers.mul(integers.sub(i, self.first), down)
        return Matrix(self._at(self._of_a, before), down, 1, True)

    def _lines(self) -> list[LineLoop]:
        whole = self.body.integers.div(self.k, 2)
        return [self._line(0, whole, 2), self._line(whole, self.depth, 1)]

    def _made(self, v: Lanes, found: Sequence[Any]) -> Any:
        return pair(v, *found)
