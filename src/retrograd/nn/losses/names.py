"""The losses by name, and the loss of a user's choice for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from retrograd.errors import DataError, OptionError, ShapeError, unknown_name
from retrograd.graph.function import call
from retrograd.graph.node import Node
from retrograd.graph.shape import rows, show
from retrograd.nn.architecture import Forward
from retrograd.nn.losses.base import Loss, LossSpec, Output
from retrograd.nn.losses.joint import JointLoss, Losses
from retrograd.nn.losses.targets import Target, Targets, any_target, of_head
from retrograd.nn.network import Network
from retrograd.registry import Registry

LossFunction = Callable[[Node, Node], Node]
LossChoice = str | LossSpec | LossFunction | Losses | Mapping[str, Any]

AUTO = "auto"

LOSSES: Registry[type[LossSpec]] = Registry(
    "retrograd.nn.losses",
    {
        "absolute_error": "regression:AbsoluteError",
        "cosine": "regression:Cosine",
        "cross_entropy": "classes:CrossEntropy",
        "focal": "focal:Focal",
        "gamma": "likelihood:Gamma",
        "gaussian_nll": "likelihood:GaussianNLL",
        "half_squared_error": "regression:HalfSquaredError",
        "hinge": "hinge:Hinge",
        "huber": "regression:Huber",
        "kl_divergence": "classes:KLDivergence",
        "log_cosh": "regression:LogCosh",
        "poisson": "likelihood:Poisson",
        "quantile": "regression:Quantile",
        "squared_error": "regression:SquaredError",
        "squared_hinge": "hinge:SquaredHinge",
        "tweedie": "likelihood:Tweedie",
    },
)


def find_loss(loss: LossChoice, network: Network) -> Loss | JointLoss:
    """The loss for a network; with heads, that of all of them together.

    Args:
        loss: see `loss_for`. With heads, `rg.Losses`; or a dict with a loss for each, all of the
            weight 1; or "auto", which is so too.
        network: a loss that does not fit its outputs is an OptionError that names the head.
    """
    heads = network.heads
    if not heads:
        if isinstance(loss, Losses | Mapping):
            raise OptionError(
                "loss: losses by name are for the heads of a network; this one has one output, "
                "and takes one loss; for several let rg.Heads be its last layer"
            )
        return loss_for(loss, network)
    if loss == AUTO:
        loss = dict.fromkeys(heads, AUTO)
    if isinstance(loss, Mapping):
        loss = Losses(loss)
    if not isinstance(loss, Losses):
        shown = ", ".join(f"{name!r}: ..." for name in heads)
        raise OptionError(f"loss: the network has heads; give a loss for each, {{{shown}}}")
    require_heads("loss", loss.losses, heads)
    for name in loss.weights:
        if name not in heads:
            raise unknown_name("head", name, heads)
    found = []
    for name, head in heads.items():
        try:
            found.append((name, loss_for(loss.losses[name], head)))
        except OptionError as error:
            raise OptionError(f"head {name!r}: {error}") from None
    return JointLoss(tuple(found), {name: float(loss.weights.get(name, 1.0)) for name in heads})


def require_heads(what: str, given: Mapping[str, object], heads: Iterable[str]) -> None:
    """Raise OptionError unless there is something for each head, and for nothing else."""
    known = list(heads)
    for name in given:
        if name not in known:
            raise unknown_name("head", name, known)
    missing = [name for name in known if name not in given]
    if missing:
        raise OptionError(f"{what}: none is given for {' and '.join(map(repr, missing))}")


def loss_for(loss: Any, network: Output) -> Loss:
    """The loss of a name, an object such as rg.Huber(0.5), or a Python function, for one output.

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


def require_two_classes(losses: Loss | JointLoss, targets: Target | Targets) -> None:
    """Raise DataError where a classifier's targets are all of one class: nothing can be learned."""
    for name, loss in losses.by_head.items():
        with of_head(name):
            _require_two(loss, targets.parts[name])


def _require_two(loss: Loss, target: Target) -> None:
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
