"""Schedules along half a cosine: once, with restarts, up and down; reached as `rg.schedules`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from retrograd.arguments import Choices
from retrograd.arrays import require_integer, require_number
from retrograd.errors import OptionError, require_known


def _between(high: float, low: float, share: float) -> float:
    """From high to low along half a cosine; `share` from 0 to 1."""
    return low + (high - low) * (1.0 + math.cos(math.pi * share)) / 2.0


@dataclass(frozen=True)
class Cosine(Choices):
    """From learning_rate to final along half a cosine over `steps`, then final.

    ::

        rate(step) = final + (learning_rate - final) * (1 + cos(pi * step / steps)) / 2

    [Loshchilov & Hutter 2017, eq. 5]; PyTorch's `CosineAnnealingLR`, which climbs again after it.

    Args:
        learning_rate: > 0.
        steps: until `final` is reached, at least 1.
        final: >= 0.

    >>> schedule = rg.schedules.Cosine(0.5, steps=10)
    >>> schedule(0), round(schedule(5), 12), schedule(10)
    (0.5, 0.25, 0.0)
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        require_number("Cosine", "learning_rate", self.learning_rate, open_low=True)
        require_integer("Cosine", "steps", self.steps)
        require_number("Cosine", "final", self.final)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(_between(self.learning_rate, self.final, min(step / self.steps, 1.0)))


@dataclass(frozen=True)
class CosineRestarts(Choices):
    """Half cosines one after the other, each `growth` times as long as the one before: SGDR.

    ::

        rate(step) = final + (learning_rate - final) * (1 + cos(pi * i / length)) / 2
        i counts from the last restart,  length = steps * growth**(restarts so far)

    [Loshchilov & Hutter 2017, section 3]; PyTorch's `CosineAnnealingWarmRestarts`.

    Args:
        learning_rate: > 0, at each restart.
        steps: of the first cosine, at least 1.
        growth: an integer of at least 1.
        final: >= 0, near the end of each.

    >>> schedule = rg.schedules.CosineRestarts(0.5, steps=10, growth=2)
    >>> round(schedule(5), 12), schedule(10), round(schedule(20), 12), schedule(30)
    (0.25, 0.5, 0.25, 0.5)
    """

    learning_rate: float
    steps: int
    growth: int = 1
    final: float = 0.0

    def __post_init__(self) -> None:
        require_number("CosineRestarts", "learning_rate", self.learning_rate, open_low=True)
        require_integer("CosineRestarts", "steps", self.steps)
        require_integer("CosineRestarts", "growth", self.growth)
        require_number("CosineRestarts", "final", self.final)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        length = self.steps
        if self.growth == 1:
            step %= length
        while step >= length:
            step, length = step - length, length * self.growth
        return float(_between(self.learning_rate, self.final, step / length))


SHAPES: dict[str, Callable[[float, float, float], float]] = {
    "cosine": _between,
    "linear": lambda first, last, share: first + (last - first) * share,
}


@dataclass(frozen=True)
class OneCycle(Choices):
    """Up to learning_rate and down again   [Smith & Topin 2018; PyTorch: OneCycleLR].

    ::

        up     from learning_rate / first to learning_rate in the first rise * steps
        down   to learning_rate / (first * last) at the last step, where it stays

    Args:
        learning_rate: > 0, the largest.
        steps: of the whole cycle, at least 2.
        rise: in (0, 1).
        first: > 0. last: > 0.
        shape: "cosine" or "linear".

    >>> schedule = rg.schedules.OneCycle(1.0, steps=101)
    >>> [float(f"{schedule(step):.1g}") for step in (0, 29, 65, 100)]
    [0.04, 1.0, 0.5, 4e-06]
    """

    learning_rate: float
    steps: int
    rise: float = 0.3
    first: float = 25.0
    last: float = 1e4
    shape: str = "cosine"

    def __post_init__(self) -> None:
        require_number("OneCycle", "learning_rate", self.learning_rate, open_low=True)
        require_integer("OneCycle", "steps", self.steps, low=2)
        require_number("OneCycle", "rise", self.rise, high=1.0, open_low=True)
        require_number("OneCycle", "first", self.first, open_low=True)
        require_number("OneCycle", "last", self.last, open_low=True)
        if self.rise * self.steps <= 1:
            raise OptionError(
                f"OneCycle: rise * steps must be > 1, got {self.rise:g} * {self.steps}"
            )
        require_known("shape", self.shape, SHAPES)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        top, begin = self.learning_rate, self.learning_rate / self.first
        end, turn = self.steps - 1, self.rise * self.steps - 1.0
        step, curve = min(step, end), SHAPES[self.shape]
        if step <= turn:
            return float(curve(begin, top, step / turn))
        return float(curve(top, begin / self.last, (step - turn) / (end - turn)))
