"""The square root."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value

ESTIMATE = "llvm.x86.avx512.rsqrt14.ps.512"
CLASS = "llvm.x86.avx512.fpclass.ps.512"
KINDS = 0x02 | 0x04 | 0x20 | 0x08  # +0, -0, denormals (taken for 0), +infinity
LANES = 16  # of that instruction; only AVX-512 has vectors of so many float32


def sqrt(v: Lanes, x: Value) -> Value:
    """The square root: correctly rounded, or to 1 ulp in float32 with AVX-512.

    There the instruction occupies a core for 12 cycles. An estimate of 1/sqrt(x) to 14 bits, which
    one step of Newton's method doubles, takes 4   [Cody & Waite 1980, ch. 4].
    """
    if v.n != LANES or v.dtype != np.float32:
        return v.sqrt(x)
    y = _estimate(v, x)
    # s = x y is sqrt(x) to 14 bits, and s + s (1 - s y) / 2 to 24; nothing here becomes denormal.
    s = v.mul(x, y)
    root = v.fma(s, v.fma(v.mul(s, v.const(-0.5)), y, v.const(0.5)), s)
    # Of 0 the estimate is infinite, of infinity 0: both are their own roots.
    return v.select(_is_zero_or_infinite(v, x), x, root)


def _is_zero_or_infinite(v: Lanes, x: Value) -> Value:
    module = v.builder.module
    function = module.globals.get(CLASS)
    if function is None:
        mask = ir.VectorType(ir.IntType(1), LANES)
        function = ir.Function(module, ir.FunctionType(mask, [v.type, ir.IntType(32)]), CLASS)
    return v.builder.call(function, [x, ir.Constant(ir.IntType(32), KINDS)])


def _estimate(v: Lanes, x: Value) -> Value:
    mask = ir.IntType(LANES)
    module = v.builder.module
    function = module.globals.get(ESTIMATE)
    if function is None:
        function = ir.Function(module, ir.FunctionType(v.type, [v.type, v.type, mask]), ESTIMATE)
    return v.builder.call(function, [x, v.const(0.0), ir.Constant(mask, -1)])
