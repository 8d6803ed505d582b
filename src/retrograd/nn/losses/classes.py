"""Losses of classes: cross entropies, focal loss, hinge losses, KL divergence, all of logits z."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import known
from retrograd.nn.losses.base import Formula, Loss, LossSpec
from retrograd.nn.losses.targets import (
    Target,
    binary_target,
    class_target,
    distribution_target,
    label_target,
    side_target,
)
from retrograd.nn.network import Forward, Network


def _n_classes(z: Node) -> int:
    return known(z.shape[1])


def _one_hot(y: Node, z: Node) -> Node:
    return gates.one_hot(y, _n_classes(z), z.dtype)


def _require_classes(name: str, network: Network) -> str:
    """The output, "softmax" or "sigmoid"; OptionError where it is neither, or has but one class."""
    output = network.output
    if not isinstance(output, str) or output not in ("softmax", "sigmoid"):
        raise OptionError(
            f"{name} needs a network with output='softmax' (classes) or 'sigmoid' "
            f"(binary, multi-label); this one has output={output!r}"
        )
    if output == "softmax" and network.n_outputs == 1:
        raise OptionError(
            f"{name}: softmax over 1 output is always 1; "
            "use output='sigmoid' for two classes, or one output for each class"
        )
    return output


@dataclass(frozen=True)
class _OfClasses(LossSpec):
    """A loss of classes, with one formula for a softmax output and one for a sigmoid output."""

    @abstractmethod
    def formula(self, output: str) -> Formula:
        """The formula for an output, "softmax" or "sigmoid"."""

    def bind(self, network: Network) -> Loss:
        """The loss for a network: of classes, or of one or several yes-or-no outputs."""
        output = _require_classes(self.name, network)
        formula = self.formula(output)
        return Loss(
            self.name,
            formula,
            formula.target,
            is_classification=True,
            is_multilabel=output == "sigmoid" and network.n_outputs > 1,
            scored_by="accuracy",
            scores=("accuracy", "r2") if output == "sigmoid" else ("accuracy",),
        )


@dataclass(frozen=True)
class CrossEntropy(_OfClasses):
    """The negative log-likelihood of classes, or of yes-or-no outputs: what the output says.

    ::

        softmax   -sum over classes of y log(softmax(z))
        sigmoid   sum over outputs of -y log(s) - (1 - y) log(1 - s),  s = sigmoid(z)

    by the network's output [Bishop 2006, sec. 4.3.2 and 4.3.4]: PyTorch's CrossEntropyLoss, and O
    times its BCEWithLogitsLoss.

    Args:
        label_smoothing: in [0, 1), the share of a target that is spread evenly over all classes:
            y becomes (1 - label_smoothing) y + label_smoothing / C, with C = 2 for yes-or-no
            outputs   [Szegedy et al. 2016, sec. 7; PyTorch and Keras alike].

    >>> rg.CrossEntropy(label_smoothing=0.1)
    CrossEntropy(label_smoothing=0.1)
    """

    name = "cross_entropy"

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_number("CrossEntropy", "label_smoothing", self.label_smoothing, high=1.0)

    def formula(self, output: str) -> Formula:
        """Categorical, or binary."""
        kind = CategoricalCrossEntropy if output == "softmax" else BinaryCrossEntropy
        return kind(float(self.label_smoothing))


def _smoothed(y: Node, share: float, n_classes: int) -> Node:
    return (1.0 - share) * y + share / n_classes if share else y


@dataclass(frozen=True)
class CategoricalCrossEntropy(Formula):
    """-sum over classes of y log(softmax(z)).

    delta = (softmax(z) - y) / B   [L4.2; Bishop 2006, eq. 4.109]
    y are integer labels (rows,), or one-hot rows or probabilities (rows, C).
    """

    name = "cross_entropy"

    label_smoothing: float = 0.0

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Labels, one-hot rows or probabilities."""
        return class_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z = forward.logits
        if y.dtype == np.int64:
            y = _one_hot(y, z)
        y = _smoothed(y, self.label_smoothing, _n_classes(z))
        return -gates.sum(y * gates.log_softmax(z), axis=1)


@dataclass(frozen=True)
class BinaryCrossEntropy(Formula):
    """The sum over outputs of -y log(s) - (1 - y) log(1 - s) with s = sigmoid(z).

    Written y softplus(-z) + (1 - y) softplus(z), which neither overflows nor takes log(0), and
    keeps the digits of a loss that is nearly 0.
    delta = (sigmoid(z) - y) / B   [L4.2; Bishop 2006, sec. 4.3.2]
    """

    name = "cross_entropy"

    label_smoothing: float = 0.0

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """0, 1 or probabilities, one for each output."""
        return binary_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z, y = forward.logits, _smoothed(y, self.label_smoothing, 2)
        return gates.sum(y * gates.softplus(-z) + (1.0 - y) * gates.softplus(z), axis=1)


@dataclass(frozen=True)
class Focal(_OfClasses):
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
        truth = _one_hot(y, log_p)
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

    def bind(self, network: Network) -> Loss:
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
        truth = _one_hot(y, z)
        own = gates.sum(truth * z, axis=1, keepdims=True)
        short = (1.0 - truth) * gates.relu(1.0 + (z - own))
        return gates.sum(gates.power(short, self.power), axis=1)


@dataclass(frozen=True)
class KLDivergence(Formula):
    """The sum over classes of y log(y / softmax(z)), 0 where y is 0.

    [Kullback & Leibler 1951; PyTorch: KLDivLoss(reduction="batchmean") of log_softmax(z)]. It is
    cross entropy less the entropy of y: its least value is 0. y are rows of probabilities.
    """

    name = "kl_divergence"

    def require(self, network: Network) -> None:
        """Raise OptionError unless the output is softmax."""
        if network.output != "softmax" or network.n_outputs == 1:
            raise OptionError(
                "kl_divergence needs a network with output='softmax' of at least two outputs; "
                f"this one has output={network.output!r} of {network.n_outputs}"
            )

    def scores(self, network: Network) -> tuple[str, ...]:
        """Accuracy of the likeliest class, and r2 of the probabilities."""
        return "accuracy", "r2"

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Rows of probabilities that sum to 1."""
        return distribution_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        log_y = gates.log(gates.where(y > 0.0, y, 1.0))
        return gates.sum(y * (log_y - gates.log_softmax(forward.logits)), axis=1)
