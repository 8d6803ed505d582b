"""exp, expm1 and what is made of them: sigmoid, tanh, softplus.

An argument is a whole multiple of log 2 and a rest, e**x = 2**n e**r [Cody & Waite 1980, ch. 6].
"""

from __future__ import annotations

import math

import numpy as np

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value
from retrograd.engines.cpu.code.functions.reduction import LOG2_E, less_ln2, power_of_two, whole

_F, _D = np.dtype(np.float32), np.dtype(np.float64)

# exp(r) = P(r) on [0, log 2], relative error 2**-28.8, 2**-58.1
_EXP = {
    _F: (
        *(1.0, 0.9999998211860657, 0.5000055432319641, 0.1666117012500763),
        *(0.041911039501428604, 0.007796889636665583, 0.0019467307720333338),
    ),
    _D: (
        *(1.0, 1.0000000000000009, 0.4999999999999224, 0.16666666666900556),
        *(0.04166666663172953, 0.008333333634936347, 0.0013888872597365718),
        *(0.0001984184347426043, 2.4788232124349494e-05, 2.776066226073985e-06),
        *(2.562266928683857e-07, 3.529579206725075e-08),
    ),
}
# expm1(r) = r + r**2 P(r) on [-1, 1] log(2) / 2, relative error 2**-26.0, 2**-59.0
_EXPM1 = {
    _F: (
        *(0.5, 0.1666654795408249, 0.04166685417294502, 0.00836610235273838),
        0.0013898254837840796,
    ),
    _D: (
        *(0.5, 0.16666666666666677, 0.041666666666666574, 0.008333333333322078),
        *(0.0013888888888943076, 0.00019841269885179555, 2.4801587197618774e-05),
        *(2.7557245026317217e-06, 2.755738732653073e-07, 2.5108789020925088e-08),
        2.087890406239638e-09,
    ),
}
# log1p(e) = e + e**2 P(e) on [0, 1], relative error 2**-26.7, 2**-56.0
_LOG1P = {
    _F: (
        *(-0.5, 0.3333224952220917, -0.2497507780790329, 0.19774176180362701),
        *(-0.155689999461174, 0.11024045199155807, -0.06090911850333214),
        *(0.02186800353229046, -0.00367563939653337),
    ),
    _D: (
        *(-0.5, 0.3333333333330176, -0.2499999999680864, 0.1999999986982695),
        *(-0.16666663717902835, 0.14285671669253308, -0.12499574790322979),
        *(0.11108029185474232, -0.09983189810433395, 0.09020107366660556),
        *(-0.08098496516482229, 0.07069129733104103, -0.05801246221722471),
        *(0.04290387483962511, -0.027293494690843162, 0.014215799668973409),
        *(-0.005731882224889694, 0.001660709263648361, -0.0003055037500671916),
        2.6676414014846976e-05,
    ),
}
# Between these lie all x where exp is neither 0 nor infinite, and a little more.
_RANGE = {_F: (-88.0, 89.0), _D: (-709.0, 710.0)}
_EXPM1_IS_MINUS_ONE = {_F: -18.0, _D: -38.0}  # there, and below
_TANH_IS_ONE = {_F: 9.5, _D: 19.5}  # there, and above


def exp(v: Lanes, x: Value) -> Value:
    """e**x: 0 where that is below the least normal number.

    Largest error measured: 1.5 ulp in float32, 1.7 in float64; without fma 1.8, 2.0.
    """
    low, high = _RANGE[v.dtype]
    return _exp(v, v.max(v.const(low), v.min(v.const(high), x)))


def _exp(v: Lanes, x: Value) -> Value:
    """e**x for x within _RANGE"""
    # x = n log 2 + r with r in [0, log 2): P(r) is in [1, 2), so P 2**n overflows and underflows
    # where e**x does. A little less than 1/2, so that 0 is not taken for -log 2 + r.
    below_half = float(np.nextafter(v.dtype.type(0.5), v.dtype.type(0)))
    down = v.fma(x, v.const(LOG2_E), v.const(-below_half))
    n, bits = whole(v, down, 1.0, v.bias)
    p = v.polynomial(less_ln2(v, x, n), _EXP[v.dtype])
    return v.mul(p, power_of_two(v, bits))


def expm1(v: Lanes, x: Value) -> Value:
    """e**x - 1, accurate for small x.

    Largest error measured: 1.5 ulp in float32, 1.8 in float64; without fma 1.7, 2.0.
    """
    low, high = _EXPM1_IS_MINUS_ONE[v.dtype], _RANGE[v.dtype][1]
    return v.copysign(expm1_inside(v, v.max(v.const(low), v.min(v.const(high), x))), x)


def expm1_inside(v: Lanes, x: Value) -> Value:
    """e**x - 1 for x from _EXPM1_IS_MINUS_ONE to the end of _RANGE; +0 for x = -0"""
    # x = n log 2 + r, |r| <= log(2) / 2: e**x - 1 = 2 (2**(n-1) expm1(r) + (2**(n-1) - 1/2)),
    # where the halves keep n = 128 (1024) within the range of exponents.
    n, bits = whole(v, x, LOG2_E, v.bias - 1)
    q, scale = expm1_reduced(v, less_ln2(v, x, n)), power_of_two(v, bits)
    half = v.fma(scale, q, v.sub(scale, v.const(0.5)))
    # For n = 0 this is q but for the least of all x, whose halves would be flushed to 0.
    return v.select(v.eq(n, v.const(0)), q, v.add(half, half))


def expm1_reduced(v: Lanes, r: Value, *, times: int = 1) -> Value:
    """expm1(times r) / times, for times |r| <= log(2) / 2."""
    p = [c * times ** (k + 1) for k, c in enumerate(_EXPM1[v.dtype])]
    return v.fma(v.mul(r, r), v.polynomial(r, p), r)


def sigmoid(v: Lanes, x: Value) -> Value:
    """1 / (1 + e**-x), whose every digit counts for x < 0 too.

    Largest error measured: 2.4 ulp in float32, 2.5 in float64, with fma and without.
    """
    one = v.const(1)
    return v.div(one, v.add(one, exp(v, v.neg(x))))


def tanh(v: Lanes, x: Value) -> Value:
    """The hyperbolic tangent: odd, and never beyond 1, to the last bit.

    Largest error measured: 2.5 ulp in float32 and float64, with fma and without.
    """
    # tanh |x| = m / (m + 1), m = expm1(2 |x|) / 2: never beyond 1. With 2 |x| = n log 2 + 2 r:
    # m = 2**n (expm1(2 r) / 2) + 2**(n-1) - 1/2
    a = v.min(v.const(_TANH_IS_ONE[v.dtype]), v.abs(x))
    n, bits = whole(v, a, 2 * LOG2_E, v.bias)
    r = v.fma(n, v.const(-math.log(2) / 2), a)  # the rest of log 2 is lost in m + 1
    scale = power_of_two(v, bits)
    m = v.fma(scale, expm1_reduced(v, r, times=2), v.fma(scale, v.const(0.5), v.const(-0.5)))
    return v.copysign(v.div(m, v.add(m, v.const(1))), x)


def softplus(v: Lanes, x: Value) -> Value:
    """log(1 + e**x) = max(x, 0) + log1p(e**-|x|)

    Largest error measured: 2.0 ulp in float32, 2.1 in float64; without fma 2.2, 2.3.
    """
    e = _exp(v, v.max(v.const(_RANGE[v.dtype][0]), v.neg(v.abs(x))))
    log1p = v.fma(v.mul(e, e), v.polynomial(e, _LOG1P[v.dtype]), e)
    return v.add(v.max(x, v.const(0)), log1p)
