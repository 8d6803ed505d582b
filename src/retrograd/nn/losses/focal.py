"""Focal loss: cross entropy whose easy examples count less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.nn.architecture import Forward
from retrograd.nn.losses.base import Formula
from retrograd.nn.losses.classes import OfClasses, one_hot_of
from retrograd.nn.losses.targets import Target, binary_target, label_target


@dataclass(frozen=True)
class Focal(OfClasses):
    """Cross entropy times (1 - p)**gamma, p the probability of the right class.

    Rows that are right already count less   [Lin et al. 2017, eq. 4 and 5]. For output="softmax"
    Keras's CategoricalFocalCrossentropy with alpha = 1; for output="sigmoid" the sum over outputs
    of torchvision's sigmoid_focal_loss. gamma = 0 is cross entropy.

    Args:
        gamma: >= 0.
        alpha: in [0, 1], the weight of yes, with 1 - alpha that of no: for a sigmoid output only.
            None weighs neither. For classes see `class_weight` of `rg.train`.

    >>> rg.Focal(gamma=3)
    Focal(gamma=3, alpha=None)
    """

    name = "focal"

    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        require_number("Focal", "gamma", self.gamma)
        if self.alpha is not None:
            require_number("Focal", "alpha", self.alpha, high=1.0, closed_high=True)

    def formula(self, output: str) -> Formula:
        """Categorical, or binary."""
        if output == "sigmoid":
            return BinaryFocal(float(self.gamma), self.alpha)
        if self.alpha is not None:
            raise OptionError(
                "Focal: alpha weighs yes and no of a sigmoid output; "
                "for classes use class_weight of rg.train"
            )
        return CategoricalFocal(float(self.gamma))


@dataclass(frozen=True)
class CategoricalFocal(Formula):
    """-(1 - p)**gamma log(p), p = softmax(z) of the right class.

    With u = z of the right class - log(sum of e**z of the others), p = sigmoid(u): then
    -log(p) = softplus(-u) and -log(1 - p) = softplus(u), and no digit is lost near p = 1.
    """

    name = "focal"

    gamma: float

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Labels or one-hot rows."""
        return label_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        log_p = gates.log_softmax(forward.logits)  # u is the same; large z would cancel in it
        truth = one_hot_of(y, log_p)
        others = gates.where(truth > 0.0, -np.inf, log_p)
        u = gates.sum(truth * log_p, axis=1) - gates.logsumexp(others, axis=1)
        return gates.exp(-self.gamma * gates.softplus(u)) * gates.softplus(-u)


@dataclass(frozen=True)
class BinaryFocal(Formula):
    """The sum over outputs of -y (1 - s)**gamma log(s) - (1 - y) s**gamma log(1 - s)."""

    name = "focal"

    gamma: float
    alpha: float | None = None

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """0, 1 or probabilities, one for each output."""
        return binary_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        yes, no = gates.softplus(-forward.logits), gates.softplus(forward.logits)
        if_yes, if_no = gates.exp(-self.gamma * no) * yes, gates.exp(-self.gamma * yes) * no
        if self.alpha is not None:
            if_yes, if_no = self.alpha * if_yes, (1.0 - self.alpha) * if_no
        return gates.sum(y * if_yes + (1.0 - y) * if_no, axis=1)
