"""The picture of a network's pass: its layers with the values and gradients of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import VARIABLE, Node, variable
from retrograd.graph.order import order, rebuild
from retrograd.inspect.passes import Passes
from retrograd.inspect.subject import Subject
from retrograd.nn.picture import layers_of
from retrograd.pictures.picture import AUTO, LAYERS, NODES, Picture, draw
from retrograd.plan.share import share
from retrograd.run import evaluate


def drawn(
    made: Passes, subject: Subject, known: Mapping[Node, Array], *, level: str = AUTO
) -> Picture:
    """The picture of a pass, by layers unless its nodes are asked for.

    `known`: what the pass gave for its variables and outputs; only what is not among them is
    computed, on the reference engine.
    """
    J = made.objective.J
    slopes, found = dict(made.slopes), dict(known)
    if level == NODES:  # every gate has its wire: all at once is faster
        nodes = order([J])
        floating = [node for node in nodes if node.dtype.kind == "f" and node not in slopes]
        slopes |= zip(floating, gradient(J, floating), strict=True)
        _find([*nodes, *slopes.values()], found)

    def slope_of(node: Node) -> Node:
        if node not in slopes:
            slopes[node] = gradient(J, node)
        return slopes[node]

    return draw(
        [J],
        level=LAYERS if level == AUTO else level,
        layers=layers_of(subject.network.architecture, made.objective.noisy, J),
        values=_Found(found, lambda node: node),
        gradients=_Found(found, slope_of),
        title=f"{len(subject.X)} row{'' if len(subject.X) == 1 else 's'} through a network",
    )


class _Found(Mapping[Node, Array]):
    """What `wanted(node)` is, for any node of the pass: known, or computed from what is known."""

    def __init__(self, found: dict[Node, Array], wanted: Callable[[Node], Node]) -> None:
        self._found, self._wanted = found, wanted

    def __getitem__(self, node: Node) -> Array:
        wanted = self._wanted(node)
        _find([wanted], self._found)
        return self._found[wanted]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _find(wanted: Sequence[Node], found: dict[Node, Array]) -> None:
    """Add the values of nodes, begun at those found, or at nodes that compute the same as these."""
    missing = [node for node in wanted if node not in found]
    if not missing:
        return
    same = share(order([*found, *missing]))
    held = {same[node]: value for node, value in found.items()}
    given = {node: value for node, value in found.items() if node.gate is VARIABLE}
    stand = {}
    for node in order(missing):
        if node.gate is not VARIABLE and same[node] in held:
            stand[node] = variable("known", shape=node.shape, dtype=node.dtype)
            given[stand[node]] = held[same[node]]
    values = evaluate(rebuild(missing, stand), given)
    found |= {node: np.asarray(value) for node, value in zip(missing, values, strict=True)}
