"""Checking gradients: compare what backpropagation gives with numbers from forward passes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.autodiff.asked import AUTO, checked_variables, point_of, require_options
from retrograd.autodiff.beside import CheckedGraph, Compile, judged_beside
from retrograd.autodiff.blame import ENTRIES
from retrograd.autodiff.checked import GradientCheck
from retrograd.autodiff.gradient import gradient
from retrograd.autodiff.look import Look
from retrograd.autodiff.numeric import METHODS, Slope
from retrograd.errors import DataError, GraphError, ShapeError
from retrograd.gates import abs as magnitude
from retrograd.gates import cast
from retrograd.gates import sum as total
from retrograd.gates.elementwise import CAST
from retrograd.graph.node import Array, Like, Node, apply, as_node, constant, describe, variable
from retrograd.graph.order import dependents, order, rebuild
from retrograd.graph.shape import show

EPSILON = float(np.finfo(np.float64).eps)
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
    is_blaming: bool = True,
    of_rows: bool = False,
) -> GradientCheck:
    """`retrograd.check_gradient`, on the engine that `compile` stands for; see there.

    `is_blaming`: look for the gates that are wrong, where the gradient is. `of_rows`: the output is
    the J of a model on a user's rows.
    """
    require_options(output, method, entries, seed, tolerance)
    for name, given in (("values", values), ("gradients", gradients)):
        if given is not None and not isinstance(given, Mapping):
            raise GraphError(f"check_gradient: {name} is a dict by variable, got {given!r}")
    checked = checked_variables(output, wrt, gradients)
    supplied = [as_node(gradients[v]) for v in checked] if gradients is not None else []
    point = point_of([output, *supplied, *checked], values or {})

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
        what = f"J is {value} on these rows" if of_rows else f"{describe(output)} is {value} at "
        advice = "X and Y" if of_rows else "`values`"
        raise DataError(
            f"check_gradient: {what}{'' if of_rows else 'these values'}: there is nothing to "
            f"differentiate; give {advice} where it is finite"
        )
    rounding = EPSILON * conditioning if np.isfinite(conditioning) else 0.0

    method = _chosen(method, J, nudged)
    limit = TOLERANCES[method] if tolerance is None else tolerance
    graph = CheckedGraph(compile, J, slopes, nudged, inputs, dict(point))
    if method == "complex":
        bent = {v: variable(str(v.name), shape=v.shape, dtype=np.complex128) for v in nudged}
        [J] = rebuild([J], bent, make=_widened)
        inputs = [bent.get(v, v) for v in inputs]
        point |= {v: point[v].astype(np.complex128) for v in checked}
    forward = _Forward(compile([J], inputs), list(point.values()))
    rng = np.random.default_rng(seed)

    def numeric(x: Array, places: Sequence[int], largest: float = 0.0) -> list[Slope]:
        options = {"rounding": rounding, "accuracy": limit / 10, "largest": largest}
        return METHODS[method](forward, x, places, **options)

    looks = []
    for node, found in zip(checked, analytic, strict=True):
        slope, x = np.asarray(found, np.float64), point[node]
        if slope.shape != x.shape:
            raise ShapeError(
                f"check_gradient: the gradient of {node.name} has shape {show(slope.shape)}, "
                f"{node.name} has {show(x.shape)}"
            )
        places = _places(slope, entries, rng)
        looks.append(Look(str(node.name), slope, numeric(x, places), places))
    if method == "central":  # the graph's own point and the one that is nudged are the same arrays
        arrays, by_hand = [point[node] for node in checked], gradients is not None
        looks = judged_beside(looks, arrays, graph, numeric, limit, by_hand=by_hand)
    results = tuple(x.result(limit) for x in looks)
    if not any(x.worst for x in results):
        raise DataError(
            f"check_gradient: {describe(output)} has no derivative here to compare with: "
            "no variable has entries, or all lie at kinks; give other `values`"
        )
    made = GradientCheck(method, limit, forward.passes, results)
    if made.ok or gradients is not None or not is_blaming:
        return made

    def is_right(y: Node, operands: Sequence[Node]) -> bool:
        options: dict[str, Any] = {"entries": ENTRIES, "seed": seed, "is_blaming": False}
        return check_gradient(y, operands, compile=compile, **options).ok

    return replace(made, gates=graph.wrong_gates(is_right))


class _Forward:
    """The output at arrays that are nudged in place; counts its passes."""

    def __init__(self, function: Callable[..., Sequence[Any]], arrays: Sequence[Array]) -> None:
        self._function, self._arrays = function, arrays
        self.passes = 0

    def __call__(self) -> complex:
        self.passes += 1
        return complex(self._function(*self._arrays)[0])


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
