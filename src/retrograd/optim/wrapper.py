"""An optimizer around another: it passes on what it does not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.base import Nodes, Optimizer, Point, Rate, Slot
from retrograd.optim.groups import require_optimizer


@dataclass(frozen=True)
class Wrapper(Optimizer):
    """The base of optimizers around another, whose names of numbers and state stay as they are.

    Its own begin with its name: `ema: decay`, `ema: average of W1`.
    """

    optimizer: Optimizer

    def __post_init__(self) -> None:
        owner = type(self).__name__
        require_optimizer(owner, "the optimizer within", self.optimizer)
        inside: Optimizer | None = self.optimizer
        while inside is not None:
            if type(inside) is type(self):
                raise OptionError(f"{owner}: stands around another {owner}; once is enough")
            inside = inside.parts().get("")

    def parts(self) -> dict[str, Optimizer]:
        """The optimizer within."""
        return {"": self.optimizer}

    def numbers(self) -> dict[str, Rate]:
        """The numbers of the optimizer within, and its own under its name."""
        own = {self.own(name): getattr(self, name) for name in self._number_names()}
        return {**self.optimizer.numbers(), **own}

    def with_rate(self, rate: Rate) -> Self:
        """The same with another learning rate within."""
        return replace(self, optimizer=self.optimizer.with_rate(rate))

    def own(self, name: str) -> str:
        """The full name of a number or a state variable of its own."""
        return f"{self.name}: {name}"

    def own_state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """Its own state variables, by the name behind its own."""
        return {}

    def state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The state of the optimizer within, and its own."""
        own = {self.own(name): slot for name, slot in self.own_state(shapes).items()}
        return {**self.optimizer.state(shapes), **own}

    def step(self, at: Point) -> dict[str, Node]:
        """The step of the optimizer within."""
        return self.optimizer.step(at)

    def read(self, w: Nodes, state: Nodes, scalars: Nodes) -> Nodes:
        """What the optimizer within reads."""
        return self.optimizer.read(w, state, scalars)

    @property
    def reads_others(self) -> bool:
        """Whether the optimizer within does."""
        return self.optimizer.reads_others

    def rate_names(self, shapes: Mapping[str, Shape]) -> dict[str, str]:
        """Those of the optimizer within."""
        return self.optimizer.rate_names(shapes)
