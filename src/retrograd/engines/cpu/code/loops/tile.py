"""What becomes of the blocks of a product once they are summed up: all that follows is stored.

What follows entry by entry (bias, activation, an optimizer's update) is computed on a block while
it is in registers. Padding of B may hold anything: lanes do not mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import POINTER, Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import store_all
from retrograd.engines.cpu.code.loops.blocks import Block, Matrix, Panel
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At
from retrograd.plan.program import Kernel, is_number

INLINE = 200  # gates of a block up to which each of its vectors has code of its own


class Tile:
    """Finishes blocks of one product.

    - `outer`: the place in a stack of products.
    - `is_swapped`: whether rows and columns of the result are exchanged.
    """

    def __init__(
        self, body: Body, kernel: Kernel, outer: Sequence[At], *, is_swapped: bool
    ) -> None:
        self.body, self.kernel, self.outer, self.is_swapped = body, kernel, outer, is_swapped
        assert kernel.heavy is not None
        self.heavy = kernel.heavy
        self.v: Lanes = body.lanes(self.heavy.dtype)
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

    def store(self, values: Sequence[Any], block: Block) -> None:
        """Store what follows from a block, given row by row."""
        width, height = block.panel.width, block.height
        if len(self.kernel.body) * height * width <= INLINE:
            self.body.forget()
            for r in range(height):
                i = self.body.integers.add(block.i, r)
                self._finish_row(values[r * width : (r + 1) * width], At(i), block)
            return
        memory = self.scratch(height * width)
        for place, value in enumerate(values):
            at = self.body.gep(memory, self.v.type, place)
            self.body.builder.store(value, at, align=self._align)
        self.store_kept(memory, width * self.body.n, block, height)

    def store_kept(self, memory: Any, stride: int, block: Block, rows: Int) -> None:
        """Store what follows from a block in memory, whose rows are so many numbers apart.

        `rows`: how many of them are rows of the result.
        """
        body, integers = self.body, self.body.integers
        with loop(body.builder, 0, rows) as row:
            body.forget()
            first = integers.mul(row.i, stride)
            line = []
            for w in range(block.panel.width):
                place = body.gep(memory, self.v.scalar, integers.add(first, w * body.n))
                line.append(body.builder.load(place, align=self._align, typ=self.v.type))
            self._finish_row(line, At(integers.add(block.i, row.i)), block)

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

    @property
    def _align(self) -> int:
        """How vectors on the stack are aligned, in bytes."""
        return self.v.n * self.v.dtype.itemsize

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
