"""The rate that falls where J no longer does: it is shown J between epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

from retrograd.arguments import Choices
from retrograd.arrays import require_integer, require_number
from retrograd.optim.base import Optimizer, Rate, at, require_rate


@dataclass(frozen=True)
class Seen:
    """What a plateau's watch knows: the lowest J, the epochs since, the rest, how far it fell."""

    best: float = math.inf
    n_bad: int = 0
    resting: int = 0
    reductions: int = 0


@dataclass(frozen=True)
class ReduceOnPlateau(Choices):
    """A rate that falls where J no longer does   [PyTorch: ReduceLROnPlateau].

    ::

        good   an epoch with J < best - threshold * |best|
        rate = rate * factor after more than `patience` bad ones in a row

    Then `cooldown` epochs are not counted. Between epochs `rg.train` shows it the validation J, or
    J where nothing validates.

    Args:
        learning_rate: > 0, or a function of the step: what is reduced.
        factor: in (0, 1).
        patience: epochs, >= 0.
        threshold: in [0, 1).
        cooldown: epochs, >= 0.
        final: >= 0, the rate is not reduced below it.

    >>> schedule = rg.schedules.ReduceOnPlateau(0.5, factor=0.5, patience=1)
    >>> for J in (3.0, 2.0, 2.0, 2.0):
    ...     schedule = schedule.after(J)
    >>> schedule(0)
    0.25
    """

    learning_rate: Rate
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    final: float = 0.0
    seen: Seen = field(default=Seen(), repr=False)

    def __post_init__(self) -> None:
        require_rate("ReduceOnPlateau", self.learning_rate)
        require_number("ReduceOnPlateau", "factor", self.factor, high=1.0, open_low=True)
        require_integer("ReduceOnPlateau", "patience", self.patience, low=0)
        require_number("ReduceOnPlateau", "threshold", self.threshold, high=1.0)
        require_integer("ReduceOnPlateau", "cooldown", self.cooldown, low=0)
        require_number("ReduceOnPlateau", "final", self.final)

    def __call__(self, step: int) -> float:
        """The rate at a step, as it is now."""
        rate = at(self.learning_rate, step)
        for _ in range(self.seen.reductions):
            rate = max(rate * self.factor, min(self.final, rate))
            if rate in (0.0, self.final):
                break
        return rate

    def after(self, J: float) -> Self:
        """The same after one more epoch, whose J was this."""
        seen = self.seen
        n_bad, best = seen.n_bad + 1, seen.best
        if J < (best if math.isinf(best) else best - self.threshold * abs(best)):
            n_bad, best = 0, J
        resting = max(seen.resting - 1, 0)
        if seen.resting:
            n_bad = 0
        if n_bad <= self.patience:
            return replace(self, seen=Seen(best, n_bad, resting, seen.reductions))
        return replace(self, seen=Seen(best, 0, self.cooldown, seen.reductions + 1))


def has_plateau(optimizer: Optimizer) -> bool:
    """Whether any of its rates falls on a plateau."""
    return any(isinstance(number, ReduceOnPlateau) for number in optimizer.numbers().values())


def follow_plateau(optimizer: Optimizer, J: float) -> Optimizer:
    """The optimizer whose rates that fall on a plateau were shown J of one more epoch."""
    return optimizer.changed(
        lambda number: number.after(J) if isinstance(number, ReduceOnPlateau) else number
    )
