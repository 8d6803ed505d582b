"""Scores of answers, beside those of a guess that looks at no column, and as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.tabular.target import ClassTarget, Target
from retrograd.training.scores import r2

ACCURACY, R2, RMSE = "accuracy", "R2", "RMSE"


def scores(target: Target, values: NDArray[Any], answers: NDArray[Any]) -> dict[str, float]:
    """Accuracy, or R2 and RMSE in the target's unit, of answers (n,) to values (n,), n > 0."""
    if isinstance(target, ClassTarget):
        return {ACCURACY: float(np.mean(values == answers))}
    with np.errstate(over="ignore", invalid="ignore"):
        error = values - answers
        return {R2: r2(values, answers[:, None]), RMSE: float(np.sqrt(np.mean(error * error)))}


def baseline(target: Target, training: NDArray[Any], n: int) -> tuple[str, NDArray[Any]]:
    """The best constant answer by the training values, in words and as answers (n,)."""
    if isinstance(target, ClassTarget):
        # Of equally frequent classes the first; counted as Python values, which may be words.
        counts = Counter(training.tolist())
        most = max(target.classes, key=lambda one: counts[one])
        guess: NDArray[Any] = np.empty(n, training.dtype)
        guess[:] = most
        return "always guessing the most frequent class", guess
    return "always guessing the mean", np.full(n, training.mean())


def as_text(name: str, value: float, *, unit: str = "") -> str:
    """A score in a few digits; an R2 or accuracy just below 1 keeps those that tell it from 1.

    >>> as_text("accuracy", 0.97778), as_text("R2", 0.99998731), as_text("RMSE", 0.123456, unit="K")
    ('0.978', '0.999987', '0.1235 K')
    """
    if name == RMSE:
        return f"{value:.4g} {unit}".rstrip()
    digits = 3
    while value < 1 and float(f"{value:.{digits}f}") == 1 and digits < 12:
        digits += 1
    rounded = round(value, digits + (digits > 3)) + 0.0  # no minus before a zero
    return f"{rounded:.{digits + (digits > 3)}f}"


def line(found: Mapping[str, float], *, unit: str = "") -> str:
    """Scores in a row: `R2 0.512, RMSE 54.1`."""
    return ", ".join(f"{name} {as_text(name, value, unit=unit)}" for name, value in found.items())
