"""Steps by the gradient over the root of its past squares: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_flag, require_number
from retrograd.gates import sqrt, square
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.base import (
    Nodes,
    PerParameter,
    Rate,
    Slot,
    Update,
    divisor,
    require_rate,
)


@dataclass(frozen=True)
class Adagrad(PerParameter):
    """Adagrad, with diagonal matrices [Duchi, Hazan & Singer 2011, figure 1], as in PyTorch.

    ::

        total = total + g**2                                        # initial at first
        W = W - learning_rate * g / (sqrt(total) + epsilon)

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        epsilon: > 0.
        initial: >= 0, of the sum.

    >>> rg.Adagrad(0.1)
    Adagrad(learning_rate=0.1, epsilon=1e-10, initial=0.0)
    """

    name = "adagrad"

    learning_rate: Rate = 1e-2
    epsilon: float = divisor(1e-10)
    initial: float = 0.0

    def __post_init__(self) -> None:
        require_rate("Adagrad", self.learning_rate)
        require_number("Adagrad", "epsilon", self.epsilon, open_low=True)
        require_number("Adagrad", "initial", self.initial)

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """`total`, the sum of g**2."""
        return {"total": Slot(shape, self.initial)}

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        total = slots["total"] + square(g)
        w = w - scalars["learning_rate"] * g / (sqrt(total) + scalars["epsilon"])
        return w, {"total": total}


@dataclass(frozen=True)
class RMSprop(PerParameter):
    """RMSprop [Tieleman & Hinton 2012, lecture 6.5; centred: Graves 2013, eq. 38], as in PyTorch.

    ::

        v = rho * v + (1 - rho) * g**2
        plain       step = g / (sqrt(v) + epsilon)
        centered    m = rho * m + (1 - rho) * g
                    step = g / (sqrt(v - m**2) + epsilon)
        momentum    velocity = momentum * velocity + step, which stands in its place
        W = W - learning_rate * step

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        rho: in [0, 1).
        epsilon: > 0.
        momentum: in [0, 1).
        centered: whether the variance stands in place of the mean square.

    >>> rg.RMSprop(centered=True)
    RMSprop(learning_rate=0.01, rho=0.99, epsilon=1e-08, momentum=0.0, centered=True)
    """

    name = "rmsprop"

    learning_rate: Rate = 1e-2
    rho: float = 0.99
    epsilon: float = divisor(1e-8)
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        require_rate("RMSprop", self.learning_rate)
        require_number("RMSprop", "rho", self.rho, high=1.0)
        require_number("RMSprop", "epsilon", self.epsilon, open_low=True)
        require_number("RMSprop", "momentum", self.momentum, high=1.0)
        require_flag("RMSprop", "centered", self.centered)

    def slots(self) -> tuple[str, ...]:
        """`v`, with `centered` also `m`, with momentum also `velocity`."""
        more = ("m",) if self.centered else ()
        return ("v", *more, *(("velocity",) if self.momentum else ()))

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        rho = scalars["rho"]
        new = {"v": rho * slots["v"] + (1.0 - rho) * square(g)}
        variance = new["v"]
        if self.centered:
            new["m"] = rho * slots["m"] + (1.0 - rho) * g
            variance = variance - square(new["m"])
        step = g / (sqrt(variance) + scalars["epsilon"])
        if self.momentum:
            step = new["velocity"] = scalars["momentum"] * slots["velocity"] + step
        return w - scalars["learning_rate"] * step, new


@dataclass(frozen=True)
class Adadelta(PerParameter):
    """Adadelta [Zeiler 2012, algorithm 1], as in PyTorch.

    ::

        v = rho * v + (1 - rho) * g**2
        step = sqrt(u + epsilon) / sqrt(v + epsilon) * g
        u = rho * u + (1 - rho) * step**2
        W = W - learning_rate * step

    Args:
        learning_rate: > 0, or a function of the step (from 0); 1 in the paper.
        rho: in [0, 1).
        epsilon: > 0.

    >>> rg.Adadelta()
    Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-06)
    """

    name = "adadelta"

    learning_rate: Rate = 1.0
    rho: float = 0.9
    epsilon: float = divisor(1e-6)

    def __post_init__(self) -> None:
        require_rate("Adadelta", self.learning_rate)
        require_number("Adadelta", "rho", self.rho, high=1.0)
        require_number("Adadelta", "epsilon", self.epsilon, open_low=True)

    def slots(self) -> tuple[str, ...]:
        """`v` and `u`, the averages of g**2 and of step**2."""
        return ("v", "u")

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        rho, epsilon = scalars["rho"], scalars["epsilon"]
        v = rho * slots["v"] + (1.0 - rho) * square(g)
        step = sqrt(slots["u"] + epsilon) / sqrt(v + epsilon) * g
        u = rho * slots["u"] + (1.0 - rho) * square(step)
        return w - scalars["learning_rate"] * step, {"v": v, "u": u}
