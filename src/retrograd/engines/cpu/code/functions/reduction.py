"""Whole multiples of a constant taken off an argument, and powers of two: what exp is made of."""

from __future__ import annotations

import math

import numpy as np

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value

# log(2) in two parts [Cody & Waite 1980, ch. 6]: the first has so few digits that n times it is
# exact for every exponent n, the second is the rest.
LN2 = {
    np.dtype(np.float32): (0.693359375, -2.121944400546905827679e-4),
    np.dtype(np.float64): (6.93147180369123816490e-1, 1.90821492927058770002e-10),
}
LOG2_E = 1 / math.log(2)


def whole(v: Lanes, x: Value, factor: float, bias: int) -> tuple[Value, Value]:
    """The whole number n nearest to factor x, below 2**22 (float64: 2**51); n + bias as last bits.

    Adding 1.5 * 2**23 (2**52) + bias leaves no place for a fraction, and n + bias in the last bits.
    """
    shift = v.const(1.5 * 2**v.mantissa + bias)
    shifted = v.fma(x, v.const(factor), shift)
    return v.sub(shifted, shift), v.as_bits(shifted)


def power_of_two(v: Lanes, bits: Value) -> Value:
    """2**n from the bits n + v.bias of `whole`: 0 for n = -v.bias, inf for n = v.bias + 1."""
    return v.from_bits(v.shift_left(bits, v.mantissa))


def less_ln2(v: Lanes, x: Value, n: Value) -> Value:
    """x - n log(2)"""
    high, low = LN2[v.dtype]
    return v.fma(n, v.const(-low), v.fma(n, v.const(-high), x))
