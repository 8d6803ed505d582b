"""The border: the one place where a user's arrays and numbers are checked and cast."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from retrograd.errors import DataError, OptionError

Array = NDArray[Any]

MOST_ROWS, MOST_BYTES = 4096, 2**25  # of a piece of data that is looked at at once
READY_SIZE = 4096  # entries that are looked through faster than it takes to ask for more
SHORT = 10_000  # entries that BLAS multiplies on one thread
LOOK = 1 << 15  # entries of a long run that are looked at at once: their answers stay in the cache


class SparseRows:
    """A sparse matrix as a source of rows: a batch of them is expanded when it is taken.

    It stands where an engine takes an array of data. `matrix`: (n, n_columns), from SciPy.

    >>> from scipy.sparse import csr_array
    >>> rows = SparseRows(csr_array([[0.0, 2.0], [3.0, 0.0]]))
    >>> rows.take(np.array([1]))
    array([[3., 0.]])
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: np.dtype[Any] = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def take(
        self, indices: Array, axis: int = 0, out: Array | None = None, mode: str = "raise"
    ) -> Array:
        """The rows of these numbers, dense, as `numpy.take` along axis 0."""
        return np.asarray(self.matrix[indices].toarray(out=out))


def rows_at_once(X: Any) -> int:
    """How many rows of data are looked at in one piece, so that memory does not grow with them.

    4096; fewer of a sparse matrix so wide that they would take more than 32 MB when expanded.

    >>> rows_at_once(np.zeros((9, 2)))
    4096
    """
    if isinstance(X, np.ndarray):
        return MOST_ROWS
    return max(1, min(MOST_ROWS, MOST_BYTES // max(X.shape[1] * X.dtype.itemsize, 1)))


def as_matrix(
    value: ArrayLike,
    name: str,
    *,
    n_columns: int | None = None,
    dtype: DTypeLike | None = None,
    min_rows: int = 1,
    check_finite: bool = True,
) -> Array:
    """A user's array as (n, n_columns) finite floats, one example per row; copied only to cast.

    float32 and float64 stay as they are unless `dtype` is given; integers become float64. With one
    column, (n,) will do.
    Raises DataError for another number of dimensions or columns, no rows, NaN or infinity, text.
    `check_finite`: False where NaN and infinity are looked for elsewhere.
    """
    array = _as_floats(value, name, dtype)
    if array.ndim == 1 and n_columns == 1:
        array = array[:, None]
    if array.ndim != 2:
        columns = "columns" if n_columns is None else n_columns
        raise DataError(
            f"{name}: expected shape (n, {columns}), one example per row, got shape {array.shape}"
        )
    if array.shape[0] < min_rows:
        raise DataError(f"{name}: has {array.shape[0]} rows, needs at least {min_rows}")
    if n_columns is not None and array.shape[1] != n_columns:
        raise DataError(f"{name}: has {array.shape[1]} columns, expected {n_columns}")
    if check_finite:
        require_finite(array, name)
    return array


def is_finite(array: Array) -> bool:
    """Whether every entry is a finite number, told as fast as memory is read where rows are close.

    A small array that has gaps is copied: that is faster than looking at it as it is.

    >>> is_finite(np.array([1.0, 1e200])), is_finite(np.array([1.0, np.nan]))
    (True, False)
    """
    is_run = array.dtype.kind == "f" and (array.flags.forc or array.size <= READY_SIZE)
    if is_run and is_run_finite(array if array.ndim == 1 else array.ravel("K")):
        return True
    return bool(np.isfinite(array).all())  # squares may be infinite where no entry is


def is_run_finite(run: Array) -> bool:
    """Whether every entry of a run of floats (n,) without gaps is finite; seldom no where it is.

    A short one is multiplied by itself: one look, and no array of answers. With a long one BLAS
    would wake threads, which then wait for more in a processor that the engine has work for.
    """
    if run.size <= SHORT:
        return math.isfinite(np.vdot(run, run))
    return all(np.isfinite(run[i : i + LOOK]).all() for i in range(0, run.size, LOOK))


def as_labels(value: ArrayLike, name: str, *, n_classes: int) -> Array:
    """A user's integer labels, (n,) int64 from 0 to n_classes - 1.

    Raises DataError for a label out of range, or for floats that are not whole.
    """
    array = as_numbers(value, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{name}: expected integer labels of shape (n,), got shape {array.shape}")
    if array.size == 0:
        raise DataError(f"{name}: has 0 rows, needs at least 1")
    require_finite(array, name)
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        row = int(np.argmax(array != np.rint(array)))
        raise DataError(f"{name}: labels must be whole numbers, row {row} has {array[row]}")
    bad = np.flatnonzero((array < 0) | (array >= n_classes))
    if bad.size:
        raise DataError(
            f"{name}: row {bad[0]} has label {array[bad[0]]}; "
            f"with {n_classes} outputs labels go from 0 to {n_classes - 1}"
        )
    return array.astype(np.int64)


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
    if is_finite(array):
        return
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return
    if not array.ndim:
        raise DataError(f"{name}: is {array}, not a finite number")
    where = ", ".join(
        f"{axis} {index}" for axis, index in zip(("row", "column", "entry"), bad[0], strict=False)
    )
    raise DataError(
        f"{name}: {array[tuple(bad[0])]} at {where} ({len(bad)} such "
        f"{'entry' if len(bad) == 1 else 'entries'}); remove or fill them first"
    )


def as_numbers(value: ArrayLike, name: str) -> Array:
    """A user's array of real numbers in the dtype it has: bool, integer or float; never copied.

    Raises DataError for text, complex numbers, masked entries, lists of unequal length, and sparse
    matrices.
    """
    if type(value).__module__.startswith("scipy.sparse"):
        raise DataError(f"{name}: sparse matrices are not taken here; pass {name}.toarray()")
    if "numpy.ma" in sys.modules and np.ma.is_masked(value):  # to import it takes 10 ms
        raise DataError(f"{name}: has masked entries; remove or fill them first")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{name}: not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected real numbers, got {array.dtype}")
    return array


def _as_floats(value: ArrayLike, name: str, dtype: DTypeLike | None) -> Array:
    array = as_numbers(value, name)
    if dtype is not None:
        return cast(array, name, dtype)
    if array.dtype == np.float32 or array.dtype == np.float64:
        return array
    return cast(array, name, np.float32 if array.dtype == np.float16 else np.float64)


def cast(array: Array, name: str, dtype: DTypeLike) -> Array:
    """The array in a float dtype, itself if it has it; DataError where a number is too large."""
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype, copy=False)
    except FloatingPointError:
        raise DataError(
            f"{name}: has a number too large for {np.dtype(dtype)}, "
            f"whose largest is {np.finfo(np.dtype(dtype)).max:.3g}"
        ) from None


def require_number(
    owner: str,
    name: str,
    value: object,
    *,
    low: float = 0.0,
    high: float = math.inf,
    open_low: bool = False,
    closed_high: bool = False,
) -> None:
    """Raise OptionError unless a number is in [low, high), or between them as the flags say.

    `open_low`: low itself is not in. `closed_high`: high itself is.

    >>> require_number("SGD", "dampening", 1.0, high=1.0, closed_high=True)
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        is_end = (open_low and value == low) or (not closed_high and value == high)
        if low <= value <= high and not is_end and is_float(value):
            return
    left, right = "(" if open_low else "[", "]" if closed_high else ")"
    raise OptionError(f"{owner}: {name} must be in {left}{low:g}, {high:g}{right}, got {value!r}")


def is_float(value: int | float | np.integer[Any] | np.floating[Any]) -> bool:
    """Whether a number fits a float64; Python's integers have no bound."""
    try:
        float(value)
    except OverflowError:
        return False
    return True


def require_several(owner: str, name: str, value: object, what: str) -> tuple[Any, ...]:
    """The entries of a list, tuple or array; OptionError for a text, a number, or what is no list.

    `what`: which list is meant, as in "a list of steps such as [100, 200]".

    >>> require_several("MultiStep", "steps", [10, 15], "a list of steps")
    (10, 15)
    """
    if isinstance(value, np.ndarray) and value.ndim:
        return tuple(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(value)
    raise OptionError(f"{owner}: {name} is {what}, got {value!r}")


def require_flag(owner: str, name: str, value: object) -> None:
    """Raise OptionError unless a choice is True or False."""
    if not isinstance(value, bool):
        raise OptionError(f"{owner}: {name} must be True or False, got {value!r}")


def require_integer(owner: str, name: str, value: object, *, low: int = 1) -> int:
    """The value as an int; OptionError unless it is an integer of at least `low`.

    >>> require_integer("train", "epochs", 5)
    5
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= low:
        return int(value)
    raise OptionError(f"{owner}: {name} must be an integer of at least {low}, got {value!r}")
