"""Checking gradients: compare what backpropagation gives with numbers from forward passes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import require_integer, require_number
from retrograd.autodiff.blame import ENTRIES, Check, wrong_gates
from retrograd.autodiff.checked import CheckedEntry, CheckedVariable, GradientCheck
from retrograd.autodiff.gradient import gradient
from retrograd.autodiff.numeric import Slope, central_differences, complex_step
from retrograd.autodiff.ties import is_at_kink
from retrograd.errors import DataError, GraphError, ShapeError, require_known
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
from retrograd.graph.shape import has_rows, show

Compile = Callable[[Sequence[Node], Sequence[Node]], Callable[..., Sequence[Any]]]
"""`compile(outputs, inputs)` is a function from values of the inputs to values of the outputs."""

EPSILON = float(np.finfo(np.float64).eps)
AUTO = "auto"
METHODS = {"complex": complex_step, "central": central_differences}
BESIDE = 1e-3  # how far from a kink to look again, beside the size of the values
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
) -> GradientCheck:
    """`retrograd.check_gradient`, on the engine that `compile` stands for; see there.

    `is_blaming`: look for the gates that are wrong, where the gradient is.
    """
    _require(output, method, entries, seed, tolerance)
    for name, given in (("values", values), ("gradients", gradients)):
        if given is not None and not isinstance(given, Mapping):
            raise GraphError(f"check_gradient: {name} is a dict by variable, got {given!r}")
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
    limit = TOLERANCES[method] if tolerance is None else tolerance
    graph = _Graph(compile, J, slopes, nudged, inputs, dict(point))
    if method == "complex":
        bent = {v: variable(str(v.name), shape=v.shape, dtype=np.complex128) for v in nudged}
        [J] = rebuild([J], bent, make=_widened)
        inputs = [bent.get(v, v) for v in inputs]
        point |= {v: point[v].astype(np.complex128) for v in checked}
    forward = _Forward(compile([J], inputs), list(point.values()))
    rng = np.random.default_rng(seed)

    def numeric(x: Array, places: Sequence[int]) -> list[Slope]:
        return METHODS[method](forward, x, places, rounding=rounding, accuracy=limit / 10)

    looks = []
    for node, found in zip(checked, analytic, strict=True):
        slope, x = np.asarray(found, np.float64), point[node]
        if slope.shape != x.shape:
            raise ShapeError(
                f"check_gradient: the gradient of {node.name} has shape {show(slope.shape)}, "
                f"{node.name} has {show(x.shape)}"
            )
        places = _places(slope, entries, rng)
        looks.append(_Look(str(node.name), slope, numeric(x, places), places))
    if method == "central" and any(x.wrong(limit) for x in looks) and graph.is_at_kink():
        looks = _excused(looks, [point[node] for node in checked], graph, numeric, limit, rng)
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


@dataclass(frozen=True, eq=False)
class _Look:
    """What was found of one variable: backpropagation's slopes, and numbers for some places."""

    name: str
    slope: Array
    numeric: Sequence[Slope]
    places: Sequence[int]

    @property
    def largest(self) -> float:
        """The largest slope, by magnitude."""
        sizes = np.abs([*self.slope.flat, *(found.value for found in self.numeric)])
        return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))

    def errors(self, limit: float) -> list[float]:
        """The relative error at each place; 0 where a kink leaves nothing to compare with."""
        largest, errors = self.largest, []
        for found, place in zip(self.numeric, self.places, strict=True):
            analytic = float(self.slope.flat[place])
            # So that a difference of `uncertainty` just passes.
            scale = max(largest, found.uncertainty / limit)
            is_left_out = found.is_kink and np.isfinite(analytic)
            errors.append(0.0 if is_left_out else _relative_error(analytic, found.value, scale))
        return errors

    def wrong(self, limit: float) -> list[int]:
        """The places whose error is past the limit, of those with finite slopes."""
        places = zip(self.places, self.errors(limit), strict=True)
        return [p for p, error in places if error > limit and np.isfinite(self.slope.flat[p])]

    def result(self, limit: float) -> CheckedVariable:
        """The variable's line."""
        worst: CheckedEntry | None = None
        errors: dict[int, float] = {}
        for found, place, error in zip(self.numeric, self.places, self.errors(limit), strict=True):
            analytic = float(self.slope.flat[place])
            if found.is_kink and np.isfinite(analytic):
                continue
            errors[place] = error
            if worst is None or error > worst.relative_error:
                index = tuple(int(i) for i in np.unravel_index(place, self.slope.shape))
                worst = CheckedEntry(self.name, index, analytic, found.value, error)
        kinks = sum(found.is_kink for found in self.numeric)
        return CheckedVariable(
            self.name, self.slope.shape, len(self.places), kinks, self.largest, worst, errors
        )


@dataclass(frozen=True, eq=False)
class _Graph:
    """The graph that is checked: J and its slopes, real, with the values of the inputs."""

    compile: Compile
    J: Node
    slopes: Sequence[Node]
    nudged: Sequence[Node]
    inputs: Sequence[Node]
    point: Mapping[Node, Array]

    def at(self, point: Sequence[Array]) -> list[Array]:
        """The slopes at other values of the inputs."""
        return [np.asarray(x) for x in self.compile(self.slopes, self.inputs)(*point)]

    def values(self) -> dict[Node, Array]:
        """The value of each node that J needs."""
        nodes = order([self.J])
        found = self.compile(nodes, self.inputs)(*self.point.values())
        return dict(zip(nodes, map(np.asarray, found), strict=True))

    def is_at_kink(self) -> bool:
        """Whether a gate on the way from the variables stands at a kink."""
        values = self.values()
        reached = dependents(values, self.nudged)
        return any(
            is_at_kink(node, [values[x] for x in node.inputs]) for node in values if node in reached
        )

    def wrong_gates(self, check: Check) -> tuple[str, ...]:
        """The gates on the way from the variables whose derivative is wrong."""
        values = self.values()
        reached = dependents(values, self.nudged)
        n_rows = next(
            (len(values[x]) for x in self.inputs if x in values and has_rows(x.shape[:1])), 1
        )
        return wrong_gates([x for x in values if x in reached], values, n_rows, check)


def _excused(
    looks: Sequence[_Look],
    arrays: Sequence[Array],
    graph: _Graph,
    numeric: Callable[[Array, Sequence[int]], list[Slope]],
    limit: float,
    rng: np.random.Generator,
) -> list[_Look]:
    """The same with those wrong entries as kinks that are right at two points beside this one.

    Where kinks meet and cancel, as in relu(x) - relu(-x) at 0, both sides have one slope, and yet
    backpropagation, gate by gate, cannot find it. A rule that is wrong is so beside the kink too.
    """
    kept = [x.copy() for x in arrays]
    wrong = [set(look.wrong(limit)) for look in looks]
    for _ in range(2):
        for x, here in zip(arrays, kept, strict=True):  # in place: `numeric` reads these arrays
            x[...] = here + BESIDE * np.maximum(1.0, np.abs(here)) * rng.normal(size=here.shape)
        slopes = graph.at([*graph.point.values()])
        for look, slope, x, places in zip(looks, slopes, arrays, wrong, strict=True):
            at = sorted(places)
            beside = _Look(look.name, slope, numeric(x, at), at)
            places.intersection_update(set(at) - set(beside.wrong(limit)))
    for x, here in zip(arrays, kept, strict=True):
        x[...] = here
    return [
        replace(
            look,
            numeric=[
                replace(found, is_kink=True) if place in excused else found
                for found, place in zip(look.numeric, look.places, strict=True)
            ],
        )
        for look, excused in zip(looks, wrong, strict=True)
    ]


class _Forward:
    """The output at arrays that are nudged in place; counts its passes."""

    def __init__(self, function: Callable[..., Sequence[Any]], arrays: Sequence[Array]) -> None:
        self._function, self._arrays = function, arrays
        self.passes = 0

    def __call__(self) -> complex:
        self.passes += 1
        return complex(self._function(*self._arrays)[0])


def _require(
    output: Node, method: str, entries: int | None, seed: int, tolerance: float | None
) -> None:
    if not isinstance(output, Node):
        raise GraphError(f"check_gradient: expected a node, got {type(output).__name__}")
    if output.shape:
        raise ShapeError(
            f"check_gradient: {describe(output)} is not a scalar; check a scalar made of it, "
            "rg.sum(output) or rg.sum(output * weights)"
        )
    require_known("method", method, [AUTO, *METHODS])
    if entries is not None:
        require_integer("check_gradient", "entries", entries)
    require_integer("check_gradient", "seed", seed, low=0)
    if tolerance is not None:
        require_number("check_gradient", "tolerance", tolerance, open_low=True)


def _checked(
    output: Node,
    wrt: Node | Sequence[Node] | None,
    gradients: Mapping[Node, Like] | None,
) -> list[Node]:
    if wrt is not None:
        if not isinstance(wrt, Iterable) and not isinstance(wrt, Node):
            raise GraphError(f"check_gradient: wrt is a variable or several, got {wrt!r}")
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


def _relative_error(analytic: float, numeric: float, scale: float) -> float:
    if not np.isfinite(analytic) or not np.isfinite(numeric):
        return float("inf")
    return abs(analytic - numeric) / scale if analytic != numeric else 0.0
