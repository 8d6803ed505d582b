"""The graph under a check at its point, and what its kinks excuse: a look to both sides of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.autodiff.blame import Check, wrong_gates
from retrograd.autodiff.look import Look
from retrograd.autodiff.numeric import Slope
from retrograd.autodiff.ties import leaves_kink
from retrograd.graph.node import Node
from retrograd.graph.order import dependents, order
from retrograd.graph.shape import has_rows

Compile = Callable[[Sequence[Node], Sequence[Node]], Callable[..., Sequence[Any]]]
"""`compile(outputs, inputs)` is a function from values of the inputs to values of the outputs."""

BESIDE = 1e-3, 1e-4, 1e-5, 1e-6
"""How far from a kink to look, beside the size of the entry: the first at which a look can tell."""


@dataclass(frozen=True, eq=False)
class CheckedGraph:
    """The graph that is checked: J and its slopes, real, with the values of the inputs.

    `point` has the very arrays that a check nudges: what is computed is computed where they stand.
    """

    compile: Compile
    J: Node
    slopes: Sequence[Node]
    nudged: Sequence[Node]
    inputs: Sequence[Node]
    point: Mapping[Node, Array]

    def analytic(self) -> list[Array]:
        """The slopes by backpropagation."""
        return [np.asarray(x) for x in self._analytic(*self.point.values())]

    def values(self) -> dict[Node, Array]:
        """The value of each node that J needs."""
        found = self._values(*self.point.values())
        return dict(zip(order([self.J]), map(np.asarray, found), strict=True))

    @cached_property
    def _analytic(self) -> Callable[..., Sequence[Any]]:
        return self.compile(self.slopes, self.inputs)

    @cached_property
    def _values(self) -> Callable[..., Sequence[Any]]:
        return self.compile(order([self.J]), self.inputs)

    def leaves_kink(self, here: Mapping[Node, Array], there: Mapping[Node, Array]) -> bool:
        """Whether a value that stands at a kink of its gate moves from here to there."""
        return any(
            leaves_kink(node, [here[x] for x in node.inputs], [there[x] for x in node.inputs])
            for node in here
        )

    def wrong_gates(self, check: Check) -> tuple[str, ...]:
        """The gates on the way from the variables whose derivative is wrong."""
        values = self.values()
        reached = dependents(values, self.nudged)
        n_rows = next(
            (len(values[x]) for x in self.inputs if x in values and has_rows(x.shape[:1])), 1
        )
        return wrong_gates([x for x in values if x in reached], values, n_rows, check)


Numeric = Callable[[Array, Sequence[int], float], list[Slope]]
"""The slopes from numbers in some entries of an array; the largest slope that is known already."""


def judged_beside(
    looks: Sequence[Look],
    arrays: Sequence[Array],
    graph: CheckedGraph,
    numeric: Numeric,
    limit: float,
    *,
    by_hand: bool,
) -> list[Look]:
    """The same with the entries at kinks judged where each is moved off its kink, to both sides.

    Where kinks meet and cancel, as in relu(x) - relu(-x) at 0, both sides have one slope, and yet
    backpropagation, gate by gate, cannot find it: the entry seems wrong. Law: it is excused, as a
    kink, only if it moves a value off a kink, and is right on both sides. What no look beside the
    kink can judge stays wrong.

    Where the slopes on the two sides differ there is no derivative; but a rule that is wrong beside
    the kink is wrong, and what was found there stands in its place. Not so of gradients `by_hand`:
    they may be of this point alone.
    """
    here = None
    made = []
    for i, (look, x) in enumerate(zip(looks, arrays, strict=True)):
        slope, found = look.slope.copy(), [*look.numeric]
        wrong = set(look.wrong(limit))
        for k, place in enumerate(look.places):
            beside = _Beside(graph, numeric, i, x, place, limit, look.largest)
            if place in wrong:
                here = here or graph.values()
                if beside.leaves_kink(here) and all(x and x.is_right for x in beside.sides()):
                    found[k] = replace(found[k], is_kink=True)
            elif found[k].is_kink and np.isfinite(slope.flat[place]) and not by_hand:
                for side in beside.sides():
                    if side and not side.is_right:
                        slope.flat[place], found[k] = side.analytic, side.numeric
        made.append(Look(look.name, slope, found, look.places))
    return made


@dataclass(frozen=True)
class _Side:
    """What a look beside a kink found."""

    analytic: float
    numeric: Slope
    is_right: bool


@dataclass(frozen=True, eq=False)
class _Beside:
    """One entry of one variable, moved off its kink and put back."""

    graph: CheckedGraph
    numeric: Numeric
    variable: int
    x: Array
    place: int
    limit: float
    largest: float

    def leaves_kink(self, here: Mapping[Node, Array]) -> bool:
        """Whether a value leaves its kink as the entry moves."""
        with self._moved(BESIDE[0]):
            return self.graph.leaves_kink(here, self.graph.values())

    def sides(self) -> tuple[_Side | None, _Side | None]:
        """What is found to the left and to the right."""
        return self._side(-1.0), self._side(1.0)

    def _side(self, sign: float) -> _Side | None:
        """What is found on one side, as far off as a look can tell; None where none can."""
        for distance in BESIDE:
            with self._moved(sign * distance):
                analytic = float(self.graph.analytic()[self.variable].flat[self.place])
                [found] = self.numeric(self.x, [self.place], self.largest)
            size = np.nanmax(np.abs([self.largest, analytic, found.value]))
            if np.isfinite(found.value) and not np.isfinite(analytic):
                return _Side(analytic, found, is_right=False)
            if found.is_kink or not found.uncertainty <= self.limit * size < np.inf:
                continue  # too close to another kink, or to the end of the domain
            return _Side(analytic, found, abs(analytic - found.value) <= self.limit * size)
        return None

    @contextmanager
    def _moved(self, distance: float) -> Iterator[None]:
        kept = self.x.flat[self.place]
        self.x.flat[self.place] = kept + distance * max(1.0, abs(float(kept)))
        try:
            yield
        finally:
            self.x.flat[self.place] = kept
