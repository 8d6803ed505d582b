"""Which operands of a product are copied in parts (see `code.loops.copies`), and room for them.

Kernels over rows keep columns there (see `code.loops.tiles`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from retrograd.engines.cpu.abi.cut import most_of
from retrograd.engines.cpu.abi.layout import WORD, Arithmetic, Now, pairs_in
from retrograd.engines.cpu.machine.target import AMX_TILE, Target
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.by_row import in_tiles
from retrograd.plan.pack import PACKS
from retrograd.plan.program import Kernel, Program, squeezed
from retrograd.plan.reading import FEW_ROWS, operand

LINE = 64  # bytes: of a cache
FIRST_CACHE = 32 << 10  # bytes
SOME_ROWS = 128  # of a batch, where their number is not known yet
LARGE = 1 << 21  # bytes of weights
PANELS = 1 << 19  # bytes of B that are copied at once: half of a usual second cache


def needs_scratch(kernel: Kernel, target: Target) -> bool:
    """Whether a kernel uses scratch memory."""
    return kernel.is_by_row or is_copied(kernel, target)


def is_copied(kernel: Kernel, target: Target) -> bool:
    """Whether operands of a product are copied, in parts."""
    return is_in_pairs(kernel) or is_gradient(kernel, target) or _has_large_b(kernel, target)


def is_in_pairs(kernel: Kernel) -> bool:
    """Whether it goes in pairs: B is packed (see `plan.pack`), A copied where it must be."""
    heavy = _matrix_product(kernel)
    return heavy is not None and heavy.inputs[1].gate in PACKS


def _matrix_product(kernel: Kernel) -> Node | None:
    """The product that a kernel is about, if it is one of two matrices."""
    heavy = kernel.heavy
    is_one = heavy is not None and heavy.gate.name == "matmul" and heavy.ndim == 2
    return heavy if is_one else None


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


def scratch_bytes(
    program: Program, target: Target, rows: Any, threads: Any, integers: Arithmetic
) -> Any:
    """Bytes of scratch memory of each of so many threads, for batches of so many rows."""
    needs, largest = [_Bytes()], 0
    for kernel in program.kernels:
        if kernel.is_by_row:
            needs.append(_Bytes(once=_tile_bytes(kernel, target)))
        elif is_in_pairs(kernel):
            needs.append(_of_pairs(kernel, target))
            largest = max(largest, _known(kernel))
        elif is_copied(kernel, target):
            needs.append(_of_copies(kernel, target))
            largest = max(largest, _known(kernel))
    own = most_of(integers, largest, threads)
    most = _Bytes(*(max(sizes) for sizes in zip(*needs, strict=True)))
    of_row = integers.add(most.a_row, integers.mul(own, most.a_row_of_its_own))
    once = integers.add(most.once, integers.mul(own, most.of_its_own))
    shared = integers.mul(most_of(integers, rows, threads), most.a_shared_row)
    once = integers.add(once, shared)
    return integers.round_up(integers.add(once, integers.mul(rows, of_row)), LINE)


class _Bytes(NamedTuple):
    """Of a kernel: once; for each row of the batch, or of A that a thread has; for each of both.

    Last, for each row of the batch that a thread has.
    """

    once: int = 0
    a_row: int = 0
    of_its_own: int = 0
    a_row_of_its_own: int = 0
    a_shared_row: int = 0


def _known(kernel: Kernel) -> int:
    """The rows of a product's result, if they are not those of the batch."""
    assert kernel.heavy is not None
    m = kernel.heavy.shape[0]
    return 0 if isinstance(m, Rows) else m


def _of_copies(kernel: Kernel, target: Target) -> _Bytes:
    """Of the copies of a B, in parts, and of an A that lies column by column."""
    assert kernel.heavy is not None
    k, item = kernel.heavy.inputs[0].shape[1], kernel.heavy.dtype.itemsize
    of_panel = target.tile[1] * target.bytes
    if isinstance(k, Rows):
        return _Bytes(PANELS, of_panel, 0, item)
    return _Bytes(PANELS + k * of_panel, 0, k * item if _known(kernel) else 0)


def _of_pairs(kernel: Kernel, target: Target) -> _Bytes:
    """Of the copy of an A in pairs: in tiles, or unless it is read where it lies."""
    assert kernel.heavy is not None
    k = kernel.heavy.inputs[0].shape[1]
    is_turned = operand(kernel.heavy, 0) is not kernel.heavy.inputs[0]
    if target.has_amx:
        return _of_strips(kernel, k)
    if isinstance(k, Rows):  # a pair more than half of them, where odd
        return _Bytes(of_its_own=WORD.itemsize, a_row_of_its_own=WORD.itemsize // 2)
    if not is_turned and k % 2 == 0:
        return _Bytes()
    line = padded_pairs(k, target.bytes // 4) * WORD.itemsize
    return _Bytes(of_its_own=line) if _known(kernel) else _Bytes(a_shared_row=line)


def _of_strips(kernel: Kernel, k: Size) -> _Bytes:
    """Of the copy of an A in tiles: of whole tiles across; threads take whole ones down."""
    if isinstance(k, Rows):  # a tile more than half of them
        return _Bytes(of_its_own=AMX_TILE * WORD.itemsize, a_row_of_its_own=WORD.itemsize // 2)
    line = padded_pairs(k, AMX_TILE) * WORD.itemsize
    return _Bytes(of_its_own=line) if _known(kernel) else _Bytes(a_shared_row=line)


def padded_pairs(k: int, n: int) -> int:
    """The pairs of a row of k numbers, whole vectors of n of them."""
    return Now().round_up(pairs_in(k, Now()), n)


def _tile_bytes(kernel: Kernel, target: Target) -> int:
    columns: Any = squeezed(kernel.space)[1]
    lanes = target.bytes // 4
    return len(in_tiles(kernel)) * (Now().round_up(columns, lanes) * target.bytes + LINE)
