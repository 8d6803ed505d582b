"""The trace: every value and every gradient of one forward and one backward sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from retrograd.errors import GraphError, ShapeError
from retrograd.frames import as_lines, as_rich, data_frame
from retrograd.graph.node import CONSTANT, VARIABLE, Node, describe
from retrograd.graph.shape import show
from retrograd.graph.text import label
from retrograd.inspect.layers import NetworkTrace, traced
from retrograd.inspect.options import TraceOptions
from retrograd.inspect.sweep import shares, sweep
from retrograd.pictures.picture import AUTO, MOST_NODES, Picture, draw


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

    def names(self) -> dict[Node, str]:
        """What the table calls each node; another node of the same name is `w%4`."""
        found: dict[Node, str] = {}
        taken: set[str] = set()
        for i, node in enumerate(self.nodes):
            name = _name(node, i)
            while name in taken:
                name = f"{name}%{i}"
            found[node] = name
            taken |= {name, f"d({name})"}
        return found

    def arrays(self) -> dict[str, Any]:
        """The value of each node under the name that the table has, its gradient under d(name)."""
        found: dict[str, Any] = {}
        for node, name in self.names().items():
            found |= {name: self.value(node), f"d({name})": self.gradient(node)}
        return found

    def table(self) -> list[tuple[str, ...]]:
        """The printed table: a header, then a line for each node."""
        names = self.names()
        rows: list[tuple[str, ...]] = [("node", "gate", "inputs", "value", "gradient")]
        for node in self.nodes:
            inputs = " ".join(names[x] for x in node.inputs)
            numbers = summary(self.value(node)), summary(self.gradient(node))
            rows.append((names[node], node.gate.name, inputs, *numbers))
        return rows

    def to_frame(self) -> Any:
        """A pandas data frame of the table, with values and gradients as they are."""
        header, *rows = self.table()
        lines = [
            dict(zip(header, (*row[:3], self.value(node), self.gradient(node)), strict=True))
            for node, row in zip(self.nodes, rows, strict=True)
        ]
        return data_frame("trace", lines)

    def __str__(self) -> str:
        return as_lines(self.table())

    def __rich__(self) -> Any:
        """The table as rich prints it."""
        return as_rich(self.table())

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


@overload
def trace(output: Node, values: Mapping[Node, ArrayLike] | None = None, /) -> Trace: ...
@overload
def trace(model: Any, X: Any, Y: ArrayLike | None = None, /, **options: Any) -> NetworkTrace: ...


def trace(subject: Any, X: Any = None, Y: ArrayLike | None = None, /, **options: Any) -> Any:
    """Run a graph, or a network on a batch, forward and backward once, and keep everything.

    Args:
        subject: a scalar node; or a network, a fitted estimator or a table model.
        X: of a node, values for variables in place of their own. Of a model its rows, (B, I); of a
            table model a table with its target.
        Y: the targets of the rows, as `rg.train` or the estimator's fit takes them.
        options: of a model. loss: of a network, as in `rg.train`; other models have their own.
            l2: the penalty's; by default 0 for a network, else the model's own.
            sample_weight: (B,), >= 0.
            frozen: parameters without a gradient, as in `rg.train`.
            mode: "train": `rg.Dropout` draws and `rg.BatchNorm` takes the batch's mean and
            variance; "predict": as in predictions.
            seed: of what random layers draw, below 2**53.
            engine: "numpy" or "cpu".

    Returns:
        Of a node a trace `t`: `t.value(node)` and `t.gradient(node)` for every node that `output`
        needs. Of a model a trace with
        `t.layer(2).delta` and z, a, e, W, dW, b, db; `t.example(3)` for one row alone. Each is a
        table when it is printed (with rich too), `.arrays()` are all its arrays by name,
        `.to_frame()` is a data frame, `.picture()` the graph with what the trace found at its
        edges, which a notebook shows.

    >>> w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    >>> print(rg.trace((w + x * y) * z))
    node  gate      inputs  value  gradient
    w     variable          5      4
    x     variable          3      8
    y     variable          2      12
    z     variable          4      11
    %4    multiply  x y     6      4
    %5    add       w %4    11     4
    %6    multiply  %5 z    44     1
    >>> net = rg.MLP([2, 3, 1], activation="tanh")
    >>> t = rg.trace(net, [[1.0, 2.0], [3.0, 4.0]], [[1.0], [0.0]])
    >>> t.layer(2).delta.shape, np.allclose(t.layer(2).dW, t.layer(1).a.T @ t.layer(2).delta)
    ((2, 1), True)
    """
    if isinstance(subject, Node) or (X is None and Y is None and not options):
        if Y is not None or options:
            raise GraphError("trace: of a node, give values for variables and nothing else")
        return _of_node(subject, X)
    return of_model(subject, X, Y, TraceOptions.of("trace", options))


def of_model(model: Any, X: Any, Y: ArrayLike | None, options: TraceOptions) -> NetworkTrace:
    """`trace` of a model; see there."""
    found = options.subject("trace", model, X, Y).kept()
    return traced(
        found,
        is_still=options.is_still,
        frozen=options.held(found.network),
        seed=options.seed,
        engine=options.engine,
    )


def _of_node(output: Node, values: Mapping[Node, ArrayLike] | None = None) -> Trace:
    if not isinstance(output, Node):
        raise GraphError(
            f"trace: expected a node, got {type(output).__name__}; "
            "a network or estimator is traced with rows: trace(model, X, Y)"
        )
    if output.shape:
        raise ShapeError(
            f"trace: {describe(output)} is not a scalar, so it has no one gradient; "
            "trace a scalar made of it: rg.sum(output), or one entry"
        )
    return Trace(output, *sweep(output, values))


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
