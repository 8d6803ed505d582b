"""Comparisons, which give booleans and have no gradient, and `where`, which chooses by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.errors import DtypeError
from retrograd.gates.elementwise import elementwise
from retrograd.graph.node import OPERATORS, Array, Gate, Like, Node, apply, as_node, define, promote
from retrograd.graph.shape import Shape, broadcast, size_of


def _bool(*inputs: Node) -> tuple[Shape, np.dtype[Any]]:
    return broadcast(*(x.shape for x in inputs)), np.dtype(np.bool_)


EQUAL = elementwise("equal", np.equal, None, is_analytic=False, infer=_bool)
NOT_EQUAL = elementwise("not_equal", np.not_equal, None, is_analytic=False, infer=_bool)
LESS = elementwise("less", np.less, None, is_analytic=False, infer=_bool)
LESS_EQUAL = elementwise("less_equal", np.less_equal, None, is_analytic=False, infer=_bool)
GREATER = elementwise("greater", np.greater, None, is_analytic=False, infer=_bool)
GREATER_EQUAL = elementwise("greater_equal", np.greater_equal, None, is_analytic=False, infer=_bool)


def equal(x: Like, y: Like) -> Node:
    """Whether x and y are equal, element by element. (`==` between nodes is identity.)

    >>> rg.evaluate(rg.equal([1.0, 2.0], 2.0))
    array([False,  True])
    """
    return apply(EQUAL, x, y)


def not_equal(x: Like, y: Like) -> Node:
    """Whether x and y differ, element by element. (`!=` between nodes is identity.)

    >>> rg.evaluate(rg.not_equal([1.0, 2.0], 2.0))
    array([ True, False])
    """
    return apply(NOT_EQUAL, x, y)


def less(x: Like, y: Like) -> Node:
    """x < y, element by element.

    >>> rg.evaluate(rg.less([1.0, 2.0], 2.0))
    array([ True, False])
    """
    return apply(LESS, x, y)


def less_equal(x: Like, y: Like) -> Node:
    """x <= y, element by element.

    >>> rg.evaluate(rg.less_equal([1.0, 2.0], 1.0))
    array([ True, False])
    """
    return apply(LESS_EQUAL, x, y)


def greater(x: Like, y: Like) -> Node:
    """x > y, element by element.

    >>> rg.evaluate(rg.greater([1.0, 2.0], 1.0))
    array([False,  True])
    """
    return apply(GREATER, x, y)


def greater_equal(x: Like, y: Like) -> Node:
    """x >= y, element by element.

    >>> rg.evaluate(rg.greater_equal([1.0, 2.0], 2.0))
    array([False,  True])
    """
    return apply(GREATER_EQUAL, x, y)


_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _where_numpy(condition: Array, a: Array, b: Array, *, out: Array | None = None) -> Array:
    if out is None or out.dtype not in _BITS:
        return np.where(condition, a, b)
    # Selecting by bits takes a sixth of the time of selecting by branches, which a mask of
    # activations makes unpredictable: true is -1, all ones, and a ^ (a ^ b) is b.
    bits = _BITS[out.dtype]
    chosen = np.negative(condition, out=out.view(bits), dtype=bits, casting="unsafe")
    first, second = a.view(bits), b.view(bits)
    if second.ndim == 0 and second == 0:
        np.bitwise_and(chosen, first, out=chosen)
    else:
        np.bitwise_and(chosen, first ^ second, out=chosen)
        np.bitwise_xor(chosen, second, out=chosen)
    return out


def _where_infer(condition: Node, a: Node, b: Node) -> tuple[Shape, np.dtype[Any]]:
    if condition.dtype != np.bool_:
        raise DtypeError(f"the condition must be bool, it is {condition.dtype}; compare it first")
    return broadcast(condition.shape, a.shape, b.shape), np.result_type(a.dtype, b.dtype)


WHERE = define(
    Gate(
        "where",
        _where_numpy,
        _where_infer,
        lambda y, *_, n_rows: size_of(y.shape, n_rows),
        lambda dy, y, condition, a, b: (None, where(condition, dy, 0.0), where(condition, 0.0, dy)),
    )
)


def where(condition: Like, x: Like, y: Like) -> Node:
    """x where the condition holds, else y.  Each gets the gradient where it was chosen, else 0.

    `condition` is a bool node or array, as comparisons make; another dtype is a DtypeError.
    A NaN of the branch not chosen does not reach the value. It can reach the gradient, as in
    PyTorch and JAX: the branch gets 0, and 0 times an infinite local gradient is NaN. Guard the
    argument: `where(x > 0, log(where(x > 0, x, 1.0)), 0.0)`.

    >>> rg.evaluate(rg.where([True, False], [1.0, 2.0], 0.0))
    array([1., 0.])
    """
    if isinstance(condition, bool):
        raise DtypeError(
            f"where: the condition is {condition}, not a node: `==` and `!=` between nodes are "
            "identity; use rg.equal(x, y) or rg.not_equal(x, y)"
        )
    chosen = as_node(condition)
    return apply(WHERE, chosen, *promote((x, y)))


OPERATORS |= {
    "less": less,
    "less_equal": less_equal,
    "greater": greater,
    "greater_equal": greater_equal,
}
