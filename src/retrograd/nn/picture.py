"""The picture of a network: a box for each layer, its parameters inside, shapes over the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrograd.graph.node import VARIABLE, Node, variable
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows, rows
from retrograd.pictures.fold import Layers
from retrograd.pictures.picture import AUTO, LAYERS, Picture, draw

if TYPE_CHECKING:
    from retrograd.nn.architecture import Architecture, Forward


def of_network(network: Architecture, *, level: str = AUTO) -> Picture:
    """The picture of a prediction: by layers, unless its nodes are asked for."""
    x = variable("X", shape=(rows, network.n_inputs), dtype=network.dtype)
    forward = network.forward(x, network.variables())
    return draw(
        [head.output for head in _heads(forward)],
        level=LAYERS if level == AUTO else level,
        layers=layers_of(network, forward),
        title="network",
    )


def layers_of(network: Architecture, forward: Forward, *outputs: Node) -> Layers:
    """Which gate belongs to which layer of a forward pass; what leads on to `outputs` is the loss.

    A layer's title is its line in the network's summary: its number and what it is.
    """
    lines = network.summary().lines[:-1]  # the last is the sum
    ends = [layer.a for layer in forward.layers] + [head.output for head in _heads(forward)]
    parts = [([end], f"{line.name}: {line.kind}") for line, end in zip(lines, ends, strict=True)]
    parts.append((list(outputs), "loss"))
    number: dict[Node, int] = {}
    titles: list[str] = []
    for nodes, title in parts:
        fresh = [node for node in order(nodes) if node.inputs and node not in number]
        if fresh:
            number |= dict.fromkeys(fresh, len(titles))
            titles.append(title)
    names = {head.logits: name for name, head in forward.heads.items()}
    return Layers(number, tuple(titles), _inputs(network, ends[0]), names)


def _inputs(network: Architecture, first: Node) -> dict[Node, str]:
    """The columns of each named input, in the order in which the first layer takes them."""
    names, begin = {}, 0
    for name, width in network.inputs.items():
        names[begin] = name
        begin += width
    found = {}
    for node in order([first]):
        is_taken = node.gate.name == "slice" and node.inputs[0].gate is VARIABLE
        if names and is_taken and has_rows(node.shape):
            found[node] = names[node.params["start"]]
    return found


def _heads(forward: Forward) -> list[Forward]:
    return [*forward.heads.values()] or [forward]
