"""The summary of a network: what each layer gives out, holds and costs, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retrograd.frames import as_lines
from retrograd.graph.node import Node, variable
from retrograd.graph.order import flops, rebuild
from retrograd.graph.shape import Shape, show, size_of
from retrograd.nn.activations import Activation

TITLES = ("layer", "kind", "shape", "parameters", "flops/row", "bytes")


@dataclass(frozen=True)
class LayerSummary:
    """One line of a summary.

    - `name`: the layer's number, "output" for the function of predictions, "all" for the network.
    - `kind`: what it is. `shape`: of its result, for a batch of rows.
    - `n_parameters`: entries of its arrays; `n_statistics`: those of them that no gradient moves.
    - `flops`: floating-point operations of a prediction that come with each row of it, as the gates
      count them. `bytes`: of its arrays.
    """

    name: str
    kind: str
    shape: Shape
    n_parameters: int
    n_statistics: int
    flops: int
    bytes: int


@dataclass(frozen=True, repr=False)
class Summary:
    """What `Network.summary` returns; printed, it is a table.

    - `lines`: of each layer, of the output's function, and last of the whole network.
    """

    lines: tuple[LayerSummary, ...]

    def __repr__(self) -> str:
        table: list[tuple[str, ...]] = [
            ("layer", "kind", "shape", "parameters", "flops/row", "bytes")
        ]
        for line in self.lines:
            numbers = line.n_parameters, line.flops, line.bytes
            table.append((line.name, line.kind, show(line.shape), *(f"{n:,}" for n in numbers)))
        text, n = as_lines(table, right=3), self.lines[-1].n_statistics
        return f"{text}\n{n:,} of the parameters are running estimates" if n else text


def line(
    name: str,
    kind: str,
    x: Node,
    result: Node,
    parameters: Mapping[str, Node],
    statistics: frozenset[str] = frozenset(),
) -> LayerSummary:
    """The line of what leads from a node x to a result with these parameters."""
    # x as a variable: what led to it is not counted again.
    (own,) = rebuild([result], {x: variable("x", shape=x.shape, dtype=x.dtype)})
    sizes = {name: size_of(w.shape, 0) for name, w in parameters.items()}
    return LayerSummary(
        name,
        kind,
        result.shape,
        sum(sizes.values()),
        sum(size for name, size in sizes.items() if name in statistics),
        flops([own], n_rows=2) - flops([own], n_rows=1),
        sum(sizes[name] * w.dtype.itemsize for name, w in parameters.items()),
    )


def name_of(function: Activation) -> str:
    """How a table calls a function: by its name."""
    return function if isinstance(function, str) else getattr(function, "__name__", "function")


def total(lines: list[LayerSummary], shape: Shape) -> LayerSummary:
    """The line of all layers together, which give out this shape."""
    return LayerSummary(
        "all",
        "",
        shape,
        sum(line.n_parameters for line in lines),
        sum(line.n_statistics for line in lines),
        sum(line.flops for line in lines),
        sum(line.bytes for line in lines),
    )
