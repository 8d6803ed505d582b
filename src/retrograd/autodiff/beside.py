"""The graph under a check at its point, and what its kinks excuse: a look at points beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.autodiff.blame import Check, wrong_gates
from retrograd.autodiff.look import Look
from retrograd.autodiff.numeric import Slope
from retrograd.autodiff.ties import is_at_kink
from retrograd.graph.node import Node
from retrograd.graph.order import dependents, order
from retrograd.graph.shape import has_rows

Compile = Callable[[Sequence[Node], Sequence[Node]], Callable[..., Sequence[Any]]]
"""`compile(outputs, inputs)` is a function from values of the inputs to values of the outputs."""

BESIDE = 1e-3  # how far from a kink to look again, beside the size of the values


@dataclass(frozen=True, eq=False)
class CheckedGraph:
    """The graph that is checked: J and its slopes, real, with the values of the inputs."""

    compile: Compile
    J: Node
    slopes: Sequence[Node]
    nudged: Sequence[Node]
    inputs: Sequence[Node]
    point: Mapping[Node, Array]

    def at(self, point: Sequence[Array]) -> list[Array]:
        """The slopes at other values of the inputs."""
        return [np.asarray(x) for x in self.compile(self.slopes, self.inputs)(*point)]

    def values(self) -> dict[Node, Array]:
        """The value of each node that J needs."""
        nodes = order([self.J])
        found = self.compile(nodes, self.inputs)(*self.point.values())
        return dict(zip(nodes, map(np.asarray, found), strict=True))

    def is_at_kink(self) -> bool:
        """Whether a gate on the way from the variables stands at a kink."""
        values = self.values()
        reached = dependents(values, self.nudged)
        return any(
            is_at_kink(node, [values[x] for x in node.inputs]) for node in values if node in reached
        )

    def wrong_gates(self, check: Check) -> tuple[str, ...]:
        """The gates on the way from the variables whose derivative is wrong."""
        values = self.values()
        reached = dependents(values, self.nudged)
        n_rows = next(
            (len(values[x]) for x in self.inputs if x in values and has_rows(x.shape[:1])), 1
        )
        return wrong_gates([x for x in values if x in reached], values, n_rows, check)


def excused(
    looks: Sequence[Look],
    arrays: Sequence[Array],
    graph: CheckedGraph,
    numeric: Callable[[Array, Sequence[int]], list[Slope]],
    limit: float,
    rng: np.random.Generator,
) -> list[Look]:
    """The same with those wrong entries as kinks that are right at two points beside this one.

    Where kinks meet and cancel, as in relu(x) - relu(-x) at 0, both sides have one slope, and yet
    backpropagation, gate by gate, cannot find it. A rule that is wrong is so beside the kink too.
    """
    kept = [x.copy() for x in arrays]
    wrong = [set(look.wrong(limit)) for look in looks]
    for _ in range(2):
        for x, here in zip(arrays, kept, strict=True):  # in place: `numeric` reads these arrays
            x[...] = here + BESIDE * np.maximum(1.0, np.abs(here)) * rng.normal(size=here.shape)
        slopes = graph.at([*graph.point.values()])
        for look, slope, x, places in zip(looks, slopes, arrays, wrong, strict=True):
            at = sorted(places)
            beside = Look(look.name, slope, numeric(x, at), at)
            places.intersection_update(set(at) - set(beside.wrong(limit)))
    for x, here in zip(arrays, kept, strict=True):
        x[...] = here
    return [
        replace(
            look,
            numeric=[
                replace(found, is_kink=True) if place in excused else found
                for found, place in zip(look.numeric, look.places, strict=True)
            ],
        )
        for look, excused in zip(looks, wrong, strict=True)
    ]
