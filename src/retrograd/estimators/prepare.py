"""A user's rows as the network of a model takes them: checked, encoded, weighed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_y, check_is_fitted, validate_data

from retrograd.arrays import Array, SparseRows
from retrograd.errors import DataError
from retrograd.estimators import inputs, options
from retrograd.estimators.border import checked, plainly, require_sound, require_unmasked
from retrograd.estimators.frames import as_frame, float_type
from retrograd.nn.losses import Target
from retrograd.nn.losses import Targets as ByHead
from retrograd.training.rows import Rows

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP
    from retrograd.estimators.ensemble import BaseMLPEnsemble


@dataclass(frozen=True, eq=False)
class Targets:
    """Checked targets: as the network takes them, as scores compare them, and to split by."""

    target: Target | ByHead
    n_outputs: int
    truth: Any
    stratify: Any = None


def checked_pair(model: BaseMLP, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
    """X and y checked, X as the network takes it; but in a first fit see `learned`."""
    X, y = model._checked_pair(X, y, is_first=is_first)
    return (X if is_first else encoded(model, X)), y


def plain_pair(
    model: BaseMLP | BaseMLPEnsemble, X: Any, y: Any, *, is_first: bool
) -> tuple[Any, Any]:
    """X and y checked, X as the user has it."""
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
    X = frame_of(model, X, is_first=is_first)
    if y is None:
        raise DataError(
            f"{type(model).__name__} requires y to be passed, but the target y is None."
        )
    require_unmasked(y, "y")
    require_sound(y, "y")
    with plainly():
        y = _check_y(y, multi_output=True, y_numeric=model._is_numeric, estimator=model)
    check_consistent_length(X, y)
    return X, y


def plain_rows(model: BaseMLP, X: Any, *, is_first: bool) -> Any:
    """X alone by the checks of `plain_pair`."""
    if model.encode_columns:
        return frame_of(model, X, is_first=is_first)
    return checked(model, X, dtype=options.dtypes_of(model.precision), reset=is_first)


def frame_of(model: Any, X: Any, *, is_first: bool) -> Any:
    """X as a data frame or an array (n, n_columns), whose columns are checked as they are read."""
    X = as_frame(X, type(model).__name__)
    return validate_data(model, X, reset=is_first, skip_check_array=True)


def dtype_of(model: BaseMLP | BaseMLPEnsemble, X: Any) -> np.dtype[Any]:
    """The float type of a first fit to checked X."""
    if not model.encode_columns:
        return np.dtype(X.dtype)
    named = options.dtypes_of(model.precision)
    return named if isinstance(named, np.dtype) else float_type(X)


def learned(model: BaseMLP, X: Any, targets: Targets, order: Array, sample_weight: Any) -> Any:
    """Checked X as the network takes it: what becomes of its columns, and y's, is learned here.

    `order`: the rows to train on, which count by their weights. Nothing is learned from others, nor
    where nothing was asked for.
    """
    model._inputs, given = None, model._given_weights(X, sample_weight)
    if model.encode_columns or model.standardize:
        names, weights = column_names(model), model._weights_of_rows(given)
        model._inputs = inputs.learn(X, names, order, weights, encode=model.encode_columns)
    model._learn_targets(targets.truth[order], order, given)
    return encoded(model, X)


def checked_inputs(model: BaseMLP, X: Any) -> Any:
    """X as the network of the fitted model takes it."""
    return encoded(model, plain_inputs(model, X))


def plain_inputs(model: BaseMLP | BaseMLPEnsemble, X: Any) -> Any:
    """X for a fitted model checked, as the user has it."""
    check_is_fitted(model)
    if model.encode_columns:
        return frame_of(model, X, is_first=False)
    dtype = "numeric" if model.precision == "auto" else options.dtypes_of(model.precision)
    return checked(model, X, dtype=dtype, reset=False)


def checked_targets(
    model: BaseMLP, y: Any, dtype: np.dtype[Any], *, is_first: bool, is_partial: bool
) -> Targets:
    """The checked y as targets: learned from in a first fit, else required to be as before."""
    with plainly():
        model._meet(y, is_first=is_first, is_partial=is_partial)
        return model._targets(y, dtype=dtype)


def rows_of(
    model: BaseMLP, X: Any, y: Any, targets: Targets, sample_weight: Any, *, is_partial: bool
) -> Rows:
    """The rows of checked X and y, with the weights that a user gave and those of their classes."""
    given = model._given_weights(X, sample_weight)
    X = X.astype(model._dtype, copy=False)
    rows = Rows(X if isinstance(X, np.ndarray) else SparseRows(X), scaled(model, targets))
    weights = model._weighed(y, given, is_partial=is_partial)  # those of classes are float64
    return rows.weighed({head: w.astype(model._dtype, copy=False) for head, w in weights.items()})


def scaled(model: BaseMLP, targets: Targets) -> Target | ByHead:
    """The targets as the network is trained on them."""
    return targets.target.each(lambda head, own: model._scaled(head, own.array))


def encoded(model: BaseMLP, X: Any) -> Any:
    """Checked X as the network takes it."""
    if model._inputs is None:
        return X
    found = model._inputs.apply(X, column_names(model))
    return found.astype(model._dtype, copy=False) if model.encode_columns else found


def column_names(model: BaseMLP) -> list[str]:
    """The names of the columns of X: the user's, or x0, x1, ..."""
    named = getattr(model, "feature_names_in_", None)
    return list(named) if named is not None else [f"x{j}" for j in range(model.n_features_in_)]
