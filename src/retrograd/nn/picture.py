"""The picture of a network: a box for each layer, its parameters inside, shapes over the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrograd.graph.node import Node, variable
from retrograd.graph.order import order
from retrograd.graph.shape import rows
from retrograd.pictures.fold import Layers
from retrograd.pictures.picture import AUTO, LAYERS, Picture, draw

if TYPE_CHECKING:
    from retrograd.nn.network import Architecture, Forward


def of_network(network: Architecture, *, level: str = AUTO) -> Picture:
    """The picture of a prediction: by layers, unless its nodes are asked for."""
    x = variable("X", shape=(rows, network.n_inputs), dtype=network.dtype)
    forward = network.forward(x, network.variables())
    return draw(
        [forward.output],
        level=LAYERS if level == AUTO else level,
        layers=layers_of(network, forward),
        title="network",
    )


def layers_of(network: Architecture, forward: Forward, *outputs: Node) -> Layers:
    """Which gate belongs to which layer of a forward pass; what leads on to `outputs` is the loss.

    A layer's title is its line in the network's summary: its number and what it is.
    """
    *lines, output, _ = network.summary().lines
    ends = [layer.a for layer in forward.layers]
    parts = [([end], f"{line.name}: {line.kind}") for line, end in zip(lines, ends, strict=True)]
    parts += [([forward.output], f"output: {output.kind}"), (list(outputs), "loss")]
    number: dict[Node, int] = {}
    titles: list[str] = []
    for nodes, title in parts:
        fresh = [node for node in order(nodes) if node.inputs and node not in number]
        if fresh:
            number |= dict.fromkeys(fresh, len(titles))
            titles.append(title)
    return Layers(number, tuple(titles))
