"""A user's data at scikit-learn's checks: what those let through, or tell in NumPy's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, validate_data

from retrograd.arrays import Array, as_numbers, cast, is_finite, require_finite
from retrograd.errors import DataError, ShapeError

INPUTS = "csr"  # the sparse form that is taken as it is; others are brought to it

PLAIN = {  # words of NumPy and Python, and what they mean for the data
    "int too large to convert to float": "has an integer beyond the largest float, about 1.8e308",
    "too large to convert to C": "has integers beyond 2**63, which this NumPy cannot look up; "
    "give them another type, or use NumPy 2.1",
    "too large to convert": "has an integer beyond the largest float, about 1.8e308",
    "setting an array element with a sequence": "holds sequences where numbers should be, or rows "
    "of unequal length",
    "could not be promoted by": "mixes dates with numbers; turn dates to numbers first",
    "Cannot cast array data": "is a structured array; give its fields as columns of one dtype",
    "boolean value of NA is ambiguous": "has missing entries; remove or fill them first",
    "dtype argument must be a NumPy dtype": "is text of any width or a record array; give numbers, "
    "or words as y.astype(object)",
    "not supported between instances of": "holds labels of several types, which have no order; "
    "give all of them one type",
}


@contextmanager
def plainly(X: Any = None, *, name: str | None = None) -> Iterator[None]:
    """Errors of NumPy and Python that speak of arrays' insides become a DataError on X or y.

    `X`: where both are looked at; without it the error is y's, or that of what has this `name`.
    What scikit-learn says is left as it is.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        for raw, words in PLAIN.items():
            if raw in str(error):
                said = name or ("y" if _converts(X) else "X")
                raise DataError(f"{said}: {words}") from error
        raise


def checked(model: BaseEstimator, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """`validate_data` of scikit-learn, with numbers in X and no masked entries: X, or X and y."""
    require_unmasked(X, "X")
    require_collected(X, "X")
    require_unmasked(y, "y")
    require_sound(X, "X")
    require_sound(y, "y")
    # The checks add up the largest numbers, and cast what is beyond them.
    with plainly(X), np.errstate(over="ignore", invalid="ignore"):
        found = validate_data(model, X, y, accept_sparse=INPUTS, **options)
    if isinstance(found, tuple):
        require_numbers(found[0], "X")
        return found
    if found.dtype == object:  # as decimals of polars stay where no float type is asked for
        found = as_numbers(found, "X")
        require_finite(found, "X")
    require_numbers(found, "X")
    return found


def checked_weights(X: Any, sample_weight: Any, dtype: DTypeLike | None = None) -> Array:
    """The weights that a user gave of the rows of checked X, in its dtype or this one."""
    require_unmasked(sample_weight, "sample_weight")
    with plainly(name="sample_weight"):
        if np.asarray(sample_weight).dtype.kind in "mM":
            raise DataError("sample_weight: expected numbers, got dates")
        return np.asarray(
            _check_sample_weight(sample_weight, X, dtype=dtype or X.dtype, ensure_non_negative=True)
        )


def require_unmasked(value: Any, name: str) -> None:
    """Raise DataError for an array with masked entries: they would be read as if they were not."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(f"{name}: has masked entries; remove or fill them first")


def require_sound(value: Any, name: str) -> None:
    """Raise DataError for a sparse X of one dimension, and for a sparse matrix that is damaged.

    Its indices must not point beyond it: memory is read there.
    """
    form = getattr(value, "format", None) if hasattr(value, "toarray") else None
    if form is not None and name == "X" and len(value.shape) != 2:
        raise DataError(f"X: Expected 2D input, got input with shape {value.shape}")
    if form not in ("csr", "csc", "bsr", "coo", "lil"):
        return
    if form == "lil":
        value, form = value.tocsr(), "csr"
    shape = value.shape if len(value.shape) == 2 else (1, *value.shape)
    if form == "bsr":
        shape = tuple(size // of for size, of in zip(shape, value.blocksize, strict=True))
    if form == "coo":
        pairs = zip(value.coords, value.shape, strict=True)
        is_sound = all(len(x) == len(value.data) and _are_below(x, n) for x, n in pairs)
    else:
        ends, (n, width) = value.indptr, shape[::-1] if form == "csc" else shape
        last = min(len(value.indices), len(value.data))
        is_sound = len(ends) == n + 1 and bool(
            ends[0] == 0 and (ends[1:] >= ends[:-1]).all() and ends[-1] <= last
        )
        is_sound = is_sound and _are_below(value.indices[: ends[-1]], width)
    if not is_sound:
        raise DataError(
            f"{name}: is no sound sparse matrix: its indices do not fit its shape {value.shape}"
        )


def _are_below(indices: Array, n: int) -> bool:
    return not indices.size or bool(indices.min() >= 0 and indices.max() < n)


def require_dense(y: Any) -> None:
    """Raise DataError for a sparse matrix of targets that are numbers."""
    if hasattr(y, "toarray"):
        raise DataError(
            "y: Sparse data was passed for y, but dense data is required; give y.toarray()"
        )


def require_collected(value: Any, name: str) -> None:
    """Raise DataError for a query that has not been run, such as a LazyFrame of polars."""
    if hasattr(value, "collect") and not hasattr(value, "__len__"):
        raise DataError(f"{name}: is a query without rows yet; give {name}.collect()")


def require_numbers(array: Any, name: str) -> None:
    """Raise DataError for an array of dates, of text, of anything else."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected numbers, got {array.dtype}")


def require_finite_outputs(output: Array, what: str = "output") -> None:
    """Raise DataError for what a network gives for rows (n, ...) where it is infinite or NaN."""
    if not is_finite(output):
        by_row = output.reshape(len(output), -1)
        row = int(np.argmin(np.isfinite(by_row).all(axis=1)))
        raise DataError(
            f"the network's {what} for row {row} of X is {by_row[row][:4]}: the row, or coefs_ and "
            "intercepts_, hold numbers too large, or NaN"
        )


def require_lists(coefs: Any, intercepts: Any) -> None:
    """Raise DataError for weights that are no lists."""
    for name, values in (("coefs_", coefs), ("intercepts_", intercepts)):
        if not isinstance(values, list | tuple | np.ndarray):
            said = type(values).__name__
            raise DataError(f"{name}: expected a list of arrays, one for each layer, got {said}")


def dtype_in(weights: Sequence[Any]) -> np.dtype[Any]:
    """The float type of weights that a user assigned: float32 where all of them are, else float64.

    >>> dtype_in([np.ones(2, np.float32)]), dtype_in([[1, 2], np.ones(2, np.float32)])
    (dtype('float32'), dtype('float64'))
    """
    is_single = all(getattr(value, "dtype", None) == np.float32 for value in weights)
    return np.dtype(np.float32 if is_single else np.float64)


def weights_in(
    coefs: Sequence[Any], intercepts: Sequence[Any], dtype: np.dtype[Any]
) -> tuple[list[Array], list[Array]]:
    """Weights that a user may have assigned, as arrays of this dtype: themselves where they are.

    Raises DataError for what is no list of arrays, and ShapeError unless each layer takes what the
    one before it gives.
    """
    require_lists(coefs, intercepts)
    own = [
        [
            value
            if type(value) is np.ndarray and value.dtype == dtype
            else cast(as_numbers(value, name), name, dtype)
            for value in values
        ]
        for name, values in (("coefs_", coefs), ("intercepts_", intercepts))
    ]
    shapes = [[value.shape for value in values] for values in own]
    outs = [shape[-1:] for shape in shapes[0]]
    fit = all(len(shape) == 2 for shape in shapes[0]) and shapes[1] == outs
    if not (outs and fit and [shape[:1] for shape in shapes[0]][1:] == outs[:-1]):
        raise ShapeError(
            f"coefs_ have the shapes {shapes[0]} and intercepts_ {shapes[1]}; they must be (I, O) "
            "and (O,), and the O of a layer the I of the next"
        )
    return own[0], own[1]


def _converts(X: Any) -> bool:
    """Whether X itself becomes an array of numbers."""
    if hasattr(X, "toarray"):
        return True
    try:
        np.asarray(X, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
