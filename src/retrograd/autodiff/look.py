"""What a check found of one variable: backpropagation's slopes beside numbers, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrograd.arrays import Array
from retrograd.autodiff.checked import CheckedEntry, CheckedVariable
from retrograd.autodiff.numeric import Slope


@dataclass(frozen=True, eq=False)
class Look:
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


def _relative_error(analytic: float, numeric: float, scale: float) -> float:
    if not np.isfinite(analytic) or not np.isfinite(numeric):
        return float("inf")
    return abs(analytic - numeric) / scale if analytic != numeric else 0.0
