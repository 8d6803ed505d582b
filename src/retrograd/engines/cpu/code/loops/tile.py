"""One block of a product: accumulators in registers, over which one loop runs along k.

Each entry is added up along k in order, that of a narrow product in a few parts: what a row's
result is does not depend on how many rows there are, nor on which thread makes it. Lanes lie along
the columns, A is read one number at a time, from any layout. What follows entry by entry (bias,
activation, an optimizer's update) is computed on the block before it is stored. Padding of B may
hold anything: lanes do not mix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.scratch import FIRST_CACHE, SOME_ROWS
from retrograd.engines.cpu.code.builder.integers import POINTER, Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import ask_for
from retrograd.engines.cpu.code.loops.axes import store_all
from retrograd.engines.cpu.code.values.access import Operand, memory_type
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel, is_number, squeezed

AHEAD = 8  # rows of B: about as many as are worked on while memory answers
NARROW = 16  # columns up to which a row's sums are so few that each would wait for itself:
PARTS = 4  # they are added up in so many parts, which several rows make one after another
LONG = 32  # summands, of fewer there is one part
INLINE = 200  # gates of a block up to which each of its vectors has code of its own


@dataclass(frozen=True)
class Matrix:
    """An operand in memory: entry (i, j) lies at `pointer + i * down + j * right`."""

    pointer: Any
    down: Int
    right: Int
    is_padded: bool

    @property
    def T(self) -> Matrix:
        """The same memory with rows and columns exchanged."""
        return Matrix(self.pointer, self.right, self.down, self.is_padded)

    def vectors(
        self, body: Body, v: Lanes, line: Any, masks: Sequence[Any] | None, width: int
    ) -> list[Any]:
        """Vectors side by side from a place on."""
        found = []
        for w in range(width):
            pointer = body.gep(line, v.scalar, w * body.n)
            if masks is not None:
                found.append(body.masked("load", v.type, pointer, v.dtype, masks[w]))
            else:
                found.append(body.builder.load(pointer, align=v.dtype.itemsize, typ=v.type))
        return found


@dataclass(frozen=True)
class Panel:
    """Columns of blocks: from `low` to before `high`, each `width` vectors; all end at `end`."""

    low: Int
    high: Int
    width: int
    end: Int

    def masks(self, body: Body, b: Matrix, j: Int) -> list[Any] | None:
        """Which lanes of the vectors from column j on are columns of B; None where it is padded."""
        if b.is_padded or body.n == 1:
            return None
        integers = body.integers
        left = integers.sub(self.end, j)
        return [body.mask(integers.sub(left, w * body.n)) for w in range(self.width)]


@dataclass(frozen=True)
class Block:
    """A block of the result: rows from i on, and columns from j on, as wide as its panel."""

    i: Int
    height: int
    j: Int
    panel: Panel


class Tile:
    """Makes blocks of one product.

    - `outer`: the place in a stack of products. `most`: so many vectors are summed up at once.
    - `is_swapped`: whether rows and columns of the result are exchanged.
    """

    def __init__(self, body: Body, kernel: Kernel, outer: Sequence[At], most: int) -> None:
        self.body, self.kernel, self.outer, self.most = body, kernel, outer, most
        assert kernel.heavy is not None
        self.heavy = kernel.heavy
        self.v: Lanes = body.lanes(self.heavy.dtype)
        self.is_swapped = False
        arrays = [x for x in (*kernel.loads, *kernel.stores) if not is_number(x)]
        self._is_padded = all(body.places[x].layout.is_padded for x in arrays if x in body.places)

    def scratch(self, vectors: int) -> Any:
        """Memory for so many vectors, on the stack."""
        body = self.body
        with body.in_prologue():
            memory = body.builder.alloca(ir.ArrayType(self.v.type, vectors))
            memory.align = 64
            memory.type = POINTER  # of bytes: numbers and vectors are both kept there
        return memory

    def make(self, a: Matrix, b: Matrix, k: Size, block: Block, masks: list[Any] | None) -> None:
        """Add up a block and store what follows; A begins at its first row, B at its column."""
        values = self._sums(a, b, k, block, masks)
        width, height = block.panel.width, block.height
        if len(self.kernel.body) * height * width <= INLINE:
            self.body.forget()
            for r in range(height):
                i = self.body.integers.add(block.i, r)
                self._finish_row(values[r * width : (r + 1) * width], At(i), block)
            return
        builder = self.body.builder
        memory = self.scratch(height * width)
        for place, value in enumerate(values):
            builder.store(value, self._slot(memory, place), align=64)
        with loop(builder, 0, height) as row:
            self.body.forget()
            first = self.body.integers.mul(row.i, width)
            slots = [self.body.integers.add(first, w) for w in range(width)]
            line = [
                builder.load(self._slot(memory, slot), align=64, typ=self.v.type) for slot in slots
            ]
            self._finish_row(line, At(self.body.integers.add(block.i, row.i)), block)

    def outer_product(
        self, a: Matrix, b: Matrix, low: Int, high: Int, j: Int, panel: Panel
    ) -> None:
        """Rows of the result where k is 1: the row of B stays in registers."""
        body, v, builder = self.body, self.v, self.body.builder
        line = body.gep(b.pointer, v.scalar, j)
        columns = b.vectors(body, v, line, panel.masks(body, b, j), panel.width)
        with loop(builder, low, high) as row:
            body.forget()
            pointer = body.gep(a.pointer, v.scalar, body.integers.mul(row.i, a.down))
            entry = v.splat(builder.load(pointer, align=v.dtype.itemsize, typ=v.scalar))
            block = Block(row.i, 1, j, panel)
            self._finish_row([v.mul(entry, x) for x in columns], At(row.i), block)

    def _slot(self, memory: Any, number: Int) -> Any:
        return self.body.gep(memory, self.v.type, number)

    def _finish_row(self, values: Sequence[Any], row: At, block: Block) -> None:
        """Store what follows from the vectors of one row of a block."""
        body, integers = self.body, self.body.integers
        for w, value in enumerate(values):
            j = integers.add(block.j, w * body.n)
            if not self._is_padded and body.n > 1:
                body.count = integers.sub(block.panel.end, j)
            places = row, At(j, 1)
            self.finish(value, *(reversed(places) if self.is_swapped else places))
            body.count = None

    def finish(self, value: Any, row: At, column: At) -> None:
        """Store what follows from a vector of the product."""
        body = self.body
        m, n = self.heavy.shape[-2:]
        short = [*self.outer, *([row] if m != 1 else []), *([column] if n != 1 else [])]
        body.given[self.heavy] = Operand(value, self.heavy.dtype, body.n > 1)
        store_all(body, self.kernel, short)
        body.given.clear()

    def _sums(
        self, a: Matrix, b: Matrix, k: Size, block: Block, masks: list[Any] | None
    ) -> list[Any]:
        body, v, width, height = self.body, self.v, block.panel.width, block.height
        builder, integers, item = body.builder, body.integers, self.heavy.dtype.itemsize
        size = body.rows if isinstance(k, Rows) else k
        zeros = [v.const(0.0)] * (height * width)

        def added(start: Int, stop: Int, carried: list[Any]) -> list[Any]:
            """Go on with sums, of one part or several; of each its totals, and where it reads."""
            each = len(zeros) + 2
            with loop(builder, start, stop, 1, carried) as turn:
                new: list[Any] = []
                for first in range(0, len(carried), each):
                    *totals, of_a, of_b = turn.values[first : first + each]
                    columns = b.vectors(body, v, of_b, masks, width)
                    self._ask_for_b(b, k, of_b, width)
                    for r in range(height):
                        place = body.gep(of_a, v.scalar, integers.mul(r, a.down))
                        entry = builder.load(place, align=item, typ=v.scalar)
                        wide, sums = v.splat(entry), totals[r * width : (r + 1) * width]
                        pairs = zip(columns, sums, strict=True)
                        new += [v.fma(wide, x, total) for x, total in pairs]
                    new += [body.gep(of_a, v.scalar, a.right), body.gep(of_b, v.scalar, b.down)]
                turn.carry(new)
            return turn.values

        if isinstance(k, int) and self.is_in_parts(k):
            return self._sums_of_parts(a, b, k, zeros, added)
        carried, asks = [*zeros, a.pointer, b.pointer], self._asks(block)
        if not asks:
            return added(0, size, carried)[: len(zeros)]
        each = integers.max(integers.div(size, height), 1)
        with loop(builder, 0, height + 1, 1, carried) as row:
            is_row = integers.less(row.i, height)
            with builder.if_then(is_row):
                self._ask_for_row(asks, row.i, block)
            start = integers.min(integers.mul(row.i, each), size)
            end = integers.min(integers.add(start, each), size)
            row.carry(
                added(start, builder.select(is_row, as_value(end), as_value(size)), row.values)
            )
        return row.values[: len(zeros)]

    def is_in_parts(self, k: Size) -> bool:
        """Whether sums are made in parts: for any number of rows, or bits would depend on it."""
        n = self.heavy.shape[-1]
        return isinstance(k, int) and k >= LONG and isinstance(n, int) and n <= NARROW

    def _sums_of_parts(
        self, a: Matrix, b: Matrix, k: int, zeros: list[Any], added: Callable[..., list[Any]]
    ) -> list[Any]:
        """((p0 + p1) + p2) + p3: the parts side by side where a block has few sums, or in turn."""
        body, v, n = self.body, self.v, len(zeros)
        each, left = -(-k // PARTS), k - (PARTS - 1) * -(-k // PARTS)

        def joined(totals: list[Any], part: list[Any]) -> list[Any]:
            return [v.add(total, x) for total, x in zip(totals, part, strict=True)]

        if n * PARTS > self.most:
            with loop(body.builder, 0, PARTS, 1, [*zeros, a.pointer, b.pointer]) as turn:
                start = body.integers.mul(turn.i, each)
                stop = body.integers.min(body.integers.add(start, each), k)
                *part, of_a, of_b = added(start, stop, [*zeros, *turn.values[n:]])
                turn.carry([*joined(turn.values[:n], part), of_a, of_b])
            return turn.values[:n]
        carried: list[Any] = []
        for q in range(PARTS):
            starts = [body.integers.mul(q * each, step) for step in (a.right, b.down)]
            pointers = zip((a.pointer, b.pointer), starts, strict=True)
            carried += [*zeros, *(body.gep(pointer, v.scalar, at) for pointer, at in pointers)]
        found = added(0, left, carried)
        found = [*added(left, each, found[: -n - 2]), *found[-n - 2 :]]  # the last is the shortest
        totals, *rest = (found[i : i + n] for i in range(0, len(found), n + 2))
        for part in rest:
            totals = joined(totals, part)
        return totals

    def _asks(self, block: Block) -> list[Node]:
        """Arrays that will be read with a block, each entry once: weights and moments of an update.

        They are long gone from the caches, and waiting for them would take longer than the product.
        So they are asked for while the block is summed up, row by row.
        """
        space = squeezed(self.kernel.space)
        if len(space) != 2 or self.is_swapped or not all(isinstance(size, int) for size in space):
            return []
        arrays = [x for x in self.kernel.loads if squeezed(x.shape) == space]
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

    def _ask_for_b(self, b: Matrix, k: Size, line: Any, width: int) -> None:
        """Ask for the vectors of B that are needed some rows later.

        Its rows are too far apart for the processor to see a pattern. What stays in the first cache
        or lies together needs no asking.
        """
        body, item = self.body, self.heavy.dtype.itemsize
        rows = k if isinstance(k, int) else SOME_ROWS
        if not isinstance(b.down, int) or rows * b.down * item <= FIRST_CACHE:
            return
        if b.down == width * body.n:
            return
        for w in range(width):
            ask_for(body.builder, body.gep(line, self.v.scalar, AHEAD * b.down + w * body.n))
