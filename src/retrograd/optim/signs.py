"""Steps by the sign of the gradient alone: Lion and Rprop."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.gates import greater, less, maximum, minimum, sign, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.base import Nodes, PerParameter, Rate, Slot, Update, at, require_rate


@dataclass(frozen=True)
class Lion(PerParameter):
    """Lion [Chen et al. 2023, program 1], as in Optax.

    ::

        step = sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g
        W = W - learning_rate * (step + weight_decay * W)

    Every weight moves by the same length, so the rate is to be 3 to 10 times smaller than Adam's.

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        weight_decay: >= 0, decoupled from J.

    >>> rg.Lion()
    Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0)
    """

    name = "lion"

    learning_rate: Rate = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_rate("Lion", self.learning_rate)
        require_number("Lion", "beta1", self.beta1, high=1.0)
        require_number("Lion", "beta2", self.beta2, high=1.0)
        require_number("Lion", "weight_decay", self.weight_decay)

    def slots(self) -> tuple[str, ...]:
        """`m`, an average of g."""
        return ("m",)

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        beta1, beta2 = scalars["beta1"], scalars["beta2"]
        step = sign(beta1 * slots["m"] + (1.0 - beta1) * g)
        m = beta2 * slots["m"] + (1.0 - beta2) * g
        return w - scalars["learning_rate"] * (step + scalars["weight_decay"] * w), {"m": m}


@dataclass(frozen=True)
class Rprop(PerParameter):
    """Resilient backpropagation for full batches [Riedmiller & Braun 1993], as in PyTorch.

    ::

        turn = g * previous                                  # previous is 0 at first
        size = clip(size * (up where turn > 0, down where turn < 0, else 1), smallest, largest)
        previous = g where turn >= 0, else 0                 # a weight that overshot waits a step
        W = W - sign(previous) * size

    Every weight has a step size of its own, which is the learning rate at first. Signs say nothing
    where batches change: use all rows at each step.

    Args:
        learning_rate: > 0, the first size; of a function of the step its value at 0.
        up: > 1. down: in (0, 1).
        smallest: > 0. largest: >= smallest; the bounds of a size.

    >>> rg.Rprop()
    Rprop(learning_rate=0.01, up=1.2, down=0.5, smallest=1e-06, largest=50.0)
    """

    name = "rprop"

    learning_rate: Rate = 1e-2
    up: float = 1.2
    down: float = 0.5
    smallest: float = 1e-6
    largest: float = 50.0

    def __post_init__(self) -> None:
        require_rate("Rprop", self.learning_rate)
        require_number("Rprop", "up", self.up, low=1.0, open_low=True)
        require_number("Rprop", "down", self.down, high=1.0, open_low=True)
        require_number("Rprop", "smallest", self.smallest, open_low=True)
        require_number("Rprop", "largest", self.largest, open_low=True)
        if self.largest < self.smallest:
            raise OptionError(
                f"Rprop: largest must be at least smallest, {self.smallest:g}; got {self.largest:g}"
            )

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """`previous`, the last gradient, and `size`, the length of the steps."""
        return {"previous": Slot(shape), "size": Slot(shape, at(self.learning_rate, 0))}

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        turn = g * slots["previous"]
        down = where(less(turn, 0.0), scalars["down"], 1.0)
        size = slots["size"] * where(greater(turn, 0.0), scalars["up"], down)
        size = minimum(maximum(size, scalars["smallest"]), scalars["largest"])
        kept = where(less(turn, 0.0), 0.0, g)
        return w - sign(kept) * size, {"previous": kept, "size": size}
