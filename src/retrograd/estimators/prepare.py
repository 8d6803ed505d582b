"""A user's rows as the network of a model takes them: checked, encoded, weighed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_y, check_is_fitted, validate_data

from retrograd.arrays import Array, SparseRows
from retrograd.estimators import inputs, options
from retrograd.estimators.border import checked, plainly
from retrograd.nn.losses import Target
from retrograd.nn.losses import Targets as ByHead
from retrograd.training.rows import Rows

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


NONE: Mapping[str, Array] = {}  # weights, where no row has any


@dataclass(frozen=True, eq=False)
class Targets:
    """Checked targets: as the network takes them, as scores compare them, and to split by."""

    target: Target | ByHead
    n_outputs: int
    truth: Any
    stratify: Any = None


def checked_pair(model: BaseMLP, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
    """X and y checked, X as the network takes it; in a first fit its columns are learned."""
    X, y = model._checked_pair(X, y, is_first=is_first)
    if is_first:
        model._inputs = None
        if model.encode_columns or model.standardize:
            model._inputs = inputs.learn(X, _column_names(model), encode=model.encode_columns)
    return _encoded(model, X), y


def plain_pair(model: BaseMLP, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
    """X and y by scikit-learn's checks of both, y being one array."""
    if not model.encode_columns:
        X, y = checked(
            model,
            X,
            y,
            multi_output=True,
            y_numeric=model._is_numeric,
            dtype=options.dtypes_of(model.precision),
            reset=is_first,
        )
        return X, y
    validate_data(model, X, reset=is_first, skip_check_array=True)
    y = _check_y(y, multi_output=True, y_numeric=model._is_numeric, estimator=model)
    check_consistent_length(X, y)
    return X, y


def checked_rows(model: BaseMLP, X: Any, *, is_first: bool) -> Any:
    """X alone by the checks of `plain_pair`."""
    if not model.encode_columns:
        return checked(model, X, dtype=options.dtypes_of(model.precision), reset=is_first)
    return validate_data(model, X, reset=is_first, skip_check_array=True)


def checked_inputs(model: BaseMLP, X: Any) -> Any:
    """X as the network of the fitted model takes it."""
    check_is_fitted(model)
    if model.encode_columns:
        validate_data(model, X, reset=False, skip_check_array=True)
    else:
        dtype = "numeric" if model.precision == "auto" else options.dtypes_of(model.precision)
        X = checked(model, X, dtype=dtype, reset=False)
    return _encoded(model, X)


def checked_targets(
    model: BaseMLP,
    y: Any,
    dtype: np.dtype[Any],
    weights: Mapping[str, Array],
    *,
    is_first: bool,
    is_partial: bool,
) -> Targets:
    """The checked y as targets: learned from in a first fit, else required to be as before."""
    with plainly():
        model._meet(y, is_first=is_first, is_partial=is_partial, weights=weights)
        return model._targets(y, dtype=dtype)


def rows_of(
    model: BaseMLP,
    X: Any,
    y: Any,
    targets: Targets,
    weights: Mapping[str, Array],
    *,
    is_partial: bool,
) -> Rows:
    """The rows of checked X and y, with the weights that a user gave and those of their classes."""
    weights = model._weighed(y, weights, is_partial=is_partial)
    rows = Rows(X if isinstance(X, np.ndarray) else SparseRows(X), targets.target)
    return rows.weighed(weights)


def _encoded(model: BaseMLP, X: Any) -> Any:
    """Checked X as the network takes it."""
    if model._inputs is None:
        return X
    found = model._inputs.apply(X, _column_names(model))
    if model.encode_columns and model.precision != "auto":
        return found.astype(options.dtypes_of(model.precision))
    return found


def _column_names(model: BaseMLP) -> list[str]:
    named = getattr(model, "feature_names_in_", None)
    return list(named) if named is not None else [f"x{j}" for j in range(model.n_features_in_)]
