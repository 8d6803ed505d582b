"""What targets a loss takes: a user's Y, checked and brought to the form of its variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import Array, as_labels, as_matrix, as_numbers, cast, require_finite
from retrograd.errors import DataError
from retrograd.graph.shape import Shape, rows


@dataclass(frozen=True, eq=False)
class Target:
    """The targets of one data set, checked: the array, and the shape and dtype of its variable.

    `has_sides`: whether there are two classes whose first, 0 here, may be called -1.
    """

    array: Array
    shape: Shape
    dtype: np.dtype[Any]
    has_sides: bool = False


def number_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    """Finite numbers, (n, n_outputs); (n,) will do for one output."""
    array = as_matrix(Y, "Y", n_columns=n_outputs, dtype=dtype)
    return Target(array, (rows, n_outputs), array.dtype)


def binary_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike, *, loss: str) -> Target:
    """0, 1 or probabilities, one for each output."""
    target = number_target(Y, n_outputs, dtype)
    require_probabilities(target.array, loss)
    return target


def class_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike, *, loss: str) -> Target:
    """Integer labels (n,), or one-hot rows or probabilities (n, n_outputs)."""
    array = as_numbers(Y, "Y")
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        labels = as_labels(array, "Y", n_classes=n_outputs)
        return Target(labels, (rows,), labels.dtype)
    return distribution_target(array, n_outputs, dtype, loss=loss)


def distribution_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike, *, loss: str) -> Target:
    """Rows of probabilities that sum to 1."""
    target = binary_target(Y, n_outputs, dtype, loss=loss)
    off = np.abs(target.array.sum(axis=1) - 1.0)
    if off.max() > 1e-3:
        row = int(off.argmax())
        raise DataError(f"Y: row {row} sums to {target.array[row].sum():g}; probabilities sum to 1")
    return target


def label_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike, *, loss: str) -> Target:
    """Integer labels (n,), or one-hot rows, which become labels."""
    target = class_target(Y, n_outputs, dtype, loss=loss)
    if target.array.ndim == 1:
        return target
    require_entries(target.array, np.isin(target.array, (0, 1)), f"{loss} takes labels or one-hot")
    labels = target.array.argmax(axis=1)
    return Target(labels, (rows,), labels.dtype)


def side_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike, *, loss: str) -> Target:
    """Two classes: 0 and 1, or -1 and 1, which become 0 and 1."""
    target = number_target(Y, n_outputs, dtype)
    low = -1 if (target.array == -1).any() else 0
    require_entries(
        target.array, np.isin(target.array, (low, 1)), f"{loss} takes 0 and 1, or -1 and 1"
    )
    sides = (target.array > 0).astype(target.dtype)
    return Target(sides, target.shape, target.dtype, has_sides=True)


def any_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    """Targets of a loss in Python: any shape; integers stay integers, so that they can be indices.

    Y (n,) for one output becomes (n, 1), as for the named losses: output - y must not be (n, n).
    """
    array = as_numbers(Y, "Y")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"Y: expected one row for each example, got shape {array.shape}")
    if array.ndim == 1 and n_outputs == 1:
        return number_target(array, n_outputs, dtype)
    require_finite(array, "Y")
    array = array.astype(np.int64) if array.dtype.kind in "iu" else cast(array, "Y", dtype)
    return Target(array, (rows, *array.shape[1:]), array.dtype)


def require_probabilities(array: Array, loss: str) -> None:
    """Raise DataError naming the first entry that is not between 0 and 1."""
    is_right = (array >= 0) & (array <= 1)
    require_entries(array, is_right, f"{loss} takes numbers from 0 to 1")


def require_entries(array: Array, is_right: Array, what: str) -> None:
    """Raise DataError naming the first entry of Y that is wrong, and what would be right."""
    if not is_right.all():
        row, column = np.argwhere(~is_right)[0]
        raise DataError(f"Y: {array[row, column]:g} at row {row}, column {column}; {what}")
