"""Schedules: the learning rate as a function of the step, from 0; a step is one batch.

Wherever a learning rate is asked for, any function of the step will do: these are the usual ones,
as values that can be printed and compared. A rate inside a schedule may be a schedule again.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from retrograd.arguments import Choices
from retrograd.arrays import require_integer, require_number, require_several
from retrograd.errors import OptionError
from retrograd.optim.base import Rate, at, require_rate
from retrograd.optim.cycles import Cosine, CosineRestarts, OneCycle
from retrograd.optim.plateau import ReduceOnPlateau

__all__ = [
    "Chained",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "EachEpoch",
    "Exponential",
    "InverseScaling",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "Product",
    "ReduceOnPlateau",
    "StepDecay",
    "WarmUp",
]


def _require_inner(owner: str, rate: object) -> None:
    """Raise OptionError unless a rate can stand inside a schedule."""
    require_rate(owner, rate)
    if isinstance(rate, ReduceOnPlateau):
        raise OptionError(f"{owner}: a ReduceOnPlateau stands around other schedules, not inside")


def _inner_rates(owner: str, rates: object) -> tuple[Rate, ...]:
    found = require_several(owner, "rates", rates, "a list of rates, [0.1, 0.01]")
    for rate in found:
        _require_inner(owner, rate)
    if not found:
        raise OptionError(f"{owner}: needs at least one rate")
    return found


def _lengths(owner: str, steps: object) -> tuple[int, ...]:
    found = require_several(owner, "steps", steps, "a list of numbers of steps, [100, 200]")
    return tuple(require_integer(owner, "each of steps", step) for step in found)


@dataclass(frozen=True)
class Constant(Choices):
    """rate(step) = learning_rate   [PyTorch: ConstantLR, of factor 1].

    Args:
        learning_rate: > 0.

    >>> rg.schedules.Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        require_number("Constant", "learning_rate", self.learning_rate, open_low=True)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(self.learning_rate)


@dataclass(frozen=True)
class StepDecay(Choices):
    """rate(step) = learning_rate * factor**(step // every)   [PyTorch: StepLR].

    Args:
        learning_rate: > 0.
        every: steps from one fall to the next, at least 1.
        factor: > 0.

    >>> schedule = rg.schedules.StepDecay(0.5, every=10, factor=0.5)
    >>> schedule(9), schedule(10), schedule(20)
    (0.5, 0.25, 0.125)
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        require_number("StepDecay", "learning_rate", self.learning_rate, open_low=True)
        require_integer("StepDecay", "every", self.every)
        require_number("StepDecay", "factor", self.factor, open_low=True)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(self.learning_rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class MultiStep(Choices):
    """rate(step) = learning_rate * factor**(how many of `steps` are <= step)

    [PyTorch: MultiStepLR].

    Args:
        learning_rate: > 0.
        steps: at which it falls, rising, each at least 1.
        factor: > 0.

    >>> schedule = rg.schedules.MultiStep(0.5, steps=(10, 15), factor=0.5)
    >>> schedule(9), schedule(10), schedule(15)
    (0.5, 0.25, 0.125)
    """

    learning_rate: float
    steps: Sequence[int]
    factor: float = 0.1

    def __post_init__(self) -> None:
        require_number("MultiStep", "learning_rate", self.learning_rate, open_low=True)
        require_number("MultiStep", "factor", self.factor, open_low=True)
        steps = _lengths("MultiStep", self.steps)
        if not steps or list(steps) != sorted(set(steps)):
            raise OptionError(f"MultiStep: steps must rise, got {self.steps!r}")
        object.__setattr__(self, "steps", steps)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(self.learning_rate * self.factor ** bisect_right(self.steps, step))


@dataclass(frozen=True)
class Exponential(Choices):
    """rate(step) = learning_rate * factor**step   [PyTorch: ExponentialLR].

    Args:
        learning_rate: > 0.
        factor: > 0, of one step.

    >>> rg.schedules.Exponential(0.5, factor=0.5)(2)
    0.125
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        require_number("Exponential", "learning_rate", self.learning_rate, open_low=True)
        require_number("Exponential", "factor", self.factor, open_low=True)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(self.learning_rate * self.factor**step)


@dataclass(frozen=True)
class Polynomial(Choices):
    """rate(step) = final + (learning_rate - final) * (1 - step / steps)**power, then final.

    With power 1 a straight line. [PyTorch: PolynomialLR], whose final rate is 0.

    Args:
        learning_rate: > 0.
        steps: until `final` is reached, at least 1.
        power: > 0.
        final: >= 0.

    >>> schedule = rg.schedules.Polynomial(0.5, steps=10, power=2.0)
    >>> schedule(0), schedule(5), schedule(10), schedule(20)
    (0.5, 0.125, 0.0, 0.0)
    """

    learning_rate: float
    steps: int
    power: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        require_number("Polynomial", "learning_rate", self.learning_rate, open_low=True)
        require_integer("Polynomial", "steps", self.steps)
        require_number("Polynomial", "power", self.power, open_low=True)
        require_number("Polynomial", "final", self.final)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        left = 1.0 - min(step, self.steps) / self.steps
        return float(self.final + (self.learning_rate - self.final) * left**self.power)


@dataclass(frozen=True)
class InverseScaling(Choices):
    """rate(step) = learning_rate / (step + 1)**power   [scikit-learn: invscaling].

    scikit-learn counts the rows seen and changes the rate between epochs; here it is the steps.

    Args:
        learning_rate: > 0.
        power: > 0.

    >>> schedule = rg.schedules.InverseScaling(0.5)
    >>> schedule(0), schedule(3)
    (0.5, 0.25)
    """

    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        require_number("InverseScaling", "learning_rate", self.learning_rate, open_low=True)
        require_number("InverseScaling", "power", self.power, open_low=True)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return float(self.learning_rate / (step + 1) ** self.power)


@dataclass(frozen=True)
class WarmUp(Choices):
    """A rate brought in gently: times first + (1 - first) * step / steps until `steps`.

    [Goyal et al. 2017, sec. 2.2; PyTorch: LinearLR, chained with another schedule].

    Args:
        rate: > 0, or a function of the step; it counts from the beginning of the warm-up.
        steps: until the rate is whole, at least 1.
        first: in [0, 1], the share of it at step 0.

    >>> schedule = rg.schedules.WarmUp(0.5, steps=10, first=0.5)
    >>> schedule(0), schedule(5), schedule(10), schedule(99)
    (0.25, 0.375, 0.5, 0.5)
    """

    rate: Rate
    steps: int
    first: float = 0.0

    def __post_init__(self) -> None:
        _require_inner("WarmUp", self.rate)
        require_integer("WarmUp", "steps", self.steps)
        require_number("WarmUp", "first", self.first, high=1.0, closed_high=True)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        share = min(step / self.steps, 1.0)
        return at(self.rate, step) * (self.first + (1.0 - self.first) * share)


@dataclass(frozen=True)
class Chained(Choices):
    """Rates one after the other, each counted from its own 0   [PyTorch: SequentialLR].

    Args:
        rates: at least one; a rate is a number > 0 or a function of the step.
        steps: for how many steps each counts but the last, at least 1.

    >>> schedule = rg.schedules.Chained([0.5, rg.schedules.Exponential(0.5, 0.5)], steps=[10])
    >>> schedule(9), schedule(10), schedule(12)
    (0.5, 0.5, 0.125)
    """

    rates: Sequence[Rate]
    steps: Sequence[int]

    def __post_init__(self) -> None:
        rates, steps = _inner_rates("Chained", self.rates), _lengths("Chained", self.steps)
        if len(rates) != len(steps) + 1:
            raise OptionError(
                f"Chained: each rate but the last needs its steps: got {len(rates)} rates, "
                f"{len(steps)} steps"
            )
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "steps", steps)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        for rate, length in zip(self.rates, self.steps, strict=False):
            if step < length:
                return at(rate, step)
            step -= length
        return at(self.rates[-1], step)


@dataclass(frozen=True)
class Product(Choices):
    """The product of rates at the same step   [PyTorch: ChainedScheduler].

    Args:
        rates: at least one; a rate is a number > 0 or a function of the step.

    >>> halved = rg.schedules.Product([0.5, rg.schedules.Cosine(0.5, steps=10)])
    >>> halved(0)
    0.25
    """

    rates: Sequence[Rate]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", _inner_rates("Product", self.rates))

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return math.prod(at(rate, step) for rate in self.rates)


@dataclass(frozen=True)
class EachEpoch(Choices):
    """A schedule that counts epochs: rate(step // batches)   [PyTorch: step() once an epoch].

    Args:
        rate: a function of the epoch, from 0.
        batches: steps in an epoch, at least 1: rows / batch_size, rounded up.

    >>> schedule = rg.schedules.EachEpoch(rg.schedules.Exponential(0.5, factor=0.5), batches=10)
    >>> schedule(9), schedule(10)
    (0.5, 0.25)
    """

    rate: Rate
    batches: int

    def __post_init__(self) -> None:
        _require_inner("EachEpoch", self.rate)
        require_integer("EachEpoch", "batches", self.batches)

    def __call__(self, step: int) -> float:
        """The rate at a step."""
        return at(self.rate, step // self.batches)


def __dir__() -> list[str]:
    return __all__
