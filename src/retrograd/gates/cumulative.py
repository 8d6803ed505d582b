"""The sums of all entries up to each one."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import require_flag
from retrograd.gates.reduce import along
from retrograd.graph.node import Array, Gate, Like, Node, apply, define
from retrograd.graph.shape import size_of


def _cumsum_numpy(x: Array, *, axis: int, reverse: bool, out: Array | None = None) -> Array:
    at = (*[slice(None)] * axis, slice(None, None, -1 if reverse else 1))
    result = np.empty(x.shape, x.dtype) if out is None else out
    np.add.accumulate(x[at], axis, out=result[at])
    return result


# y[i] = x[0] + ... + x[i]     dx[i] = dy[i] + ... + dy[n-1]
CUMSUM: Gate = define(
    Gate(
        "cumsum",
        _cumsum_numpy,
        lambda x, *, axis, reverse: (x.shape, x.dtype),
        lambda y, x, *, n_rows: size_of(x.shape, n_rows),
        lambda dy, y, x, *, axis, reverse: (cumsum(dy, axis, reverse=not reverse),),
    )
)


def cumsum(x: Like, axis: int = -1, *, reverse: bool = False) -> Node:
    """The sum of all entries along an axis up to each one, itself included.

    dx is the cumulative sum of dy from the other end. `reverse` begins at the last entry.
    An axis that is not there raises ShapeError.

    >>> rg.evaluate(rg.cumsum([1.0, 2.0, 4.0])), rg.evaluate(rg.cumsum([1.0, 2.0], reverse=True))
    (array([1., 3., 7.]), array([3., 2.]))
    """
    require_flag("cumsum", "reverse", reverse)
    node, place = along("cumsum", x, axis)
    return apply(CUMSUM, node, axis=place, reverse=reverse)
