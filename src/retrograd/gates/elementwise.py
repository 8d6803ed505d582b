"""Gates that act on every element: how they are defined, and the cast that brings two to one dtype.

Operands broadcast as in NumPy, and are brought to one floating dtype; sizes that do not fit raise
ShapeError. In the rules of these gates `dy` is the propagated gradient, `y` the gate's output; a
rule returns one cotangent for each operand, and `gradient` sums it over what was broadcast.

Costs are per element: 1 for arithmetic, comparisons and selections; for a transcendental function
the operations of a vectorised evaluation (range reduction and a polynomial).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograd.errors import DtypeError
from retrograd.graph.node import (
    OPERATORS,
    Array,
    Gate,
    Like,
    Node,
    apply,
    as_dtype,
    as_node,
    define,
)
from retrograd.graph.shape import Shape, broadcast, size_of


def _same(*inputs: Node, **_: Any) -> tuple[Shape, np.dtype[Any]]:
    return broadcast(*(x.shape for x in inputs)), inputs[0].dtype


def elementwise(
    name: str,
    numpy: Callable[..., Array],
    vjp: Callable[..., tuple[Node | None, ...]] | None,
    *,
    flops: int = 1,
    is_analytic: bool = True,
    infer: Callable[..., tuple[Shape, np.dtype[Any]]] = _same,
) -> Gate:
    """Define a gate that acts on every element, at `flops` operations an element."""

    def cost(y: Node, *_: Node, n_rows: int) -> int:
        return flops * size_of(y.shape, n_rows)

    return define(Gate(name, numpy, infer, cost, vjp, is_analytic, promotes=True))


def is_complex(x: Array) -> bool:
    """Whether an array is complex, as where a derivative is taken by the complex step."""
    return bool(x.dtype.kind == "c")


def _cast_numpy(x: Array, *, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    if out is None:
        return x.astype(dtype)
    np.copyto(out, x, casting="unsafe")
    return out


def _cast_infer(x: Node, *, dtype: np.dtype[Any]) -> tuple[Shape, np.dtype[Any]]:
    if x.dtype.kind == "c" and dtype.kind != "c":
        raise DtypeError(f"{x.dtype} to {dtype} would lose the imaginary part")
    return x.shape, dtype


CAST = define(
    Gate(
        "cast",
        _cast_numpy,
        _cast_infer,
        lambda *_, n_rows: 0,
        lambda dy, y, x, *, dtype: (cast(dy, x.dtype),),
    )
)


def cast(x: Like, dtype: object) -> Node:
    """The same values in another dtype: bool, int64, float32, float64, complex64 or complex128.

    [NumPy: ndarray.astype]. Its gradient is cast back; through bool and int64 none passes. A float
    becomes an integer by dropping its fraction. Complex to real is a DtypeError.

    >>> rg.evaluate(rg.cast([1.5, -1.5], "int64"))
    array([ 1, -1])
    """
    node, target = as_node(x), as_dtype(dtype)
    return node if node.dtype == target else apply(CAST, node, dtype=target)


OPERATORS["cast"] = cast
