"""What an optimizer is: slots of state for each parameter, numbers, and an update rule in gates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from retrograd.arrays import Array, require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node

Rate = float | Callable[[int], float]
"""A learning rate, or a function of the step, counted from 0, that gives it."""

Nodes = Mapping[str, Node]
"""Nodes by name: slots of state, or numbers."""

Update = tuple[Node, dict[str, Node]]
"""The next value of a parameter, and of its slots by name."""


@dataclass(frozen=True)
class Optimizer(ABC):
    """The base of optimizers. A subclass is a frozen dataclass of its numbers.

    Its float fields become run-time scalars of the step, so a search over them compiles once.
    """

    name: ClassVar[str]

    def slots(self) -> tuple[str, ...]:
        """The names of the state that each parameter has, as large as it and 0 at first."""
        return ()

    @abstractmethod
    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """The next value of a parameter and of its slots.

        `scalars` has a 0-d node for each number of the optimizer; `t` is the step, from 1.
        """

    def numbers(self) -> dict[str, Rate]:
        """The numbers that become run-time scalars, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not isinstance(getattr(self, field.name), bool)
        }


def require_rate(owner: str, rate: object) -> None:
    """Raise OptionError unless a learning rate is a positive number or a function of the step."""
    if not callable(rate):
        require_number(owner, "learning_rate", rate, open_low=True)


def rates(rate: Rate, first: int, count: int) -> float | Array:
    """The rate at each of `count` steps from step `first` on: an array, or the number itself."""
    if not callable(rate):
        return float(rate)
    try:
        values = np.array([float(rate(step)) for step in range(first, first + count)])
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"the learning-rate schedule must give a number at each step: {error}"
        ) from error
    if not np.isfinite(values).all() or (values < 0).any():
        step = first + int(np.argmin(np.isfinite(values) & (values >= 0)))
        raise OptionError(f"the learning-rate schedule gives {values[step - first]} at step {step}")
    return values
