"""The trace: every value and every gradient of one forward and one backward sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.autodiff.gradient import gradient
from retrograd.errors import GraphError, ShapeError
from retrograd.graph.node import CONSTANT, VARIABLE, Node, describe
from retrograd.graph.order import order
from retrograd.graph.shape import show
from retrograd.graph.text import label
from retrograd.inspect.shares import shares
from retrograd.pictures.picture import AUTO, MOST_NODES, Picture, draw
from retrograd.run import evaluate


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """What `trace` keeps of a run; printed, it is a table of the nodes in order.

    - `output`: the scalar whose gradients these are. `nodes`: all it needs, inputs first.
    """

    output: Node
    nodes: tuple[Node, ...]
    _values: Mapping[Node, Any]
    _gradients: Mapping[Node, Any]

    def value(self, node: Node) -> Any:
        """The node's value: an array of its shape, a Python number where it has no dimension."""
        return self._of(node, self._values)

    def gradient(self, node: Node) -> Any:
        """d(output)/d(node), of the node's shape; zeros where no gradient arrives."""
        return self._of(node, self._gradients)

    def _of(self, node: Node, kept: Mapping[Node, Any]) -> Any:
        if node not in kept:
            raise GraphError(f"trace: {node!r} is not one of the nodes that {self.output!r} needs")
        return kept[node]

    def __repr__(self) -> str:
        return f"<trace of {describe(self.output)}, {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        names = {node: _name(node, i) for i, node in enumerate(self.nodes)}
        rows = [("node", "gate", "inputs", "value", "gradient")]
        for node in self.nodes:
            inputs = " ".join(names[x] for x in node.inputs)
            numbers = summary(self.value(node)), summary(self.gradient(node))
            rows.append((names[node], node.gate.name, inputs, *numbers))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def picture(self, *, level: str = AUTO) -> Picture:
        """The graph with values and gradients at its edges; see `rg.picture`."""
        is_small = len(self.nodes) <= MOST_NODES
        return draw(
            [self.output],
            level=level,
            values=self._values,
            gradients=self._gradients,
            shares=shares(self.nodes, self._values, self._gradients) if is_small else None,
            title=f"values and gradients of {describe(self.output)}",
        )

    def to_svg(self, *, level: str = AUTO) -> str:
        """The picture as SVG."""
        return self.picture(level=level).to_svg()

    def to_dot(self, *, level: str = AUTO) -> str:
        """The picture in the DOT language."""
        return self.picture(level=level).to_dot()

    def to_mermaid(self, *, level: str = AUTO) -> str:
        """The picture as a Mermaid flowchart."""
        return self.picture(level=level).to_mermaid()

    def _repr_svg_(self) -> str | None:
        return self.picture()._repr_svg_()


def trace(output: Node, values: Mapping[Node, ArrayLike] | None = None) -> Trace:
    """Run a graph forward and backward once on the reference engine, and keep everything.

    Args:
        output: a scalar node.
        values: values for variables, in place of their own.

    Returns:
        A trace `t`: `t.value(node)` and `t.gradient(node)` for every node that `output` needs,
        `print(t)` for a table, `t.to_svg()`, `t.to_dot()` and `t.to_mermaid()` for pictures.

    >>> from retrograd import variable
    >>> w, x, y, z = (variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    >>> print(trace((w + x * y) * z))
    node  gate      inputs  value  gradient
    w     variable          5      4
    x     variable          3      8
    y     variable          2      12
    z     variable          4      11
    %4    multiply  x y     6      4
    %5    add       w %4    11     4
    %6    multiply  %5 z    44     1
    """
    if not isinstance(output, Node):
        raise GraphError(f"trace: expected a node, got {type(output).__name__}")
    if output.shape:
        raise ShapeError(
            f"trace: {describe(output)} is not a scalar, so it has no one gradient; "
            "trace a scalar made of it: rg.sum(output), or one entry"
        )
    nodes = order([output])
    floating = [node for node in nodes if node.dtype.kind == "f"]
    found = evaluate([*nodes, *gradient(output, floating)], values, engine="numpy")
    kept = dict(zip(nodes, found, strict=False))
    # No gradient flows into indices and conditions.
    gradients = {node: np.zeros(np.shape(value))[()] for node, value in kept.items()}
    gradients |= dict(zip(floating, found[len(nodes) :], strict=True))
    return Trace(output, tuple(nodes), kept, gradients)


def summary(value: ArrayLike) -> str:
    """A value in a few characters: a number, or an array's shape and the range of its entries.

    >>> summary(0.25), summary([[1.0, -2.0, 0.5]])
    ('0.25', '(1, 3) -2 to 1')
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}"
    if array.size == 0:
        return f"{show(array.shape)} empty"
    broken = array.size - np.count_nonzero(np.isfinite(array))
    if broken:
        return f"{show(array.shape)} {broken} not finite"
    low, high = float(array.min()), float(array.max())
    entries = f"all {low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return f"{show(array.shape)} {entries}"


def _name(node: Node, number: int) -> str:
    """How the table refers to a node: by a variable's name or a number's value, else `%4`."""
    is_plain = node.gate is VARIABLE or (node.gate is CONSTANT and label(node) != "constant")
    return label(node) if is_plain else f"%{number}"
