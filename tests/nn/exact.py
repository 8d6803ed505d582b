"""What tests of accuracy share: numbers at 50 digits, and errors relative to what lies nearby."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mpmath
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

DIGITS = 50
LIMIT = 1e-13  # of the largest entry
TINY = float(np.finfo(np.float64).tiny)  # below it numbers have fewer digits


def at_50_digits(function: Callable[[Any], Any], x: Iterable[float]) -> Array:
    """The function of each number, rounded once."""
    with mpmath.workdps(DIGITS):
        return np.array([float(function(mpmath.mpf(float(v)))) for v in x])


def error_nearby(found: Array, exact: Array, *, n_each_side: int = 4) -> float:
    """The largest error relative to the largest of each entry's neighbours, itself among them.

    Stricter than relative to the largest entry of all: where a tail decays its digits count too.
    """
    padded = np.pad(np.abs(exact), n_each_side, mode="edge")
    width = 2 * n_each_side + 1
    largest = np.lib.stride_tricks.sliding_window_view(padded, width).max(axis=1)
    return float((np.abs(found - exact) / np.maximum(largest, TINY / LIMIT)).max())


def error(found: Array, exact: Array) -> float:
    """The largest error relative to the largest entry."""
    return float(np.abs(found - exact).max() / max(np.abs(exact).max(), TINY / LIMIT))
