"""Common sub-expressions: find the nodes that compute the same, so that each is computed once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from retrograd.graph.node import CONSTANT, VARIABLE, Node


def share(nodes: Iterable[Node]) -> dict[Node, Node]:
    """For each node the first one that computes the same; itself where there is none before it.

    `nodes` come in order, inputs before what uses them. Two nodes compute the same if the same gate
    makes them, with equal parameters, from inputs that compute the same. An optimizer written for
    one parameter says 1 - beta1**t once for each; shared, it costs one.

    Law: running the shared nodes gives the same bits, because it runs the same operations.
    """
    first: dict[Hashable, Node] = {}
    same: dict[Node, Node] = {}
    for node in nodes:
        same[node] = first.setdefault(_key(node, same), node)
    return same


def _key(node: Node, same: dict[Node, Node]) -> Hashable:
    if node.gate is VARIABLE:
        return node
    if node.gate is CONSTANT and node.value is not None:
        # Large constants are not compared: it would cost more than it saves.
        if node.shape:
            return node
        return CONSTANT, node.dtype, node.value.tobytes()
    params = tuple(sorted(node.params.items())) if node.params else ()
    return node.gate, tuple([same[x] for x in node.inputs]), params
