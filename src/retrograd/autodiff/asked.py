"""What a gradient check is asked for, made sure of: the output, the variables, their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array, require_integer, require_number
from retrograd.autodiff.numeric import METHODS
from retrograd.errors import DataError, GraphError, ShapeError, require_known
from retrograd.graph.node import VARIABLE, Like, Node, describe
from retrograd.graph.order import variables

AUTO = "auto"  # of the methods the one that fits the graph


def require_options(
    output: Node, method: str, entries: int | None, seed: int, tolerance: float | None
) -> None:
    """Raise an error for an output that is no scalar node, and options out of their ranges."""
    if not isinstance(output, Node):
        raise GraphError(
            f"check_gradient: expected a scalar node, a network or a fitted estimator, got "
            f"{type(output).__name__}"
        )
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


def checked_variables(
    output: Node,
    wrt: Node | Sequence[Node] | None,
    gradients: Mapping[Node, Like] | None,
) -> list[Node]:
    """The variables that are meant: those given, or all floating ones of the output."""
    if wrt is not None:
        if isinstance(wrt, Mapping):
            raise GraphError(
                "check_gradient: wrt is a variable or several; give a dict by variable as `values`"
            )
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


def point_of(nodes: Iterable[Node], values: Mapping[Node, ArrayLike]) -> dict[Node, Array]:
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
