"""What can be recorded of an epoch's last step: norms by parameter, norms and shares by layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import Node
from retrograd.nn.activations import BOUNDS, HALF_LINEAR
from retrograd.nn.ends import Heads
from retrograd.nn.layer import Layer, LayerNodes
from retrograd.training.objective import Objective

BETWEEN = " of "  # a statistic and what it is of, in the name of a step's output
SATURATED = 0.01  # of the range of an activation: as near as this to a bound


def places_of(
    layers: Sequence[Layer], nodes: Sequence[LayerNodes], above: str = ""
) -> Iterator[tuple[str, Layer, LayerNodes]]:
    """Every layer with its place, "1", "2.1", ..., and its nodes; one that holds others is last."""
    for number, (layer, own) in enumerate(zip(layers, nodes, strict=True), start=1):
        place = f"{above}{number}"
        yield from places_of(layer.parts, own.inside, f"{place}.")
        yield place, layer, own


def slopes_of(
    J: Node, places: Iterable[tuple[str, Layer, LayerNodes]], others: Iterable[Node] = ()
) -> dict[Node, Node]:
    """dJ/dz and dJ/da of every layer by the node, and dJ/d(others), from one sweep back."""
    wrt: list[Node] = []
    heads: list[tuple[Heads, LayerNodes]] = []
    for _, layer, nodes in places:
        if isinstance(layer, Heads):  # each result goes into J by itself, not side by side
            wrt += nodes.results
            heads.append((layer, nodes))
        else:
            wrt += nodes.z, nodes.a
    wrt += others
    found = dict(zip(wrt, gradient(J, wrt), strict=True))
    for layer, nodes in heads:
        found[nodes.z] = layer.joined(nodes.z, [found[result] for result in nodes.results])
    return found


def of_parameters(
    parameters: Mapping[str, Node], slopes: Mapping[str, Node], updates: Mapping[str, Node]
) -> dict[str, Node]:
    """The statistics of a step's parameters, 0-d, by name: "gradient_norm of W1".

    `norm`, `gradient_norm`, `update_norm` of each that is trained: Euclidean, of the array before
    the step, of dJ/d(it), and of what the step adds to it.
    """
    found = {}
    for name, w in parameters.items():
        found[f"norm{BETWEEN}{name}"] = _norm(w)
        found[f"gradient_norm{BETWEEN}{name}"] = _norm(slopes[name])
        found[f"update_norm{BETWEEN}{name}"] = _norm(updates[name] - w)
    return found


def norms_of(
    parameters: Mapping[str, Array], slopes: Mapping[str, Array], updates: Mapping[str, Array]
) -> dict[str, float]:
    """The same of arrays.

    >>> norms_of({"W1": np.ones(4)}, {"W1": np.zeros(4)}, {"W1": np.array([3.0, 4.0])})
    {'norm of W1': 2.0, 'gradient_norm of W1': 0.0, 'update_norm of W1': 5.0}
    """
    kinds = {"norm": parameters, "gradient_norm": slopes, "update_norm": updates}
    return {
        f"{kind}{BETWEEN}{name}": float(np.linalg.norm(arrays[name]))
        for name in parameters
        for kind, arrays in kinds.items()
    }


def of_layers(objective: Objective, layers: Sequence[Layer]) -> dict[str, Node]:
    """The statistics of a step's layers, 0-d, by name: "delta_norm of 2".

    `delta_norm` of each: of dJ/dz. `dead_share`: of a layer of relu or alike, the share of units
    whose activation is 0 or less, and the same, for every row of the batch. `saturated_share`: of a
    bounded activation, the share of entries near a bound.
    """
    places = [*places_of(layers, objective.noisy.layers)]
    deltas, found = slopes_of(objective.J, places), {}
    for place, layer, nodes in places:
        found[f"delta_norm{BETWEEN}{place}"] = _norm(deltas[nodes.z])
        function = None if layer.parts or not layer.functions else layer.functions[0]
        if function in HALF_LINEAR:
            found[f"dead_share{BETWEEN}{place}"] = gates.mean(gates.max(nodes.z, axis=0) <= 0.0)
        if isinstance(function, str) and function in BOUNDS:
            low, high = BOUNDS[function]
            near = SATURATED * (high - low)
            is_near = gates.maximum(nodes.a - (high - near), (low + near) - nodes.a) > 0.0
            found[f"saturated_share{BETWEEN}{place}"] = gates.mean(is_near)
    return found


def _norm(x: Node) -> Node:
    return gates.sqrt(gates.sum(gates.square(x)))
