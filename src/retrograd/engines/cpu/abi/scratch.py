"""Which operands of a product are copied in parts (see `code.loops.packing`), and room for them.

Kernels over rows keep columns there (see `code.loops.tiles`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.engines.cpu.abi.cut import FEW_ROWS
from retrograd.engines.cpu.abi.layout import Arithmetic, Now
from retrograd.engines.cpu.machine.target import Target
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.by_row import in_tiles
from retrograd.plan.program import Kernel, Program, squeezed
from retrograd.plan.reading import is_of_dots, operand

LINE = 64  # bytes: of a cache
FIRST_CACHE = 32 << 10  # bytes
SOME_ROWS = 128  # of a batch, where their number is not known yet
LARGE = 1 << 21  # bytes of weights
PANELS = 1 << 19  # bytes of B that are copied at once: half of a usual second cache


def needs_scratch(kernel: Kernel, target: Target) -> bool:
    """Whether a kernel uses scratch memory."""
    return kernel.is_by_row or is_packed(kernel, target)


def is_packed(kernel: Kernel, target: Target) -> bool:
    """Whether operands of a product are copied."""
    return (
        is_in_pairs(kernel, target) or is_gradient(kernel, target) or _has_large_b(kernel, target)
    )


def is_in_pairs(kernel: Kernel, target: Target) -> bool:
    """Whether both are, in pairs of bfloat16: numbers of no more digits, for one instruction."""
    heavy = _matrix_product(kernel)
    if heavy is None:
        return False
    (m, n), k = heavy.shape, heavy.inputs[0].shape[1]
    is_turned = operand(heavy, 0) is not heavy.inputs[0]
    return (
        target.multiplies_pairs
        and heavy.dtype == np.float32
        and isinstance(n, int)
        and (isinstance(k, int) or (isinstance(m, int) and is_turned))
        and 1 not in (m, n, k)
        and not is_of_dots(heavy)
        and all(_is_rounded(x) for x in heavy.inputs)
    )


def _matrix_product(kernel: Kernel) -> Node | None:
    """The product that a kernel is about, if it is one of two matrices."""
    heavy = kernel.heavy
    is_one = heavy is not None and heavy.gate.name == "matmul" and heavy.ndim == 2
    return heavy if is_one else None


def _is_rounded(x: Node) -> bool:
    """Whether a node's entries are bfloat16 numbers."""
    while x.gate.name == "transpose":
        x = x.inputs[0]
    return x.gate.name == "round_bfloat16"


def is_gradient(kernel: Kernel, target: Target) -> bool:
    """Whether both operands are: a gradient of weights too large for the first cache.

    Its A lies column by column, and both are read again for each block of the result. One of few
    rows has one block, or two, and threads share out its columns (see `cut`).
    """
    heavy = _matrix_product(kernel)
    if heavy is None:
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
        and m > FEW_ROWS
        and n > 2 * panel
    )


def _has_large_b(kernel: Kernel, target: Target) -> bool:
    """Whether only B is: weights so large that their rows lie on more pages than are at hand."""
    heavy = _matrix_product(kernel)
    if heavy is None:
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
        if kernel.is_by_row:
            fixed = max(fixed, _tile_bytes(kernel, target))
        elif is_packed(kernel, target):
            assert kernel.heavy is not None
            heavy = kernel.heavy
            k, m = heavy.inputs[0].shape[1], heavy.shape[0]
            is_paired = is_in_pairs(kernel, target)
            if is_paired and isinstance(k, int):
                k = padded_pairs(k, target.bytes // 4)
            of_one = target.tile[1] * target.bytes
            if isinstance(m, int):
                of_one += m * heavy.dtype.itemsize
            if isinstance(k, Rows) and is_paired:  # a pair more than half of them, where odd
                fixed, a_row = max(fixed, PANELS + of_one), max(a_row, of_one // 2)
            elif isinstance(k, Rows):
                fixed, a_row = max(fixed, PANELS), max(a_row, of_one)
            else:
                fixed = max(fixed, PANELS + k * of_one)
                if is_paired and isinstance(m, Rows):
                    a_row = max(a_row, k * heavy.dtype.itemsize)
    return integers.round_up(integers.add(fixed, integers.mul(rows, a_row)), LINE)


def pairs_in(k: Any, integers: Arithmetic) -> Any:
    """How many pairs k numbers make: an odd last one has a zero beside it."""
    return integers.div(integers.add(k, 1), 2)


def padded_pairs(k: int, n: int) -> int:
    """The pairs of a row of k numbers, whole vectors of n of them."""
    return Now().round_up(pairs_in(k, Now()), n)


def _tile_bytes(kernel: Kernel, target: Target) -> int:
    columns: Any = squeezed(kernel.space)[1]
    lanes = target.bytes // 4
    return len(in_tiles(kernel)) * (Now().round_up(columns, lanes) * target.bytes + LINE)
