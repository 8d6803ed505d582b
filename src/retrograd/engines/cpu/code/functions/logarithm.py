"""log and log1p: x = 2**k m, log x = k log 2 + log m [Cody & Waite 1980, ch. 5]."""

from __future__ import annotations

import math

import numpy as np

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value
from retrograd.engines.cpu.code.functions.reduction import LN2

_F, _D = np.dtype(np.float32), np.dtype(np.float64)

# log(1 + f) = f + f**2 P(f) for 1 + f in [sqrt(1/2), sqrt 2], relative error 2**-27.2, 2**-56.4
_LOG = {
    _F: (
        *(-0.5, 0.3333333134651184, -0.2500081956386566, 0.20001226663589478),
        *(-0.16623356938362122, 0.14201763272285461, -0.13160184025764465),
        *(0.12761545181274414, -0.0763445645570755),
    ),
    _D: (
        *(-0.5, 0.3333333333333314, -0.24999999999987976, 0.20000000000066617),
        *(-0.1666666666982584, 0.14285714280092862, -0.12499999691446956),
        *(0.11111111147477944, -0.10000015206101559, 0.09090923931530051),
        *(-0.08332913543675086, 0.0769152982538771, -0.07149439486001148),
        *(0.06684589052366535, -0.061966784765715814, 0.056683779334960674),
        *(-0.05677784603507098, 0.06503491066056542, -0.059817016352003295),
        0.026150922143760847,
    ),
}


def split(v: Lanes, x: Value) -> tuple[Value, Value]:
    """k and m with x = 2**k m, m in [sqrt(1/2), sqrt 2), for a normal x > 0."""
    # What the bits of 1 exceed those of sqrt(1/2) by, added to the bits of x, carries into the
    # exponent where m would be sqrt 2 or more.
    root = int(v.dtype.type(math.sqrt(0.5)).view(f"i{v.bits // 8}"))
    one, fraction = v.bias << v.mantissa, (1 << v.mantissa) - 1
    i = v.int_add(v.as_bits(x), v.int_const(one - root))
    m = v.from_bits(v.int_add(v.int_and(i, v.int_const(fraction)), v.int_const(root)))
    # k + bias as the last bits of 2**mantissa, where the spacing of numbers is 1.
    shift = 2.0**v.mantissa
    base = (v.bias + v.mantissa) << v.mantissa
    k = v.from_bits(v.int_or(v.shift_right(i, v.mantissa), v.int_const(base)))
    return v.sub(k, v.const(shift + v.bias)), m


def _log(v: Lanes, k: Value, f: Value) -> Value:
    """log(2**k (1 + f))"""
    high, low = LN2[v.dtype]
    tail = v.fma(k, v.const(low), f)
    tail = v.fma(v.mul(f, f), v.polynomial(f, _LOG[v.dtype]), tail)
    return v.fma(k, v.const(high), tail)


def _at_the_ends(v: Lanes, x: Value, positive: Value, result: Value) -> Value:
    """The result; but -inf or NaN where `positive` is 0 or less, and x where x is inf or NaN."""
    below = v.select(v.lt(positive, v.const(0)), v.const(math.nan), v.const(-math.inf))
    tiny = v.const(float(np.finfo(v.dtype).tiny))
    result = v.select(v.lt(positive, tiny), below, result)
    return v.select(v.lt(x, v.const(math.inf)), result, x)


def log(v: Lanes, x: Value) -> Value:
    """The natural logarithm: -inf at 0, NaN below.

    Largest error measured: 1.0 ulp in float32, 1.3 in float64, with fma and without.
    """
    k, m = split(v, x)
    return _at_the_ends(v, x, x, _log(v, k, v.sub(m, v.const(1))))


def log1p(v: Lanes, x: Value) -> Value:
    """log(1 + x), accurate for small x: -inf at -1, NaN below.

    Largest error measured: 1.5 ulp in float32, 1.7 in float64; without fma 1.5, 1.8.
    """
    one = v.const(1)
    u = v.add(one, x)
    k, m = split(v, u)
    # What u has lost is given back to f, scaled as m is. 2**(1-k) is a number for every k.
    lost = v.sub(x, v.sub(u, one))
    two = v.int_const((v.bias + 1) << v.mantissa)
    scale = v.from_bits(v.int_add(v.int_sub(v.as_bits(m), v.as_bits(u)), two))
    f = v.fma(lost, v.mul(scale, v.const(0.5)), v.sub(m, one))
    return v.copysign(_at_the_ends(v, x, u, _log(v, k, f)), x)
