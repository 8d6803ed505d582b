"""How threads share out a kernel: along its first axis, or by columns."""

from __future__ import annotations

from typing import Any

from retrograd.engines.cpu.abi.layout import Arithmetic
from retrograd.plan.program import Kernel
from retrograd.plan.reading import has_few_rows

UNIT = 16  # rows: threads take whole multiples, so that no vector crosses from one to another


def share(integers: Arithmetic, count: Any, threads: Any) -> Any:
    """How many of so many rows each of these threads has, at most."""
    units = integers.div(integers.add(count, UNIT - 1), UNIT)
    each = integers.div(integers.add(units, integers.add(threads, -1)), threads)
    return integers.mul(each, UNIT)


def is_cut_across(kernel: Kernel) -> bool:
    """Whether threads share out the columns of a product, not its rows: it has few of them."""
    heavy = kernel.heavy
    return heavy is not None and heavy.gate.name == "matmul" and has_few_rows(heavy)
