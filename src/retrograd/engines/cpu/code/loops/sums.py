"""What the entries of a block add up to: accumulators in registers, and one loop along k.

Each entry is added up along k in order, that of a narrow product in a few parts: what a row's
result is does not depend on how many rows there are, nor on which thread makes it. So is a product
of a single row, as which the gradient of a single output's weights is made (see `product`): turn by
turn to another part. Lanes lie along the columns of B, A is read one number at a time, from any
layout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.abi.scratch import FIRST_CACHE, SOME_ROWS
from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import ask_for
from retrograd.engines.cpu.code.loops.axes import AT_ONCE
from retrograd.engines.cpu.code.loops.blocks import Block, Matrix
from retrograd.engines.cpu.code.loops.pairs import dot
from retrograd.engines.cpu.code.values.access import memory_type
from retrograd.engines.cpu.code.values.body import Body
from retrograd.graph.node import Node
from retrograd.plan.pack import STORED
from retrograd.plan.program import Kernel, squeezed
from retrograd.plan.reading import LONG, NARROW

AHEAD = 8  # rows of B: about as many as are worked on while memory answers
PARTS = 4  # of narrow products of LONG sums: a row's are so few that each would wait for itself


@dataclass(frozen=True)
class Sums:
    """How the blocks of one product are added up.

    - `most`: so many vectors are summed up at once. `is_paired`: operands are words of two numbers.
    - `is_row`: whether a block is part of a single row.
    """

    body: Body
    kernel: Kernel
    v: Lanes
    most: int
    is_paired: bool
    is_row: bool

    def of(self, a: Matrix, b: Matrix, k: Int, block: Block, masks: list[Any] | None) -> list[Any]:
        """The sums over k of a block, row by row; A begins at its first row, B at its column."""
        zeros = [self.v.const(0.0)] * (block.height * block.panel.width)
        line = Line(self, a, b, k, block, masks)
        if self.is_row:
            return self._of_row(line, k, zeros)
        if self.is_in_parts(k):
            return self._of_parts(line, k, zeros)
        builder, integers = self.body.builder, self.body.integers
        carried, asks = [*zeros, a.pointer, b.pointer], self._asks()
        if not asks:
            return line.added(0, k, carried)[: len(zeros)]
        each = integers.max(integers.div(k, block.height), 1)
        with loop(builder, 0, block.height + 1, 1, carried) as row:
            is_row = integers.less(row.i, block.height)
            with builder.if_then(is_row):
                self._ask_for_row(asks, row.i, block)
            start = integers.min(integers.mul(row.i, each), k)
            end = integers.min(integers.add(start, each), k)
            stop = builder.select(is_row, as_value(end), as_value(k))
            row.carry(line.added(start, stop, row.values))
        return row.values[: len(zeros)]

    def is_in_parts(self, k: Int) -> bool:
        """Whether sums are made in parts: for any number of rows, or bits would depend on it."""
        assert self.kernel.heavy is not None
        n = self.kernel.heavy.shape[-1]
        is_narrow = isinstance(n, int) and n <= NARROW and not self.is_row
        return is_narrow and isinstance(k, int) and k >= LONG

    def _of_parts(self, line: Line, k: int, zeros: list[Any]) -> list[Any]:
        """((p0 + p1) + p2) + p3: the parts side by side where a block has few sums, or in turn."""
        body, n, a, b = self.body, len(zeros), line.a, line.b
        each, left = -(-k // PARTS), k - (PARTS - 1) * -(-k // PARTS)
        if n * PARTS > self.most:
            empty = [self.v.const(-0.0)] * n  # -0 + p0 is p0, where 0 + p0 would lose the sign of 0
            with loop(body.builder, 0, PARTS, 1, [*empty, a.pointer, b.pointer]) as turn:
                start = body.integers.mul(turn.i, each)
                stop = body.integers.min(body.integers.add(start, each), k)
                *part, of_a, of_b = line.added(start, stop, [*zeros, *turn.values[n:]])
                turn.carry([*self._joined(turn.values[:n], part), of_a, of_b])
            return turn.values[:n]
        carried: list[Any] = []
        for q in range(PARTS):
            starts = [body.integers.mul(q * each, step) for step in (a.right, b.down)]
            pointers = zip((a.pointer, b.pointer), starts, strict=True)
            carried += [*zeros, *(body.gep(pointer, self.v.scalar, at) for pointer, at in pointers)]
        found = line.added(0, left, carried)  # the last part is the shortest
        found = [*line.added(left, each, found[: -n - 2]), *found[-n - 2 :]]
        totals, *rest = (found[i : i + n] for i in range(0, len(found), n + 2))
        for part in rest:
            totals = self._joined(totals, part)
        return totals

    def _of_row(self, line: Line, k: Int, zeros: list[Any]) -> list[Any]:
        """(p0 + p1) + (p2 + p3), of four parts: the summands go to them in turn.

        Those that are left over go to p0.
        """
        integers, n, n_parts = self.body.integers, len(zeros), max(1, AT_ONCE // len(zeros))
        whole = integers.mul(integers.div(k, n_parts), n_parts)
        start = [*zeros * n_parts, line.a.pointer, line.b.pointer]
        *sums, of_a, of_b = line.added(0, whole, start, n_parts)
        first = line.added(whole, k, [*sums[:n], of_a, of_b])[:n]
        parts = [first, *(sums[i : i + n] for i in range(n, len(sums), n))]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self._joined(one, other) for one, other in pairs]
        return parts[0]

    def _joined(self, totals: list[Any], part: list[Any]) -> list[Any]:
        return [self.v.add(total, x) for total, x in zip(totals, part, strict=True)]

    def _asks(self) -> list[Node]:
        """Arrays that will be read with a block, each entry once: weights and moments of an update.

        They are long gone from the caches, and waiting for them would take longer than the product.
        So they are asked for while the block is summed up, row by row.
        """
        space = squeezed(self.kernel.space)
        if len(space) != 2 or not all(isinstance(size, int) for size in space):
            return []
        # Operands that lie in a way of their own are read in another order.
        found = [x for x in self.kernel.loads if x.gate not in STORED]
        arrays = [x for x in found if squeezed(x.shape) == space]
        entries = math.prod(size for size in space if isinstance(size, int))
        total = sum(entries * x.dtype.itemsize for x in arrays)
        return arrays if total > FIRST_CACHE else []

    def _ask_for_row(self, arrays: list[Node], row: Any, block: Block) -> None:
        body, integers = self.body, self.body.integers
        for x in arrays:
            place = body.places[x]
            down, _ = place.layout.strides(body.rows, integers)
            start = integers.add(integers.mul(integers.add(block.i, row), down), block.j)
            for w in range(block.panel.width):
                offset = integers.add(start, w * body.n)
                ask_for(body.builder, body.gep(place.pointer, memory_type(x.dtype), offset))


@dataclass(frozen=True)
class Line:
    """The loop along k for one block."""

    sums: Sums
    a: Matrix
    b: Matrix
    k: Int
    block: Block
    masks: list[Any] | None

    def added(self, start: Int, stop: Int, carried: list[Any], n_turns: int = 1) -> list[Any]:
        """Go on with sums, of one part or several; of each its totals, and where it reads.

        `n_turns`: summands of one turn, each for totals of its own.
        """
        body, v, n = self.sums.body, self.sums.v, self.block.height * self.block.panel.width
        with loop(body.builder, start, stop, n_turns, carried) as turn:
            new: list[Any] = []
            for first in range(0, len(carried), n_turns * n + 2):
                *totals, of_a, of_b = turn.values[first : first + n_turns * n + 2]
                for t in range(n_turns):
                    new += self._with(of_a, of_b, totals[t * n : (t + 1) * n])
                    of_a = body.gep(of_a, v.scalar, self.a.right)
                    of_b = body.gep(of_b, v.scalar, self.b.down)
                new += [of_a, of_b]
            turn.carry(new)
        return turn.values

    def _with(self, of_a: Any, of_b: Any, totals: list[Any]) -> list[Any]:
        """The totals with one more summand, of a column of A and a row of B."""
        sums, width = self.sums, self.block.panel.width
        body, v, new = sums.body, sums.v, list[Any]()
        columns = self.b.vectors(body, v, of_b, self.masks, width)
        self._ask_for_b(of_b)
        for r in range(self.block.height):
            place = body.gep(of_a, v.scalar, body.integers.mul(r, self.a.down))
            entry = body.builder.load(place, align=v.dtype.itemsize, typ=v.scalar)
            wide, row = v.splat(entry), totals[r * width : (r + 1) * width]
            pairs = zip(columns, row, strict=True)
            if sums.is_paired:
                new += [dot(v, wide, x, total) for x, total in pairs]
            else:
                new += [v.fma(wide, x, total) for x, total in pairs]
        return new

    def _ask_for_b(self, line: Any) -> None:
        """Ask for the vectors of B that are needed some rows later.

        Its rows are too far apart for the processor to see a pattern. What stays in the first cache
        or lies together needs no asking.
        """
        body, v, down, width = self.sums.body, self.sums.v, self.b.down, self.block.panel.width
        rows = self.k if isinstance(self.k, int) else SOME_ROWS
        if not isinstance(down, int) or rows * down * v.dtype.itemsize <= FIRST_CACHE:
            return
        if down == width * body.n:
            return
        for w in range(width):
            ask_for(body.builder, body.gep(line, v.scalar, AHEAD * down + w * body.n))
