"""When to stop: the rules of a run as facts, and the watch that applies them after each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrograd.engines.base import Snapshot
from retrograd.optim.base import require_number
from retrograd.training.history import History

PATIENCE = 10


@dataclass(frozen=True)
class Rules:
    """When to stop, checked. None switches a rule off.

    - `epochs`: at least 1.
    - `tolerance`: stop when J has not fallen by more than this over `patience` epochs.
    - `patience`: stop when the validation score has not improved for so many epochs.
    - `gradient_tolerance`: stop when the gradient's norm is at most this.
    - `max_seconds`: stop at the end of the step in which this time is over.
    """

    epochs: int
    tolerance: float | None = None
    patience: int | None = None
    gradient_tolerance: float | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        require_number("train", "epochs", self.epochs, low=1)
        for name in ("tolerance", "gradient_tolerance"):
            if getattr(self, name) is not None:
                require_number("train", name, getattr(self, name))
        if self.patience is not None:
            require_number("train", "patience", self.patience, low=1)
        if self.max_seconds is not None:
            require_number("train", "max_seconds", self.max_seconds, open_low=True)


class Watch:
    """Follows one run: the best validation score, with the state it was reached in, and the rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lowest_J, self._epochs_since_fall = math.inf, 0
        self._best_score, self._epochs_since_best = -math.inf, 0
        self.best: Snapshot | None = None
        self.best_epoch = 0

    def see(self, history: History, snapshot: Snapshot) -> str | None:
        """Take note of the epoch that just ended; the reason to stop, or None."""
        self._follow_J(history.J[-1])
        if history.validation_score:
            self._follow_score(history, snapshot)
        else:
            self.best_epoch = history.epochs
        return self._reason(history)

    def _follow_J(self, J: float) -> None:
        if J < self._lowest_J - (self._rules.tolerance or 0.0):
            self._epochs_since_fall = 0
            self._lowest_J = J
        else:
            self._epochs_since_fall += 1

    def _follow_score(self, history: History, snapshot: Snapshot) -> None:
        if history.validation_score[-1] > self._best_score or self.best is None:
            self._best_score, self._epochs_since_best = history.validation_score[-1], 0
            self.best, self.best_epoch = snapshot, history.epochs
        else:
            self._epochs_since_best += 1

    def _reason(self, history: History) -> str | None:
        rules = self._rules
        limit = rules.gradient_tolerance
        if limit is not None and history.gradient_norm[-1] <= limit:
            return "gradient"
        patience = rules.patience or PATIENCE
        if rules.tolerance is not None and self._epochs_since_fall >= patience:
            return "tolerance"
        if rules.patience is not None and self._epochs_since_best >= rules.patience:
            return "validation"
        if rules.max_seconds is not None and history.seconds[-1] >= rules.max_seconds:
            return "time"
        return None
