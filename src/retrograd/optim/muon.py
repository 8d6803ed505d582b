"""Muon: momentum made orthogonal for weight matrices, another optimizer for all else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from retrograd.arrays import require_flag, require_integer, require_number
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape, known
from retrograd.optim.adam import AdamW
from retrograd.optim.base import (
    Nodes,
    Optimizer,
    PerParameter,
    Point,
    Rate,
    Slot,
    Update,
    divisor,
    require_rate,
    structure,
)
from retrograd.optim.groups import Divided, require_optimizer
from retrograd.optim.lengths import norm

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # steep at 0, so that few iterations do   [Jordan 2024]
OTHERS = "others: "  # before the names of the fallback's numbers and state


def orthogonal(x: Node, iterations: int, epsilon: Node | float) -> Node:
    """About U @ V.T of x = U @ S @ V.T, by Newton-Schulz: singular values from 0.7 to 1.2.

    x = a*x + (b*A + c*A@A) @ x with A = x @ x.T, from x / norm(x)   [Jordan 2024]
    """
    if known(x.shape[0]) > known(x.shape[1]):
        return orthogonal(x.T, iterations, epsilon).T
    a, b, c = COEFFICIENTS
    x = x / (norm(x) + epsilon)
    for _ in range(iterations):
        A = x @ x.T
        x = a * x + (b * A + c * (A @ A)) @ x
    return x


@dataclass(frozen=True)
class Muon(Divided, PerParameter):
    """Muon for weight matrices [Jordan et al. 2024], as in Optax; a fallback for all else.

    ::

        m = beta * m + (1 - beta) * g
        plain       step = m / (1 - beta**t)
        nesterov    step = beta * m / (1 - beta**(t + 1)) + (1 - beta) * g / (1 - beta**t)
        step = orthogonal(step) * sqrt(max(1, O / I))            # of W (I, O)
        W = W - learning_rate * (step + weight_decay * W)

    Newton and Schulz's iteration brings the singular values of a step near 1, so that rare
    directions move as far as frequent ones.

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta: in [0, 1).
        nesterov: whether the step looks ahead.
        weight_decay: >= 0, decoupled from J.
        epsilon: > 0, added to a step's norm.
        iterations: of Newton and Schulz, at least 1.
        fallback: the optimizer of the parameters that are no matrices.

    >>> rg.Muon(0.05, fallback=rg.SGD(0.1)).numbers()["others: learning_rate"]
    0.1
    """

    name = "muon"

    learning_rate: Rate = 2e-2
    beta: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.0
    epsilon: float = divisor(1e-8)
    iterations: int = structure(5)
    fallback: Optimizer = AdamW(1e-3, weight_decay=0.0)  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        require_rate("Muon", self.learning_rate)
        require_number("Muon", "beta", self.beta, high=1.0)
        require_flag("Muon", "nesterov", self.nesterov)
        require_number("Muon", "weight_decay", self.weight_decay)
        require_number("Muon", "epsilon", self.epsilon, open_low=True)
        require_integer("Muon", "iterations", self.iterations)
        require_optimizer("Muon", "fallback", self.fallback)

    def parts(self) -> dict[str, Optimizer]:
        """The fallback."""
        return {OTHERS: self.fallback}

    def slots(self) -> tuple[str, ...]:
        """`m`, an average of g, of a matrix."""
        return ("m",)

    def divide(self, shapes: Mapping[str, Shape]) -> dict[str, list[str]]:
        """Matrices are its own, all else is the fallback's."""
        matrices = [name for name, shape in shapes.items() if len(shape) == 2]
        return {"": matrices, OTHERS: [name for name in shapes if name not in matrices]}

    def part_state(self, prefix: str, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The averages of the matrices, or the state of the fallback."""
        if prefix:
            return super().part_state(prefix, shapes)
        return PerParameter.state(self, shapes)

    def part_step(self, prefix: str, at: Point) -> dict[str, Node]:
        """The step of the matrices, or of the fallback."""
        return super().part_step(prefix, at) if prefix else PerParameter.step(self, at)

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        beta, rate = scalars["beta"], scalars["learning_rate"]
        m = beta * slots["m"] + (1.0 - beta) * g
        step = 1.0 / (1.0 - beta**t) * m
        if self.nesterov:
            ahead = beta / (1.0 - beta ** (t + 1.0))
            step = ahead * m + (1.0 - beta) / (1.0 - beta**t) * g
        n_inputs, n_outputs = map(known, w.shape)
        scale = math.sqrt(max(1.0, n_outputs / n_inputs))
        turned = scale * orthogonal(step, self.iterations, scalars["epsilon"])
        return w - rate * (turned + scalars["weight_decay"] * w), {"m": m}
