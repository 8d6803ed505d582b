"""A graph as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retrograd.graph.node import CONSTANT, VARIABLE, Node
from retrograd.graph.order import order
from retrograd.graph.shape import show


def label(node: Node) -> str:
    """A node in a few characters: a variable's name, a small constant's value, else the gate."""
    if node.gate is VARIABLE:
        return str(node.name)
    if node.gate is CONSTANT and node.value is not None:
        return node.name or (f"{node.value.item():g}" if node.value.size == 1 else "constant")
    return node.gate.name


def as_text(outputs: Iterable[Node] | Mapping[str, Node]) -> str:
    """One line a node, in order; an arrow leads to the name of an output that has one.

    >>> w, x = rg.variable("w", 5.0), rg.variable("x", 3.0)
    >>> print(as_text([w * x + 1.0]))
    %0 = variable w      () float64
    %1 = variable x      () float64
    %2 = multiply %0 %1  () float64
    %3 = constant 1      () float64
    %4 = add %2 %3       () float64
    """
    names: dict[Node, list[str]] = {}
    if isinstance(outputs, Mapping):
        for name, node in outputs.items():
            names.setdefault(node, []).append(name)
        outputs = outputs.values()
    number: dict[Node, str] = {}
    left, right = [], []
    for node in order(outputs):
        number[node] = f"%{len(number)}"
        operands = [number[x] for x in node.inputs]
        if node.gate is VARIABLE or node.gate is CONSTANT:
            operands = [label(node)]
        params = [f"{key}={_show(value)}" for key, value in node.params.items()]
        left.append(" ".join([number[node], "=", node.gate.name, *operands, *params]))
        arrow = f"  -> {', '.join(names[node])}" if node in names else ""
        right.append(f"{show(node.shape)} {node.dtype}{arrow}")
    width = max(map(len, left), default=0)
    return "\n".join(f"{a:{width}}  {b}" for a, b in zip(left, right, strict=True))


def _show(value: object) -> str:
    return show(value) if isinstance(value, tuple) else str(value)
