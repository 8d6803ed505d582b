"""The figures of an array: its shape, its norm, its extremes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrograd.arrays import Array
from retrograd.graph.shape import show


@dataclass(frozen=True)
class Figures:
    """What an array is like, in numbers.

    - `norm`: Euclidean, of all entries. `rms`: the root of the mean of their squares, 0 for none.
    - `low`, `high`: the least and the largest entry; NaN where one is NaN, or where there is none.
    """

    shape: tuple[int, ...]
    norm: float
    rms: float
    low: float
    high: float

    def text(self) -> tuple[str, str, str, str]:
        """Shape, norm, low and high in a few digits."""
        return (show(self.shape), f"{self.norm:.4g}", f"{self.low:.4g}", f"{self.high:.4g}")


def figures(array: Array) -> Figures:
    """The figures of an array of numbers.

    >>> figures(np.array([[3.0, -4.0, 0.0, 0.0]]))
    Figures(shape=(1, 4), norm=5.0, rms=2.5, low=-4.0, high=3.0)
    """
    if not array.size:
        return Figures(array.shape, 0.0, 0.0, float("nan"), float("nan"))
    # Scaled by the largest entry: squares of large numbers would overflow.
    low, high = float(array.min()), float(array.max())
    largest = max(abs(low), abs(high))
    if largest == 0 or not np.isfinite(largest):
        return Figures(array.shape, largest, largest, low, high)
    flat = np.ravel(array)
    if 1e-15 < largest < 1e15:
        norm = float(np.sqrt(np.square(flat).sum()))
    else:
        flat = flat.astype(np.float64) / largest
        norm = largest * float(np.sqrt(np.square(flat).sum()))
    return Figures(array.shape, norm, norm / float(np.sqrt(array.size)), low, high)
