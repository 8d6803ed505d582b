"""Walking a graph without recursion: what a result needs, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from retrograd.graph.node import VARIABLE, Node, apply


def order(outputs: Iterable[Node]) -> list[Node]:
    """Every node that the outputs need, inputs before what uses them.

    A node's id is larger than its inputs', so sorting by it is an order of evaluation.
    """
    found = {node.id: node for node in outputs}
    stack = list(found.values())
    while stack:
        for node in stack.pop().inputs:
            if node.id not in found:
                found[node.id] = node
                stack.append(node)
    return sorted(found.values(), key=attrgetter("id"))


def variables(outputs: Iterable[Node]) -> list[Node]:
    """The variables that the outputs need, oldest first."""
    return [node for node in order(outputs) if node.gate is VARIABLE]


def dependents(nodes: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """Those of `nodes` (in order) that depend on one of the sources, the sources included."""
    reached = set(sources)
    for node in nodes:
        if not reached.isdisjoint(node.inputs):
            reached.add(node)
    return reached


def flops(outputs: Iterable[Node], *, n_rows: int = 1) -> int:
    """The cost of computing the outputs once, in floating-point operations, counted from the gates.

    >>> x = rg.variable("x", shape=(8, 3))
    >>> flops([x @ x.T])
    384
    """
    return sum(node.gate.flops(node, *node.inputs, n_rows=n_rows) for node in order(outputs))


def _again(node: Node, inputs: tuple[Node, ...]) -> Node:
    return apply(node.gate, *inputs, **node.params)


def rebuild(
    outputs: Iterable[Node],
    replace: Mapping[Node, Node],
    *,
    make: Callable[[Node, tuple[Node, ...]], Node] = _again,
) -> list[Node]:
    """The outputs made anew with some nodes replaced; what does not depend on them is shared.

    `make(node, inputs)` builds the successor of a node whose inputs have changed.
    """
    wanted = list(outputs)
    made: dict[Node, Node] = {}
    for node in order(wanted):
        inputs = tuple(made[x] for x in node.inputs)
        if node in replace:
            made[node] = replace[node]
        elif inputs == node.inputs:
            made[node] = node
        else:
            made[node] = make(node, inputs)
    return [made[node] for node in wanted]
