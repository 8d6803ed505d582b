"""Arrays by name, as a user gives them for named inputs and heads: told apart, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import Array, as_matrix, as_numbers, require_same_rows
from retrograd.errors import DataError, unknown_name

Named = ArrayLike | Mapping[str, ArrayLike]
"""An array, or one for each name: a dict, or a data frame with these columns."""


def by_name(value: Any) -> dict[str, Any] | None:
    """The arrays of a dict or a data frame by name; None for anything else.

    >>> by_name({"age": [31, 45]}), by_name([31, 45])
    ({'age': [31, 45]}, None)
    """
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "columns") and hasattr(value, "__getitem__"):
        return {name: value[name] for name in value.columns}
    return None


def require_names(what: str, given: Iterable[object], names: Iterable[str], kind: str) -> None:
    """Raise an error that tells the first name that is not known, or all that are missing."""
    known, found = list(names), list(given)
    for name in found:
        if name not in known:
            raise DataError(f"{what}: {unknown_name(kind, name, known)}")
    missing = [name for name in known if name not in found]
    if missing:
        raise DataError(
            f"{what}: nothing is given for the {kind}{'s' * (len(missing) > 1)} "
            f"{' and '.join(map(repr, missing))}; it has {', '.join(map(str, found)) or 'no names'}"
        )


def as_x(
    value: Any,
    inputs: Mapping[str, int],
    n_columns: int,
    *,
    dtype: DTypeLike | None = None,
    min_rows: int = 1,
    check_finite: bool = True,
) -> Array:
    """A user's X as (n, n_columns) finite floats: the columns of all inputs side by side.

    `inputs`: the columns of each by name. Where there are none, X is one array, for which see
    `arrays.as_matrix`. In the widest float type among the arrays, unless `dtype` is given; integers
    follow it, and are float64 where there is no other.
    Raises DataError for names that are not known or missing, and arrays of unequal length.
    """
    parts = by_name(value) if inputs or isinstance(value, Mapping) else None
    if parts is None:
        return as_matrix(
            value,
            "X",
            n_columns=n_columns,
            dtype=dtype,
            min_rows=min_rows,
            check_finite=check_finite,
        )
    if not inputs:
        raise DataError(
            f"X: is a dict, but the network takes one array of {n_columns} columns; for inputs "
            "with names let rg.Inputs be its first layer"
        )
    require_names("X", parts, inputs, "input")
    given = {name: as_numbers(parts[name], f"X[{name!r}]") for name in inputs}
    options: dict[str, Any] = {"min_rows": min_rows, "check_finite": check_finite}
    options["dtype"] = widest(x.dtype for x in given.values()) if dtype is None else dtype
    found = {
        name: as_matrix(given[name], f"X[{name!r}]", n_columns=n, **options)
        for name, n in inputs.items()
    }
    (first, x), *others = found.items()
    for name, other in others:
        require_same_rows(f"X[{first!r}]", len(x), f"X[{name!r}]", len(other))
    return np.concatenate([*found.values()], axis=1)


def widest(dtypes: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    """The dtype of arrays put side by side: the widest float among them, float64 without any.

    >>> widest(map(np.dtype, ("float32", "int64"))), widest([np.dtype(bool)])
    (dtype('float32'), dtype('float64'))
    """
    floats = [np.promote_types(dtype, np.float32) for dtype in dtypes if dtype.kind == "f"]
    return np.result_type(*floats) if floats else np.dtype(np.float64)
