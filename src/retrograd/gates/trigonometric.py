"""The sine and the cosine of every element."""

from __future__ import annotations

import numpy as np

from retrograd.gates.elementwise import elementwise
from retrograd.graph.node import Like, Node, apply

SIN_FLOPS = 22  # reduction (8), both polynomials (12), the choice between them (2)

SIN = elementwise("sin", np.sin, lambda dy, y, x: (dy * cos(x),), flops=SIN_FLOPS)
COS = elementwise("cos", np.cos, lambda dy, y, x: (-dy * sin(x),), flops=SIN_FLOPS)


def sin(x: Like) -> Node:
    """The sine of an angle in radians.  d/dx = cos(x)

    The engine "cpu" takes |x| up to 2**20 in float32 and 2**49 in float64, and gives NaN beyond.

    >>> rg.evaluate(rg.sin([0.0, np.pi / 2])).round(4)
    array([0., 1.])
    """
    return apply(SIN, x)


def cos(x: Like) -> Node:
    """The cosine of an angle in radians.  d/dx = -sin(x)

    The engine "cpu" takes |x| up to 2**20 in float32 and 2**49 in float64, and gives NaN beyond.

    >>> rg.evaluate(rg.cos([0.0, np.pi])).round(4)
    array([ 1., -1.])
    """
    return apply(COS, x)
