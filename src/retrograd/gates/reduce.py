"""Gates that reduce axes: sum, mean, max, and the softmax family."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from retrograd.arrays import require_flag
from retrograd.errors import DataError, ShapeError
from retrograd.gates.compare import where
from retrograd.gates.elementwise import cast
from retrograd.gates.exponential import EXP_FLOPS, exp
from retrograd.gates.layout import axis_of, broadcast_to, reshape
from retrograd.graph.node import Array, Gate, Like, Node, apply, as_dtype, as_node, define
from retrograd.graph.shape import (
    Rows,
    Shape,
    as_axes,
    as_shape,
    broadcast,
    broadcast_axes,
    rows,
    show,
    size_of,
)

Axis = int | Sequence[int] | None


def _reduced(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> tuple[Shape, np.dtype[Any]]:
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    shape = sizes if keepdims else [s for axis, s in enumerate(sizes) if axis not in axes]
    return tuple(shape), x.dtype


def _per_entry(flops: int) -> Callable[..., int]:
    return lambda y, x, *, n_rows: flops * size_of(x.shape, n_rows)


def _kept(dy: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """A cotangent of a reduction with the reduced axes back, of size 1, to broadcast against x."""
    return reshape(dy, _reduced(x, axes=axes, keepdims=True)[0])


def _floating(x: Like) -> Node:
    node = as_node(x)
    if node.dtype.kind in "bi":
        return cast(node, np.float64)
    return node


# sum and mean


SUM = define(
    Gate(
        "sum",
        lambda x, *, axes, keepdims, out=None: np.add.reduce(x, axes, keepdims=keepdims, out=out),
        _reduced,
        _per_entry(1),
        lambda dy, y, x, *, axes, keepdims: (broadcast_to(_kept(dy, x, axes), x.shape),),
    )
)


def sum(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The sum over axes (all by default).  Every entry gets the propagated gradient.

    >>> rg.evaluate(rg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0))
    array([4., 6.])
    """
    node = _floating(x)
    require_flag("sum", "keepdims", keepdims)
    return apply(SUM, node, axes=_axes("sum", node, axis), keepdims=keepdims)


def sum_to(x: Like, shape: object) -> Node:
    """x summed over the axes along which `shape` would be broadcast to reach x's shape.

    The transpose of `broadcast_to`   [PyTorch: Tensor.sum_to_size].

    >>> rg.evaluate(rg.sum_to(rg.constant([[1.0, 2.0], [3.0, 4.0]]), (1, 2)))
    array([[4., 6.]])
    """
    node, wanted = as_node(x), as_shape(shape)
    if wanted == node.shape:
        return node
    try:
        fits = broadcast(wanted, node.shape) == node.shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(f"sum_to: {show(wanted)} does not broadcast to {show(node.shape)}")
    axes = broadcast_axes(wanted, node.shape)
    return reshape(sum(node, axes), wanted)


def _axes(gate: str, node: Node, axis: Axis) -> tuple[int, ...]:
    try:
        return as_axes(axis, node.ndim)
    except ShapeError as error:
        raise ShapeError(f"{gate}: {error}") from None


ROW_COUNT = define(
    Gate(
        "row_count",
        lambda *, count, dtype, out=None: np.asarray(count, dtype),
        lambda *, count, dtype: ((), dtype),
        lambda *_, n_rows: 0,
    )
)


def row_count(dtype: object = np.float64) -> Node:
    """The number of rows of the batch, a number that is known when the graph runs   [NumPy: len].

    >>> x = rg.variable("x", shape=(rg.rows, 2))
    >>> rg.evaluate(rg.sum(x) / rg.row_count(), {x: [[1.0, 2.0], [3.0, 4.0]]})
    5.0
    """
    return apply(ROW_COUNT, count=rows, dtype=as_dtype(dtype))


def mean(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The mean over axes (all by default).  Every entry gets dy / (number of entries).

    The mean of no entries is NaN, as in NumPy.

    >>> rg.evaluate(rg.mean([[1.0, 2.0], [3.0, 4.0]], axis=1))
    array([1.5, 3.5])
    """
    node = _floating(x)
    require_flag("mean", "keepdims", keepdims)
    sizes = [node.shape[a] for a in _axes("mean", node, axis)]
    number: Like = float(math.prod(size for size in sizes if not isinstance(size, Rows)))
    for _ in range(sizes.count(rows)):
        number = number * row_count(node.dtype.type(0).real.dtype)
    return sum(node, axis, keepdims=keepdims) / number


# max


def _max_numpy(
    x: Array, *, axes: tuple[int, ...], keepdims: bool, out: Array | None = None
) -> Array:
    if any(x.shape[axis] == 0 for axis in axes):
        raise DataError("max: there is no largest entry of no rows")
    return np.max(x, axis=axes, keepdims=keepdims, out=out)


def _first_max_numpy(x: Array, *, axes: tuple[int, ...], out: Array | None = None) -> Array:
    mask = np.empty(x.shape, np.bool_) if out is None else out
    mask.fill(False)
    last = range(-len(axes), 0)
    moved, target = np.moveaxis(x, axes, last), np.moveaxis(mask, axes, last)
    kept, reduced = moved.shape[: -len(axes)], moved.shape[-len(axes) :]
    if x.size:
        first = np.argmax(moved.reshape(*kept, math.prod(reduced)), axis=-1)
        target[(*np.indices(kept, sparse=True), *np.unravel_index(first, reduced))] = True
    return mask


FIRST_MAX = define(
    Gate(
        "first_max",
        _first_max_numpy,
        lambda x, *, axes: (x.shape, np.dtype(np.bool_)),
        _per_entry(1),
        is_analytic=False,
    )
)

MAX = define(
    Gate(
        "max",
        _max_numpy,
        _reduced,
        _per_entry(1),
        lambda dy, y, x, *, axes, keepdims: (
            where(apply(FIRST_MAX, x, axes=axes), _kept(dy, x, axes), 0.0),
        ),
        is_analytic=False,
    )
)


def max(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The largest entry over axes.  It gets the whole gradient; at a tie the first one does.

    First in the order of the entries row by row, as argmax counts. Without entries there is none:
    ShapeError, or DataError where it is the rows that are none.

    >>> rg.evaluate(rg.max([[3.0, 1.0], [2.0, 4.0]], axis=1))
    array([3., 4.])
    """
    node = _floating(x)
    require_flag("max", "keepdims", keepdims)
    axes = _axes("max", node, axis)
    if any(node.shape[a] == 0 for a in axes):
        raise ShapeError(f"max: there is no largest entry along an axis of size 0 in {node!r}")
    return apply(MAX, node, axes=axes, keepdims=keepdims) if axes else node


def min(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The smallest entry over axes.  It gets the whole gradient; at a tie the first one does.

    >>> rg.evaluate(rg.min([[3.0, 1.0], [2.0, 4.0]], axis=1))
    array([1., 2.])
    """
    return -max(-_floating(x), axis, keepdims=keepdims)


# logsumexp, softmax, log_softmax: one definition of the shift that keeps exp from overflowing


def _shift(x: Array, axes: tuple[int, ...]) -> Array:
    largest = np.maximum.reduce(x.real, axes, keepdims=True, initial=-np.inf)
    return largest if np.isfinite(largest).all() else np.where(np.isfinite(largest), largest, 0)


def _total(x: Array, axes: tuple[int, ...]) -> Array:
    return np.add.reduce(x, axes, keepdims=True)


def _logsumexp_numpy(
    x: Array, *, axes: tuple[int, ...], keepdims: bool, out: Array | None = None
) -> Array:
    shift = _shift(x, axes)
    e = np.subtract(x, shift)
    log_total = np.log(_total(np.exp(e, out=e), axes))
    if keepdims:
        return np.add(log_total, shift, out=out)
    return np.add(np.squeeze(log_total, axes), np.squeeze(shift, axes), out=out)


def _softmax_numpy(x: Array, *, axes: tuple[int, ...], out: Array | None = None) -> Array:
    e = np.subtract(x, _shift(x, axes), out=out)
    e = np.exp(e, out=out)
    return np.divide(e, _total(e, axes), out=out)


def _log_softmax_numpy(x: Array, *, axes: tuple[int, ...], out: Array | None = None) -> Array:
    shifted = np.subtract(x, _shift(x, axes), out=out)
    return np.subtract(shifted, np.log(_total(np.exp(shifted), axes)), out=out)


def _softmax_vjp(dy: Node, y: Node, x: Node, *, axes: tuple[int, ...]) -> tuple[Node]:
    # y = softmax(x)     dx = y (dy - sum(dy y))   [Bishop 2006, eq. 4.106]
    return (y * (dy - sum(dy * y, axes, keepdims=True)),)


def _log_softmax_vjp(dy: Node, y: Node, x: Node, *, axes: tuple[int, ...]) -> tuple[Node]:
    # y = x - logsumexp(x)     dx = dy - softmax(x) sum(dy)
    return (dy - exp(y) * sum(dy, axes, keepdims=True),)


LOGSUMEXP = define(
    Gate(
        "logsumexp",
        _logsumexp_numpy,
        _reduced,
        _per_entry(EXP_FLOPS + 3),
        # dx = dy exp(x - logsumexp(x)) = dy softmax(x)
        lambda dy, y, x, *, axes, keepdims: (_kept(dy, x, axes) * softmax(x, axes),),
    )
)

SOFTMAX = define(
    Gate(
        "softmax",
        _softmax_numpy,
        lambda x, *, axes: (x.shape, x.dtype),
        _per_entry(EXP_FLOPS + 4),
        _softmax_vjp,
    )
)

LOG_SOFTMAX = define(
    Gate(
        "log_softmax",
        _log_softmax_numpy,
        lambda x, *, axes: (x.shape, x.dtype),
        _per_entry(EXP_FLOPS + 4),
        _log_softmax_vjp,
    )
)


def as_normalised(gate: str, x: Like, axis: Axis) -> tuple[Node, tuple[int, ...]]:
    """The operand as floats, and the axes of at least one entry over which a gate relates it."""
    node = _floating(x)
    axes = _axes(gate, node, axis)
    if not axes or any(node.shape[a] == 0 for a in axes):
        raise ShapeError(f"{gate}: needs an axis of at least one entry, got {node!r}, axis {axis}")
    return node, axes


def along(gate: str, x: Like, axis: int) -> tuple[Node, int]:
    """The operand as floats, and the one axis, from 0, along which a gate works."""
    node = _floating(x)
    return node, axis_of(gate, axis, node.ndim)


def logsumexp(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """log(sum(e**x)) over axes (all by default), without overflow.  d/dx = softmax(x)

    Computed as m + log(sum(e**(x - m))) with m the largest entry: its error is a few units in the
    last place of m or of 1, whichever is larger   [Blanchard, Higham & Higham 2021].

    >>> round(rg.evaluate(rg.logsumexp([1e4, 1e4])), 4)
    10000.6931
    """
    require_flag("logsumexp", "keepdims", keepdims)
    node, axes = as_normalised("logsumexp", x, axis)
    return apply(LOGSUMEXP, node, axes=axes, keepdims=keepdims)


def softmax(x: Like, axis: Axis = -1) -> Node:
    """e**x / sum(e**x) over an axis (or several), without overflow.

    With y = softmax(x), dx = y (dy - sum(dy y))   [Bishop 2006, eq. 4.106]

    >>> rg.evaluate(rg.softmax([1.0, 2.0])).round(4)
    array([0.2689, 0.7311])
    """
    node, axes = as_normalised("softmax", x, axis)
    return apply(SOFTMAX, node, axes=axes)


def log_softmax(x: Like, axis: Axis = -1) -> Node:
    """log(softmax(x)) over an axis (or several), finite where softmax(x) would be 0.

    dx = dy - softmax(x) sum(dy)   [PyTorch: log_softmax]

    >>> rg.evaluate(rg.log_softmax([0.0, 1e4]))
    array([-10000.,      0.])
    """
    node, axes = as_normalised("log_softmax", x, axis)
    return apply(LOG_SOFTMAX, node, axes=axes)
