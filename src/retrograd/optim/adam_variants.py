"""Kin of Adam: Adamax, NAdam, RAdam."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.gates import abs as absolute
from retrograd.gates import greater, maximum, sqrt, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.adam import Moments, averages
from retrograd.optim.base import (
    Nodes,
    Rate,
    Slot,
    Update,
)


@dataclass(frozen=True)
class Adamax(Moments):
    """Adamax [Kingma & Ba 2015, algorithm 2]: v is a fading maximum in place of an average.

    ::

        m = beta1 * m + (1 - beta1) * g
        v = max(beta2 * v, |g| + epsilon)
        W = W - learning_rate / (1 - beta1**t) * m / v

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.

    >>> rg.Adamax().learning_rate
    0.002
    """

    name = "adamax"

    learning_rate: Rate = 2e-3

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        m = beta1 * slots["m"] + (1.0 - beta1) * g
        v = maximum(beta2 * slots["v"], absolute(g) + scalars["epsilon"])
        rate = scalars["learning_rate"] / (1.0 - beta1**t)
        return w - rate * m / v, {"m": m, "v": v}


@dataclass(frozen=True)
class NAdam(Moments):
    """Adam with Nesterov's momentum [Dozat 2016, algorithm 2], as in PyTorch.

    ::

        mu(t) = beta1 * (1 - 0.96**(momentum_decay * t) / 2)
        mu_product = mu_product * mu(t)                                       # 1 at first
        m, v as in Adam
        step = mu(t + 1) / (1 - mu_product * mu(t + 1)) * m + (1 - mu(t)) / (1 - mu_product) * g
        W = W - learning_rate * step / (sqrt(v / (1 - beta2**t)) + epsilon)

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.
        momentum_decay: >= 0; 0 keeps mu at beta1 / 2.

    >>> rg.NAdam(0.01).momentum_decay
    0.004
    """

    name = "nadam"

    learning_rate: Rate = 2e-3
    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("NAdam", "momentum_decay", self.momentum_decay)

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """`m`, `v`, and `mu_product`, a number."""
        return {"m": Slot(shape), "v": Slot(shape), "mu_product": Slot((), initial=1.0)}

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        m, v = averages(g, slots, scalars)

        def mu(step: Node) -> Node:
            return scalars["beta1"] * (1.0 - 0.5 * 0.96 ** (scalars["momentum_decay"] * step))

        now, after = mu(t), mu(t + 1.0)
        product = slots["mu_product"] * now
        rate, correction = scalars["learning_rate"], 1.0 / (1.0 - scalars["beta2"] ** t)
        of_m = rate * after / (1.0 - product * after)
        of_g = rate * (1.0 - now) / (1.0 - product)
        w = w - (of_m * m + of_g * g) / (sqrt(correction * v) + scalars["epsilon"])
        return w, {"m": m, "v": v, "mu_product": product}


RECTIFIABLE = 5.0  # from this length of the average on, its variance is known well enough


@dataclass(frozen=True)
class RAdam(Moments):
    """Rectified Adam [Liu et al. 2020, algorithm 2], as in PyTorch.

    ::

        m, v as in Adam
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((length - 4) * (length - 2) * longest
                 / ((longest - 4) * (longest - 2) * length))
        W = W - learning_rate * m / (1 - beta1**t)
                * (r * sqrt(1 - beta2**t) / (sqrt(v) + epsilon) if length > 5 else 1)

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.

    >>> rg.RAdam(0.01).beta2
    0.999
    """

    name = "radam"

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        m, v = averages(g, slots, scalars)
        beta2 = scalars["beta2"]
        longest, known = 2.0 / (1.0 - beta2) - 1.0, 1.0 - beta2**t
        length = longest - 2.0 * t * beta2**t / known
        is_known = greater(length, RECTIFIABLE)
        safe = where(is_known, length, longest)  # keeps the root real where it is not used
        r = (safe - 4.0) * (safe - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * safe)
        rate = scalars["learning_rate"] / (1.0 - scalars["beta1"] ** t)
        adapted = rate * sqrt(where(is_known, r * known, 1.0))
        divisor = where(is_known, sqrt(v) + scalars["epsilon"], 1.0)
        return w - adapted * m / divisor, {"m": m, "v": v}
