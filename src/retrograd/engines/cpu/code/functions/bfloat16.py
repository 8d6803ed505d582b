"""Rounding to bfloat16, in the bits of a float32, of which it has the upper half."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I16, vector_of
from retrograd.engines.cpu.code.builder.lanes import Lanes, Value


def round_bfloat16(v: Lanes, x: Value) -> Value:
    """The nearest bfloat16, ties to even; NaN stays NaN."""
    b = v.builder
    single = Lanes(b, np.float32, v.n, has_fma=v.has_fma)
    is_double = v.dtype == np.float64
    value = b.fptrunc(x, single.type) if is_double else x
    bits = single.as_bits(value)
    odd = b.and_(b.lshr(bits, single.int_const(16)), single.int_const(1))
    sum_ = b.add(b.add(bits, single.int_const(0x7FFF)), odd)
    cut = single.from_bits(b.and_(sum_, single.int_const(0xFFFF0000)))
    result = single.select(single.is_nan(value), value, cut)
    return b.fpext(result, v.type) if is_double else result


class _BFloat(ir.Type):  # type: ignore[misc]  # llvmlite has no types, and none for bfloat16
    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


def vector_of_bfloat16(n: int) -> Any:
    """The type of n bfloat16 numbers."""
    return vector_of(_BFloat(), n)


def as_bfloat16(v: Lanes, x: Value) -> Value:
    """The same as a processor does it at once that multiplies such numbers: denormals become 0.

    To its products they are 0 anyway.
    """
    return v.builder.fpext(v.builder.fptrunc(x, vector_of_bfloat16(v.n)), v.type)


def as_half(v: Lanes, x: Value) -> Value:
    """The upper halves of float32 numbers."""
    return v.builder.trunc(v.shift_right(v.as_bits(x), I16.width), vector_of(I16, v.n))


def from_half(v: Lanes, half: Value) -> Value:
    """The float32 numbers with these upper halves, and nothing in the lower ones."""
    return v.from_bits(v.shift_left(v.builder.zext(half, v.int_type), I16.width))
