"""erf, the error function."""

from __future__ import annotations

import math

import numpy as np

from retrograd.gates.arithmetic import square
from retrograd.gates.elementwise import elementwise, is_complex
from retrograd.gates.exponential import exp
from retrograd.graph.node import Array, Like, Node, apply

SLOPE = 2 / math.sqrt(math.pi)  # at 0
ERF_FLOPS = 60  # a polynomial of degree 20, and the e**x - 1 of it


def _erf_numpy(x: Array, *, out: Array | None = None) -> Array:
    from scipy.special import erf  # heavy, and only this gate needs it

    if not is_complex(x):
        return erf(x, out=out)
    # Beside the real axis, where the complex step goes, the first order has all digits.
    a, b = x.real, x.imag
    return np.where(np.abs(b) < 1e-9, erf(a) + 1j * b * (SLOPE * np.exp(-a * a)), erf(x))


# d/dx = 2 / sqrt(pi) e**-x**2
ERF = elementwise(
    "erf",
    _erf_numpy,
    lambda dy, y, x: (dy * (SLOPE * exp(-square(x))),),
    flops=ERF_FLOPS,
)


def erf(x: Like) -> Node:
    """2 / sqrt(pi) times the integral of e**-t**2 from 0 to x.  d/dx = 2 / sqrt(pi) e**-x**2

    >>> rg.evaluate(rg.erf([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    return apply(ERF, x)
