"""Derivatives from function values alone: the complex step, and differences at the best step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from retrograd.graph.node import Array

Call = Callable[[], complex]
"""The function at the current values of its arrays, which are nudged in place."""

COMPLEX_STEP = 2.0**-100  # its square vanishes beside any derivative; dividing by it is exact

FIRST_STEP = 2.0**-9  # of max(1, |x|): three levels of a smooth function agree to 11 digits
RATIO = 4.0  # each step is a quarter of the one before
LEVELS = 10  # down to 2**-27, for kinks that lie close by
USUAL_STEP = FIRST_STEP / RATIO**2  # where a smooth function stops


@dataclass(frozen=True)
class Slope:
    """A derivative from numbers.

    - `noise`: how much of it may be rounding error.
    - `is_kink`: the slopes on the two sides differ, so there is no derivative; `value` is their mean.
    """

    value: float
    noise: float
    is_kink: bool = False


def complex_step(
    call: Call, x: Array, places: Iterable[int], *, rounding: float, accuracy: float
) -> list[Slope]:
    """The derivatives in some entries of the complex array x, one call each.

    f'(x) = Im f(x + ih) / h: there is no difference to cancel digits, so h can be so small that no
    truncation error is left, and any accuracy is reached   [Squire & Trapp 1998]

    Args: see `central_differences`.
    """
    slopes = []
    for place in places:
        here = x.flat[place]
        x.flat[place] = here + 1j * COMPLEX_STEP
        slopes.append(Slope(call().imag / COMPLEX_STEP, rounding / max(1.0, abs(here))))
        x.flat[place] = here
    return slopes


def central_differences(
    call: Call, x: Array, places: Iterable[int], *, rounding: float, accuracy: float
) -> list[Slope]:
    """The derivatives in some entries of the array x, from central differences at the best step.

    Every entry starts with large steps, extrapolated to 0. While the extrapolations of neighbouring
    steps do not agree, because a kink lies inside them or the function bends too much, smaller
    steps follow; the estimate that agrees best is taken   [Ridders 1982]

    Args:
        call: the function. It is called once, and then twice for each step of each entry.
        x: float64; nudged in place, and put back.
        places: flat indices of entries of x.
        rounding: the absolute rounding error in a value of the function.
        accuracy: stop where an estimate is known to this part of the largest one.
    """
    center = call().real
    ladders = [_Ladder(call, x, place, center, rounding) for place in places]
    unsettled = ladders
    largest = 0.0
    for _ in range(LEVELS):
        for ladder in unsettled:
            ladder.descend()
            if np.isfinite(ladder.value):
                largest = max(largest, abs(ladder.value))
        enough = accuracy * largest
        unsettled = [x for x in unsettled if x.uncertainty > max(enough, 10 * x.usual_noise)]
    return [ladder.slope(accuracy * largest) for ladder in ladders]


class _Ladder:
    """One entry at smaller and smaller steps: the slopes on both sides, and where they lead."""

    def __init__(self, call: Call, x: Array, place: int, center: float, rounding: float) -> None:
        self._call, self._x, self._place = call, x, place
        self._center, self._rounding = center, rounding
        self._scale = max(1.0, abs(float(x.flat[place])))
        self._rounding_in: list[float] = []
        self._right: list[float] = []
        self._left: list[float] = []
        self._central: list[float] = []
        self.usual_noise = rounding / (USUAL_STEP * self._scale)
        self.value, self.noise, self.uncertainty = np.nan, np.inf, np.inf

    def descend(self) -> None:
        """Take the next smaller step."""
        step = FIRST_STEP * self._scale / RATIO ** len(self._central)
        here = float(self._x.flat[self._place])
        above, below = here + step, here - step
        up, down = self._at(above), self._at(below)
        self._x.flat[self._place] = here
        # Divided by the step that was really taken: here + step is rounded.
        self._right.append((up - self._center) / (above - here))
        self._left.append((self._center - down) / (here - below))
        self._central.append((up - down) / (above - below))
        self._rounding_in.append(self._rounding / step)
        # f(x + h) - f(x - h) is odd in h, so its error has even powers only.
        self.value, self.noise, self.uncertainty = extrapolate(
            self._central, self._rounding_in, ratio=RATIO**2
        )

    def _at(self, value: float) -> float:
        self._x.flat[self._place] = value
        return self._call().real

    def slope(self, resolution: float) -> Slope:
        """What the steps so far say; sides that differ by more than is uncertain make a kink."""
        right, _, right_error = extrapolate(self._right, self._rounding_in, ratio=RATIO)
        left, _, left_error = extrapolate(self._left, self._rounding_in, ratio=RATIO)
        is_kink = abs(right - left) > 10 * (right_error + left_error) + resolution
        return Slope(self.value, max(self.noise, self.usual_noise), is_kink)


def extrapolate(
    slopes: Sequence[float], rounding: Sequence[float], *, ratio: float
) -> tuple[float, float, float]:
    """The limit of slopes at shrinking steps, its rounding error, and its uncertainty in all.

    Neville's table: row k, column j is free of the error terms 1 .. j, each of which shrinks by one
    more factor of `ratio` from step to step. Of all entries the one is taken that differs least from
    its two neighbours, counting the rounding error of its row's slope.

    >>> extrapolate([1.5, 1.125, 1.03125], [0.0, 0.0, 0.0], ratio=4.0)
    (1.0, 0.0, 0.0)
    """
    best, noise, uncertainty = np.nan, np.inf, np.inf
    above: list[float] = []
    for slope, error in zip(slopes, rounding, strict=True):
        row = [slope]
        for j, coarser in enumerate(above):
            finer = row[j] + (row[j] - coarser) / (ratio ** (j + 1) - 1)
            doubt = max(abs(finer - row[j]), abs(finer - coarser)) + error
            if doubt < uncertainty:
                best, noise, uncertainty = finer, error, doubt
            row.append(finer)
        above = row
    return best, noise, uncertainty
