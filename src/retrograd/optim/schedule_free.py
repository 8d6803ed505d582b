"""Schedule-free AdamW: no schedule, and an average of the weights that is read out."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.gates import greater, maximum, sqrt, square, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.adam import Moments
from retrograd.optim.base import Nodes, Rate, Slot, Update, slot_name


@dataclass(frozen=True)
class ScheduleFreeAdamW(Moments):
    """Schedule-free AdamW [Defazio et al. 2024, algorithm 1], as in the authors' package.

    ::

        g is taken at y, which stands where W does
        v = beta2 * v + (1 - beta2) * g**2
        step = g / (sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * y
        total = total + peak**2,   peak the largest rate so far,   c = peak**2 / total
        y = y + c * (z - y) - learning_rate * (1 - beta1 * (1 - c)) * step
        z = z - learning_rate * step                                # z is W at first
        read   x = y + (1 - 1 / beta1) * (z - y)

    x is the running mean of z, and y = beta1 * x + (1 - beta1) * z. Validation, scores and the
    network after training have x. A warm-up of the rate helps (`rg.schedules.WarmUp`).

    Args:
        learning_rate: > 0, or a function of the step (from 0). Larger than Adam's.
        beta1: in (0, 1). beta2: in [0, 1).
        epsilon: > 0.
        weight_decay: >= 0, decoupled from J.

    >>> rg.ScheduleFreeAdamW().slots_of("W1", (3, 2))["z"].copy_of
    'W1'
    """

    name = "schedule_free_adamw"

    learning_rate: Rate = 2.5e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("ScheduleFreeAdamW", "weight_decay", self.weight_decay)
        if not self.beta1:
            raise OptionError("ScheduleFreeAdamW: beta1 must be in (0, 1), got 0")

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """`z` and `v` of each parameter, and the numbers `peak` and `total`."""
        numbers = {"peak": Slot(()), "total": Slot(())}
        return {"z": Slot(shape, copy_of=name), "v": Slot(shape), **numbers}

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        rate, beta1, beta2 = scalars["learning_rate"], scalars["beta1"], scalars["beta2"]
        z = slots["z"]
        v = beta2 * slots["v"] + (1.0 - beta2) * square(g)
        peak = maximum(rate, slots["peak"])
        total = slots["total"] + square(peak)
        is_moving = greater(total, 0.0)  # a warm-up may begin at a rate of 0
        c = where(is_moving, square(peak) / where(is_moving, total, 1.0), 0.0)
        step = g / (sqrt(1.0 / (1.0 - beta2**t) * v) + scalars["epsilon"])
        step = step + scalars["weight_decay"] * w
        y = w + c * (z - w) - rate * (1.0 - beta1 * (1.0 - c)) * step
        return y, {"z": z - rate * step, "v": v, "peak": peak, "total": total}

    def read(self, w: Nodes, state: Nodes, scalars: Nodes) -> Nodes:
        """x, the running mean."""
        share = 1.0 - 1.0 / scalars["beta1"]
        return {name: y + share * (state[slot_name("z", name)] - y) for name, y in w.items()}
