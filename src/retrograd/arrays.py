"""The border: the one place where a user's arrays are checked and cast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from retrograd.errors import DataError

Array = NDArray[Any]


def as_matrix(
    value: ArrayLike,
    name: str,
    *,
    n_columns: int | None = None,
    dtype: DTypeLike | None = None,
    min_rows: int = 1,
) -> Array:
    """A user's array as (n, n_columns) finite floats, one example per row; copied only to cast.

    float32 and float64 stay as they are unless `dtype` is given; integers become float64.
    Raises DataError for another number of dimensions or columns, no rows, NaN or infinity, text.
    """
    array = _as_floats(value, name, dtype)
    if array.ndim == 1 and n_columns == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(
            f"{name}: expected a matrix with one example per row, got shape {array.shape}"
            + ("; for a single feature use .reshape(-1, 1)" if array.ndim == 1 else "")
        )
    if array.shape[0] < min_rows:
        raise DataError(f"{name}: has {array.shape[0]} rows, needs at least {min_rows}")
    if n_columns is not None and array.shape[1] != n_columns:
        raise DataError(f"{name}: has {array.shape[1]} columns, expected {n_columns}")
    require_finite(array, name)
    return array


def as_labels(value: ArrayLike, name: str, *, n_classes: int) -> Array:
    """A user's integer labels, (n,) int64 from 0 to n_classes - 1.

    Raises DataError for a label out of range, or for floats that are not whole.
    """
    array = np.asarray(value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: expected integer labels of shape (n,), got {array.dtype} {array.shape}"
        )
    if array.size == 0:
        raise DataError(f"{name}: has 0 rows, needs at least 1")
    require_finite(array, name)
    labels = array.astype(np.int64)
    if array.dtype.kind == "f" and (labels != array).any():
        row = int(np.flatnonzero(labels != array)[0])
        raise DataError(f"{name}: labels must be whole numbers, row {row} has {array[row]}")
    bad = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if bad.size:
        raise DataError(
            f"{name}: row {bad[0]} has label {labels[bad[0]]}; "
            f"with {n_classes} outputs labels go from 0 to {n_classes - 1}"
        )
    return labels


def as_weights(value: ArrayLike, name: str, *, n_rows: int, dtype: DTypeLike) -> Array:
    """A user's sample weights: (n,) finite, none negative, not all zero."""
    array = _as_floats(value, name, dtype)
    if array.shape != (n_rows,):
        raise DataError(f"{name}: expected shape ({n_rows},), got {array.shape}")
    require_finite(array, name)
    if (array < 0).any():
        raise DataError(f"{name}: row {int(np.argmax(array < 0))} is negative")
    if not array.any():
        raise DataError(f"{name}: all weights are 0")
    return array


def require_same_rows(first: str, n_first: int, second: str, n_second: int) -> None:
    """Raise DataError unless two arrays have the same number of rows."""
    if n_first != n_second:
        raise DataError(f"{first} has {n_first} rows, {second} has {n_second}; they must match")


def require_finite(array: Array, name: str) -> None:
    """Raise DataError naming the first NaN or infinity."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return
    where = ", ".join(
        f"{axis} {index}" for axis, index in zip(("row", "column", "entry"), bad[0], strict=False)
    )
    raise DataError(
        f"{name}: {array[tuple(bad[0])]} at {where} ({len(bad)} such "
        f"{'entry' if len(bad) == 1 else 'entries'}); remove or fill them first"
    )


def _as_floats(value: ArrayLike, name: str, dtype: DTypeLike | None) -> Array:
    if type(value).__module__.startswith("scipy.sparse"):
        raise DataError(f"{name}: sparse matrices are not taken here; pass {name}.toarray()")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected numbers, got {array.dtype}")
    if dtype is not None:
        return array.astype(dtype, copy=False)
    if array.dtype == np.float32 or array.dtype == np.float64:
        return array
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
