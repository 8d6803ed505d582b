"""erfc, one less the error function: its digits where the error function is nearly 1."""

from __future__ import annotations

import math

from retrograd.gates.arithmetic import square
from retrograd.gates.elementwise import elementwise
from retrograd.gates.exponential import EXP_FLOPS, exp
from retrograd.graph.node import Array, Like, Node, apply

ERFC_FLOPS = 2 * EXP_FLOPS + 56  # a polynomial of degree 22, and e**(-x**2) as a product


def _erfc_numpy(x: Array, *, out: Array | None = None) -> Array:
    from scipy.special import erfc  # heavy, and only this gate needs it

    return erfc(x, out=out)


# d/dx = -2 / sqrt(pi) e**-x**2
ERFC = elementwise(
    "erfc",
    _erfc_numpy,
    lambda dy, y, x: (dy * (-2.0 / math.sqrt(math.pi) * exp(-square(x))),),
    flops=ERFC_FLOPS,
)


def erfc(x: Like) -> Node:
    """2 / sqrt(pi) times the integral of e**-t**2 from x on.  d/dx = -2 / sqrt(pi) e**-x**2

    It is 1 - erf(x), and keeps its digits for large x, where that difference has none.

    >>> rg.evaluate(rg.erfc([-10.0, 0.0, 10.0]))
    array([2.00000000e+00, 1.00000000e+00, 2.08848758e-45])
    """
    return apply(ERFC, x)
