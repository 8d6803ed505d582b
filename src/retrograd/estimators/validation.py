"""The rows by which an estimator judges its weights: held out, or given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array, SparseRows
from retrograd.errors import DataError, OptionError
from retrograd.estimators.prepare import Targets, checked_pair, checked_targets, scaled
from retrograd.estimators.tasks import require_counting
from retrograd.nn.losses import Target
from retrograd.nn.losses import Targets as ByHead
from retrograd.training.figures import mean_by
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

Score = Callable[[Any, Any, Any], float]
"""The score of targets, outputs and sample weights, of heads by name; weights may be None."""


@dataclass(frozen=True, eq=False)
class Held:
    """Rows held out of training.

    - `order`: their numbers. `sample_weight`: theirs, by head where there are some, or None.
    - `score`: of the outputs for them, higher is better; None for the negative of their loss.
    - `stops`: whether training stops by the score.
    - `is_given`: whether the user gave them, and they are no part of the training data.
    """

    order: Array
    score: Callable[[Any], float] | None
    sample_weight: Array | Mapping[str, Array] | None
    stops: bool
    is_given: bool = False

    def judge(self, session: TrainingSession) -> tuple[float, float]:
        """The mean of their losses as things are, and the score."""
        loss, outputs = self.look(session)
        return loss, -loss if self.score is None else self.score(outputs)

    def look(self, session: TrainingSession) -> tuple[float, Any]:
        """The mean of their losses as things are, and the outputs for them."""
        if isinstance(self.sample_weight, Mapping):
            return session.score_by(self.order, self.sample_weight)
        losses, outputs = session.score(self.order)
        weights = np.ones(len(losses)) if self.sample_weight is None else self.sample_weight
        return mean_by(weights, losses.astype(np.float64)), outputs


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
    weights = {head: w[test] for head, w in data.weights.items()}
    return _held(test, targets.truth[test], weights, score, stops=True)


def append(model: BaseMLP, data: Rows, given: Given, *, score: Score | None) -> tuple[Rows, Held]:
    """The data with the rows that were given for validation behind them, and what is held."""
    dtype = data.X.dtype
    try:
        X, y = checked_pair(model, given.X, given.y, is_first=False)
        # As in partial_fit, they may lack a class.
        targets = checked_targets(model, y, dtype, is_first=False, is_partial=True)
        weights = model._given_weights(X, given.sample_weight)
    except (ValueError, TypeError) as error:
        kind = OptionError if isinstance(error, OptionError) else DataError
        raise kind(f"validation data: {error}") from error
    if targets.target.form != data.target.form:
        raise DataError(
            f"validation data: y_val is {targets.target}, y is {data.target}; they must have the "
            "same form"
        )
    joined = _joined(data, X.astype(dtype, copy=False), scaled(model, targets))
    order = np.arange(len(data), len(joined))
    if not model._tells_apart(targets.truth, weights):
        score = None
    held = _held(order, targets.truth, weights, score, stops=model.early_stopping)
    return joined, replace(held, is_given=True)


def _joined(data: Rows, X: Any, more: Target | ByHead) -> Rows:
    parts = more.parts
    both = data.target.each(lambda head, own: np.concatenate([own.array, parts[head].array]))
    weights = dict(data.weights_of)
    if data.sample_weight is not None:
        weights[""] = data.sample_weight
    ones = np.ones(X.shape[0], data.X.dtype)  # those of the other rows take no part in training
    joined = {head: np.concatenate([w, ones]) for head, w in weights.items()}
    return Rows(_stacked(data.X, X), both).weighed(joined)


def _stacked(X: Array | SparseRows, more: Any) -> Array | SparseRows:
    if isinstance(X, np.ndarray):
        dense = more if isinstance(more, np.ndarray) else more.toarray()
        return np.concatenate([X, dense])
    from scipy.sparse import csr_array, vstack

    return SparseRows(vstack([X.matrix, csr_array(more)], format="csr"))


def _held(
    order: Array, truth: Any, weights: Mapping[str, Array], score: Score | None, *, stops: bool
) -> Held:
    require_counting(weights, "validation rows")
    has_heads = any(head != "" for head in weights)
    own = weights if has_heads else weights.get("")  # "" is the one output
    if score is None:
        return Held(order, None, own, stops)
    return Held(order, lambda outputs: score(truth, outputs, own), own, stops)
