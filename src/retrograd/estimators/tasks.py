"""The targets of a y with names: its columns, what kind of target each is, and their checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError, require_known
from retrograd.estimators.border import require_sound, require_unmasked
from retrograd.estimators.losses import LOG_LOSS, OF_CLASSES, OF_NUMBERS, name_of

CLASSIFICATION, REGRESSION = "classification", "regression"
KINDS = (CLASSIFICATION, REGRESSION)
ALONE = "y"  # the name of the one target of a y without names
MOST_WHOLE_LABELS = 20  # so many different whole numbers are labels, as `retrograd train` has it


@dataclass(frozen=True, eq=False)
class Truth:
    """The targets of each head as its scores compare them."""

    parts: Mapping[str, Any]

    def __getitem__(self, rows: Array) -> Truth:
        return Truth({name: part[rows] for name, part in self.parts.items()})


@contextmanager
def of_target(name: str, *, is_named: bool) -> Iterator[None]:
    """Errors say of which target, where targets have names."""
    try:
        yield
    except ValueError as error:
        if not is_named:
            raise
        is_option = isinstance(error, OptionError | InvalidParameterError)
        raise (OptionError if is_option else DataError)(f"target {name!r}: {error}") from error


@contextmanager
def of_column(name: str, *, is_named: bool) -> Iterator[None]:
    """The errors of this module say of which target, or that they are y's."""
    try:
        yield
    except DataError as error:
        said = f"target {name!r}" if is_named else ALONE
        raise DataError(f"{said}: {error}") from None


def columns_of(y: Any) -> dict[str, Any] | None:
    """The columns of a dict, a data frame or a structured array by name; None for anything else.

    Raises DataError for names that are not words, and for two that are the same.

    >>> columns_of({"price": [1.5, 2.0]}), columns_of([1.5, 2.0])
    ({'price': [1.5, 2.0]}, None)
    """
    if isinstance(y, Mapping):
        names: Any = [*y]
    elif isinstance(y, np.ndarray):
        names = y.dtype.names
    else:
        names = getattr(y, "column_names", getattr(y, "columns", None))  # the first are pyarrow's
    if names is None:
        return None
    found = {name: y[name] for name in names}
    if not found or not all(isinstance(name, str) and name for name in found):
        raise DataError(f"y: the targets need words as names, got {[*found]}")
    if len(found) < len(names):
        raise DataError(f"y: two of its columns have one name, among {[*names]}")
    return found


def values_of(value: Any) -> Any:
    """One target's column as an array (n,) or (n, k), whose dtype says what it holds.

    Missing entries stay what they were. Raises DataError for what is no column.
    """
    if hasattr(value, "toarray"):  # sparse indicators of labels
        require_sound(value, ALONE)
        return value
    require_unmasked(value, ALONE)
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError("holds sequences where entries should be, or unequal ones") from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or array.dtype.kind == "V":
        raise DataError(f"expected a column, (n,) or (n, k), got {array.dtype} {array.shape}")
    if array.dtype.kind in "mM":
        raise DataError(f"holds dates ({array.dtype}); turn them to numbers first")
    if array.dtype != object:
        return array
    entries = array.ravel().tolist()
    if all(isinstance(entry, Real | np.bool_) for entry in entries):
        return np.array(entries).reshape(array.shape)
    return array


def require_complete(array: Any) -> None:
    """Raise DataError for a column with missing entries, which says how to go on."""
    if hasattr(array, "toarray") or array.dtype.kind not in "fO":
        return
    is_missing = np.isnan(array) if array.dtype.kind == "f" else np.vectorize(_is_missing)(array)
    if not is_missing.any():
        return
    rows = np.flatnonzero(is_missing.reshape(len(array), -1).any(axis=1))
    raise DataError(
        f"contains NaN or None: it is missing in {len(rows)} of {len(array)} rows, first in row "
        f"{rows[0]}; leave these rows out, or give them the weight 0 in this target by a dict as "
        "sample_weight, and any value that others have"
    )


def require_counting(weights: Mapping[str, Array], what: str) -> None:
    """Raise DataError where all rows have the weight 0 in a target, which has no score then.

    `weights`: by target; "" is that of one output.
    """
    for name, w in weights.items():
        if not w.any():
            said, in_it = (f"target {name!r}: ", " in it") if name else ("", "")
            message = f"all {len(w)} {what} have the weight 0{in_it}; give more of them"
            raise DataError(said + message)


def kind_of(value: Any, array: Any, loss: Any = None) -> str:
    """What a column is a target of: as its loss says, else as its values do.

    Words, booleans and categories are labels, floats are numbers. Whole numbers are labels where
    there are at most 20 different ones; with more they could be either, which is a DataError.

    >>> kind_of(None, np.array(["a", "b"])), kind_of(None, np.array([0.0, 1.0]))
    ('classification', 'regression')
    """
    from sklearn.utils.multiclass import type_of_target

    found = _kind_by(loss)
    if found is not None:
        return found
    if hasattr(array, "toarray") or "categor" in str(getattr(value, "dtype", "")).lower():
        return CLASSIFICATION
    if array.dtype.kind in "fc":
        return REGRESSION
    if array.dtype.kind not in "iu":
        return CLASSIFICATION
    if array.ndim == 2 and not type_of_target(array).startswith("multilabel"):
        raise DataError(
            f"holds {array.shape[1]} columns of whole numbers, which could be labels or numbers; "
            "give labels as columns with names of their own, numbers as floats"
        )
    n = len(np.unique(array))
    if n > MOST_WHOLE_LABELS:
        raise DataError(
            f"holds {n} different whole numbers, which could be labels or numbers; say which by "
            f"the parameter targets, {REGRESSION!r} or {CLASSIFICATION!r}"
        )
    return CLASSIFICATION


def chosen_kind(choice: Any, loss: Any) -> str:
    """The kind that a user chose for a target; OptionError where its loss is one of the other."""
    found = require_known("kind of target", choice, KINDS)
    own = _kind_by(loss)
    if own not in (None, found):
        raise OptionError(
            f"`targets` says that it is one of {found}, its loss {name_of(loss)!r} is for {own}"
        )
    return found


def _kind_by(loss: Any) -> str | None:
    """The kind of target that a loss is for, if it is for one only."""
    name = name_of(loss)
    is_of_classes = name in (LOG_LOSS, "cross_entropy", *OF_CLASSES)
    if is_of_classes == (name in OF_NUMBERS):  # of both, or of what it is not known
        return None
    return CLASSIFICATION if is_of_classes else REGRESSION


def _is_missing(entry: Any) -> bool:
    from sklearn.utils._missing import is_pandas_na

    return bool(entry is None or is_pandas_na(entry) or entry != entry)
