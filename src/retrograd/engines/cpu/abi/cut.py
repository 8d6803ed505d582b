"""Which kernels threads share out by columns; all others are cut along their first axis."""

from __future__ import annotations

from retrograd.plan.program import Kernel
from retrograd.plan.reading import is_of_dots

FEW_ROWS = 16  # one unit of what threads share out


def is_cut_across(kernel: Kernel) -> bool:
    """Whether threads share out the columns of a product, not its rows: it has few of them."""
    heavy = kernel.heavy
    if heavy is None or heavy.gate.name != "matmul" or heavy.ndim != 2 or is_of_dots(heavy):
        return False
    m, n = heavy.shape
    return isinstance(m, int) and isinstance(n, int) and 1 < m <= FEW_ROWS and m < n
