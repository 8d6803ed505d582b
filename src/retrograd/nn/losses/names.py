"""The losses by name, and the loss of a user's choice for a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograd.errors import DataError, OptionError, ShapeError, unknown_name
from retrograd.graph.function import call
from retrograd.graph.node import Node
from retrograd.graph.shape import rows, show
from retrograd.nn.losses.base import Loss, LossSpec
from retrograd.nn.losses.classes import CrossEntropy, Focal, Hinge, KLDivergence, SquaredHinge
from retrograd.nn.losses.likelihood import Gamma, GaussianNLL, Poisson, Tweedie
from retrograd.nn.losses.regression import (
    AbsoluteError,
    Cosine,
    HalfSquaredError,
    Huber,
    LogCosh,
    Quantile,
    SquaredError,
)
from retrograd.nn.losses.targets import Target, any_target
from retrograd.nn.network import Forward, Network

LossFunction = Callable[[Node, Node], Node]
LossChoice = str | LossSpec | LossFunction

AUTO = "auto"

LOSSES: dict[str, type[LossSpec]] = {
    "absolute_error": AbsoluteError,
    "cosine": Cosine,
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "gamma": Gamma,
    "gaussian_nll": GaussianNLL,
    "half_squared_error": HalfSquaredError,
    "hinge": Hinge,
    "huber": Huber,
    "kl_divergence": KLDivergence,
    "log_cosh": LogCosh,
    "poisson": Poisson,
    "quantile": Quantile,
    "squared_error": SquaredError,
    "squared_hinge": SquaredHinge,
    "tweedie": Tweedie,
}


def find_loss(loss: LossChoice, network: Network) -> Loss:
    """The loss of a name, an object such as rg.Huber(0.5), or a Python function, for this network.

    Args:
        loss: a name of `LOSSES`, which stands for its usual numbers; an object with others; or a
            function of two nodes, the network's output (rows, O) and the targets, that returns the
            loss of each example, (rows,). "auto" is cross_entropy where the output is softmax or
            sigmoid, else half_squared_error.
        network: cross_entropy and focal are multi-class for a softmax output; binary or multi-label
            for a sigmoid output. A loss that does not fit the outputs is an OptionError.
    """
    if isinstance(loss, str) and loss == AUTO:
        is_class = isinstance(network.output, str) and network.output in ("softmax", "sigmoid")
        loss = "cross_entropy" if is_class else "half_squared_error"
    if isinstance(loss, LossSpec):
        return loss.bind(network)
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]().bind(network)
    if isinstance(loss, type):
        raise OptionError(f"loss: pass an instance, {loss.__name__}(), not the class")
    if callable(loss):
        name = getattr(loss, "__name__", "custom")
        return Loss(name, _custom(loss), any_target, scores=("accuracy", "r2"))
    raise unknown_name("loss", loss, [AUTO, *LOSSES])


def require_two_classes(loss: Loss, target: Target) -> None:
    """Raise DataError where a classifier's targets are all of one class: nothing can be learned."""
    Y = target.array
    if not loss.is_classification or loss.is_multilabel or len(Y) == 1:
        return
    first = Y[0]
    is_certain = Y.ndim == 1 or bool(np.isin(first, (0, 1)).all())
    if is_certain and (first == Y).all():
        label = int(first if Y.ndim == 1 else first.argmax() if first.size > 1 else first[0])
        raise DataError(f"Y: every row has label {label}; a classifier needs two classes")


def _custom(function: LossFunction) -> Callable[[Forward, Node], Node]:
    def per_row(forward: Forward, y: Node) -> Node:
        result = call(function, forward.output, y, what="loss: the function")
        if result.shape != (rows,):
            raise ShapeError(
                f"loss: the function must return one number for each example, shape (rows,); "
                f"it returned {show(result.shape)}; sum over the outputs with axis=1 and leave "
                "the mean over rows to J"
            )
        return result

    return per_row
