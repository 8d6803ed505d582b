"""Checking gradients: compare what backpropagation gives with numbers from forward passes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.autodiff.checked import CheckedEntry, CheckedVariable, GradientCheck
from retrograd.autodiff.gradient import gradient
from retrograd.autodiff.numeric import Slope, central_differences, complex_step
from retrograd.errors import DataError, GraphError, OptionError, ShapeError, unknown_name
from retrograd.gates import abs as magnitude
from retrograd.gates import cast
from retrograd.gates import sum as total
from retrograd.gates.elementwise import CAST
from retrograd.graph.node import (
    VARIABLE,
    Array,
    Like,
    Node,
    apply,
    as_node,
    constant,
    describe,
    variable,
)
from retrograd.graph.order import dependents, order, rebuild, variables
from retrograd.graph.shape import show

Compile = Callable[[Sequence[Node], Sequence[Node]], Callable[..., Sequence[Any]]]
"""`compile(outputs, inputs)` is a function from values of the inputs to values of the outputs."""

EPSILON = float(np.finfo(np.float64).eps)
AUTO = "auto"
METHODS = {"complex": complex_step, "central": central_differences}
TOLERANCES = {
    "complex": 1e-10,  # no truncation error: what differs is rounding, 1e-16 to 1e-13
    "central": 1e-6,  # extrapolated differences are good to 1e-11 to 1e-8
}


def check_gradient(
    output: Node,
    wrt: Node | Sequence[Node] | None = None,
    values: Mapping[Node, ArrayLike] | None = None,
    *,
    compile: Compile,
    gradients: Mapping[Node, Like] | None = None,
    method: str = AUTO,
    entries: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
) -> GradientCheck:
    """`retrograd.check_gradient`, on the engine that `compile` stands for; see there."""
    _require(output, method, entries, tolerance)
    checked = _checked(output, wrt, gradients)
    supplied = [as_node(gradients[v]) for v in checked] if gradients is not None else []
    point = _point([output, *supplied, *checked], values or {})

    # All in float64, whatever the graph's own dtypes, and the gradient of that very graph.
    wide = {v: variable(str(v.name), shape=v.shape) for v in point if v.dtype.kind == "f"}
    J, *slopes = rebuild([output, *supplied], wide, make=_widened)
    nudged = [wide[v] for v in checked]
    inputs = [wide.get(v, v) for v in point]
    if gradients is None:
        slopes = gradient(J, nudged)
    at_point = compile([J, _conditioning(J, nudged), *slopes], inputs)(*point.values())
    value, conditioning, *analytic = at_point
    if not np.isfinite(value):
        raise DataError(
            f"check_gradient: {describe(output)} is {value} at these values: there is nothing to "
            "differentiate; give `values` where it is finite"
        )
    rounding = EPSILON * conditioning if np.isfinite(conditioning) else 0.0

    method = _chosen(method, J, nudged)
    if method == "complex":
        bent = {v: variable(str(v.name), shape=v.shape, dtype=np.complex128) for v in nudged}
        [J] = rebuild([J], bent, make=_widened)
        inputs = [bent.get(v, v) for v in inputs]
        point |= {v: point[v].astype(np.complex128) for v in checked}
    forward = _Forward(compile([J], inputs), list(point.values()))
    limit = TOLERANCES[method] if tolerance is None else tolerance
    rng = np.random.default_rng(seed)
    results = []
    for node, found in zip(checked, analytic, strict=True):
        slope, x = np.asarray(found, np.float64), point[node]
        if slope.shape != x.shape:
            raise ShapeError(
                f"check_gradient: the gradient of {node.name} has shape {show(slope.shape)}, "
                f"{node.name} has {show(x.shape)}"
            )
        places = _places(slope, entries, rng)
        numeric = METHODS[method](forward, x, places, rounding=rounding, accuracy=limit / 10)
        results.append(_compare(str(node.name), slope, numeric, places, limit))
    if not any(x.worst for x in results):
        raise DataError(
            f"check_gradient: {describe(output)} has no derivative here to compare with: "
            "no variable has entries, or all lie at kinks; give other `values`"
        )
    return GradientCheck(method, limit, forward.passes, tuple(results))


class _Forward:
    """The output at arrays that are nudged in place; counts its passes."""

    def __init__(self, function: Callable[..., Sequence[Any]], arrays: Sequence[Array]) -> None:
        self._function, self._arrays = function, arrays
        self.passes = 0

    def __call__(self) -> complex:
        self.passes += 1
        return complex(self._function(*self._arrays)[0])


def _require(output: Node, method: str, entries: int | None, tolerance: float | None) -> None:
    if not isinstance(output, Node):
        raise GraphError(f"check_gradient: expected a node, got {type(output).__name__}")
    if output.shape:
        raise ShapeError(
            f"check_gradient: {describe(output)} is not a scalar; check a scalar made of it, "
            "rg.sum(output) or rg.sum(output * weights)"
        )
    if method not in (AUTO, *METHODS):
        raise unknown_name("method", method, [AUTO, *METHODS])
    if entries is not None and entries < 1:
        raise OptionError(f"check_gradient: entries is at least 1, got {entries}")
    if tolerance is not None and not tolerance > 0:
        raise OptionError(f"check_gradient: tolerance is above 0, got {tolerance}")


def _checked(
    output: Node,
    wrt: Node | Sequence[Node] | None,
    gradients: Mapping[Node, Like] | None,
) -> list[Node]:
    if wrt is not None:
        chosen = [wrt] if isinstance(wrt, Node) else list(wrt)
    elif gradients is not None:
        chosen = list(gradients)
    else:
        return [v for v in variables([output]) if v.dtype.kind == "f"]
    for node in chosen:
        if not isinstance(node, Node) or node.gate is not VARIABLE or node.dtype.kind != "f":
            raise GraphError(f"check_gradient: only floating variables are checked, got {node!r}")
        if gradients is not None and node not in gradients:
            raise GraphError(f"check_gradient: {describe(node)} is missing in `gradients`")
    return chosen


def _point(nodes: Iterable[Node], values: Mapping[Node, ArrayLike]) -> dict[Node, Array]:
    """A fresh array for each variable, of float64 where it is floating."""
    for node in values:
        if not isinstance(node, Node) or node.gate is not VARIABLE:
            raise GraphError(f"check_gradient: values are for variables, got one for {node!r}")
    point = {}
    for node in variables(nodes):
        value = values.get(node, node.value)
        if value is None:
            raise GraphError(f"check_gradient: {describe(node)} needs a value: give it in `values`")
        array = np.array(value, order="C")
        if array.dtype.kind not in "biuf":
            raise DataError(f"{node.name}: expected real numbers, got {array.dtype}")
        point[node] = array.astype(np.float64) if node.dtype.kind == "f" else array
    return point


def _widened(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node again, on inputs brought to one dtype of double precision; no gate casts down."""
    floating = [x.dtype for x in inputs if x.dtype.kind in "fc"]
    wide = np.result_type(np.float64, *floating)
    operands = [cast(x, wide) if x.dtype.kind in "fc" else x for x in inputs]
    if node.gate is CAST and node.dtype.kind == "f":
        return cast(operands[0], wide)
    return apply(node.gate, *operands, **node.params)


def _conditioning(J: Node, sources: Iterable[Node]) -> Node:
    """The sum of |dJ/dv| (1 + |v|) over all values v: how J magnifies their rounding errors.

    Times epsilon it bounds the rounding error of J   [Linnainmaa 1976]. The 1 stands for what a
    gate rounds inside, as log(1 + small) does.
    """
    nodes = order([J])
    reached = dependents(nodes, sources)
    values = [v for v in nodes if v in reached and v.dtype.kind == "f"]
    slopes = gradient(J, values)
    parts = [
        total(magnitude(dv) * (1.0 + magnitude(v))) for v, dv in zip(values, slopes, strict=True)
    ]
    return sum(parts, start=constant(0.0))


def _chosen(method: str, J: Node, sources: Iterable[Node]) -> str:
    """The method that "auto" means: the complex step where all gates on the way are analytic."""
    if method == "central":
        return method
    nodes = order([J])
    reached = dependents(nodes, sources)
    for node in nodes:
        if node in reached and not (node.gate.is_analytic and node.dtype.kind == "f"):
            if method == AUTO:
                return "central"
            raise GraphError(
                f"check_gradient: the complex step needs analytic gates, {describe(node)} is not; "
                "use method='central'"
            )
    return "complex"


def _places(slope: Array, entries: int | None, rng: np.random.Generator) -> list[int]:
    """The entries to check: all or some at random, and in any case the first that is not finite."""
    if entries is None or entries >= slope.size:
        return list(range(slope.size))
    broken = np.flatnonzero(~np.isfinite(slope))[:1]
    drawn = rng.choice(slope.size, entries, replace=False)
    return [int(place) for place in np.union1d(drawn, broken)]


def _compare(
    name: str, slope: Array, numeric: Sequence[Slope], places: Sequence[int], limit: float
) -> CheckedVariable:
    sizes = np.abs([*slope.flat, *(found.value for found in numeric)])
    largest = float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))
    worst: CheckedEntry | None = None
    errors: dict[int, float] = {}
    for found, place in zip(numeric, places, strict=True):
        analytic = float(slope.flat[place])
        if found.is_kink and np.isfinite(analytic):
            continue
        # So that a difference of `uncertainty` just passes.
        scale = max(largest, found.uncertainty / limit)
        error = errors[place] = _relative_error(analytic, found.value, scale)
        if worst is None or error > worst.relative_error:
            index = tuple(int(i) for i in np.unravel_index(place, slope.shape))
            worst = CheckedEntry(name, index, analytic, found.value, error)
    kinks = sum(found.is_kink for found in numeric)
    return CheckedVariable(name, slope.shape, len(places), kinks, largest, worst, errors)


def _relative_error(analytic: float, numeric: float, scale: float) -> float:
    if not np.isfinite(analytic) or not np.isfinite(numeric):
        return float("inf")
    return abs(analytic - numeric) / scale if analytic != numeric else 0.0
