"""Gradient accumulation: one step for several batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from retrograd.arrays import require_integer
from retrograd.errors import OptionError
from retrograd.gates import greater_equal, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.base import Nodes, Point, Slot, slot_name
from retrograd.optim.wrapper import Wrapper

SUM, BATCHES, STEPS = "sum", "n_batches", "n_steps"


@dataclass(frozen=True)
class Accumulate(Wrapper):
    """One step by the mean gradient of several batches, as if they were one   [Optax: MultiSteps].

    ::

        sum = sum + g / every
        each `every` batches: the step of the optimizer within by sum, and sum = 0

    A mean over batches: a short last batch counts as much as the others. What is not yet used at
    the end of an epoch is used in the next; a training that ends before the first step warns. A
    schedule counts batches, not steps.

    Args:
        optimizer: what steps.
        every: the batches of a step, at least 1.

    >>> rg.Accumulate(rg.Adam(), every=4).every
    4
    """

    name = "accumulate"

    every: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require_integer("Accumulate", "every", self.every)

    def own_state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """`sum` of each parameter, the batches in it, and the steps taken so far."""
        sums = {slot_name(SUM, name): Slot(shape) for name, shape in shapes.items()}
        return {**sums, BATCHES: Slot(()), STEPS: Slot(())}

    def waiting(self, state: Mapping[str, Any]) -> float:
        """The batches that came, where no step was taken yet."""
        return 0.0 if state[self.own(STEPS)] else float(state[self.own(BATCHES)])

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""
        every = at.scalars[self.own("every")]
        sums = {
            name: at.state[self.own(slot_name(SUM, name))] + g / every for name, g in at.g.items()
        }
        n_batches, n_steps = at.state[self.own(BATCHES)] + 1.0, at.state[self.own(STEPS)]
        is_due = greater_equal(n_batches, every)
        new = self.optimizer.step(replace(at, g=sums, t=n_steps + 1.0, gradient=_of_one_batch))
        old = {**at.state, **at.w}
        updates = {name: where(is_due, value, old[name]) for name, value in new.items()}
        for name, total in sums.items():
            updates[self.own(slot_name(SUM, name))] = where(is_due, 0.0, total)
        updates[self.own(BATCHES)] = where(is_due, 0.0, n_batches)
        updates[self.own(STEPS)] = where(is_due, n_steps + 1.0, n_steps)
        return updates


def _of_one_batch(w: Nodes) -> dict[str, Node]:
    """What the optimizer within gets for a second gradient: there is none of several batches."""
    raise OptionError(
        "Accumulate: the optimizer within takes a second gradient, which would be that of the last "
        "batch alone; put it around: rg.SAM(rg.Accumulate(...))"
    )
