"""Products of numbers that are bfloat16: two of them in a word, multiplied and added at once.

A word holds two numbers that follow each other along k, the first in its lower half. It takes the
place of one float32, so all that moves numbers about moves words as well, and k counts pairs; where
k is odd the last pair has a zero.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import intrinsic

HALF = 16  # bits


class _BFloat(ir.Type):  # type: ignore[misc]  # llvmlite has no types, and none for bfloat16
    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


def pair(v: Lanes, first: Any, second: Any = None) -> Any:
    """Vectors of bfloat16 numbers as one of words; `second` is None where there is none."""
    low = v.shift_right(v.as_bits(first), HALF)
    return v.from_bits(low if second is None else v.int_or(low, v.as_bits(second)))


def pairs_along(v: Lanes, left: Any, right: Any) -> Any:
    """The words of two vectors side by side, whose numbers follow each other along k."""
    odd_and_even = [ir.Constant(ir.IntType(32), i) for i in range(2 * v.n)]
    masks = [
        ir.Constant(ir.VectorType(ir.IntType(32), v.n), odd_and_even[start::2]) for start in (0, 1)
    ]
    return pair(v, *(v.builder.shuffle_vector(left, right, mask) for mask in masks))


def dot(v: Lanes, x: Any, y: Any, total: Any) -> Any:
    """total + x0 y0 + x1 y1 in each lane, for words of x and y."""
    kind = ir.VectorType(_BFloat(), 2 * v.n)
    words = [v.builder.bitcast(each, kind) for each in (x, y)]
    name = f"llvm.x86.avx512bf16.dpbf16ps.{v.n * v.bits}"
    return intrinsic(v.builder, name, v.type, total, *words)
