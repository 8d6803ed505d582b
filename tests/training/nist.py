"""The 27 nonlinear problems of NIST's Statistical Reference Datasets, as graphs of gates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import retrograd as rg

FOLDER = Path(__file__).with_name("nist_strd")


@dataclass(frozen=True, eq=False)
class Problem:
    """A problem: y (n,), its predictors (n,), and for each parameter b1, b2, ... what NIST says."""

    name: str
    y: np.ndarray
    x: tuple[np.ndarray, ...]
    starts: tuple[np.ndarray, np.ndarray]
    certified: np.ndarray
    standard_errors: np.ndarray
    residual_sum_of_squares: float


def table(name: str) -> list[list[str]]:
    """The data of a problem as NIST prints them: y, then its predictors."""
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    return [line.split() for line in lines[60:] if line.strip()]


def read(name: str) -> Problem:
    """A problem from NIST's file."""
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    numbers = [
        [float(word) for word in match[1].split()]
        for line in lines[:60]
        if (match := re.match(r"\s*b\d+ =\s+(.*)", line))
    ]
    start1, start2, certified, errors = np.array(numbers).T
    total = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    y, *x = np.array(table(name), np.float64).T
    return Problem(
        name, y, tuple(x), (start1, start2), certified, errors, float(total.split(":")[1])
    )


def arctan(u: rg.Node) -> rg.Node:
    """The arc tangent: thrice halved, then by its series, which ends 2e-18 early at most."""
    for _ in range(3):
        u = u / (1.0 + rg.sqrt(1.0 + u**2))  # tan(a / 2) = tan(a) / (1 + sec(a))
    total, square = rg.constant(0.0), u**2
    for k in range(23, 0, -2):
        total = (-1.0) ** (k // 2) / k + square * total
    return 8.0 * u * total


def sum_of_exponentials(x, b1, b2, b3, b4, b5, b6):
    return b1 * rg.exp(-b2 * x) + b3 * rg.exp(-b4 * x) + b5 * rg.exp(-b6 * x)


def two_peaks(x, b1, b2, b3, b4, b5, b6, b7, b8):
    peaks = b3 * rg.exp(-((x - b4) ** 2) / b5**2) + b6 * rg.exp(-((x - b7) ** 2) / b8**2)
    return b1 * rg.exp(-b2 * x) + peaks


def cubic_over_cubic(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + x * (b2 + x * (b3 + x * b4))) / (1.0 + x * (b5 + x * (b6 + x * b7)))


def saturation(x, b1, b2):
    return -b1 * rg.expm1(-b2 * x)


def enso(x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    def wave(period, a, b):
        angle = 2.0 * math.pi * x / period
        return a * rg.cos(angle) + b * rg.sin(angle)

    return b1 + wave(12.0, b2, b3) + wave(b4, b5, b6) + wave(b7, b8, b9)


MODELS: dict[str, Callable[..., Any]] = {
    "Misra1a": saturation,
    "Chwirut2": lambda x, b1, b2, b3: rg.exp(-b1 * x) / (b2 + b3 * x),
    "Chwirut1": lambda x, b1, b2, b3: rg.exp(-b1 * x) / (b2 + b3 * x),
    "Lanczos3": sum_of_exponentials,
    "Gauss1": two_peaks,
    "Gauss2": two_peaks,
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "Misra1b": lambda x, b1, b2: b1 * (1.0 - (1.0 + b2 * x / 2.0) ** -2),
    "Kirby2": lambda x, b1, b2, b3, b4, b5: (b1 + x * (b2 + x * b3)) / (1.0 + x * (b4 + x * b5)),
    "Hahn1": cubic_over_cubic,
    "Nelson": lambda x1, x2, b1, b2, b3: b1 - b2 * x1 * rg.exp(-b3 * x2),  # of log(y)
    "MGH17": lambda x, b1, b2, b3, b4, b5: b1 + b2 * rg.exp(-x * b4) + b3 * rg.exp(-x * b5),
    "Lanczos1": sum_of_exponentials,
    "Lanczos2": sum_of_exponentials,
    "Gauss3": two_peaks,
    "Misra1c": lambda x, b1, b2: b1 * (1.0 - (1.0 + 2.0 * b2 * x) ** -0.5),
    "Misra1d": lambda x, b1, b2: b1 * b2 * x / (1.0 + b2 * x),
    "Roszman1": lambda x, b1, b2, b3, b4: b1 - b2 * x - arctan(b3 / (x - b4)) / math.pi,
    "ENSO": enso,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * x * (x + b2) / (x * (x + b3) + b4),
    "Thurber": cubic_over_cubic,
    "BoxBOD": saturation,
    "Rat42": lambda x, b1, b2, b3: b1 / (1.0 + rg.exp(b2 - b3 * x)),
    "MGH10": lambda x, b1, b2, b3: b1 * rg.exp(b2 / (x + b3)),
    "Eckerle4": lambda x, b1, b2, b3: b1 / b2 * rg.exp(-0.5 * ((x - b3) / b2) ** 2),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / (1.0 + rg.exp(b2 - b3 * x)) ** (1.0 / b4),
    "Bennett5": lambda x, b1, b2, b3: b1 * (b2 + x) ** (-1.0 / b3),
}


def fit(problem: Problem, start: np.ndarray, **options: Any) -> rg.LeastSquaresFit:
    """The problem's model fitted from a start, its parameters named b1, b2, ..."""
    b = [rg.variable(f"b{i}", shape=()) for i in range(1, len(start) + 1)]
    x = [rg.variable(f"x{i}", shape=(rg.rows,)) for i in range(1, len(problem.x) + 1)]
    y = rg.variable("y", shape=(rg.rows,))
    observed = rg.log(y) if problem.name == "Nelson" else y
    return rg.least_squares(
        observed - MODELS[problem.name](*x, *b),
        dict(zip(b, start, strict=True)),
        {y: problem.y, **dict(zip(x, problem.x, strict=True))},
        **options,
    )


def digits(found: Any, certified: Any) -> float:
    """The fewest digits, of at most 11, to which numbers agree with the certified ones."""
    with np.errstate(divide="ignore"):
        error = np.abs(np.asarray(found) - certified) / np.abs(certified)
        return float(np.clip(-np.log10(error), 0.0, 11.0).min())
