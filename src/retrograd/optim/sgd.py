"""Stochastic gradient descent: plain, with momentum, with Nesterov's momentum, with dampening."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_flag, require_number
from retrograd.errors import OptionError
from retrograd.gates import equal, where
from retrograd.graph.node import Node
from retrograd.optim.base import Nodes, PerParameter, Rate, Update, require_rate


@dataclass(frozen=True)
class SGD(PerParameter):
    """Stochastic gradient descent.

    ::

        plain       W = W - learning_rate * g
        momentum    velocity = momentum * velocity + g
                    W = W - learning_rate * velocity
        nesterov    W = W - learning_rate * (g + momentum * velocity)
        dampening   velocity = momentum * velocity + (1 - dampening) * g, but g in the first step

    As in PyTorch the velocity does not contain the rate [Sutskever et al. 2013, in that form].

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        momentum: in [0, 1).
        nesterov: needs momentum > 0.
        dampening: in [0, 1]; needs momentum > 0, and not with nesterov.

    >>> rg.SGD(0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=False, dampening=0.0)
    """

    name = "sgd"

    learning_rate: Rate = 1e-2
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        require_rate("SGD", self.learning_rate)
        require_number("SGD", "momentum", self.momentum, high=1.0)
        require_number("SGD", "dampening", self.dampening, high=1.0, closed_high=True)
        require_flag("SGD", "nesterov", self.nesterov)
        if self.nesterov and not self.momentum:
            raise OptionError("SGD: nesterov needs momentum > 0")
        if self.dampening and (self.nesterov or not self.momentum):
            raise OptionError("SGD: dampening needs momentum > 0, and no nesterov")

    def numbers(self) -> dict[str, Rate]:
        """The rate and the momentum, and dampening where there is some."""
        found = super().numbers()
        return found if self.dampening else {n: x for n, x in found.items() if n != "dampening"}

    def slots(self) -> tuple[str, ...]:
        """`velocity`, where there is momentum."""
        return ("velocity",) if self.momentum else ()

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        learning_rate = scalars["learning_rate"]
        if not self.momentum:
            return w - learning_rate * g, {}
        momentum = scalars["momentum"]
        arriving = g
        if self.dampening:
            arriving = where(equal(t, 1.0), 1.0, 1.0 - scalars["dampening"]) * g
        velocity = momentum * slots["velocity"] + arriving
        descent = g + momentum * velocity if self.nesterov else velocity
        return w - learning_rate * descent, {"velocity": velocity}
