"""Copies of a product's operands, laid out in the order in which its blocks read them.

B is copied a few columns of blocks at a time: each is a panel of its own, row after row. A, which
lies column by column, is copied once, block of rows after block of rows. Far-apart lines would fall
into few sets of the first cache and touch a page each; copied together they stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.tile import FIRST_CACHE, SOME_ROWS, Matrix, Panel
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.layout import Arithmetic
from retrograd.engines.cpu.machine.target import Target
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel, Program
from retrograd.plan.reading import operand

LINE = 64  # bytes: of a cache
GROUP = 8  # blocks of rows that are copied at once
LARGE = 1 << 21  # bytes of weights
PANELS = 1 << 19  # bytes of B that are copied at once: half of a usual second cache


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
        fit = PANELS // (wide * self.v.dtype.itemsize)
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
        of_b = integers.add(PANELS // self.v.dtype.itemsize, integers.mul(self.k, self.widest))
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


def is_packed(kernel: Kernel, target: Target) -> bool:
    """Whether operands of a product are copied."""
    return is_gradient(kernel, target) or _has_large_b(kernel, target)


def is_gradient(kernel: Kernel, target: Target) -> bool:
    """Whether both operands are: a gradient of weights too large for the first cache.

    Its A lies column by column, and both are read again for each block of the result.
    """
    heavy = kernel.heavy
    if heavy is None or heavy.gate.name != "matmul" or heavy.ndim != 2:
        return False
    m, n = heavy.shape
    k = _some(heavy.inputs[0].shape[1])
    is_transposed = operand(heavy, 0) is not heavy.inputs[0]
    item = heavy.dtype.itemsize
    panel = target.tile[1] * target.bytes // item
    return (
        isinstance(m, int)
        and isinstance(n, int)
        and is_transposed
        and k * (m + n) * item > FIRST_CACHE
        and m > target.tile[0]
        and n > 2 * panel
    )


def _has_large_b(kernel: Kernel, target: Target) -> bool:
    """Whether only B is: weights so large that their rows lie on more pages than are at hand."""
    heavy = kernel.heavy
    if heavy is None or heavy.gate.name != "matmul" or heavy.ndim != 2:
        return False
    k, n = heavy.inputs[1].shape
    return (
        isinstance(heavy.shape[0], Rows)
        and isinstance(k, int)
        and isinstance(n, int)
        and all(operand(heavy, i) is heavy.inputs[i] for i in range(2))
        and k * n * heavy.dtype.itemsize > LARGE
    )


def _some(size: Size) -> int:
    return SOME_ROWS if isinstance(size, Rows) else size


def scratch_bytes(program: Program, target: Target, rows: Any, integers: Arithmetic) -> Any:
    """Bytes of scratch memory of a thread, for batches of so many rows."""
    fixed, a_row = 0, 0
    for kernel in program.kernels:
        if is_packed(kernel, target):
            assert kernel.heavy is not None
            heavy = kernel.heavy
            k, m = heavy.inputs[0].shape[1], heavy.shape[0]
            of_one = target.tile[1] * target.bytes
            if isinstance(m, int):
                of_one += m * heavy.dtype.itemsize
            if isinstance(k, Rows):
                fixed, a_row = max(fixed, PANELS), max(a_row, of_one)
            else:
                fixed = max(fixed, PANELS + k * of_one)
    return integers.round_up(integers.add(fixed, integers.mul(rows, a_row)), LINE)
