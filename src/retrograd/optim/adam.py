"""Adam and its kin: a step by the average of the gradient, over the root of that of its square."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_flag, require_number
from retrograd.gates import maximum, sqrt, square
from retrograd.graph.node import Node
from retrograd.optim.base import (
    Nodes,
    PerParameter,
    Rate,
    Update,
    divisor,
    require_rate,
)


@dataclass(frozen=True)
class Moments(PerParameter):
    """What keeps two averages for each parameter, m of g and v of g**2, and their four numbers."""

    learning_rate: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = divisor(1e-8)

    def __post_init__(self) -> None:
        owner = type(self).__name__
        require_rate(owner, self.learning_rate)
        require_number(owner, "beta1", self.beta1, high=1.0)
        require_number(owner, "beta2", self.beta2, high=1.0)
        require_number(owner, "epsilon", self.epsilon, open_low=True)

    def slots(self) -> tuple[str, ...]:
        """`m` and `v`, the averages of g and of g**2."""
        return ("m", "v")


def averages(g: Node, slots: Nodes, scalars: Nodes) -> tuple[Node, Node]:
    """The next m and v."""
    beta1, beta2 = scalars["beta1"], scalars["beta2"]
    m = beta1 * slots["m"] + (1.0 - beta1) * g
    v = beta2 * slots["v"] + (1.0 - beta2) * square(g)
    return m, v


@dataclass(frozen=True)
class Adam(Moments):
    """Adam [Kingma & Ba 2015, algorithm 1], with epsilon outside the root as in PyTorch.

    ::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        W = W - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

        amsgrad   vmax = max(vmax, v) stands in place of v in the step

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.
        amsgrad: whether the largest v so far counts [Reddi, Kale & Kumar 2018, algorithm 2].

    >>> rg.Adam(0.01)
    Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=False)
    """

    name = "adam"

    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_flag(type(self).__name__, "amsgrad", self.amsgrad)

    def slots(self) -> tuple[str, ...]:
        """`m`, `v`, and `vmax` with amsgrad."""
        return ("m", "v", "vmax") if self.amsgrad else ("m", "v")

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        learning_rate, epsilon = scalars["learning_rate"], scalars["epsilon"]
        m, v = averages(g, slots, scalars)
        new = {"m": m, "v": v}
        if self.amsgrad:
            v = new["vmax"] = maximum(slots["vmax"], v)
        # The corrections are numbers, so they are divided before they meet an array.
        rate = learning_rate / (1.0 - scalars["beta1"] ** t)
        correction = 1.0 / (1.0 - scalars["beta2"] ** t)
        return w - rate * m / (sqrt(correction * v) + epsilon), new


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay [Loshchilov & Hutter 2019, algorithm 2], as in PyTorch.

    ::

        W = W - learning_rate * weight_decay * W, then Adam's step

    Every parameter decays, biases too; `Groups` says otherwise. Unlike `l2`, the decay is no part
    of J.

    Args:
        weight_decay: >= 0.

    >>> rg.AdamW(0.01, weight_decay=0.1).weight_decay
    0.1
    """

    name = "adamw"

    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("AdamW", "weight_decay", self.weight_decay)

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        decayed = w * (1.0 - scalars["learning_rate"] * scalars["weight_decay"])
        return super().update(decayed, g, slots, scalars, t)
