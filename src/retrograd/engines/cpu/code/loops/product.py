"""Products: how their blocks are dealt out, in which order, and what is copied together first.

C[m, n] = sum over k of A[m, k] B[k, n]. Lanes lie along n, where B must be contiguous. A product
with one column, where A is contiguous along m, is the same with the operands exchanged; where both
are contiguous along k, lanes lie along k and are added up in the end.

Most products take a few columns of B at a time, which stay at hand while all rows of A pass. In the
gradient of weights A lies column by column, and an update follows that reads and writes arrays as
large as the result. So there rows come first, for memory to be walked through in its order, and
both operands are copied (see `copies`). Where bfloat16 numbers go in pairs, rows come first too,
unless the processor has AMX (see `amx`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.abi.cut import is_cut_across
from retrograd.engines.cpu.abi.layout import Packed, pairs_in, panels_of
from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.amx import AmxProduct
from retrograd.engines.cpu.code.loops.axes import Part, inner_loops, number
from retrograd.engines.cpu.code.loops.blocks import Block, Matrix, Panel
from retrograd.engines.cpu.code.loops.copies import Copies, PairCopies
from retrograd.engines.cpu.code.loops.dots import Dots
from retrograd.engines.cpu.code.loops.packing import PackedPlace
from retrograd.engines.cpu.code.loops.sums import Sums
from retrograd.engines.cpu.code.loops.tile import Tile
from retrograd.engines.cpu.code.values.access import NeedsScalarsError
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, full_index
from retrograd.engines.cpu.machine.target import Target
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel, squeezed
from retrograd.plan.reading import is_of_dots, operand

ROW = 8  # vectors across, where a single row is left


@dataclass(frozen=True)
class Sizes:
    """C is (m, n), the sum runs over k."""

    m: Size
    n: Size
    k: Size


def run_product(
    body: Body,
    kernel: Kernel,
    part: Part,
    target: Target,
    scratch: Any,
    packed: PackedPlace | None,
) -> None:
    """A kernel around a product.

    `scratch`: a thread's memory for copies of the operands; None where they are not copied.
    `packed`: where B lies, if it goes in pairs.
    """
    heavy = kernel.heavy
    assert heavy is not None
    sizes = Sizes(heavy.shape[-2], heavy.shape[-1], heavy.inputs[0].shape[-1])
    stack = heavy.shape[:-2]
    with inner_loops(body, squeezed(stack)) as outer:
        index = full_index(outer, stack)
        a = _matrix(body, heavy, 0, index)
        if packed is not None:
            b = Matrix(packed.pointer, 0, 1, is_padded=True)  # its layout says how it lies
        else:
            b = _matrix(body, heavy, 1, index)
        if squeezed(stack):
            part = Part(0, number(body, sizes.m))
        elif sizes.m == 1:
            part = Part(0, 1)
        is_swapped = sizes.n == 1 and sizes.m != 1 and a.down == 1 and body.n > 1
        tile = Tile(body, kernel, outer, is_swapped=is_swapped)
        if packed is not None and target.has_amx:
            assert isinstance(sizes.n, int)
            AmxProduct(body, tile, a, packed, number(body, sizes.k), sizes.n, scratch).run(part)
            return
        most = math.prod(target.tile)
        sums = Sums(body, kernel, tile.v, most, is_paired=packed is not None, is_row=is_swapped)
        turns = sizes.k
        if packed is not None and isinstance(turns, int):
            turns = pairs_in(turns, body.integers)
        shape = target.tile
        if is_cut_across(kernel) and isinstance(sizes.m, int):
            shape = _shape_of_few_rows(tile.v, sizes.m, most)
        elif sums.is_in_parts(turns):
            shape = max(1, shape[0] // 2), shape[1]
        product = Product(body, tile, sums, shape, scratch, packed.layout if packed else None)
        if is_swapped:
            product.run(b.T, a.T, Sizes(1, sizes.m, sizes.k), Part(0, 1), part)
        elif sizes.n == 1 and a.right == 1 and b.down == 1 and body.n > 1:
            Dots(body, tile, a, b, number(body, sizes.k)).one_column(part)
        elif is_of_dots(heavy) and a.right == 1 and body.n > 1:
            assert isinstance(sizes.n, int)
            Dots(body, tile, a, b, number(body, sizes.k)).few_columns(sizes.n, part, most)
        elif b.right != 1 and body.n > 1:
            raise NeedsScalarsError
        elif is_cut_across(kernel):
            product.run(a, b, sizes, Part(0, number(body, sizes.m)), part)
        else:
            product.run(a, b, sizes, part, Part(0, number(body, sizes.n)))


def _shape_of_few_rows(v: Lanes, m: int, most: int) -> tuple[int, int]:
    """Blocks of all rows, or of even shares, as wide as the parts of columns are padded to.

    Where a part ends is not known now.
    """
    width = v.dtype.itemsize // 4
    n_blocks = -(-m * width // most)
    return -(-m // n_blocks), width


def _matrix(body: Body, product: Node, i: int, stack: Sequence[At]) -> Matrix:
    """An operand, at a place in its stack."""
    x, used = operand(product, i), product.inputs[i]
    place = body.places[x]
    steps = iter(place.layout.strides(body.rows, body.integers))
    strides = [next(steps) if size != 1 else 0 for size in x.shape]
    offset: Int = 0
    outer = stack[len(stack) - (x.ndim - 2) :]
    for at, size, stride in zip(outer, x.shape, strides, strict=False):
        if size != 1:
            offset = body.integers.add(offset, body.integers.mul(at.base, stride))
    pointer = body.gep(place.pointer, body.lanes(x.dtype, is_wide=False).scalar, offset)
    matrix = Matrix(pointer, strides[-2], strides[-1], place.layout.is_padded)
    return matrix if x is used else matrix.T


@dataclass(frozen=True)
class Band:
    """Rows of blocks: from `low` to before `high`, each `height` high and up to `vectors` wide."""

    low: Int
    high: Int
    height: int
    vectors: int


@dataclass(frozen=True)
class Product:
    """The loops over the blocks of one product.

    `packed`: where B lies, if it goes in pairs.
    """

    body: Body
    tile: Tile
    sums: Sums
    shape: tuple[int, int]
    scratch: Any
    packed: Packed | None

    def run(self, a: Matrix, b: Matrix, sizes: Sizes, down: Part, across: Part) -> None:
        """All blocks of a part of the rows."""
        bands = self._bands(sizes.m, down)
        if isinstance(sizes.k, Rows) and not self.tile.is_swapped and self.packed is None:
            builder = self.body.builder
            is_one = builder.icmp_signed("==", as_value(self.body.rows), as_value(1))
            with builder.if_else(is_one) as (one, many):
                with one:
                    self._single_summand(a, b, down, across)
                with many:
                    self._blocks(a, b, sizes, bands, across)
        else:
            self._blocks(a, b, sizes, bands, across)

    def _blocks(
        self, a: Matrix, b: Matrix, sizes: Sizes, bands: Sequence[Band], across: Part
    ) -> None:
        if self.scratch is None:
            self._columns_first(a, b, sizes, bands, across)
            return
        # Single rows that are left over read B where it is, unless it is packed there.
        is_alone = isinstance(sizes.m, Rows) and self.packed is None
        single = [band for band in bands if is_alone and band.height == 1]
        self._rows_first(a, b, sizes, [band for band in bands if band not in single], across)
        self._columns_first(a, b, sizes, single, across)

    def _single_summand(self, a: Matrix, b: Matrix, down: Part, across: Part) -> None:
        for panel in self._panels(across, self.shape[1]):
            with loop(
                self.body.builder, panel.low, panel.high, panel.width * self.body.n
            ) as column:
                self.tile.outer_product(a, b, down.low, down.high, column.i, panel)

    def _columns_first(
        self, a: Matrix, b: Matrix, sizes: Sizes, bands: Sequence[Band], across: Part
    ) -> None:
        """A panel of B stays at hand while the rows of A pass."""
        body, builder, k = self.body, self.body.builder, number(self.body, sizes.k)
        for band in bands:
            for panel in self._panels(across, band.vectors):
                with loop(builder, panel.low, panel.high, panel.width * body.n) as column:
                    masks = panel.masks(body, b, column.i)
                    with loop(builder, band.low, band.high, band.height) as row:
                        block = Block(row.i, band.height, column.i, panel)
                        rows, columns = self._from(a, row.i, 0), self._from(b, 0, column.i)
                        self.tile.store(self.sums.of(rows, columns, k, block, masks), block)

    def _rows_first(
        self, a: Matrix, b: Matrix, sizes: Sizes, bands: Sequence[Band], across: Part
    ) -> None:
        """A block of rows of A stays at hand while copied panels of B pass."""
        body, builder = self.body, self.body.builder
        k = number(body, sizes.k)
        first, widest = bands[0].low, self.shape[1] * body.n
        own = body, self.tile.v, self.scratch, k, first, widest
        copies = Copies(*own) if self.packed is None else PairCopies(*own, self.packed)
        if copies.copies(a):
            for band in bands:
                copies.copy_a(a, band.low, band.high, band.height)
        for panel in self._panels(across, self.shape[1]):
            columns = copies.columns(panel.width)
            with loop(builder, panel.low, panel.high, columns) as chunk:
                stop = body.integers.min(body.integers.add(chunk.i, columns), panel.high)
                copies.copy_b(b, chunk.i, stop, panel)
                for band in bands:
                    with loop(builder, band.low, band.high, band.height) as row:
                        rows = copies.rows(a, row.i, band.height)
                        with loop(builder, chunk.i, stop, panel.width * body.n) as column:
                            block = Block(row.i, band.height, column.i, panel)
                            there = copies.panel(b, chunk.i, column.i, panel)
                            found = self.sums.of(rows, there, copies.depth, block, None)
                            self.tile.store(found, block)

    def _from(self, x: Matrix, i: Int, j: Int) -> Matrix:
        """The matrix from row i and column j on."""
        integers = self.body.integers
        offset = integers.add(integers.mul(i, x.down), integers.mul(j, x.right))
        pointer = self.body.gep(x.pointer, self.tile.v.scalar, offset)
        return Matrix(pointer, x.down, x.right, x.is_padded)

    def _bands(self, m: Size, down: Part) -> list[Band]:
        """Whole blocks of rows, then what is left: in one block, or row by row if m is not known.

        Parts begin at whole blocks.
        """
        integers, (height, vectors) = self.body.integers, self.shape
        if isinstance(m, int) and m < height:
            return [Band(down.low, down.high, m, vectors)]
        count = integers.sub(down.high, down.low)
        whole = integers.add(down.low, integers.mul(integers.div(count, height), height))
        bands = [Band(down.low, whole, height, vectors)]
        if isinstance(m, Rows):
            bands.append(Band(whole, down.high, 1, ROW))
        elif m % height:
            bands.append(Band(whole, down.high, m % height, vectors))
        return bands

    def _panels(self, across: Part, vectors: int) -> Iterator[Panel]:
        """Ranges of columns, and how many vectors wide the blocks in each: all much the same.

        Where they end is not known now they are as wide as memory is padded to: 4 bytes a lane.
        """
        n, low, high = self.body.n, across.low, across.high
        if self.packed is not None:
            is_wide = n == self.packed.unit  # fewer lanes take a panel vector by vector
            for begin, end, width in self.packed.panels():
                stop = self.body.integers.min(end, self.body.integers.round_up(high, n))
                yield Panel(begin, stop, width if is_wide else 1, high)
            return
        if not (isinstance(low, int) and isinstance(high, int)):
            yield Panel(low, high, self.tile.v.dtype.itemsize // 4, high)
            return
        for begin, end, width in panels_of(low, -(-(high - low) // n), n, vectors):
            yield Panel(begin, end, width, high)
