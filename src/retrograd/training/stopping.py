"""When to stop: the rules of a run as facts, and the watch that applies them after each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrograd.arrays import require_integer, require_number
from retrograd.training.history import History

PATIENCE = 10


@dataclass(frozen=True)
class Rules:
    """When to stop, checked. None switches a rule off.

    - `epochs`: at least 1.
    - `tolerance`: stop when J has not fallen by more than this over `patience` epochs.
    - `patience`: stop when the validation score has not improved for so many epochs.
    - `gradient_tolerance`: stop when the gradient's norm is at most this.
    - `max_seconds`: stop at the end of a step, once this time is over.
    """

    epochs: int
    tolerance: float | None = None
    patience: int | None = None
    gradient_tolerance: float | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        require_integer("train", "epochs", self.epochs)
        for name in ("tolerance", "gradient_tolerance"):
            if getattr(self, name) is not None:
                require_number("train", name, getattr(self, name))
        if self.patience is not None:
            require_integer("train", "patience", self.patience)
        if self.max_seconds is not None:
            require_number("train", "max_seconds", self.max_seconds, open_low=True)


class Watch:
    """Follows the figures of one run, epoch by epoch: which was the best, and when to stop."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lowest_J: list[float] = []  # up to each epoch
        self._best_score, self._epochs_since_best = -math.inf, 0
        self.best_epoch = 0

    def see(self, history: History, epoch: int) -> bool:
        """Take note of an epoch, counted from 1; whether it is the best so far.

        The best has the highest validation score, the first of them; without validation it is the
        last.
        """
        self._lowest_J.append(min([*self._lowest_J[-1:], history.J[epoch - 1]]))
        if not history.validation_score:
            self.best_epoch = epoch
            return True
        score = history.validation_score[epoch - 1]
        score = -math.inf if math.isnan(score) else score
        if self.best_epoch and not score > self._best_score:
            self._epochs_since_best += 1
            return False
        self._best_score, self._epochs_since_best = score, 0
        self.best_epoch = epoch
        return True

    def reason(self, history: History) -> str | None:
        """The rule that says stop after the last epoch seen, or None."""
        rules = self._rules
        limit = rules.gradient_tolerance
        if limit is not None and history.gradient_norm[-1] <= limit:
            return "gradient"
        if rules.tolerance is not None and self._fall() <= rules.tolerance:
            return "tolerance"
        if rules.patience is not None and self._epochs_since_best >= rules.patience:
            return "validation"
        return None

    def _fall(self) -> float:
        """By how much the lowest J has fallen over the last `patience` epochs."""
        span = self._rules.patience or PATIENCE
        if len(self._lowest_J) <= span:
            return math.inf
        return self._lowest_J[-1 - span] - self._lowest_J[-1]
