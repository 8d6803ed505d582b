"""erf, the error function, and erfc, which is 1 - erf."""

from __future__ import annotations

import math

import numpy as np

from retrograd.gates.arithmetic import square
from retrograd.gates.elementwise import elementwise, is_complex
from retrograd.gates.exponential import EXP_FLOPS, exp
from retrograd.graph.node import Array, Like, Node, apply

SLOPE = 2 / math.sqrt(math.pi)  # of erf at 0
ERF_FLOPS = 60  # a polynomial of degree 20, and the e**x - 1 of it
ERFC_FLOPS = 2 * EXP_FLOPS + 56  # a polynomial of degree 22, and e**(-x**2) as a product
BESIDE = 1e-9  # of the real axis, where the complex step goes, the first order has all digits
VANISHES = 30.0  # e**-x**2 is 0 there, and beyond


def _bell(x: Array) -> Array:
    """e**-x**2 with all its digits: rounding x**2 would cost x**2 / 2 units of the last place."""
    a = np.minimum(np.abs(x), VANISHES)
    h = np.round(16.0 * a) / 16.0  # h**2 is exact
    return np.exp(-h * h) * np.exp((h - a) * (h + a))


def _erf_numpy(x: Array, *, out: Array | None = None) -> Array:
    from scipy.special import erf  # heavy, and only this gate needs it

    if not is_complex(x):
        return erf(x, out=out)
    a, b = x.real, x.imag
    return np.where(np.abs(b) < BESIDE, erf(a) + 1j * b * (SLOPE * _bell(a)), erf(x))


def _erfc_real(x: Array) -> Array:
    from scipy.special import erfc, erfcx

    x64 = x.astype(np.float64)
    tail = erfcx(np.maximum(x64, 0.0)) * _bell(x64)  # erfc itself has rounded x**2
    return np.where(x64 < 0.5, erfc(x64), tail).astype(x.dtype)


def _erfc_numpy(x: Array, *, out: Array | None = None) -> Array:
    from scipy.special import erfc

    if is_complex(x):
        a, b = x.real, x.imag
        beside = _erfc_real(a) - 1j * b * (SLOPE * _bell(a))
        return np.where(np.abs(b) < BESIDE, beside, erfc(x))
    if out is None:
        return _erfc_real(x)
    np.copyto(out, _erfc_real(x))
    return out


# d/dx = 2 / sqrt(pi) e**-x**2
ERF = elementwise(
    "erf",
    _erf_numpy,
    lambda dy, y, x: (dy * (SLOPE * exp(-square(x))),),
    flops=ERF_FLOPS,
)
# d/dx = -2 / sqrt(pi) e**-x**2
ERFC = elementwise(
    "erfc",
    _erfc_numpy,
    lambda dy, y, x: (dy * (-SLOPE * exp(-square(x))),),
    flops=ERFC_FLOPS,
)


def erf(x: Like) -> Node:
    """2 / sqrt(pi) times the integral of e**-t**2 from 0 to x.  d/dx = 2 / sqrt(pi) e**-x**2

    [Abramowitz & Stegun 1964, eq. 7.1.1]

    >>> rg.evaluate(rg.erf([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    return apply(ERF, x)


def erfc(x: Like) -> Node:
    """2 / sqrt(pi) times the integral of e**-t**2 from x on.  d/dx = -2 / sqrt(pi) e**-x**2

    [Abramowitz & Stegun 1964, eq. 7.1.2]. It is 1 - erf(x), and keeps its digits for large x, where
    that difference has none.

    >>> rg.evaluate(rg.erfc([-10.0, 0.0, 10.0]))
    array([2.00000000e+00, 1.00000000e+00, 2.08848758e-45])
    """
    return apply(ERFC, x)
