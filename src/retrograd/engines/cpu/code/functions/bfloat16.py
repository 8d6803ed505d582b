"""Rounding to bfloat16, in the bits of a float32."""

from __future__ import annotations

import numpy as np

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
