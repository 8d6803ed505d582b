"""Arithmetic on every element: sums, products, quotients, squares and roots."""

from __future__ import annotations

import numpy as np

from retrograd.gates.elementwise import elementwise
from retrograd.graph.node import OPERATORS, Like, Node, apply

ADD = elementwise("add", np.add, lambda dy, y, a, b: (dy, dy))
SUBTRACT = elementwise("subtract", np.subtract, lambda dy, y, a, b: (dy, -dy))
MULTIPLY = elementwise("multiply", np.multiply, lambda dy, y, a, b: (dy * b, dy * a))
NEGATIVE = elementwise("negative", np.negative, lambda dy, y, x: (-dy,))
# y**2 is its own gate: its gradient 2 x dy costs two operations, that of x * x costs three.
SQUARE = elementwise("square", np.square, lambda dy, y, x: (2.0 * dy * x,))
SQRT = elementwise("sqrt", np.sqrt, lambda dy, y, x: (dy / (2.0 * y),))


def _divide_vjp(dy: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    da = dy / b  # y = a / b     da = dy / b     db = -dy a / b**2 = -da y
    return da, -da * y


DIVIDE = elementwise("divide", np.divide, _divide_vjp)


def add(x: Like, y: Like) -> Node:
    """x + y.  Both operands get the propagated gradient.

    >>> rg.evaluate(rg.add(1.0, [2.0, 3.0]))
    array([3., 4.])
    """
    return apply(ADD, x, y)


def subtract(x: Like, y: Like) -> Node:
    """x - y.  d/dx = 1, d/dy = -1

    >>> rg.evaluate(rg.subtract([2.0, 3.0], 1.0))
    array([1., 2.])
    """
    return apply(SUBTRACT, x, y)


def multiply(x: Like, y: Like) -> Node:
    """x * y.  d/dx = y, d/dy = x

    >>> rg.evaluate(rg.multiply([2.0, 3.0], 4.0))
    array([ 8., 12.])
    """
    return apply(MULTIPLY, x, y)


def divide(x: Like, y: Like) -> Node:
    """x / y.  d/dx = 1/y, d/dy = -x/y**2

    >>> rg.evaluate(rg.divide([2.0, 3.0], 4.0))
    array([0.5 , 0.75])
    """
    return apply(DIVIDE, x, y)


def negative(x: Like) -> Node:
    """-x.  d/dx = -1

    >>> rg.evaluate(rg.negative([2.0, -3.0]))
    array([-2.,  3.])
    """
    return apply(NEGATIVE, x)


def square(x: Like) -> Node:
    """x**2.  d/dx = 2 x

    >>> rg.evaluate(rg.square([2.0, -3.0]))
    array([4., 9.])
    """
    return apply(SQUARE, x)


def sqrt(x: Like) -> Node:
    """The square root.  d/dx = 1 / (2 sqrt(x)); infinite at 0

    NaN for x < 0, as in NumPy.

    >>> rg.evaluate(rg.sqrt([4.0, 9.0]))
    array([2., 3.])
    """
    return apply(SQRT, x)


OPERATORS |= {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "negative": negative,
}
