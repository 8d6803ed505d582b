"""What an output owes to each input: slopes, integrated gradients, and which nudge lowers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import (
    Array,
    as_numbers,
    cast,
    require_finite,
    require_integer,
    require_number,
)
from retrograd.autodiff.gradient import gradient
from retrograd.errors import DataError, GraphError, OptionError, ShapeError
from retrograd.frames import as_lines, as_rich, data_frame
from retrograd.gates import sum as total
from retrograd.graph.node import VARIABLE, Node, constant, describe, variable
from retrograd.graph.order import variables
from retrograd.graph.shape import rows
from retrograd.inspect.subject import network_of, rows_of
from retrograd.nn.named import Named, as_x, require_names
from retrograd.nn.network import Network
from retrograd.run import Function, compile, evaluate


@dataclass(frozen=True, eq=False)
class Attributions:
    """What `integrated_gradients` gives. Shapes: B rows, O outputs, I inputs.

    - `values`: the share of each input in each output, (B, O, I); (B, I) for one output.
    - `outputs`, `baseline_outputs`: F(x) and F(baseline), (B, O) or (B,).
    - `gap`: how far the shares are from adding up to their difference, the largest.
    """

    values: Array
    outputs: Array
    baseline_outputs: Array

    @property
    def gap(self) -> float:
        """max |sum over inputs of values - (F(x) - F(baseline))|: the quadrature's error."""
        missing = self.values.sum(axis=-1) - (self.outputs - self.baseline_outputs)
        return float(np.abs(missing).max(initial=0.0))


def sensitivity(model: Any, X: Any, *, output: int | None = None, engine: str = "numpy") -> Array:
    """The slope of each output in each input, for each row: d output / d input.

    ::

        S[b, o, i] = d output_o(x_b) / d x_bi   [Simonyan, Vedaldi & Zisserman 2014, sec. 3]

    Args:
        model: a network, a fitted estimator, or a table model with X a table.
        X: (B, I), or a dict where the inputs have names. What an estimator or table model encodes
            or scales is so here too, and slopes are in the I columns that its network sees
            (`input_gradients` of an estimator has them in X's own). Columns of named inputs, and
            those of heads, stand side by side.
        output: the number of one output; None for all.
        engine: "numpy" or "cpu".

    Returns:
        (B, O, I), or (B, I) for one output. Predictions' own slopes: random layers are still.

    >>> net = rg.MLP([2, 1])
    >>> net.parameters["W1"] = [[3.0], [-2.0]]
    >>> rg.sensitivity(net, [[1.0, 1.0]])
    array([[[ 3., -2.]]])
    """
    network, x = _prepared("sensitivity", model, X)
    chosen = _chosen("sensitivity", output, network)
    function, arrays = _slopes(network, chosen, engine)
    found = np.stack(function(x, *arrays)[1:], axis=1)
    return found if output is None else found[:, 0]


def integrated_gradients(
    model: Any,
    X: Any,
    *,
    baseline: Named | None = None,
    output: int | None = None,
    steps: int = 64,
    engine: str = "numpy",
) -> Attributions:
    """The share of each input in the change of an output between a baseline and a row.

    ::

        IG_i(x) = (x_i - b_i) * the integral over t in [0, 1] of dF/dx_i at b + t (x - b)

    [Sundararajan, Taly & Yan 2017, eq. 1], by Gauss-Legendre quadrature. The shares of a row add up
    to F(x) - F(b) (completeness, their proposition 1), up to `gap`; more steps make it smaller.

    Args:
        model, X, output, engine: as in `rg.sensitivity`.
        baseline: (I,) or (B, I), what counts as no input, finite; of named inputs a dict of such
            arrays, or that; zeros by default, the mean of standardised columns.
        steps: of the quadrature, at least 1.

    >>> net = rg.MLP([2, 8, 1], activation="tanh")
    >>> shares = rg.integrated_gradients(net, [[1.0, -1.0]])
    >>> shares.values.shape, shares.gap < 1e-12
    ((1, 1, 2), True)
    """
    require_integer("integrated_gradients", "steps", steps)
    network, x = _prepared("integrated_gradients", model, X)
    chosen = _chosen("integrated_gradients", output, network)
    b = _baseline(baseline, network, x)
    function, arrays = _slopes(network, chosen, engine)
    points, weights = np.polynomial.legendre.leggauss(steps)
    shares: Any = 0.0
    for t, weight in zip((points + 1.0) / 2.0, weights / 2.0, strict=True):
        at = (b + t * (x - b)).astype(x.dtype)
        shares = shares + weight * np.stack(function(at, *arrays)[1:], axis=1)
    values = (x - b)[:, None, :] * shares
    ends = [function(at, *arrays)[0][:, chosen] for at in (x, b)]
    if output is None:
        return Attributions(values, *ends)
    return Attributions(values[:, 0], *(end[:, 0] for end in ends))


def _baseline(given: Named | None, network: Network, x: Array) -> Array:
    """The baseline of each row, as x is."""
    if given is None:
        return np.zeros_like(x)
    if not isinstance(given, Mapping):
        return _spread(given, "baseline", x)
    if not network.inputs:
        raise DataError("baseline: is a dict, but the network takes one array")
    require_names("baseline", given, network.inputs, "input")
    ends = np.cumsum([*network.inputs.values()])[:-1]
    parts = zip(network.inputs, np.split(x, ends, axis=1), strict=True)
    return np.hstack([_spread(given[name], f"baseline[{name!r}]", part) for name, part in parts])


def _spread(given: ArrayLike, name: str, x: Array) -> Array:
    start = cast(as_numbers(given, name), name, x.dtype)
    require_finite(start, name)
    try:
        return np.broadcast_to(start, x.shape).copy()
    except ValueError:
        raise ShapeError(
            f"integrated_gradients: the {name} has shape {start.shape}, a row {x.shape[1:]}"
        ) from None


@dataclass(frozen=True)
class Nudge:
    """A small change of one number, and what it does to f.

    - `variable`, `index`: which number; `value`: what it is now. `slope`: df/d(it).
    - `change`: what lowers f, against the sign of the slope; 0 where the slope is 0.
    - `expected`: f after it by the slope, f + slope * change; `found`: by another forward pass.
    """

    variable: str
    index: tuple[int, ...]
    value: float
    slope: float
    change: float
    expected: float
    found: float


@dataclass(frozen=True, repr=False)
class Nudges:
    """What `rg.nudges` gives; printed, a table. `f`: before; `nudges`: the best first."""

    f: float
    nudges: tuple[Nudge, ...]

    def table(self) -> list[tuple[str, ...]]:
        """A header, then a line for each nudge."""
        lines: list[tuple[str, ...]] = [
            ("input", "value", "slope", "to lower f", "f expected", "f found")
        ]
        for x in self.nudges:
            name = x.variable + (f"[{', '.join(map(str, x.index))}]" if x.index else "")
            numbers = (f"{x.change:+g}" if x.change else "-"), f"{x.expected:.8g}", f"{x.found:.8g}"
            lines.append((name, f"{x.value:.6g}", f"{x.slope:.6g}", *numbers))
        return lines

    def to_frame(self) -> Any:
        """A pandas data frame."""
        return data_frame("nudges", [vars(x) for x in self.nudges])

    def __repr__(self) -> str:
        return f"<{len(self.nudges)} nudges of f = {self.f:.6g}>"

    def __str__(self) -> str:
        return f"f = {self.f:.8g}\n{as_lines(self.table(), right=1)}"

    def __rich__(self) -> Any:
        """The table as rich prints it."""
        return as_rich(self.table(), right=1, title=f"f = {self.f:.8g}")


def nudges(
    f: Any,
    values: Any = None,
    *,
    output: int = 0,
    step: float = 0.001,
    most: int = 20,
) -> Nudges:
    """Which small change of which input lowers f, and by how much.

    ::

        f after  ~  f + df/dx * change;  to lower f, move against the sign of df/dx   [L3.4]

    Args:
        f: a scalar node; or a network, a fitted estimator or a table model.
        values: values for variables of a node; of a model one row, (I,) or (1, I).
        output: of a model, the number of the output that is f.
        step: above 0, the size of a nudge.
        most: at most so many, those that lower f most.

    >>> w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    >>> print(rg.nudges((w + x * y) * z))
    f = 44
    input  value  slope  to lower f  f expected  f found
    y          2     12      -0.001      43.988   43.988
    z          4     11      -0.001      43.989   43.989
    x          3      8      -0.001      43.992   43.992
    w          5      4      -0.001      43.996   43.996
    """
    require_number("nudges", "step", step, open_low=True)
    require_integer("nudges", "most", most)
    require_integer("nudges", "output", output, low=0)
    if not isinstance(f, Node):
        f, values = _of_row(f, values, output)
    if f.shape:
        raise ShapeError(f"nudges: {describe(f)} is not a scalar")
    if values is not None and not isinstance(values, Mapping):
        raise GraphError(f"nudges: values is a dict by variable, got {values!r}")
    for node in values or {}:
        if not isinstance(node, Node) or node.gate is not VARIABLE:
            raise GraphError(f"nudges: values are for variables, got one for {node!r}")
    point: dict[Node, Array] = {}
    for node in variables([f]):
        given = (values or {}).get(node, node.value)
        if given is None:
            raise GraphError(f"nudges: {describe(node)} needs a value: give it in `values`")
        point[node] = np.array(given, node.dtype)
    return _nudged(f, point, step, most)


def _nudged(f: Node, point: Mapping[Node, Array], step: float, most: int) -> Nudges:
    moved = [node for node in point if node.dtype.kind == "f"]
    before, *slopes = map(np.asarray, evaluate([f, *gradient(f, moved)], point))
    entries = [
        (float(slope[index]), node, index)
        for node, slope in zip(moved, slopes, strict=True)
        for index in np.ndindex(slope.shape)
    ]
    entries.sort(key=lambda entry: -abs(entry[0]))
    function = compile([f], [*point], engine="numpy")
    found = []
    for slope, node, index in entries[:most]:
        change = -step * float(np.sign(slope))
        value = float(point[node][index])
        point[node][index] = value + change
        after = float(function(*point.values())[0])
        point[node][index] = value
        expected = float(before) + slope * change
        where = index[1:] if node.shape[:1] == (rows,) and len(point[node]) == 1 else index
        name = str(node.name)
        found.append(Nudge(name, tuple(map(int, where)), value, slope, change, expected, after))
    return Nudges(float(before), tuple(found))


def _of_row(model: Any, row: Any, output: int) -> tuple[Node, dict[Node, Array]]:
    """f as a node of one row, the parameters constant."""
    network, x = _prepared("nudges", model, np.atleast_2d(row) if _is_plain(row) else row)
    if len(x) != 1:
        raise ShapeError(f"nudges: give one row, got {len(x)}")
    (chosen,) = _chosen("nudges", output, network)
    held = {name: constant(value) for name, value in network.parameters.items()}
    node = variable("x", shape=(rows, network.n_inputs), dtype=network.dtype)
    return total(network.forward(node, held).output[:, chosen]), {node: x}


def _is_plain(row: Any) -> bool:
    return isinstance(row, np.ndarray | Sequence)


def _prepared(owner: str, model: Any, X: Any) -> tuple[Network, Array]:
    network = network_of(owner, model)
    x = as_x(rows_of(model, X), network.inputs, network.n_inputs, dtype=network.dtype)
    return network, x


def _chosen(owner: str, output: int | None, network: Network) -> list[int]:
    if output is None:
        return [*range(network.n_outputs)]
    number = require_integer(owner, "output", output, low=0)
    if number >= network.n_outputs:
        raise OptionError(f"{owner}: output is from 0 to {network.n_outputs - 1}, got {number}")
    return [number]


def _slopes(network: Network, outputs: Sequence[int], engine: str) -> tuple[Function, list[Array]]:
    """A function from X and the parameters to the outputs and the slope of each that is chosen."""
    output, (x, *parameters) = network.prediction()
    slopes = [gradient(total(output[:, number]), x) for number in outputs]
    made = compile([output, *slopes], [x, *parameters], engine=engine)
    return made, network.parameters.arrays()
