"""scikit-learn's losses: what it descends on, and what it reports where that differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrograd import gates
from retrograd.graph.node import Node
from retrograd.graph.shape import known
from retrograd.nn.architecture import Forward
from retrograd.nn.losses import Loss, loss_for
from retrograd.nn.network import Network

LOG_LOSS, SQUARED_ERROR, POISSON = "log_loss", "squared_error", "poisson"


def loss_of(name: str, network: Network) -> Loss:
    """scikit-learn's loss of this name for a network with the output that it goes with."""
    return LOSSES[name](network)


def _log_loss(network: Network) -> Loss:
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


def _squared_error(network: Network) -> Loss:
    # scikit-learn descends on the sum over outputs, and reports their mean.
    n_outputs = network.n_outputs
    loss = loss_for("half_squared_error", network)
    if n_outputs == 1:
        return loss
    return replace(loss, reported=lambda forward, y: loss.per_row(forward, y) / n_outputs)


def poisson(forward: Forward, y: Node) -> Node:
    """Half the Poisson deviance, summed over outputs: y log(y / mu) - y + mu with mu = exp(z).

    delta = (mu - y) / B   [McCullagh & Nelder 1989, sec. 2.3]
    """
    z = forward.logits
    log_y = gates.log(gates.where(y > 0.0, y, 1.0))  # y log(y) is 0 at 0
    return gates.sum(y * (log_y - z) - y + gates.exp(z), axis=1)


def _poisson(network: Network) -> Loss:
    loss = loss_for("half_squared_error", network)
    return replace(loss, name=POISSON, per_row=poisson, scored_by="loss", residuals=None)


LOSSES = {LOG_LOSS: _log_loss, SQUARED_ERROR: _squared_error, POISSON: _poisson}
