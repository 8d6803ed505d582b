"""The losses of estimators: scikit-learn's, with what it reports, and the package's others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import known
from retrograd.nn.architecture import Forward
from retrograd.nn.losses import Loss, loss_for
from retrograd.nn.losses.base import Output
from retrograd.nn.losses.classes import CrossEntropy
from retrograd.nn.losses.likelihood import GaussianNLL
from retrograd.nn.losses.regression import Quantile

LOG_LOSS, SQUARED_ERROR, POISSON = "log_loss", "squared_error", "poisson"
OF_MEANS = ("gamma", "tweedie")  # beside poisson: predictions are exp of the last layer
LEAST: dict[str, tuple[str, Callable[..., Any]]] = {
    POISSON: (">=", np.greater_equal),
    "gamma": (">", np.greater),
    "tweedie": (">=", np.greater_equal),
}
"""How the targets of losses of means must stand to 0."""

LABELLED = (LOG_LOSS, "cross_entropy", "focal", "hinge", "squared_hinge")
"""The losses of classes whose targets are labels, where a row has one of several classes."""

OF_CLASSES = ("focal", "hinge", "squared_hinge", "kl_divergence", "half_squared_error")
SCALABLE = (
    "absolute_error",
    "gaussian_nll",
    "half_squared_error",
    "huber",
    "log_cosh",
    "quantile",
    SQUARED_ERROR,
)
"""The losses of numbers whose targets may be standardised."""

OF_NUMBERS = (*SCALABLE, POISSON, *OF_MEANS, "cosine")


def loss_of(choice: Any, network: Output, label_smoothing: float = 0.0) -> Loss:
    """The loss of a choice: scikit-learn's of its names, else the package's."""
    if not isinstance(choice, str) or choice not in LOSSES:
        if label_smoothing:
            raise OptionError(f"label_smoothing smooths loss='log_loss', the loss is {choice!r}")
        return loss_for(choice, network)
    if label_smoothing:
        return loss_for(CrossEntropy(label_smoothing), network)
    return LOSSES[choice](network)


def name_of(choice: Any) -> str:
    """The name of a choice; "" for a function."""
    return choice if isinstance(choice, str) else str(getattr(choice, "name", ""))


def quantiles_of(choice: Any) -> tuple[float, ...]:
    """The quantiles that a loss estimates, side by side for each target; none for other losses."""
    if name_of(choice) != Quantile.name:
        return ()
    chosen = choice if isinstance(choice, Quantile) else Quantile()
    assert isinstance(chosen.quantiles, tuple)  # as its constructor left them
    return chosen.quantiles


def has_quantiles(model: Any) -> bool:
    """True, for a model of quantiles; AttributeError for another."""
    if quantiles_of(model.loss):
        return True
    raise AttributeError(
        f"predict_quantiles is there with loss='quantile', the loss is {model.loss!r}"
    )


def outputs_each(choice: Any) -> int:
    """The outputs that a loss of numbers needs for each target."""
    return 2 if is_gaussian(choice) else len(quantiles_of(choice)) or 1


def is_gaussian(choice: Any) -> bool:
    """Whether the outputs are means and the logarithms of variances."""
    return name_of(choice) == GaussianNLL.name


def output_of(choice: Any) -> str:
    """The `out_activation_` that a loss of numbers goes with."""
    return "exp" if name_of(choice) in (POISSON, *OF_MEANS) else "identity"


def require_means(choice: Any, y: Array) -> None:
    """Raise DataError for targets that cannot be those of a loss whose predictions are positive."""
    name = name_of(choice)
    if name not in LEAST:
        return
    above, is_right = LEAST[name]
    if not is_right(y, 0.0).all():
        raise DataError(f"loss={name!r} needs y {above} 0, the least is {y.min() + 0.0:g}")


GO_ON = (SQUARED_ERROR, POISSON)
"""scikit-learn's losses of numbers, which descend on output - y whatever the outputs are: a warm
start under the other one goes on by the gradient of the first, and reports the second."""


def require_output(choice: Any, now: str, needed: str) -> None:
    """Raise OptionError where the outputs of a model that is there are not those of its loss."""
    if now != needed:
        raise OptionError(
            f"loss={choice!r} needs the out_activation_ {needed!r}, the model has {now!r}; fit "
            "with warm_start=False to begin again"
        )


def _log_loss(network: Output) -> Loss:
    loss = loss_for("cross_entropy", network)
    return replace(loss, reported=_REPORTED[str(network.output)])


def _clipped(forward: Forward) -> Node:
    """Probabilities held off 0 and 1, so that no reported loss is infinite."""
    epsilon = float(np.finfo(forward.output.dtype).eps)
    return gates.clip(forward.output, epsilon, 1.0 - epsilon)


def _categorical(forward: Forward, y: Node) -> Node:
    classes = known(forward.output.shape[1])
    truth = gates.one_hot(y, classes, forward.output.dtype)
    return -gates.sum(truth * gates.log(_clipped(forward)), axis=1)


def _binary(forward: Forward, y: Node) -> Node:
    p = _clipped(forward)
    return -gates.sum(y * gates.log(p) + (1.0 - y) * gates.log(1.0 - p), axis=1)


_REPORTED = {"softmax": _categorical, "sigmoid": _binary}


def _squared_error(network: Output) -> Loss:
    # scikit-learn descends on the sum over outputs, and reports their mean.
    loss = loss_for("half_squared_error", network)
    if network.output != "identity":
        return replace(loss, per_row=poisson, reported=_mean_over_outputs, residuals=None)
    return loss if network.n_outputs == 1 else replace(loss, reported=_mean_over_outputs)


def _mean_over_outputs(forward: Forward, y: Node) -> Node:
    return 0.5 * gates.mean(gates.square(forward.output - y), axis=1)


def poisson(forward: Forward, y: Node) -> Node:
    """Half the Poisson deviance, summed over outputs: y log(y / mu) - y + mu with mu = exp(z).

    delta = (mu - y) / B   [McCullagh & Nelder 1989, sec. 2.3]
    """
    z = forward.logits
    log_y = gates.log(gates.where(y > 0.0, y, 1.0))  # y log(y) is 0 at 0
    return gates.sum(y * (log_y - z) - y + gates.exp(z), axis=1)


def _deviance(forward: Forward, y: Node) -> Node:
    """`poisson` of means that may be below 0, where it is NaN."""
    mu = forward.output
    of_some = y * gates.log(gates.where(y > 0.0, y / mu, 1.0))
    return gates.sum(of_some - y + mu, axis=1)


def _poisson(network: Output) -> Loss:
    loss = replace(loss_for("half_squared_error", network), name=POISSON, scored_by="loss")
    if network.output == "identity":
        return replace(loss, reported=_deviance, residuals=None)
    return replace(loss, per_row=poisson, residuals=None)


LOSSES: dict[str, Callable[[Output], Loss]] = {
    LOG_LOSS: _log_loss,
    SQUARED_ERROR: _squared_error,
    POISSON: _poisson,
}
