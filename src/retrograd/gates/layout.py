"""Gates that only rearrange entries, at no flops: reshape, transpose, slice, concatenate, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from retrograd.arrays import require_several
from retrograd.errors import OptionError, ShapeError
from retrograd.graph.node import (
    OPERATORS,
    Array,
    Gate,
    Like,
    Node,
    apply,
    as_dtype,
    as_node,
    constant,
    define,
)
from retrograd.graph.shape import (
    Rows,
    Shape,
    Size,
    as_axis,
    as_shape,
    as_size,
    broadcast,
    entries_of,
    known,
    rows,
    show,
)


def _free(*_: Node, n_rows: int) -> int:
    return 0


# reshape


def _around_rows(shape: Shape) -> list[int]:
    """The numbers of entries before, between and after `rows`, which no reshape may change."""
    products = [1]
    for size in shape:
        if isinstance(size, Rows):
            products.append(1)
        else:
            products[-1] *= size
    return products


def _reshape_infer(x: Node, *, shape: Shape) -> tuple[Shape, np.dtype[Any]]:
    if _around_rows(x.shape) != _around_rows(shape):
        raise ShapeError(f"{show(x.shape)} cannot become {show(shape)}: the sizes differ")
    return shape, x.dtype


RESHAPE = define(
    Gate(
        "reshape",
        lambda x, *, shape, out=None: x.reshape(shape),
        _reshape_infer,
        _free,
        lambda dy, y, x, *, shape: (reshape(dy, x.shape),),
        is_view=True,
    )
)


def reshape(x: Like, shape: object) -> Node:
    """The same entries in another shape; one size may be -1.  Its gradient is reshaped back.

    `rows` keeps its place: the numbers of entries before and after it stay the same. Sizes that do
    not fit raise ShapeError.

    >>> rg.evaluate(rg.reshape([[1.0, 2.0], [3.0, 4.0]], -1))
    array([1., 2., 3., 4.])
    """
    node = as_node(x)
    wanted = list(entries_of(shape))
    unknown = [
        axis
        for axis, size in enumerate(wanted)
        if isinstance(size, int | np.integer) and size == -1
    ]
    if len(unknown) > 1:
        raise ShapeError(f"reshape: only one size can be -1, got {shape!r}")
    for axis in unknown:
        others = [as_size(size, shape) for size in wanted[:axis] + wanted[axis + 1 :]]
        wanted[axis] = _missing_size(node, others)
    result = as_shape(wanted)
    return node if result == node.shape else apply(RESHAPE, node, shape=result)


def _missing_size(node: Node, others: list[Any]) -> int | Rows:
    if rows in node.shape and rows not in others:
        return rows
    known = math.prod(size for size in others if not isinstance(size, Rows))
    total = math.prod(size for size in node.shape if not isinstance(size, Rows))
    if known <= 0 or total % known:
        raise ShapeError(f"reshape: {show(node.shape)} cannot be cut into {others} and one more")
    return total // known


# transpose


TRANSPOSE = define(
    Gate(
        "transpose",
        lambda x, *, axes, out=None: x.transpose(axes),
        lambda x, *, axes: (tuple(x.shape[axis] for axis in axes), x.dtype),
        _free,
        lambda dy, y, x, *, axes: (transpose(dy, [axes.index(axis) for axis in range(len(axes))]),),
        is_view=True,
    )
)


def transpose(x: Like, axes: Sequence[int] | None = None) -> Node:
    """The axes in another order, reversed by default.  Its gradient is transposed back.

    Axes that do not name each one once raise ShapeError.

    >>> rg.evaluate(rg.transpose([[1.0, 2.0, 3.0]]))
    array([[1.],
           [2.],
           [3.]])
    """
    node = as_node(x)
    given = tuple(range(node.ndim)[::-1])
    if axes is not None:
        given = require_several("transpose", "axes", axes, "a list of axes, (1, 0)")
    try:
        order = tuple(as_axis(axis, node.ndim) for axis in given)
    except ShapeError:
        order = ()
    if sorted(order) != list(range(node.ndim)):
        raise ShapeError(f"transpose: axes {given} do not name each of {node.ndim} axes once")
    return node if order == tuple(range(node.ndim)) else apply(TRANSPOSE, node, axes=order)


def swap_last(x: Node) -> Node:
    """The last two axes exchanged: the transpose of a matrix, or of each in a stack."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


# broadcast


def _broadcast_infer(x: Node, *, shape: Shape) -> tuple[Shape, np.dtype[Any]]:
    if broadcast(x.shape, shape) != shape:
        raise ShapeError(f"{show(x.shape)} cannot be broadcast to {show(shape)}")
    return shape, x.dtype


BROADCAST_TO = define(
    Gate(
        "broadcast_to",
        lambda x, *, shape, out=None: np.broadcast_to(x, shape),
        _broadcast_infer,
        _free,
        lambda dy, y, x, *, shape: (dy,),
        is_view=True,
    )
)


def broadcast_to(x: Like, shape: object) -> Node:
    """x repeated to a shape, as NumPy broadcasts it.  Its gradient is summed over the repetitions.

    >>> rg.evaluate(rg.broadcast_to([1.0, 2.0], (2, 2)))
    array([[1., 2.],
           [1., 2.]])
    """
    node, wanted = as_node(x), as_shape(shape)
    return node if node.shape == wanted else apply(BROADCAST_TO, node, shape=wanted)


def zeros(shape: object, dtype: object = np.float64) -> Node:
    """Zeros of a shape, which may have `rows`.

    >>> rg.evaluate(rg.zeros((2, 3)))
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    return broadcast_to(constant(0.0, dtype=as_dtype(dtype)), shape)


# slice, and its transpose: put the slice back among zeros


def _slice_infer(
    x: Node, *, axis: int, start: int, stop: int, step: int
) -> tuple[Shape, np.dtype[Any]]:
    size = len(range(start, stop, step))
    return (*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype


def _at(axis: int, start: int, stop: int, step: int) -> tuple[slice, ...]:
    end = None if stop < 0 else stop
    return (*[slice(None)] * axis, slice(start, end, step))


def _unslice_numpy(
    x: Array, *, axis: int, start: int, stop: int, step: int, size: int, out: Array | None = None
) -> Array:
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    result = np.empty(shape, x.dtype) if out is None else out
    result.fill(0)
    result[_at(axis, start, stop, step)] = x
    return result


def _unslice_infer(
    x: Node, *, axis: int, start: int, stop: int, step: int, size: int
) -> tuple[Shape, np.dtype[Any]]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype


def _slice_vjp(
    dy: Node, y: Node, x: Node, *, axis: int, start: int, stop: int, step: int
) -> tuple[Node]:
    size = x.shape[axis]
    return (apply(UNSLICE, dy, axis=axis, start=start, stop=stop, step=step, size=size),)


SLICE = define(
    Gate(
        "slice",
        lambda x, *, axis, start, stop, step, out=None: x[_at(axis, start, stop, step)],
        _slice_infer,
        _free,
        _slice_vjp,
        is_view=True,
    )
)

UNSLICE: Gate = define(
    Gate(
        "unslice",
        _unslice_numpy,
        _unslice_infer,
        _free,
        lambda dy, y, x, *, axis, start, stop, step, size: (_slice(dy, axis, start, stop, step),),
    )
)


def _slice(x: Node, axis: int, start: int, stop: int, step: int) -> Node:
    if not range(
        start, stop, step
    ):  # a start of -1 for "before the first" would be read as the last
        start, stop, step = 0, 0, 1
    return apply(SLICE, x, axis=axis, start=start, stop=stop, step=step)


def getitem(x: Node, index: Any) -> Node:
    """Basic indexing, `x[1]`, `x[:, ::2]`, `x[..., None]`; an integer array picks along axis 0.

    The axis of `rows` can only be taken whole, `:`.

    >>> rg.evaluate(rg.constant([[1.0, 2.0], [3.0, 4.0]])[:, 1])
    array([2., 4.])
    """
    entries = list(index) if isinstance(index, tuple) else [index]
    if len(entries) == 1 and isinstance(entries[0], Node | list | np.ndarray):
        return OPERATORS["take"](x, entries[0], 0)
    result, axis = x, 0
    shape: list[Size] = []
    for entry in _without_ellipsis(entries, x.ndim):
        if entry is None:
            shape.append(1)
            continue
        result, keep = _index_axis(result, axis, entry)
        if keep:
            shape.append(result.shape[axis])
        axis += 1
    return reshape(result, [*shape, *result.shape[axis:]])


def _without_ellipsis(entries: list[Any], ndim: int) -> list[Any]:
    used = sum(entry is not None and not isinstance(entry, EllipsisType) for entry in entries)
    if used > ndim:
        raise ShapeError(f"index: {used} indices for {ndim} dimensions")
    at = [i for i, entry in enumerate(entries) if isinstance(entry, EllipsisType)]
    if not at:
        return entries
    if len(at) > 1:
        raise ShapeError("index: only one ellipsis (...) is possible")
    return [*entries[: at[0]], *[slice(None)] * (ndim - used), *entries[at[0] + 1 :]]


def _index_axis(x: Node, axis: int, entry: Any) -> tuple[Node, bool]:
    size = x.shape[axis]
    if isinstance(entry, slice):
        if entry == slice(None):
            return x, True
        if isinstance(size, Rows):
            raise ShapeError("index: rows can only be taken whole, `:`; use rg.take for some")
        start, stop, step = entry.indices(size)
        return _slice(x, axis, start, stop, step), True
    if not isinstance(entry, int | np.integer) or isinstance(entry, bool):
        raise OptionError(
            f"index: {entry!r} is not an integer, a slice, None or `...`; "
            "for an array of indices along one axis use rg.take"
        )
    number = int(entry)
    if isinstance(size, Rows):
        raise ShapeError("index: one row cannot be taken by number; use rg.take")
    if not -size <= number < size:
        raise ShapeError(f"index: {number} is out of range for axis {axis} of size {size}")
    number %= size
    return _slice(x, axis, number, number + 1, 1), False


# concatenate


def _concatenate_infer(*nodes: Node, axis: int) -> tuple[Shape, np.dtype[Any]]:
    first = nodes[0]
    for node in nodes[1:]:
        if node.ndim != first.ndim or any(
            a != b
            for i, (a, b) in enumerate(zip(first.shape, node.shape, strict=True))
            if i != axis
        ):
            raise ShapeError(f"sizes may differ only along axis {axis}")
    if any(isinstance(node.shape[axis], Rows) for node in nodes):
        raise ShapeError(f"axis {axis} has size `rows`; rows cannot be joined")
    joined = sum(known(node.shape[axis]) for node in nodes)
    return (*first.shape[:axis], joined, *first.shape[axis + 1 :]), first.dtype


def _concatenate_vjp(dy: Node, y: Node, *nodes: Node, axis: int) -> tuple[Node, ...]:
    pieces, start = [], 0
    for node in nodes:
        size = known(node.shape[axis])
        pieces.append(_slice(dy, axis, start, start + size, 1))
        start += size
    return tuple(pieces)


CONCATENATE = define(
    Gate(
        "concatenate",
        lambda *arrays, axis, out=None: np.concatenate(arrays, axis, out=out),
        _concatenate_infer,
        _free,
        _concatenate_vjp,
        promotes=True,
    )
)


def concatenate(nodes: Sequence[Like], axis: int = 0) -> Node:
    """The nodes joined along an axis.  Each gets its own part of the gradient.

    Other sizes that differ, or an axis of `rows`, raise ShapeError.

    >>> rg.evaluate(rg.concatenate([[1.0], [2.0, 3.0]]))
    array([1., 2., 3.])
    """
    parts = [as_node(x) for x in require_several("concatenate", "nodes", nodes, "a list of nodes")]
    if not parts:
        raise ShapeError("concatenate: there is nothing to join")
    return apply(CONCATENATE, *parts, axis=axis_of("concatenate", axis, parts[0].ndim))


def axis_of(gate: str, axis: object, ndim: int) -> int:
    """One axis of a gate, from 0; ShapeError that names the gate for one that is not there."""
    try:
        return as_axis(axis, ndim)
    except ShapeError as error:
        raise ShapeError(f"{gate}: {error}") from None


OPERATORS |= {"transpose": transpose, "getitem": getitem}
