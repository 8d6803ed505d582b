"""Products: blocks of accumulators in registers, over which one loop runs along the inner size.

C[m, n] = sum over k of A[m, k] B[k, n], added up in the order of k: what a row's result is does not
depend on how many rows there are, nor on which thread makes it. Lanes lie along n, where B must be
contiguous, A is read one number at a time, from any layout. A product with one column, where A is
contiguous along m, is the same with the operands exchanged; where both are contiguous along k,
lanes lie along k and are added up in the end.

What follows the product entry by entry (bias, activation, an optimizer's update) is computed on the
block before it is stored. Padding of B may hold anything: lanes do not mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.body import Body, NeedsScalarsError, Operand, memory_type
from retrograd.engines.cpu.index import HERE, At, full_index
from retrograd.engines.cpu.indices import I32, POINTER, Int, as_value, loop
from retrograd.engines.cpu.lanes import Lanes
from retrograd.engines.cpu.loops import FOLDS, Part, _inner, _store_all, across_lanes, number
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel, is_number, squeezed
from retrograd.plan.reading import operand

PREFETCH = "llvm.prefetch.p0"
ROW = 8  # vectors across, where a batch has one row
AHEAD = 8  # rows of B: about as many as are worked on while memory answers
FIRST_CACHE = 32 << 10  # bytes
SOME_ROWS = 128  # of a batch, where their number is not known yet


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


@dataclass(frozen=True)
class Sizes:
    """C is (m, n), the sum runs over k."""

    m: Size
    n: Size
    k: Size


def run_product(body: Body, kernel: Kernel, part: Part, shape: tuple[int, int]) -> None:
    """A kernel around a product; `shape` is the block's: rows, and vectors across."""
    heavy = kernel.heavy
    assert heavy is not None
    sizes = Sizes(heavy.shape[-2], heavy.shape[-1], heavy.inputs[0].shape[-1])
    stack = heavy.shape[:-2]
    with _inner(body, squeezed(stack)) as outer:
        index = full_index(outer, stack)
        a, b = (_matrix(body, heavy, i, index) for i in range(2))
        if squeezed(stack):
            part = Part(0, number(body, sizes.m))
        elif sizes.m == 1:
            part = Part(0, 1)
        tile = Tile(body, kernel, outer, shape)
        if sizes.n == 1 and sizes.m != 1 and a.down == 1 and body.n > 1:
            whole = Part(0, 1)
            tile.run(b.T, a.T, Sizes(1, sizes.m, sizes.k), whole, part, is_swapped=True)
        elif sizes.n == 1 and a.right == 1 and b.down == 1 and body.n > 1:
            tile.dots(a, b, sizes, part)
        elif b.right == 1 or body.n == 1:
            columns = Part(0, number(body, sizes.n))
            if isinstance(sizes.m, Rows):
                _for_one_or_many(tile, a, b, sizes, part, columns)
            else:
                tile.run(a, b, sizes, part, columns, is_swapped=False)
        else:
            raise NeedsScalarsError


def _for_one_or_many(
    tile: Tile, a: Matrix, b: Matrix, sizes: Sizes, part: Part, columns: Part
) -> None:
    """A batch of a single row reads each row of B once, as widely as there are registers."""
    builder = tile.body.builder
    is_one = builder.icmp_signed("==", as_value(tile.body.rows), as_value(1))
    with builder.if_else(is_one) as (one, many):
        with one:
            wide = Tile(tile.body, tile.kernel, tile.outer, (1, ROW))
            wide.run(a, b, Sizes(1, sizes.n, sizes.k), part, columns, is_swapped=False)
        with many:
            tile.run(a, b, sizes, part, columns, is_swapped=False)


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
class Corner:
    """Where a block begins, (i, j); how many rows are left; where the columns end; its vectors."""

    i: Int
    left: Int
    j: Int
    high: Int
    width: int


class Tile:
    """The loops of one product over blocks of its result."""

    def __init__(
        self, body: Body, kernel: Kernel, outer: Sequence[At], shape: tuple[int, int]
    ) -> None:
        self.body, self.kernel, self.outer = body, kernel, outer
        self.rows, self.vectors = shape
        assert kernel.heavy is not None
        self.heavy = kernel.heavy
        self.v: Lanes = body.lanes(self.heavy.dtype)
        with body.in_prologue():
            kind = ir.ArrayType(self.v.type, self.rows * self.vectors)
            memory = body.builder.alloca(kind)
            memory.align = 64
            memory.type = POINTER  # of bytes: numbers and vectors are both kept there
            self.scratch = memory

    def run(
        self, a: Matrix, b: Matrix, sizes: Sizes, down: Part, across: Part, *, is_swapped: bool
    ) -> None:
        """Blocks of `rows` by `vectors`: columns of blocks outside, so that B stays at hand."""
        integers, n = self.body.integers, self.body.n
        for start, stop, width in self._panels(across):
            with loop(self.body.builder, start, stop, width * n) as panel:
                right = self._masks(b, panel.i, across.high, width)
                with loop(self.body.builder, down.low, down.high, self.rows) as block:
                    left = integers.sub(down.high, block.i)
                    at = Corner(block.i, left, panel.i, across.high, width)
                    if not is_swapped:
                        self._prefetch_block(at)
                    height = min(self.rows, sizes.m) if isinstance(sizes.m, int) else self.rows
                    self._sums(a, b, sizes.k, at, right, height)
                    self._follow(at, is_swapped=is_swapped)

    def _panels(self, across: Part) -> list[tuple[Int, Int, int]]:
        """Ranges of columns, and how many vectors wide the blocks in each: all much the same."""
        n, low, high = self.body.n, across.low, across.high
        if not (isinstance(low, int) and isinstance(high, int)):
            return [(low, high, 1)]
        n_vectors = -(-(high - low) // n)
        width, n_wider = divmod(n_vectors, max(1, -(-n_vectors // self.vectors)))
        split = low + n_wider * (width + 1) * n
        panels = [(low, split, width + 1), (split, low + n_vectors * n, width)]
        return [panel for panel in panels if panel[0] < panel[1]]

    def _masks(self, b: Matrix, j: Int, high: Int, width: int) -> list[Any] | None:
        """Which lanes of each vector of a panel are columns of B; None where B is padded."""
        body, integers = self.body, self.body.integers
        if b.is_padded or body.n == 1:
            return None
        return [body.mask(integers.sub(high, integers.add(j, w * body.n))) for w in range(width)]

    def _follow(self, at: Corner, *, is_swapped: bool) -> None:
        """Row by row and vector by vector, what is computed from a block."""
        body, builder, integers, n = self.body, self.body.builder, self.body.integers, self.body.n
        is_padded = all(
            body.places[x].layout.is_padded
            for x in (*self.kernel.loads, *self.kernel.stores)
            if not is_number(x) and x in body.places
        )
        rows = integers.min(at.left, self.rows)
        with loop(builder, 0, rows) as row, loop(builder, 0, at.width) as vector:
            body.forget()
            slot = integers.add(integers.mul(row.i, at.width), vector.i)
            value = builder.load(self._slot(slot), align=64, typ=self.v.type)
            j = integers.add(at.j, integers.mul(vector.i, n))
            if not is_padded and n > 1:
                body.count = integers.sub(at.high, j)
            places = At(integers.add(at.i, row.i)), At(j, 1)
            self._finish(value, *(reversed(places) if is_swapped else places))
            body.count = None

    def _slot(self, number: Int) -> Any:
        return self.body.gep(self.scratch, self.v.type, number)

    def _finish(self, value: Any, row: At, column: At) -> None:
        """Store what follows from a vector of the product."""
        body = self.body
        m, n = self.heavy.shape[-2:]
        short = [*self.outer, *([row] if m != 1 else []), *([column] if n != 1 else [])]
        body.given[self.heavy] = Operand(value, self.heavy.dtype, body.n > 1)
        _store_all(body, self.kernel, short)
        body.given.clear()

    def _sums(
        self, a: Matrix, b: Matrix, k: Size, at: Corner, masks: list[Any] | None, height: int
    ) -> None:
        """The sums of `height` rows; rows beyond the last repeat it, and are not used."""
        body, v, width = self.body, self.v, at.width
        builder, integers, item = body.builder, body.integers, self.heavy.dtype.itemsize
        starts = []
        for r in range(height):
            inside = r if r == 0 else integers.min(r, integers.sub(at.left, 1))
            offset = integers.mul(integers.add(at.i, inside), a.down)
            starts.append(body.gep(a.pointer, v.scalar, offset))
        corner = body.gep(b.pointer, v.scalar, integers.mul(at.j, b.right))
        zero = [v.const(0.0)] * (height * width)
        with loop(builder, 0, number(body, k), 1, zero) as turn:
            line = body.gep(corner, v.scalar, integers.mul(turn.i, b.down))
            columns = [
                self._vector(line, w * body.n, None if masks is None else masks[w])
                for w in range(width)
            ]
            self._prefetch(b, k, turn.i, corner, width)
            step = integers.mul(turn.i, a.right)
            new: list[Any] = []
            for r in range(height):
                entry = builder.load(body.gep(starts[r], v.scalar, step), align=item, typ=v.scalar)
                wide, sums = v.splat(entry), turn.values[r * width : (r + 1) * width]
                new += [v.fma(wide, x, total) for x, total in zip(columns, sums, strict=True)]
            turn.carry(new)
        for place, value in enumerate(turn.values):
            builder.store(value, self._slot(place), align=64)

    def _prefetch(self, b: Matrix, k: Size, i: Int, corner: Any, width: int) -> None:
        """Ask for the vectors of B that are needed some rows later.

        Its rows are too far apart for the processor to see a pattern. What stays in the first cache
        needs no asking.
        """
        body, item = self.body, self.heavy.dtype.itemsize
        rows = k if isinstance(k, int) else SOME_ROWS
        if not isinstance(b.down, int) or rows * b.down * item <= FIRST_CACHE:
            return
        later = body.integers.mul(body.integers.add(i, AHEAD), b.down)
        line = body.gep(corner, self.v.scalar, later)
        for w in range(width):
            self._ask_for(body.gep(line, self.v.scalar, w * body.n))

    def _prefetch_block(self, at: Corner) -> None:
        """Ask for what will be read with a block, while the block is summed up.

        These are the weights and moments of an update, each read once a step and long gone from the
        caches: waiting for them would take longer than the product.
        """
        body, integers = self.body, self.body.integers
        space = squeezed(self.kernel.space)
        arrays = [x for x in self.kernel.loads if squeezed(x.shape) == space and len(space) == 2]
        if not arrays:
            return
        with loop(body.builder, 0, integers.min(at.left, self.rows)) as row:
            for x in arrays:
                place = body.places[x]
                down, _ = place.layout.strides(body.rows, integers)
                start = integers.add(integers.mul(integers.add(at.i, row.i), down), at.j)
                for w in range(at.width):
                    offset = integers.add(start, w * body.n)
                    self._ask_for(body.gep(place.pointer, memory_type(x.dtype), offset))

    def _ask_for(self, place: Any) -> None:
        """Start to bring a line of memory into the caches."""
        builder = self.body.builder
        function = builder.module.globals.get(PREFETCH)
        if function is None:
            kinds = [POINTER, I32, I32, I32]
            function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), PREFETCH)
        to_read, into_all_caches, data = (ir.Constant(I32, x) for x in (0, 3, 1))
        builder.call(function, [place, to_read, into_all_caches, data])

    def _vector(self, line: Any, offset: int, mask: Any) -> Any:
        body, v = self.body, self.v
        pointer = body.gep(line, v.scalar, offset)
        if mask is not None:
            return body.masked("load", v.type, pointer, v.dtype, mask)
        return body.builder.load(pointer, align=v.dtype.itemsize, typ=v.type)

    def dots(self, a: Matrix, b: Matrix, sizes: Sizes, part: Part) -> None:
        """One column: a dot product for each row, as many rows at a time as there are lanes."""
        body, v, builder, integers = self.body, self.v, self.body.builder, self.body.integers
        n, k = body.n, number(body, sizes.k)
        whole = integers.mul(integers.div(k, n), n)
        fold = FOLDS["sum"]
        scalar = v.scalar
        item = self.heavy.dtype.itemsize

        def product(total: Any, line: Any, at: Int, count: Int | None) -> Any:
            places = [body.gep(pointer, scalar, at) for pointer in (line, b.pointer)]
            if count is None:
                x, y = (builder.load(place, align=item, typ=v.type) for place in places)
            else:
                mask = body.mask(count)  # lanes beyond the end are zeros
                x, y = (body.masked("load", v.type, place, v.dtype, mask) for place in places)
            return v.fma(x, y, total)

        with loop(builder, part.low, part.high, n) as block:
            left = integers.min(integers.sub(part.high, block.i), n)
            with loop(builder, 0, left, 1) as row:
                place = integers.mul(integers.add(block.i, row.i), a.down)
                line = body.gep(a.pointer, scalar, place)
                with loop(builder, 0, whole, n, [v.const(0.0)]) as turn:
                    turn.carry([product(turn.values[0], line, turn.i, None)])
                totals = turn.values
                if not (isinstance(k, int) and k % n == 0):
                    with loop(builder, whole, k, n, totals) as tail:
                        tail.carry([product(tail.values[0], line, tail.i, integers.sub(k, tail.i))])
                    totals = tail.values
                total = across_lanes(body, v, totals[0], fold)
                builder.store(total, body.gep(self.scratch, scalar, row.i), align=item)
            value = builder.load(self.scratch, align=64, typ=v.type)
            body.forget()
            body.count = left
            self._finish(value, At(block.i, 1), HERE)
            body.count = None
