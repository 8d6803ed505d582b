"""The square root."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value
from retrograd.engines.cpu.code.builder.processor import intrinsic

BYTES = 64  # of a vector of AVX-512, whose instructions these are
SUFFIX = {np.dtype(np.float32): "ps.512", np.dtype(np.float64): "pd.512"}
KINDS = 0x02 | 0x04 | 0x20 | 0x08  # +0, -0, denormals (taken for 0), +infinity


def sqrt(v: Lanes, x: Value) -> Value:
    """The square root: correctly rounded, or to 1 ulp with AVX-512; denormals stay there.

    There the instruction occupies a core for 12 cycles in float32 and 24 in float64. An estimate of
    1/sqrt(x) to 14 bits, which each step of Newton's method doubles, takes 4 and 8
    [Cody & Waite 1980, ch. 4].
    """
    if v.n * v.dtype.itemsize != BYTES:
        return v.sqrt(x)
    mask = ir.IntType(v.n)
    every = ir.Constant(mask, -1)
    y = intrinsic(v.builder, _named(v, "rsqrt14"), v.type, x, v.const(0.0), every)
    half = v.const(0.5)
    if v.dtype == np.float64:
        s = v.mul(x, y)
        y = v.fma(y, v.fma(v.mul(s, v.const(-0.5)), y, half), y)
    # s = x y is sqrt(x) to half of the bits, s + s (1 - s y) / 2 to all; nothing becomes denormal.
    s = v.mul(x, y)
    root = v.fma(s, v.fma(v.mul(s, v.const(-0.5)), y, half), s)
    # Of 0 the estimate is infinite, of infinity 0: both are their own roots.
    kinds = ir.Constant(ir.IntType(32), KINDS)
    is_own_root = intrinsic(v.builder, _named(v, "fpclass"), v.mask_type, x, kinds)
    return v.select(is_own_root, x, root)


def _named(v: Lanes, name: str) -> str:
    return f"llvm.x86.avx512.{name}.{SUFFIX[v.dtype]}"
