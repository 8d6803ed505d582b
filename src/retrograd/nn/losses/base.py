"""What a loss is: a choice of the user's, a formula in gates, and both bound to a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arguments import Choices
from retrograd.graph.node import Node
from retrograd.nn.losses.targets import Target, number_target
from retrograd.nn.network import Forward, Network


@dataclass(frozen=True)
class Loss:
    """A loss chosen for a network: its name, its formula, and how it takes targets.

    `per_row(forward, y)` is the loss of each example, (rows,). `target(Y, n_outputs, dtype)` checks
    a user's targets. Multi-label: each of several outputs is a yes or no of its own. `scored_by` is
    the score of validation rows where none is named: "loss", "r2" or "accuracy"; `scores`, those
    that fit beside "loss": accuracy where there are classes, parted at `boundary` where a column
    says yes or no; r2 where the output has the target's shape and estimates it. `reported`, where
    it is given, is what J is said to be made of: the gradient is still that of `per_row`.
    `residuals`, (rows, O), are there where the loss of a row is 1/2 of the sum of their squares.
    """

    name: str
    per_row: Callable[[Forward, Node], Node]
    # Not compared: two methods of equal objects differ, and what it gives is seen in a Target.
    target: Callable[[ArrayLike, int, DTypeLike], Target] = field(compare=False)
    is_classification: bool = False
    is_multilabel: bool = False
    scored_by: str = "loss"
    scores: tuple[str, ...] = ()
    boundary: float = 0.5
    reported: Callable[[Forward, Node], Node] | None = None
    residuals: Callable[[Forward, Node], Node] | None = None


@dataclass(frozen=True)
class LossSpec(Choices, ABC):
    """A loss by its name and numbers: what a user chooses, before the network is known."""

    name: ClassVar[str]

    @abstractmethod
    def bind(self, network: Network) -> Loss:
        """The loss for a network. Raises OptionError where it does not fit its outputs."""


@dataclass(frozen=True)
class Formula(LossSpec):
    """A loss whose formula is the same for every network that it fits.

    A subclass is a frozen dataclass of the loss's numbers: constants of the graph. It says its
    `name` and its formula; where they are not the usual ones, its targets, the networks that it
    fits, and how it is scored.
    """

    scored_by: ClassVar[str] = "loss"

    @abstractmethod
    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """The targets, checked: finite numbers, one for each output."""
        return number_target(Y, n_outputs, dtype)

    def require(self, network: Network) -> None:
        """Raise OptionError where the loss does not fit the network; any will do."""

    def scores(self, network: Network) -> tuple[str, ...]:
        """The scores that fit the loss beside "loss": the usual one, if there is one."""
        return () if self.scored_by == "loss" else (self.scored_by,)

    def bind(self, network: Network) -> Loss:
        """The loss for a network."""
        self.require(network)
        return Loss(
            self.name,
            self,
            self.target,
            scored_by=self.scored_by,
            scores=self.scores(network),
        )


@dataclass(frozen=True)
class ErrorFormula(Formula):
    """A loss of the error of each output, which estimates its target: summed over the outputs."""

    scored_by = "r2"

    @abstractmethod
    def of_error(self, e: Node) -> Node:
        """The loss of e = output - y, element by element."""

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        return gates.sum(self.of_error(forward.output - y), axis=1)
