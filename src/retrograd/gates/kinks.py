"""Gates with a kink, not analytic: at the kink the first operand, or 0, gets its way."""

from __future__ import annotations

import numpy as np

from retrograd.gates.compare import where
from retrograd.gates.elementwise import elementwise
from retrograd.graph.node import OPERATORS, Like, Node, apply

ABS = elementwise("abs", np.abs, lambda dy, y, x: (dy * sign(x),), is_analytic=False)
SIGN = elementwise("sign", np.sign, None, is_analytic=False)
RELU = elementwise(
    "relu",
    lambda x, *, out=None: np.maximum(x, 0, out=out),
    lambda dy, y, x: (where(y > 0.0, dy, 0.0),),
    is_analytic=False,
)


def _first(wins: Node, dy: Node) -> tuple[Node, Node]:
    return where(wins, dy, 0.0), where(wins, 0.0, dy)


MAXIMUM = elementwise(
    "maximum", np.maximum, lambda dy, y, a, b: _first(a >= b, dy), is_analytic=False
)
MINIMUM = elementwise(
    "minimum", np.minimum, lambda dy, y, a, b: _first(a <= b, dy), is_analytic=False
)


def abs(x: Like) -> Node:
    """|x|.  d/dx = sign(x), 0 at 0

    >>> rg.evaluate(rg.abs([-2.0, 0.0, 3.0]))
    array([2., 0., 3.])
    """
    return apply(ABS, x)


def sign(x: Like) -> Node:
    """-1, 0 or 1 by the sign of x.  Its gradient is 0.

    >>> rg.evaluate(rg.sign([-2.0, 0.0, 3.0]))
    array([-1.,  0.,  1.])
    """
    return apply(SIGN, x)


def relu(x: Like) -> Node:
    """max(x, 0).  d/dx = 1 where x > 0, else 0   [Nair & Hinton 2010]

    0 at 0 too, as in PyTorch and JAX.

    >>> rg.evaluate(rg.relu([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return apply(RELU, x)


def maximum(x: Like, y: Like) -> Node:
    """The larger of x and y, element by element.  The whole gradient goes to it; at a tie to x.

    >>> rg.evaluate(rg.maximum([1.0, 4.0], [3.0, 2.0]))
    array([3., 4.])
    """
    return apply(MAXIMUM, x, y)


def minimum(x: Like, y: Like) -> Node:
    """The smaller of x and y, element by element.  The whole gradient goes to it; at a tie to x.

    >>> rg.evaluate(rg.minimum([1.0, 4.0], [3.0, 2.0]))
    array([1., 2.])
    """
    return apply(MINIMUM, x, y)


def clip(x: Like, low: Like, high: Like) -> Node:
    """x held between low and high.  d/dx = 1 where low <= x <= high, else 0

    high where low > high, as in NumPy.

    >>> rg.evaluate(rg.clip([-2.0, 0.5, 3.0], 0.0, 1.0))
    array([0. , 0.5, 1. ])
    """
    return minimum(maximum(x, low), high)


OPERATORS["abs"] = abs
