"""How threads share out a kernel: along its first axis, or by columns."""

from __future__ import annotations

from typing import Any

from retrograd.engines.cpu.abi.layout import Arithmetic
from retrograd.engines.cpu.machine.target import AMX_TILE
from retrograd.plan.program import Kernel
from retrograd.plan.reading import FEW_ROWS, has_few_rows

UNIT = FEW_ROWS  # threads take whole multiples: no vector, and no tile, crosses to another's part
assert UNIT % AMX_TILE == 0


def first_of(integers: Arithmetic, count: Any, thread: Any, threads: Any) -> Any:
    """The first of so many rows that a thread has: a multiple of UNIT, perhaps beyond them all."""
    return integers.mul(integers.div(integers.mul(_units(integers, count), thread), threads), UNIT)


def most_of(integers: Arithmetic, count: Any, threads: Any) -> Any:
    """How many of so many rows a thread has at most."""
    above = integers.add(_units(integers, count), integers.add(threads, -1))
    return integers.mul(integers.div(above, threads), UNIT)


def _units(integers: Arithmetic, count: Any) -> Any:
    return integers.div(integers.add(count, UNIT - 1), UNIT)


def is_cut_across(kernel: Kernel) -> bool:
    """Whether threads share out the columns of a product, not its rows: it has few of them."""
    heavy = kernel.heavy
    return heavy is not None and heavy.gate.name == "matmul" and has_few_rows(heavy)
