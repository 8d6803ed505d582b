"""The matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.errors import ShapeError
from retrograd.gates.layout import reshape, swap_last
from retrograd.graph.node import OPERATORS, Gate, Like, Node, apply, define, promote
from retrograd.graph.shape import Shape, broadcast, size_of


def _infer(x: Node, w: Node) -> tuple[Shape, np.dtype[Any]]:
    if x.shape[-1] != w.shape[-2]:
        raise ShapeError(
            f"inner sizes differ: the first has {x.shape[-1]} columns, "
            f"the second has {w.shape[-2]} rows"
        )
    stack = broadcast(x.shape[:-2] or (1,), w.shape[:-2] or (1,))
    is_stack = len(x.shape) > 2 or len(w.shape) > 2
    return (*(stack if is_stack else ()), x.shape[-2], w.shape[-1]), x.dtype


def _flops(y: Node, x: Node, w: Node, *, n_rows: int) -> int:
    return 2 * size_of(y.shape, n_rows) * size_of(x.shape[-1:], n_rows)


# y = x @ w     dx = dy @ w.T     dw = x.T @ dy
MATMUL = define(
    Gate(
        "matmul",
        lambda x, w, *, out=None: np.matmul(x, w, out=out),
        _infer,
        _flops,
        lambda dy, y, x, w: (dy @ swap_last(w), swap_last(x) @ dy),
        promotes=True,
    )
)


def matmul(x: Like, w: Like) -> Node:
    """x @ w, as NumPy's: matrices, stacks of matrices that broadcast, and vectors.

    dx = dy @ w.T, dw = x.T @ dy.  Costs 2 B I O operations for (B, I) @ (I, O). Inner sizes that
    differ, or an operand without dimensions, raise ShapeError.

    >>> rg.evaluate(rg.matmul([[1.0, 2.0]], [[3.0], [4.0]]))
    array([[11.]])
    """
    a, b = promote((x, w))
    if not a.shape or not b.shape:
        raise ShapeError(f"matmul: both operands need a dimension, got {a!r} and {b!r}; use *")
    left = reshape(a, (1, *a.shape)) if a.ndim == 1 else a
    right = reshape(b, (*b.shape, 1)) if b.ndim == 1 else b
    y = apply(MATMUL, left, right)
    if a.ndim == 1:
        y = reshape(y, (*y.shape[:-2], y.shape[-1]))
    if b.ndim == 1:
        y = reshape(y, y.shape[:-1])
    return y


OPERATORS["matmul"] = matmul
