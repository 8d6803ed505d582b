"""Losses of classes, all of logits z: cross entropies, KL divergence, and what others share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import known
from retrograd.nn.architecture import Forward
from retrograd.nn.losses.base import Formula, Loss, LossSpec, Output
from retrograd.nn.losses.targets import (
    Target,
    binary_target,
    class_target,
    distribution_target,
)


def count_classes(z: Node) -> int:
    """The number of classes, one for each of the logits (rows, C)."""
    return known(z.shape[1])


def one_hot_of(y: Node, z: Node) -> Node:
    """Labels (rows,) as rows of 0 with a 1, of the shape of the logits (rows, C)."""
    return gates.one_hot(y, count_classes(z), z.dtype)


def require_classes(name: str, network: Output) -> str:
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
class OfClasses(LossSpec):
    """A loss of classes, with one formula for a softmax output and one for a sigmoid output."""

    @abstractmethod
    def formula(self, output: str) -> Formula:
        """The formula for an output, "softmax" or "sigmoid"."""

    def bind(self, network: Output) -> Loss:
        """The loss for a network: of classes, or of one or several yes-or-no outputs."""
        output = require_classes(self.name, network)
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
class CrossEntropy(OfClasses):
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


def smoothed(y: Node, share: float, n_classes: int) -> Node:
    """Targets of which this share is spread evenly over all classes."""
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
            y = one_hot_of(y, z)
        y = smoothed(y, self.label_smoothing, count_classes(z))
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
        z, y = forward.logits, smoothed(y, self.label_smoothing, 2)
        return gates.sum(y * gates.softplus(-z) + (1.0 - y) * gates.softplus(z), axis=1)


@dataclass(frozen=True)
class KLDivergence(Formula):
    """The sum over classes of y log(y / softmax(z)), 0 where y is 0.

    [Kullback & Leibler 1951; PyTorch: KLDivLoss(reduction="batchmean") of log_softmax(z)]. It is
    cross entropy less the entropy of y: its least value is 0. y are rows of probabilities.
    """

    name = "kl_divergence"

    def require(self, network: Output) -> None:
        """Raise OptionError unless the output is softmax."""
        if network.output != "softmax" or network.n_outputs == 1:
            raise OptionError(
                "kl_divergence needs a network with output='softmax' of at least two outputs, "
                "three classes or more in a classifier; "
                f"this one has output={network.output!r} of {network.n_outputs}"
            )

    def scores(self, network: Output) -> tuple[str, ...]:
        """Accuracy of the likeliest class, and r2 of the probabilities."""
        return "accuracy", "r2"

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Rows of probabilities that sum to 1."""
        return distribution_target(Y, n_outputs, dtype, loss=self.name)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        log_y = gates.log(gates.where(y > 0.0, y, 1.0))
        return gates.sum(y * (log_y - gates.log_softmax(forward.logits)), axis=1)
