"""Gates that pick entries by integer index: take, its transpose scatter_add, and one_hot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.errors import DataError, DtypeError, ShapeError
from retrograd.gates.layout import axis_of
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
from retrograd.graph.shape import Shape, Size, as_size, size_of


def _indices(gate: str, value: Node | ArrayLike) -> Node:
    node = value if isinstance(value, Node) else None
    if node is None:
        array = np.asarray(value)
        if array.dtype.kind not in "iu" and array.size:
            raise DtypeError(f"{gate}: indices must be integers, got {array.dtype}")
        node = constant(array, dtype=np.int64)
    if node.dtype != np.int64:
        raise DtypeError(f"{gate}: indices must be int64, got {node!r}")
    return node


def _require_in_range(gate: str, indices: Array, size: int) -> None:
    bad = indices[(indices < -size) | (indices >= size)]
    if bad.size:
        raise DataError(f"{gate}: index {bad[0]} is out of range for an axis of size {size}")


def _take_numpy(x: Array, indices: Array, *, axis: int, out: Array | None = None) -> Array:
    _require_in_range("take", indices, x.shape[axis])
    # mode="raise" would make NumPy write a copy of `out` first.
    return np.take(x, indices, axis=axis, out=out, mode="wrap")


def _take_infer(x: Node, indices: Node, *, axis: int) -> tuple[Shape, np.dtype[Any]]:
    return (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype


def _scatter_add_numpy(
    dy: Array, indices: Array, *, axis: int, size: int, out: Array | None = None
) -> Array:
    shape = (*dy.shape[:axis], size, *dy.shape[axis + indices.ndim :])
    _require_in_range("scatter_add", indices, size)
    result = np.empty(shape, dy.dtype) if out is None else out
    result.fill(0)
    at: Any = (*[slice(None)] * axis, indices)
    np.add.at(result, at, dy)
    return result


def _scatter_infer(
    dy: Node, indices: Node, *, axis: int, size: Size
) -> tuple[Shape, np.dtype[Any]]:
    if dy.shape[axis : axis + indices.ndim] != indices.shape:
        raise ShapeError(f"from axis {axis} on, the values must have the indices' shape")
    return (*dy.shape[:axis], size, *dy.shape[axis + indices.ndim :]), dy.dtype


# y[i] = x[indices[i]]     dx[indices[i]] += dy[i]
TAKE = define(
    Gate(
        "take",
        _take_numpy,
        _take_infer,
        lambda *_, n_rows: 0,
        lambda dy, y, x, indices, *, axis: (
            apply(SCATTER_ADD, dy, indices, axis=axis, size=x.shape[axis]),
            None,
        ),
    )
)

SCATTER_ADD: Gate = define(
    Gate(
        "scatter_add",
        _scatter_add_numpy,
        _scatter_infer,
        lambda y, x, indices, n_rows: size_of(x.shape, n_rows),
        lambda dy, y, x, indices, *, axis, size: (
            apply(TAKE, dy, indices, axis=axis),
            None,
        ),
    )
)


def take(x: Like, indices: Node | ArrayLike, axis: int = 0) -> Node:
    """Entries of x by integer index along an axis.  An entry taken twice gets both gradients.

    `indices` are integers, from -size to size - 1: an array, or an int64 node. The result has their
    shape in place of the axis. An index out of range is a DataError when the graph runs.

    >>> rg.evaluate(rg.take([5.0, 6.0, 7.0], [2, 0, 2]))
    array([7., 5., 7.])
    """
    node = as_node(x)
    place = axis_of("take", axis, node.ndim)
    return apply(TAKE, node, _indices("take", indices), axis=place)


def scatter_add(x: Like, indices: Node | ArrayLike, size: Size, axis: int = 0) -> Node:
    """Zeros with `size` entries along an axis, to which x is added at the indices.

    The transpose of `take` [PyTorch: Tensor.index_add]: from `axis` on, x has the indices' shape,
    else ShapeError.

    >>> rg.evaluate(rg.scatter_add([1.0, 2.0, 4.0], [2, 0, 2], 3))
    array([2., 0., 5.])
    """
    node, where, length = as_node(x), _indices("scatter_add", indices), as_size(size, size)
    place = axis_of("scatter_add", axis, node.ndim - where.ndim + 1)  # of the result
    return apply(SCATTER_ADD, node, where, axis=place, size=length)


def _one_hot_numpy(
    indices: Array, *, depth: int, dtype: np.dtype[Any], out: Array | None = None
) -> Array:
    result = np.empty((*indices.shape, depth), dtype) if out is None else out
    np.equal(indices[..., None], np.arange(depth), out=result, casting="unsafe")
    return result


ONE_HOT = define(
    Gate(
        "one_hot",
        _one_hot_numpy,
        lambda indices, *, depth, dtype: ((*indices.shape, depth), dtype),
        lambda y, *_, n_rows: size_of(y.shape, n_rows),
        is_analytic=False,
    )
)


def one_hot(indices: Node | ArrayLike, depth: int, dtype: object = np.float64) -> Node:
    """Rows of zeros with a one at each index; a new last axis of size `depth`.

    An index outside 0 .. depth-1 gives a row of zeros   [JAX: nn.one_hot]. Without gradient.

    >>> rg.evaluate(rg.one_hot([2, 0], 3))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    size = as_size(depth, depth)
    node = _indices("one_hot", indices)
    return apply(ONE_HOT, node, depth=size, dtype=as_dtype(dtype))


OPERATORS["take"] = take
