"""Pairs of numbers that are bfloat16: two of them in a word, multiplied and added at once.

A word holds two numbers that follow each other along k, the first in its lower half. It takes the
place of one float32, so all that moves numbers about moves words as well, and k counts pairs; where
k is odd the last pair has a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrograd.engines.cpu.code.builder.integers import I16, vector_of
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import intrinsic
from retrograd.engines.cpu.code.functions.bfloat16 import vector_of_bfloat16


def pair(v: Lanes, first: Any, second: Any = None) -> Any:
    """Vectors of bfloat16 numbers as one of words; `second` is None where there is none."""
    low = v.shift_right(v.as_bits(first), I16.width)
    return v.from_bits(low if second is None else v.int_or(low, v.as_bits(second)))


def words(v: Lanes, places: Sequence[Any]) -> Any:
    """The words of the numbers, of two bytes each, from a place on; the second ones from another.

    Where there is one place alone, the second of each word is 0.
    """
    halves = [v.builder.load(x, align=2, typ=vector_of(I16, v.n)) for x in places]
    low, *high = [v.builder.zext(half, v.int_type) for half in halves]
    for bits in high:
        low = v.int_or(low, v.shift_left(bits, I16.width))
    return v.from_bits(low)


def dot(v: Lanes, x: Any, y: Any, total: Any) -> Any:
    """total + x0 y0 + x1 y1 in each lane, for words of x and y."""
    if v.n == 1:
        for half in (0, 1):
            total = v.fma(_number(v, x, half), _number(v, y, half), total)
        return total
    kind = vector_of_bfloat16(2 * v.n)
    words = [v.builder.bitcast(each, kind) for each in (x, y)]
    name = f"llvm.x86.avx512bf16.dpbf16ps.{v.n * v.bits}"
    return intrinsic(v.builder, name, v.type, total, *words)


def _number(v: Lanes, word: Any, half: int) -> Any:
    """One of the two numbers of a word."""
    bits = v.as_bits(word)
    if half:
        return v.from_bits(v.builder.and_(bits, v.int_const(0xFFFF0000)))
    return v.from_bits(v.builder.shl(bits, v.int_const(I16.width)))
