"""Hinge losses: classes apart by a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.nn.architecture import Forward
from retrograd.nn.losses.base import Formula, Loss, LossSpec, Output
from retrograd.nn.losses.classes import one_hot_of
from retrograd.nn.losses.targets import Target, label_target, side_target


@dataclass(frozen=True)
class Hinge(LossSpec):
    """The margin by which classes are told apart, as far as it is less than 1.

    ::

        one output   max(0, 1 - s z),  s = 1 or -1 the side
        several      sum over the other classes j of max(0, 1 - z_y + z_j)

    For one [Cortes & Vapnik 1995; Keras: Hinge], y is 0 and 1, or -1 and 1. For several
    [Weston & Watkins 1999; PyTorch: MultiMarginLoss, times C], y are labels or one-hot rows.
    The output may be "identity", which one output parts at 0, or "sigmoid" of one and "softmax" of
    several.
    """

    name = "hinge"
    power: ClassVar[int] = 1

    def bind(self, network: Output) -> Loss:
        """The loss for a network: of two sides, or of several classes."""
        is_one = network.n_outputs == 1
        squashed = "sigmoid" if is_one else "softmax"
        if network.output not in ("identity", squashed):
            raise OptionError(
                f"{self.name}: a network of {network.n_outputs} outputs needs output='identity' "
                f"or {squashed!r}; this one has output={network.output!r}"
            )
        kind = BinaryHinge if is_one else MultiHinge
        formula = kind(self.name, self.power)
        return Loss(
            self.name,
            formula,
            formula.target,
            is_classification=True,
            scored_by="accuracy",
            scores=("accuracy",),
            boundary=0.0 if network.output == "identity" else 0.5,
        )


@dataclass(frozen=True)
class SquaredHinge(Hinge):
    """The hinge loss with each term squared   [Keras: SquaredHinge; PyTorch: MultiMarginLoss(p=2)].

    As `Hinge` in all else.
    """

    name = "squared_hinge"
    power = 2


@dataclass(frozen=True)
class _HingeFormula(Formula):
    name = "hinge"

    loss: str
    power: int


@dataclass(frozen=True)
class BinaryHinge(_HingeFormula):
    """max(0, 1 - s z)**power, s = 2 y - 1."""

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """0 and 1, or -1 and 1."""
        return side_target(Y, n_outputs, dtype, loss=self.loss)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        short = gates.relu(1.0 - (2.0 * y - 1.0) * forward.logits)
        return gates.sum(gates.power(short, self.power), axis=1)


@dataclass(frozen=True)
class MultiHinge(_HingeFormula):
    """The sum over j != y of max(0, 1 - z_y + z_j)**power."""

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Labels or one-hot rows."""
        return label_target(Y, n_outputs, dtype, loss=self.loss)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z = forward.logits
        truth = one_hot_of(y, z)
        own = gates.sum(truth * z, axis=1, keepdims=True)
        short = (1.0 - truth) * gates.relu(1.0 + (z - own))
        return gates.sum(gates.power(short, self.power), axis=1)
