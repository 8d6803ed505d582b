"""Narrow state matrices are kept transposed: the weights of a few outputs, and their moments.

A row of W (m, n) with few columns fills a vector badly, and what comes back through W needs W.T,
which would have to be turned in every step. W.T as it lies has long rows, and the way forward is
dot products of rows.

Law: `run(turn(g)) == run(g)`, up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from retrograd.gates import reshape, transpose
from retrograd.gates.layout import BROADCAST_TO
from retrograd.graph.node import CONSTANT, Node, again, apply, constant, variable
from retrograd.graph.order import order
from retrograd.graph.shape import Shape
from retrograd.plan.reading import goes_by_entry, is_narrow, is_swap

Named = Mapping[str, Node]


def is_turned(shape: Shape) -> bool:
    """Whether a state variable of this shape is kept transposed."""
    return len(shape) == 2 and shape[1] != 1 and is_narrow(*shape)


def turn(outputs: Named, updates: Named, state: Named) -> tuple[Named, Named, Named]:
    """The same outputs, updates and state: of narrow variables, transposed ones."""
    names = {node: name for name, node in state.items() if is_turned(node.shape)}
    if not names:
        return outputs, updates, state
    turning = _Turning(order([*outputs.values(), *updates.values(), *names]), names)
    return (
        {name: turning.made[node] for name, node in outputs.items()},
        {
            name: turning.turned(node) if state[name] in names else turning.made[node]
            for name, node in updates.items()
        },
        {name: turning.variables.get(node, node) for name, node in state.items()},
    )


class _Turning:
    """A graph made anew; inside it are nodes that go entry by entry with narrow variables."""

    def __init__(self, nodes: Sequence[Node], names: Mapping[Node, str]) -> None:
        self.variables = {
            node: variable(f"{name}.T", shape=node.shape[::-1], dtype=node.dtype)
            for node, name in names.items()
        }
        self.made: dict[Node, Node] = {}  # what each node is now, of its own shape
        self._turned = dict(self.variables)  # what it is transposed: of all inside
        inside = _together(nodes, names)
        for node in nodes:
            if node in inside and node not in names:
                self._turned[node] = self._transposed(node)
            if node in inside:
                self.made[node] = transpose(self._turned[node])
            else:
                self.made[node] = self._again(node)

    def turned(self, node: Node) -> Node:
        """What a node is now, transposed."""
        if node in self._turned:
            return self._turned[node]
        is_back = node.gate.name == "transpose" and is_swap(node)
        return self.made[node.inputs[0]] if is_back else transpose(self.made[node])

    def _transposed(self, node: Node) -> Node:
        """A node inside, made of transposed inputs."""
        if node.gate is BROADCAST_TO:
            x = self._across(node.inputs[0], node.shape)
            return apply(BROADCAST_TO, x, shape=node.shape[::-1])
        if goes_by_entry(node):
            inputs = tuple([self._across(x, node.shape) for x in node.inputs])
            return Node(node.gate, inputs, node.params, node.shape[::-1], node.dtype)
        if node.gate.name == "matmul":  # (A B).T = B.T A.T
            return apply(node.gate, *map(self.turned, reversed(node.inputs)))
        if node.gate is CONSTANT and node.value is not None:
            return constant(np.ascontiguousarray(node.value.T), dtype=node.dtype)
        return transpose(self._again(node))

    def _across(self, x: Node, shape: Shape) -> Node:
        """An input that is repeated to this shape, as what is repeated to the transposed one.

        (n,) and (1, n) become (n, 1), (m, 1) becomes (1, m).
        """
        if x.shape == shape:
            return self.turned(x)
        down, across = (1, 1, *x.shape)[-2:]
        new = self.made[x]
        return new if down == across == 1 else reshape(new, (across, down))

    def _again(self, node: Node) -> Node:
        """A node that is not inside; what it reads of one that is it may read transposed."""
        x = node.inputs[0] if node.inputs else node
        if x in self._turned and node.gate.name == "transpose" and is_swap(node):
            return self._turned[x]
        if x in self._turned and node.gate.name in ("sum", "max"):
            axes = tuple(sorted(1 - axis for axis in node.params["axes"]))
            keeps = node.params["keepdims"]
            return reshape(apply(node.gate, self._turned[x], axes=axes, keepdims=keeps), node.shape)
        inputs = tuple([self.made[x] for x in node.inputs])
        return node if inputs == node.inputs else again(node, inputs)


def _together(nodes: Sequence[Node], narrow: Iterable[Node]) -> set[Node]:
    """The nodes that entry by entry make, or are made of, a narrow variable or one of these."""
    beside: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        if goes_by_entry(node):
            for x in node.inputs:
                if x.shape == node.shape and is_turned(x.shape):
                    beside[node].append(x)
                    beside[x].append(node)
    inside: set[Node] = set()
    left = [node for node in narrow if node in beside]
    while left:
        node = left.pop()
        if node not in inside:
            inside.add(node)
            left += beside[node]
    return inside
