"""What is noted of each epoch of a fit: losses, scores, the best weights, whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DataError
from retrograd.estimators.form import listed, named
from retrograd.estimators.validation import Held
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

AfterEpoch = Callable[[], bool]
"""What is called between epochs, with the model up to date: whether to stop."""


class Notes:
    """Takes down the epochs of one call of fit or partial_fit, in the model's own attributes.

    `after_epoch`: where it is given, the model has the weights of the moment when it is called,
    and what it assigns to `coefs_` and `intercepts_` is what training goes on from.
    `best`: the best weights of the calls before; None in a warm start, where the newest are kept
    if no epoch is better than the best of the fit before, as scikit-learn keeps them.
    """

    def __init__(
        self,
        model: BaseMLP,
        session: TrainingSession,
        held: Held | None,
        *,
        after_epoch: AfterEpoch | None = None,
        best: Mapping[str, Array] | None = None,
    ) -> None:
        self.model, self.session, self.held = model, session, held
        self.rows_of_epoch = 0
        self._after_epoch = after_epoch
        self.best = best

    def heads(self, losses_of: Mapping[str, list[float]]) -> None:
        """Take down the losses of each head in the next epochs, where there are some."""
        for head, losses in losses_of.items():
            self.model.loss_curves_[head] += losses

    def epochs(self, losses: list[float], *, has_diverged: bool = False) -> None:
        """Take down the figures of epochs, and whether they were better than those before.

        Only one at a time where something looks at them: held-out rows, or `verbose`.
        `has_diverged`: the weights after it are not finite, and have no score.
        """
        model, n = self.model, len(losses)
        curve = list(map(np.float64, losses))  # as scikit-learn's are
        model.n_iter_ += n
        model.t_ += n * self.rows_of_epoch
        model.loss_ = curve[-1]
        model.loss_curve_.extend(curve)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {losses[-1]:.8f}")
        n_stale = n_before = model._no_improvement_count
        if model.best_loss_ is not None:
            best, tol = float(model.best_loss_), float(model.tol)
            for loss in losses:
                n_stale = n_stale + 1 if loss > best - tol else 0
                if loss < best:
                    best = loss
            model.best_loss_ = np.float64(best)
        if self.held is not None:
            best = model.best_validation_score_
            score = self.validate(has_diverged=has_diverged)
            if self.held.stops:
                n_stale = n_before + 1 if score < best + model.tol else 0
        model._no_improvement_count = n_stale

    def validate(self, *, has_diverged: bool = False) -> float:
        """The score of the held rows as things are; the weights are kept if it is the best."""
        assert self.held is not None
        model, held = self.model, self.held
        # Weights that are not finite may guess well by chance: infinities can have finite outputs.
        loss, score = (np.nan, np.nan) if has_diverged else held.judge(self.session)
        model.validation_loss_curve_.append(loss)
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            self.best = self.session.parameters()
        return score

    def require_judged(self) -> None:
        """Raise DataError where a fit had validation rows of its own, but no score of them."""
        model = self.model
        if self.held is None or not self.held.is_given or not model.validation_scores_:
            return
        if model.best_validation_score_ == -np.inf:
            raise DataError(
                f"validation data: their score was {model.validation_scores_[-1]} in the end and "
                "a finite number after no epoch, so no weights are the best; X_val, y_val or X "
                "hold numbers too large"
            )

    @property
    def is_stale(self) -> bool:
        """Whether too many epochs brought no improvement."""
        return self.model._no_improvement_count > self.model.n_iter_no_change

    @property
    def calls_back(self) -> bool:
        """Whether something is called between epochs."""
        return self._after_epoch is not None

    def asks_to_stop(self) -> bool:
        """Call what is to be called between epochs; whether any of it says stop."""
        if self._after_epoch is None:
            return False
        model = self.model
        model.coefs_, model.intercepts_ = listed(self.session.parameters())
        asked = self._after_epoch()
        self.session.assign(named(model.coefs_, model.intercepts_))
        return asked
