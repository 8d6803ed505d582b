"""A user's data frame, or array of words and numbers, as a table: what `encode_columns` takes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from retrograd.errors import DataError, OptionError
from retrograd.estimators.border import plainly, require_collected, require_unmasked
from retrograd.files.table import Table

NUMBERS = ("float", "double", "int", "uint", "halffloat", "decimal")
"""How the names of the dtypes of numbers begin, in NumPy, pandas, polars and pyarrow."""

SINGLE = ("float32", "float")  # pyarrow's is "float", and its float64 "double"
TAKEN = (bool, np.bool_, Real, Decimal, str)
CATEGORIES = ("category", "categorical", "enum")


def as_frame(X: Any, owner: str) -> Any:
    """A data frame as it is, anything else as an array (n, n_columns); `owner`: the estimator.

    Raises DataError unless there are rows and columns, and OptionError for a sparse matrix.
    """
    require_unmasked(X, "X")
    require_collected(X, "X")
    if hasattr(X, "toarray"):
        raise OptionError("encode_columns=True takes a data frame or an array, got a sparse matrix")
    if not _is_frame(X):
        with plainly(name="X"):
            X = X if isinstance(X, np.ndarray) else np.asarray(X, getattr(X, "dtype", object))
        if X.dtype.names:
            raise DataError("X: is a structured array; give its fields as columns of a data frame")
        if X.ndim != 2:
            raise DataError(
                f"X: Expected 2D array, got {X.ndim}D array instead: encode_columns=True takes a "
                "data frame, or an array of rows and columns. Reshape your data, as by "
                "X.reshape(-1, 1)"
            )
    for size, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):
        if not size:
            raise DataError(
                f"Found array with 0 {what} (shape={tuple(X.shape)}) while a minimum of 1 is "
                f"required by {owner}."
            )
    names = _names(X)
    if len(set(names)) < len(names):
        raise DataError(f"X: Expected unique column names, got {names}")
    return X


def float_type(X: Any) -> np.dtype[Any]:
    """The float type of a frame: float32 where that is what all its numbers are, else float64."""
    columns = [column for _, column in columns_of(X)] if _is_frame(X) else [X]
    # pyarrow says type where others say dtype.
    dtypes = (str(getattr(column, "dtype", None) or column.type).lower() for column in columns)
    names = [name for name in dtypes if name.startswith(NUMBERS)]
    return np.dtype(np.float32 if names and set(names) <= set(SINGLE) else np.float64)


def table_of(X: Any, names: list[str]) -> Table:
    """The columns of a data frame or an array (n, n_columns) as a table, with these names.

    Raises DataError for a column that holds anything but numbers, words, booleans and categories.
    """
    pairs = zip(names, columns_of(X), strict=True)
    return Table.of({name: _entries(name, column) for name, (_, column) in pairs})


def columns_of(X: Any) -> Iterator[tuple[Any, Any]]:
    """The name and the entries of each column; the name in an array is its number."""
    if _is_frame(X):
        for name in _names(X):
            yield name, X[name]
    else:
        yield from enumerate(X.T)


def _is_frame(X: Any) -> bool:
    return hasattr(X, "shape") and (hasattr(X, "columns") or hasattr(X, "column_names"))


def _names(X: Any) -> list[Any]:
    names = getattr(X, "column_names", None)
    return list(getattr(X, "columns", ()) if names is None else names)


def _entries(name: str, column: Any) -> Any:
    """The entries of a column, None where missing; categories as words, whatever they are."""
    kind = str(getattr(column, "dtype", "")).lower()
    if hasattr(column, "isna"):  # pandas, whose own missing value cannot be compared
        values = column.astype(object).where(~column.isna(), None)
        entries = (values.map(str, na_action="ignore") if kind in CATEGORIES else values).tolist()
    else:
        array = np.asarray(column)
        if array.dtype.kind in "fiu":
            return array
        if array.dtype.kind in "mM":
            _refuse(name, str(array.dtype))
        entries = array.tolist()
    return [_entry(name, value) for value in entries]


def _entry(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if not isinstance(value, TAKEN):
        _refuse(name, type(value).__name__)
    if isinstance(value, np.bool_):
        return bool(value)
    try:
        return float(value)
    except OverflowError:
        raise DataError(
            f"X: column {name!r} has an integer beyond the largest float, about 1.8e308"
        ) from None


def _refuse(name: str, what: str) -> None:
    raise DataError(
        f"X: column {name!r} holds {what}; encode_columns=True takes numbers, words, booleans and "
        "categories: turn the column to one of them, such as numbers of days"
    )
