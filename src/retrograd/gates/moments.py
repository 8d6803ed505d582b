"""Mean and variance taken off over axes, to the last places also where the mean is large."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.arrays import require_flag, require_number
from retrograd.gates.arithmetic import sqrt, square
from retrograd.gates.reduce import Axis, as_normalised, mean
from retrograd.graph.node import Array, Gate, Like, Node, apply, define
from retrograd.graph.shape import size_of


def _center_numpy(x: Array, *, axes: tuple[int, ...], out: Array | None = None) -> Array:
    # The mean is rounded, by a part of itself: where it is large beside the differences, they are
    # all off by the same. Their own mean is that rounding   [Chan, Golub & LeVeque 1983].
    d = np.subtract(x, _mean(x, axes), out=out)
    return np.subtract(d, _mean(d, axes), out=out)


def _mean(x: Array, axes: tuple[int, ...]) -> Any:
    total = np.add.reduce(x, axes, keepdims=True)
    number = x.dtype.type(max(1, x.size // max(1, total.size)))
    return total / number


CENTER: Gate = define(
    Gate(
        "center",
        _center_numpy,
        lambda x, *, axes: (x.shape, x.dtype),
        lambda y, x, *, n_rows: 4 * size_of(x.shape, n_rows),
        # y = x - mean(x) is linear, and its own transpose: dx = dy - mean(dy)
        lambda dy, y, x, *, axes: (apply(CENTER, dy, axes=axes),),
    )
)


def center(x: Like, axis: Axis = -1) -> Node:
    """x less its mean over an axis (or several).  dx = dy - mean(dy)

    [NumPy: x - mean(x)], right to the last places of the largest difference, however large the mean
    is beside it.

    >>> rg.evaluate(rg.center([[1.0, 2.0], [3.0, 5.0]]))
    array([[-0.5,  0.5],
           [-1. ,  1. ]])
    """
    node, axes = as_normalised("center", x, axis)
    return apply(CENTER, node, axes=axes)


def variance(x: Like, axis: Axis = None, *, keepdims: bool = False) -> Node:
    """The mean of (x - mean(x))**2 over axes (all by default).  dx = 2 dy (x - mean(x)) / n

    [NumPy: var]. In two passes, without the cancellation of E[x**2] - E[x]**2.

    >>> rg.evaluate(rg.variance([[1.0, 2.0], [3.0, 5.0]], axis=1))
    array([0.25, 1.  ])
    """
    require_flag("variance", "keepdims", keepdims)
    node, axes = as_normalised("variance", x, axis)
    return mean(square(apply(CENTER, node, axes=axes)), axes, keepdims=keepdims)


def standardize(x: Like, axis: Axis = -1, *, epsilon: float = 1e-5) -> Node:
    """x to mean 0 and variance 1 over an axis (or several): (x - mean) / sqrt(variance + epsilon).

    Layer normalisation over the units of a row, batch normalisation over the rows, without their
    scale and shift   [Ba, Kiros & Hinton 2016; Ioffe & Szegedy 2015].

    Args:
        x: what to normalise.
        axis: over which; the last by default.
        epsilon: at least 0; keeps entries that are all alike at 0, where 0/0 would be NaN.

    >>> rg.evaluate(rg.standardize([[1.0, 2.0, 3.0]], epsilon=0.0)).round(4)
    array([[-1.2247,  0.    ,  1.2247]])
    """
    require_number("standardize", "epsilon", epsilon)
    node, axes = as_normalised("standardize", x, axis)
    d = apply(CENTER, node, axes=axes)
    return d * (1.0 / sqrt(mean(square(d), axes, keepdims=True) + epsilon))
