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

# A bound on a value's rounding error is none on that of its gradient: 1 - tanh(z)**2 has the
# rounding of 1, not of its own small value. So differences count from a multiple of it.
COMPLEX_MARGIN = 100.0
CENTRAL_MARGIN = 10.0  # here the numbers' own rounding is larger: it is divided by a small step
DOUBT_MARGIN = 3.0  # where an extrapolation goes wrong, by so many times what it deems possible


@dataclass(frozen=True)
class Slope:
    """A derivative from numbers.

    - `uncertainty`: a difference up to this is no disagreement.
    - `is_kink`: the slopes on the two sides differ: there is no derivative, `value` is their mean.
    """

    value: float
    uncertainty: float
    is_kink: bool = False


def complex_step(
    call: Call,
    x: Array,
    places: Iterable[int],
    *,
    rounding: float,
    accuracy: float,
    largest: float = 0.0,
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
        uncertainty = COMPLEX_MARGIN * rounding / max(1.0, abs(here))
        slopes.append(Slope(call().imag / COMPLEX_STEP, uncertainty))
        x.flat[place] = here
    return slopes


def central_differences(
    call: Call,
    x: Array,
    places: Iterable[int],
    *,
    rounding: float,
    accuracy: float,
    largest: float = 0.0,
) -> list[Slope]:
    """The derivatives in some entries of the array x, from differences at the best step.

    The slopes on the two sides of x are extrapolated to step 0, each on its own, starting from
    large steps; their mean is the derivative. While neighbouring steps do not agree, or the sides
    do not, because a kink lies inside the step or the function bends too much, smaller steps
    follow; the extrapolation that agrees best is taken   [Ridders 1982]

    Args:
        call: the function. It is called once, and then twice for each step of each entry.
        x: float64; nudged in place, and put back.
        places: flat indices of entries of x.
        rounding: the absolute rounding error in a value of the function.
        accuracy: stop where an estimate is known to this part of the largest one.
        largest: that of other entries of x, where it is known.
    """
    center = call().real
    ladders = [_Ladder(call, x, place, center, rounding) for place in places]
    unsettled = ladders
    for _ in range(LEVELS):
        for ladder in unsettled:
            ladder.descend()
            if np.isfinite(ladder.slope):
                largest = max(largest, abs(ladder.slope))
        unsettled = [ladder for ladder in unsettled if not ladder.is_settled(accuracy * largest)]
    return [ladder.result(accuracy * largest) for ladder in ladders]


METHODS = {"complex": complex_step, "central": central_differences}


class _Ladder:
    """One entry at smaller and smaller steps: the slopes on its two sides, and where they lead."""

    def __init__(self, call: Call, x: Array, place: int, center: float, rounding: float) -> None:
        self._call, self._x, self._place = call, x, place
        self._center, self._rounding = center, rounding
        self._scale = max(1.0, abs(float(x.flat[place])))
        self._least = CENTRAL_MARGIN * rounding / (USUAL_STEP * self._scale)
        self._slopes: tuple[list[float], list[float]] = [], []
        self._rounding_in: list[float] = []
        self._limits = (Limit(), Limit())

    def descend(self) -> None:
        """Take the next smaller step."""
        step = FIRST_STEP * self._scale / RATIO ** len(self._rounding_in)
        here = float(self._x.flat[self._place])
        for slopes, there in zip(self._slopes, (here - step, here + step), strict=True):
            self._x.flat[self._place] = there
            # Divided by the step that was really taken: here + step is rounded.
            slopes.append((self._call().real - self._center) / (there - here))
        self._x.flat[self._place] = here
        self._rounding_in.append(self._rounding / step)
        left, right = (extrapolate(slopes, self._rounding_in) for slopes in self._slopes)
        self._limits = left, right

    @property
    def slope(self) -> float:
        """The mean of the slopes on the two sides."""
        return (self._limits[0].value + self._limits[1].value) / 2

    def is_settled(self, resolution: float) -> bool:
        """Whether each side is known well enough, and they agree."""
        enough = max(resolution, self._least)
        known = all(limit.uncertainty <= enough for limit in self._limits)
        return known and not self._is_kink(resolution)

    def _is_kink(self, resolution: float) -> bool:
        left, right = self._limits
        return abs(right.value - left.value) > resolution + self._doubt

    @property
    def _doubt(self) -> float:
        left, right = self._limits
        return DOUBT_MARGIN * (left.uncertainty + right.uncertainty)

    def result(self, resolution: float) -> Slope:
        """What the steps so far say."""
        return Slope(self.slope, max(self._least, self._doubt), self._is_kink(resolution))


@dataclass(frozen=True)
class Limit:
    """Where slopes lead: the value at step 0, and how far off it may be."""

    value: float = np.nan
    uncertainty: float = np.inf


def extrapolate(slopes: Sequence[float], rounding: Sequence[float]) -> Limit:
    """The limit of slopes at steps that shrink by RATIO, given the rounding error of each slope.

    Neville's table: row k, column j is free of the error terms 1 .. j, each of which shrinks by one
    more factor of RATIO from step to step. Of all entries the one is taken that differs least from
    its two neighbours, counting the rounding error of its row.

    >>> extrapolate([1.5, 1.125, 1.03125], [0.0, 0.0, 0.0])
    Limit(value=1.0, uncertainty=0.0)
    """
    best = Limit()
    above: list[float] = []
    for slope, error in zip(slopes, rounding, strict=True):
        row = [slope]
        for j, coarser in enumerate(above):
            finer = row[j] + (row[j] - coarser) / (RATIO ** (j + 1) - 1)
            doubt = max(abs(finer - row[j]), abs(finer - coarser)) + error
            if doubt < best.uncertainty:
                best = Limit(finer, doubt)
            row.append(finer)
        above = row
    return best
