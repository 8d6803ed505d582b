"""What tests of networks share: equal parameters, and a gradient that is checked."""

from __future__ import annotations

from typing import Any

import numpy as np

import retrograd as rg
from retrograd.graph.node import Node
from retrograd.nn.losses import find_loss
from retrograd.training.step import Objective, objective


def same(a: rg.Network, b: rg.Network) -> bool:
    """Whether two networks have the same parameters, bit for bit."""
    return all(np.array_equal(a.parameters[name], b.parameters[name]) for name in a.parameters)


def require_right_gradient(network: rg.Network, X: Any, Y: Any) -> Objective:
    """Check dJ/d(parameters), penalty and noise included, by forward passes; the objective."""
    loss = find_loss("half_squared_error", network)
    J = objective(network, loss, loss.target(Y, network.n_outputs, X.dtype))
    values: dict[Node, Any] = {J.inputs["x"]: X, J.inputs["y"]: Y, J.l2: 0.01}
    values |= {J.parameters[name]: value for name, value in network.parameters.items()}
    if J.noise is not None:
        values |= {J.noise.seed: 7, J.noise.seen: 120}
    assert rg.check_gradient(J.J, list(J.trained.values()), values).ok
    return J
