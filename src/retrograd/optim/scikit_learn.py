"""scikit-learn's own variants of SGD and Adam, which its estimators' users know the results of."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.gates import sqrt, square
from retrograd.graph.node import Node
from retrograd.optim.adam import Moments
from retrograd.optim.base import Nodes, PerParameter, Rate, Update, require_rate


@dataclass(frozen=True)
class ScikitLearnSGD(PerParameter):
    """Stochastic gradient descent whose velocity contains the rate.

    ::

        momentum    velocity = momentum * velocity - learning_rate * g
                    W = W + velocity
        nesterov    W = W + momentum * velocity - learning_rate * g

    Unlike `SGD`, a change of the rate does not act on the velocity that is there.

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        momentum: in [0, 1].
        nesterov: whether the step looks ahead by one more velocity.

    >>> ScikitLearnSGD(0.1)
    ScikitLearnSGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    """

    name = "scikit-learn sgd"

    learning_rate: Rate = 1e-3
    momentum: float = 0.9
    nesterov: bool = True

    def __post_init__(self) -> None:
        require_rate("ScikitLearnSGD", self.learning_rate)
        require_number("ScikitLearnSGD", "momentum", self.momentum, high=1.0, closed_high=True)

    def slots(self) -> tuple[str, ...]:
        """`velocity`."""
        return ("velocity",)

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        momentum, descent = scalars["momentum"], scalars["learning_rate"] * g
        velocity = momentum * slots["velocity"] - descent
        if self.nesterov:
            return w + (momentum * velocity - descent), {"velocity": velocity}
        return w + velocity, {"velocity": velocity}


@dataclass(frozen=True)
class ScikitLearnAdam(Moments):
    """Adam in the form of [Kingma & Ba 2015, end of section 2]: epsilon is not corrected for bias.

    ::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        rate = learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t)
        W = W - rate * m / (sqrt(v) + epsilon)

    Unlike `Adam`, epsilon weighs 1 / sqrt(1 - beta2**t) times as much.

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.

    >>> ScikitLearnAdam(0.01)
    ScikitLearnAdam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """

    name = "scikit-learn adam"

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        m = beta1 * slots["m"] + (1.0 - beta1) * g
        v = beta2 * slots["v"] + (1.0 - beta2) * square(g)
        rate = scalars["learning_rate"] * sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
        return w - rate * m / (sqrt(v) + scalars["epsilon"]), {"m": m, "v": v}
