"""Stochastic gradient descent: plain, with momentum, with Nesterov's momentum."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.optim.base import Nodes, Optimizer, Rate, Update, require_rate


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent.

    ::

        plain       W = W - learning_rate * g
        momentum    velocity = momentum * velocity + g
                    W = W - learning_rate * velocity
        nesterov    W = W - learning_rate * (g + momentum * velocity)

    As in PyTorch the velocity does not contain the rate [Sutskever et al. 2013, in that form].

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        momentum: in [0, 1).
        nesterov: needs momentum > 0.

    >>> rg.SGD(0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=False)
    """

    name = "sgd"

    learning_rate: Rate = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        require_rate("SGD", self.learning_rate)
        require_number("SGD", "momentum", self.momentum, high=1.0)
        if not isinstance(self.nesterov, bool):
            raise OptionError(f"SGD: nesterov must be True or False, got {self.nesterov!r}")
        if self.nesterov and not self.momentum:
            raise OptionError("SGD: nesterov needs momentum > 0")

    def slots(self) -> tuple[str, ...]:
        """`velocity`, where there is momentum."""
        return ("velocity",) if self.momentum else ()

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        learning_rate = scalars["learning_rate"]
        if not self.momentum:
            return w - learning_rate * g, {}
        momentum = scalars["momentum"]
        velocity = momentum * slots["velocity"] + g
        descent = g + momentum * velocity if self.nesterov else velocity
        return w - learning_rate * descent, {"velocity": velocity}
