"""Sharpness-aware minimization: a step by the gradient at the worst weights nearby."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retrograd.arrays import require_number
from retrograd.gates import maximum
from retrograd.graph.node import Node
from retrograd.optim.base import Point
from retrograd.optim.lengths import joint_norm
from retrograd.optim.wrapper import Wrapper

TINY = 1e-12  # a gradient of 0 has no direction


@dataclass(frozen=True)
class SAM(Wrapper):
    """Sharpness-aware minimization [Foret et al. 2021, algorithm 1].

    ::

        g = dJ/dW at W + rho * g / norm(all g), of the same batch
        W = the step of the optimizer within by this g, from W

    It costs two passes a step. J and the gradient norm of a history are those at W.

    Args:
        optimizer: what steps.
        rho: > 0, how far around W the worst place is looked for.

    >>> rg.SAM(rg.SGD(0.1, momentum=0.9), rho=0.1).rho
    0.1
    """

    name = "sam"

    rho: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("SAM", "rho", self.rho, open_low=True)

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""
        share = at.scalars[self.own("rho")] / maximum(joint_norm(at.g), TINY)
        g = at.gradient({name: w + share * at.g[name] for name, w in at.w.items()})
        return self.optimizer.step(replace(at, g=g))
