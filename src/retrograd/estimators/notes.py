"""What is noted of each epoch of a fit: losses, scores, the best weights, whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from retrograd.arrays import Array
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

    def epoch(self, loss: float, loss_of: Mapping[str, float] | None = None) -> None:
        """Take down the figures of an epoch, and whether it was better than those before.

        `loss_of`: each head's, where there are some.
        """
        model = self.model
        model.n_iter_ += 1
        model.t_ += self.rows_of_epoch
        model.loss_ = loss
        model.loss_curve_.append(loss)
        for head, own in (loss_of or {}).items():
            model.loss_curves_[head].append(own)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {loss:.8f}")
        is_better = True
        if model.best_loss_ is not None:
            is_better = not loss > model.best_loss_ - model.tol
            model.best_loss_ = min(model.best_loss_, loss)
        if self.held is not None:
            best = model.best_validation_score_
            score = self.validate()
            if self.held.stops:
                is_better = not score < best + model.tol
        model._no_improvement_count = 0 if is_better else model._no_improvement_count + 1

    def validate(self) -> float:
        """The score of the held rows as things are; the weights are kept if it is the best."""
        assert self.held is not None
        model, held = self.model, self.held
        loss, output = held.look(self.session)
        score = -loss if held.score is None else held.score(output)
        model.validation_loss_curve_.append(loss)
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            self.best = self.session.parameters()
        return score

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
