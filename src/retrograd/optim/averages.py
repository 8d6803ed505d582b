"""Averages of the weights, read out in place of those that are trained: EMA, SWA, Lookahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retrograd.arrays import require_integer, require_number
from retrograd.errors import OptionError
from retrograd.gates import equal, greater, greater_equal, less_equal, maximum, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.base import Nodes, Point, Slot, slot_name
from retrograd.optim.wrapper import Wrapper

AVERAGE, COUNT, WAITED = "average", "n_averaged", "waited"


class _Averaging(Wrapper):
    """What keeps one more copy of each parameter, and reads it out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer.reads_others:
            raise OptionError(
                f"{type(self).__name__}: {self.optimizer!r} reads other weights out than it "
                "trains, an average already; one average is enough"
            )

    @property
    def reads_others(self) -> bool:
        """The averages, not what is trained."""
        return True

    def own_state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """`average`, a copy of each parameter at first."""
        return {
            slot_name(AVERAGE, name): Slot(shape, copy_of=name) for name, shape in shapes.items()
        }

    def read(self, w: Nodes, state: Nodes, scalars: Nodes) -> Nodes:
        """The averages."""
        return {name: self.average(state, name) for name in w}

    def average(self, state: Nodes, name: str) -> Node:
        """The average of a parameter."""
        return state[self.own(slot_name(AVERAGE, name))]

    def with_averages(self, updates: dict[str, Node], new: Nodes) -> dict[str, Node]:
        """The updates, and these as the next averages by the parameter's name."""
        return updates | {self.own(slot_name(AVERAGE, name)): x for name, x in new.items()}


@dataclass(frozen=True)
class EMA(_Averaging):
    """The exponential moving average of the weights [Polyak & Juditsky 1992, with fading memory].

    ::

        average = decay * average + (1 - decay) * W                # W itself after the first step

    after each step; as in PyTorch's `AveragedModel`. Validation, scores and the network after
    training have the averages; gradients are taken at W.

    Args:
        optimizer: what trains W.
        decay: in [0, 1): about 1 / (1 - decay) steps are remembered.

    >>> rg.EMA(rg.Adam(), 0.99).decay
    0.99
    """

    name = "ema"

    decay: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("EMA", "decay", self.decay, high=1.0)

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""
        updates = self.optimizer.step(at)
        decay = where(equal(at.t, 1.0), 0.0, at.scalars[self.own("decay")])
        new = {
            name: decay * self.average(at.state, name) + (1.0 - decay) * updates[name]
            for name in at.w
        }
        return self.with_averages(updates, new)


@dataclass(frozen=True)
class SWA(_Averaging):
    """Stochastic weight averaging [Izmailov et al. 2018, algorithm 1]: the mean of some weights.

    ::

        average = (1 - 1/n) * average + 1/n * W        # n counts the weights averaged so far

    of every `every`-th step after `start`; until the first it is W. Usual: a start after three
    quarters of the steps, and a whole epoch of steps in between. Validation, scores and the network
    after training have the averages.

    Args:
        optimizer: what trains W, often at a constant, rather high rate.
        start: the steps before averaging begins, >= 0.
        every: the steps from one average to the next, at least 1.

    >>> rg.SWA(rg.SGD(0.05), start=300, every=10).numbers()["swa: every"]
    10
    """

    name = "swa"

    start: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_integer("SWA", "start", self.start, low=0)
        require_integer("SWA", "every", self.every)

    def own_state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """`average`, and how many weights are in it, and how many steps ago the last came."""
        return {**super().own_state(shapes), COUNT: Slot(()), WAITED: Slot(())}

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""
        updates = self.optimizer.step(at)
        start, every = at.scalars[self.own("start")], at.scalars[self.own("every")]
        waited = where(greater(at.t, start), at.state[self.own(WAITED)] + 1.0, 0.0)
        is_due = greater_equal(waited, every)
        n = at.state[self.own(COUNT)] + where(is_due, 1.0, 0.0)
        share = where(is_due, 1.0 / maximum(n, 1.0), where(less_equal(n, 0.0), 1.0, 0.0))
        new = {}
        for name in at.w:
            new[name] = (1.0 - share) * self.average(at.state, name) + share * updates[name]
        counters = {self.own(COUNT): n, self.own(WAITED): where(is_due, 0.0, waited)}
        return self.with_averages(updates, new) | counters


@dataclass(frozen=True)
class Lookahead(_Averaging):
    """Lookahead [Zhang et al. 2019, algorithm 1]: k steps forward, 1 step back, as in Optax.

    ::

        W = the step of the optimizer within
        each `every` steps: slow = slow + alpha * (W - slow), W = slow

    Validation, scores and the network after training have the slow weights.

    Args:
        optimizer: what makes the fast steps.
        every: the steps from one look back to the next, at least 1.
        alpha: in (0, 1]: how far slow goes along.

    >>> rg.Lookahead(rg.Adam(), every=6, alpha=0.8).alpha
    0.8
    """

    name = "lookahead"

    every: int = 5
    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_integer("Lookahead", "every", self.every)
        require_number("Lookahead", "alpha", self.alpha, high=1.0, open_low=True, closed_high=True)

    def own_state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """`average`, the slow weights, and how many steps ago they moved."""
        return {**super().own_state(shapes), WAITED: Slot(())}

    def step(self, at: Point) -> dict[str, Node]:
        """See the equations of the class."""
        updates = self.optimizer.step(at)
        waited = at.state[self.own(WAITED)] + 1.0
        is_due = greater_equal(waited, at.scalars[self.own("every")])
        alpha, new = at.scalars[self.own("alpha")], {}
        for name in at.w:
            slow = self.average(at.state, name)
            new[name] = where(is_due, slow + alpha * (updates[name] - slow), slow)
            updates[name] = where(is_due, new[name], updates[name])
        waited = where(is_due, 0.0, waited)
        return self.with_averages(updates, new) | {self.own(WAITED): waited}
