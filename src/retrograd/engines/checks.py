"""What every engine checks before it runs: shapes, rows, orders and scalars, with one message each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrograd.errors import DataError, DtypeError, GraphError, ShapeError
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import Rows, Shape, show
from retrograd.graph.step import Step


def count_rows(nodes: Sequence[Node], values: Sequence[Array]) -> int:
    """The number of rows that the values of these nodes agree on; 1 where none has rows.

    Raises ShapeError when a value does not have its node's shape, or two disagree on the rows.
    """
    found: tuple[int, Node] | None = None
    for node, value in zip(nodes, values, strict=True):
        if not _fits(np.shape(value), node.shape):
            raise ShapeError(
                f"{node.name or node!r}: expected shape {show(node.shape)}, "
                f"got {show(np.shape(value))}"
            )
        for size, symbol in zip(np.shape(value), node.shape, strict=True):
            if not isinstance(symbol, Rows):
                continue
            if found and found[0] != size:
                raise ShapeError(
                    f"{found[1].name} has {found[0]} rows, {node.name} has {size}; "
                    "all must have the same number"
                )
            found = (size, node)
    return found[0] if found else 1


def _fits(shape: tuple[int, ...], symbolic: Shape) -> bool:
    return len(shape) == len(symbolic) and all(
        isinstance(b, Rows) or a == b for a, b in zip(shape, symbolic, strict=True)
    )


def checked_order(order: Array, size: int | None) -> Array:
    """The rows to run, (n,) int64; DataError unless each is one of `size` rows of data."""
    rows = np.asarray(order)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
        raise DataError(f"session: order is a row of integers, got {rows.dtype} {show(rows.shape)}")
    if size is not None and rows.size:
        low, high = rows.min(), rows.max()
        if low < 0 or high >= size:
            bad = low if low < 0 else high
            raise DataError(f"session: order names row {bad} of {size} rows")
    return np.ascontiguousarray(rows, np.int64)


def require_dtypes(inputs: Mapping[str, Node], data: Mapping[str, Array]) -> None:
    """Raise DtypeError unless the data have the dtypes of the steps' inputs."""
    for name, node in inputs.items():
        if data[name].dtype != node.dtype:
            raise DtypeError(
                f"session: data {name} is {data[name].dtype}, the step takes {node.dtype}"
            )


def found(kind: str, name: str, node: Node, given: Mapping[str, Array]) -> Array:
    """The array, or source of rows, given for a variable of a step, of its shape."""
    if name not in given:
        raise GraphError(f"session: {kind} {name} has no value")
    array = given[name] if hasattr(given[name], "take") else np.asarray(given[name])
    count_rows([node], [array])
    return array


def per_batch(
    step: Step, scalars: Mapping[str, float | Array], n_batches: int
) -> dict[str, Array]:
    """For each scalar of a step its numbers, (n_batches,), in its dtype."""
    missing = [name for name in step.scalars if name not in scalars]
    if missing:
        raise GraphError(f"session: scalars without a value: {', '.join(missing)}")
    arrays = {}
    for name, node in step.scalars.items():
        value = np.asarray(scalars[name], node.dtype)
        if value.shape not in ((), (n_batches,)):
            raise DataError(f"scalar {name}: expected 1 or {n_batches} numbers, got {value.shape}")
        arrays[name] = np.broadcast_to(value, n_batches)
    return arrays
