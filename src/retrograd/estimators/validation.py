"""The rows by which an estimator judges its weights: held out, or given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array, SparseRows
from retrograd.errors import DataError, OptionError
from retrograd.estimators.border import checked_weights
from retrograd.estimators.prepare import Targets, checked_pair, checked_targets, scaled
from retrograd.nn.losses import Target
from retrograd.training.rows import Rows

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

Score = Callable[[Any, Array, "Array | None"], float]
"""The score of targets, outputs and sample weights."""


@dataclass(frozen=True, eq=False)
class Held:
    """Rows held out of training.

    - `order`: their numbers. `sample_weight`: theirs, or None.
    - `score`: of the outputs for them, higher is better; None for the negative of their loss.
    - `stops`: whether training stops by the score.
    """

    order: Array
    score: Callable[[Array], float] | None
    sample_weight: Array | None
    stops: bool


@dataclass(frozen=True, eq=False)
class Given:
    """Validation data as the user gave it."""

    X: Any
    y: Any
    sample_weight: Any = None


def given(X_val: Any, y_val: Any, sample_weight_val: Any) -> Given | None:
    """The validation data of a call; OptionError where a part of it is missing."""
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise OptionError("sample_weight_val needs X_val and y_val")
        return None
    if X_val is None or y_val is None:
        has, needs = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise OptionError(f"{has} was given without {needs}; validation data are both")
    return Given(X_val, y_val, sample_weight_val)


def split(model: BaseMLP, targets: Targets, rng: np.random.RandomState) -> tuple[Array, Array]:
    """The rows to train on and those held out, drawn as scikit-learn draws them."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(targets.target)),
        random_state=rng,
        test_size=model.validation_fraction,
        stratify=targets.stratify,
    )
    if len(test) < 2:
        raise OptionError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return train, test


def held_out(data: Rows, targets: Targets, test: Array, score: Score | None) -> Held:
    """Rows of the data that are held out of training, which stops by their score."""
    weights = None if data.sample_weight is None else data.sample_weight[test]
    return _held(test, targets.truth[test], weights, score, stops=True)


def append(model: BaseMLP, data: Rows, given: Given, *, score: Score | None) -> tuple[Rows, Held]:
    """The data with the rows that were given for validation behind them, and what is held."""
    dtype, weights = data.X.dtype, given.sample_weight
    try:
        X, y = checked_pair(model, given.X, given.y, is_first=False)
        # As in partial_fit, they may lack a class.
        targets = checked_targets(model, y, dtype, is_first=False, is_partial=True)
        if weights is not None:
            weights = checked_weights(X, weights)
    except DataError as error:
        raise DataError(f"validation data: {error}") from error
    if targets.target.array.shape[1:] != data.only_target.array.shape[1:]:
        raise DataError(
            f"validation data: y_val has the shape {targets.target.array.shape}, "
            f"y has {data.only_target.array.shape}; they must have the same form"
        )
    joined = _joined(data, X.astype(dtype, copy=False), scaled(model, targets))
    order = np.arange(len(data), len(joined))
    return joined, _held(order, targets.truth, weights, score, stops=model.early_stopping)


def _joined(data: Rows, X: Any, more: Target) -> Rows:
    target = data.only_target
    both = np.concatenate([target.array, more.array])
    training_weights = data.sample_weight
    if training_weights is not None:  # those of the other rows take no part in training
        ones = np.ones(X.shape[0], training_weights.dtype)
        training_weights = np.concatenate([training_weights, ones])
    return Rows(_stacked(data.X, X), Target(both, target.shape, target.dtype), training_weights)


def _stacked(X: Array | SparseRows, more: Any) -> Array | SparseRows:
    if isinstance(X, np.ndarray):
        dense = more if isinstance(more, np.ndarray) else more.toarray()
        return np.concatenate([X, dense])
    from scipy.sparse import csr_array, vstack

    return SparseRows(vstack([X.matrix, csr_array(more)], format="csr"))


def _held(
    order: Array, truth: Any, weights: Array | None, score: Score | None, *, stops: bool
) -> Held:
    if score is None:
        return Held(order, None, weights, stops)
    return Held(order, lambda outputs: score(truth, outputs, weights), weights, stops)
