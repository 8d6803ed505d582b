"""A graph folded into its layers: one box for each, with the parameters that it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from retrograd.graph.node import VARIABLE, Node
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows, show
from retrograd.graph.text import label
from retrograd.pictures.scene import (
    LAYER,
    VALUE,
    Arrays,
    Box,
    End,
    Part,
    Scene,
    Wire,
    lines,
    on_wire,
)

MOST_LAYERS = 24  # of a graph with more, neighbours share a box
BANDS = 8  # of a graph without matrix products, which has no layers: cut into so many by depth


@dataclass(frozen=True, eq=False)
class Layers:
    """Which nodes make up which layer: `number` of each gate's layer, and the layers' `titles`.

    A layer uses only values of its own and of those before it. `inputs`: values that have a box
    and a name of their own, such as some columns of the rows; `wires`: names over the wires.
    """

    number: Mapping[Node, int]
    titles: tuple[str, ...]
    inputs: Mapping[Node, str] = field(default_factory=dict)
    wires: Mapping[Node, str] = field(default_factory=dict)


def by_products(outputs: Iterable[Node]) -> Layers:
    """Layers from one matrix product to the next: the k-th holds what k products lead to.

    A graph without products is cut into bands by depth.
    """
    gates = [node for node in order(outputs) if node.inputs]
    depth = _depth(gates, only="matmul")
    n = max(depth.values(), default=0)
    word, most = "layer", MOST_LAYERS
    if not n:
        depth, word, most = _depth(gates), "depth", BANDS
        n = max(depth.values(), default=1)
    first = min(depth.values(), default=0)
    n_all = n - first + 1
    n_boxes = min(n_all, most)
    number = {node: (d - first) * n_boxes // n_all for node, d in depth.items()}
    spans: dict[int, list[int]] = {}
    for node, d in depth.items():
        spans.setdefault(number[node], []).append(d)
    titles = [
        f"{word} {low}" if low == high else f"{word}s {low} to {high}"
        for low, high in ((min(spans[k]), max(spans[k])) for k in range(n_boxes))
    ]
    return Layers(number, tuple(titles))


def _depth(gates: list[Node], only: str | None = None) -> dict[Node, int]:
    """The number of gates (`only` those of a name) on the longest way to each, itself included."""
    depth: dict[Node, int] = {}
    for node in gates:
        before = max((depth.get(x, 0) for x in node.inputs), default=0)
        depth[node] = before + (only is None or node.gate.name == only)
    return depth


def of_layers(
    outputs: Iterable[Node],
    layers: Layers,
    *,
    values: Arrays | None = None,
    gradients: Arrays | None = None,
    title: str = "graph, by layers",
) -> Scene:
    """A scene with a box for each layer and each input; a layer's box lists its parameters.

    A wire is a value that other layers use, or an output. A parameter stands in the first layer
    that uses it, without wires to others: a penalty uses them all.
    """
    wanted = list(outputs)
    nodes = order(wanted)
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for user in nodes:
        for node in user.inputs:
            users[node].append(user)
    # What is only there to be taken apart into inputs is not drawn.
    whole = {x for node in layers.inputs for x in node.inputs}
    whole = {x for x in whole if all(user in layers.inputs for user in users[x])}
    nodes = [node for node in nodes if node not in whole]
    inside = {node: _home(node, users[node], layers) for node in nodes}
    used = sorted({k for k in inside.values() if k is not None})
    own = [node for node in nodes if inside[node] is None]  # inputs, and outputs without a gate
    box_of = {node: i for i, node in enumerate(own)}
    box_of_layer = {k: len(own) + i for i, k in enumerate(used)}

    def place(node: Node) -> int:
        k = inside[node]
        return box_of[node] if k is None else box_of_layer[k]

    boxes = [
        Box(VALUE, layers.inputs.get(node) or label(node), f"{show(node.shape)} {node.dtype}")
        for node in own
    ]
    for k in used:
        held = [node for node in nodes if inside[node] == k]
        parts = tuple(_part(x, values, gradients) for x in held if x.gate is VARIABLE)
        gates = dict.fromkeys(x.gate.name for x in held if x.inputs)
        boxes.append(Box(LAYER, layers.titles[k], ", ".join(gates), parts=parts))
    wires = []
    for node in nodes:
        is_held = node.gate is VARIABLE and inside[node] is not None
        used_by = [] if is_held else users[node]
        ends = dict.fromkeys(place(user) for user in used_by if place(user) != place(node))
        if ends or node in wanted:
            over, under = on_wire(node, values, gradients)
            named = (layers.wires[node], *over) if node in layers.wires else over
            wires.append(Wire(place(node), tuple(map(End, ends)), named, under))
    return Scene(title, tuple(boxes), tuple(wires))


def _home(node: Node, users: list[Node], layers: Layers) -> int | None:
    """The layer that holds a node; None for a box of its own."""
    if node in layers.inputs:
        return None
    if node.inputs:
        return layers.number[node]
    homes = {layers.number[user] for user in users}
    if not homes:
        return None
    is_input = has_rows(node.shape) or any(
        user.gate.name == "matmul" and user.inputs[0] is node for user in users
    )
    return None if is_input and node.gate is VARIABLE else min(homes)


def _part(node: Node, values: Arrays | None, gradients: Arrays | None) -> Part:
    name = f"{node.name} {show(node.shape)}" if node.shape else str(node.name)
    if values is None:
        return Part(name)
    value = " ".join(lines(values[node], with_shape=False))
    if gradients is None or node.dtype.kind != "f":
        return Part(name, value)
    return Part(name, value, " ".join(lines(gradients[node], with_shape=False)))
