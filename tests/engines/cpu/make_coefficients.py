"""Make the polynomials of the CPU engine's functions: python make_coefficients.py [name ...]

Each is the minimax fit of least weighted error, by Remez exchange on a dense grid in 60 digits. Its
coefficients are rounded to the dtype one after another, from the lowest power up, and those not yet
rounded are fitted again each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

mpmath.mp.dps = 60

Function = Callable[[Any], Any]
GRID = 60  # points of the grid for every coefficient


@dataclass(frozen=True)
class Fit:
    """numerator(x) / denominator(x) ~ f(x) on [low, high], with the least weight(x) |error|."""

    f: Function
    low: Any
    high: Any
    degree: int
    weight: Function
    denominator: int = 0  # its degree; its constant is 1


def polynomial(coefficients: list[Any], x: Any) -> Any:
    return mpmath.polyval(coefficients[::-1], x)


def chebyshev(low: Any, high: Any, n: int) -> list[Any]:
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mpmath.cos(mpmath.pi * i / (n - 1)) for i in range(n)]


def exchange(errors: list[Any], n: int) -> list[int]:
    """n grid points where the error is largest and changes its sign from each to the next."""
    runs: list[int] = []
    for i, e in enumerate(errors):
        if runs and (errors[runs[-1]] > 0) == (e > 0):
            if abs(e) > abs(errors[runs[-1]]):
                runs[-1] = i
        else:
            runs.append(i)
    while len(runs) > n:
        runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
    return runs


def remez(fit: Fit, fixed: dict[int, Any], fixed_below: dict[int, Any]) -> tuple[Any, Any, Any]:
    """The numerator, the denominator and the largest weighted error; some coefficients given."""
    free = [k for k in range(fit.degree + 1) if k not in fixed]
    below = [k for k in range(1, fit.denominator + 1) if k not in fixed_below]
    n = len(free) + len(below) + 1
    grid = chebyshev(mpf(fit.low), mpf(fit.high), GRID * (fit.degree + fit.denominator + 2) + 1)
    grid = [x for x in grid if abs(x) > mpf(10) ** -30]
    values, weights = [fit.f(x) for x in grid], [fit.weight(x) for x in grid]
    # The grid is Chebyshev's, so places even along it are good ones; but where f is 0, so is w.
    enough = max(weights) / 100
    usable = [i for i, w in enumerate(weights) if w >= enough]
    chosen = [usable[i * (len(usable) - 1) // max(n - 1, 1)] for i in range(n)]
    top = dict(fixed)
    bottom = {0: mpf(1)} | fixed_below
    error = mpf(0)
    for _ in range(60):
        previous = mpf(0)
        for _ in range(30 if below else 1):
            rows, right = [], []
            for sign, i in enumerate(chosen):
                x, w = grid[i], weights[i]
                lifted = values[i] + (-1) ** sign * error / w  # what the quotient must be here
                row = [x**k for k in free] + [-lifted * x**k for k in below]
                known = sum((c * x**k for k, c in fixed.items()), mpf(0))
                known_below = 1 + sum((c * x**k for k, c in fixed_below.items()), mpf(0))
                rows.append([*row, -((-1) ** sign) * known_below / w])
                right.append(values[i] * known_below - known)
            solution = list(mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(right)))
            error = solution[-1]
            if abs(error - previous) <= abs(error) * mpf(10) ** -12:
                break
            previous = error
        top = fixed | dict(zip(free, solution, strict=False))
        bottom = {0: mpf(1)} | fixed_below | dict(zip(below, solution[len(free) :], strict=False))
        p = [top[k] for k in range(fit.degree + 1)]
        q = [bottom[k] for k in range(fit.denominator + 1)]
        errors = [
            w * (polynomial(p, x) / polynomial(q, x) - f)
            for x, f, w in zip(grid, values, weights, strict=True)
        ]
        largest = max(abs(e) for e in errors)
        if largest <= abs(error) * mpf("1.0001"):
            break
        found = exchange(errors, n)
        if len(found) < n or found == chosen:
            break
        chosen = found
    return p, q, largest


def rounded(fit: Fit, dtype: Any, fixed: dict[int, Any] | None = None) -> tuple[Any, Any, Any]:
    """The coefficients as numbers of the dtype, and the largest error with them."""
    top, bottom = dict(fixed or {}), {}
    if fit.low < 0:  # powers that lack the lowest have a common zero inside: no exchange then
        p, q, _ = remez(fit, top, bottom)
        top = {k: mpf(float(dtype(float(c)))) for k, c in enumerate(p)}
        bottom = {k: mpf(float(dtype(float(c)))) for k, c in enumerate(q)}
    for k in range(max(fit.degree, fit.denominator) + 1):
        if k <= fit.degree and k not in top:
            p, q, _ = remez(fit, top, bottom)
            top[k] = mpf(float(dtype(float(p[k]))))
        if 1 <= k <= fit.denominator:
            p, q, _ = remez(fit, top, bottom)
            bottom[k] = mpf(float(dtype(float(q[k]))))
    p = [top[k] for k in range(fit.degree + 1)]
    q = [mpf(1)] + [bottom[k] for k in range(1, fit.denominator + 1)]
    largest = max(
        abs(fit.weight(x) * (polynomial(p, x) / polynomial(q, x) - fit.f(x)))
        for x in chebyshev(mpf(fit.low), mpf(fit.high), 2000)
        if abs(x) > mpf(10) ** -30
    )
    return p, q, largest


LN2 = mpmath.log(2)
ROOT = mpmath.sqrt(2)


def exp_fit(degree: int) -> Fit:
    return Fit(mpmath.exp, 0, LN2, degree, lambda r: mpmath.exp(-r))


def expm1_fit(degree: int) -> Fit:
    """expm1(r) = r + r**2 / 2 + r**3 P(r)"""
    half = LN2 / 2 * mpf("1.001")
    return Fit(
        lambda r: (mpmath.expm1(r) - r - r**2 / 2) / r**3,
        -half,
        half,
        degree,
        lambda r: abs(r**3 / mpmath.expm1(r)),
    )


def log1p_fit(low: Any, high: Any, degree: int) -> Fit:
    """log1p(f) = f - f**2 / 2 + f**3 P(f)"""
    return Fit(
        lambda f: (mpmath.log1p(f) - f + f**2 / 2) / f**3,
        low,
        high,
        degree,
        lambda f: abs(f**3 / mpmath.log1p(f)),
    )


def odd_fit(f: Function, high: Any, numerator: int, denominator: int) -> Fit:
    """f(x) = x P(x**2) / Q(x**2) for |x| <= high, in relative error."""

    def quotient(z: Any) -> Any:
        return f(mpmath.sqrt(z)) / mpmath.sqrt(z)

    return Fit(quotient, 0, high**2, numerator, lambda z: 1 / quotient(z), denominator)


LOG = (1 / ROOT - 1, ROOT - 1)
FITS: dict[str, tuple[Fit, Any, dict[int, Any]]] = {
    "exp32": (exp_fit(6), np.float32, {0: mpf(1)}),
    "exp64": (exp_fit(11), np.float64, {0: mpf(1)}),
    "expm1_32": (expm1_fit(3), np.float32, {}),
    "expm1_64": (expm1_fit(9), np.float64, {}),
    "log32": (log1p_fit(*LOG, 7), np.float32, {}),
    "log64": (log1p_fit(*LOG, 18), np.float64, {}),
    "softplus32": (log1p_fit(0, 1, 7), np.float32, {}),
    "softplus64": (log1p_fit(0, 1, 18), np.float64, {}),
}


def main(names: list[str]) -> None:
    for name in names or FITS:
        fit, dtype, fixed = FITS[name]
        p, q, largest = rounded(fit, dtype, fixed)
        print(f"{name}: largest error 2**{mpmath.nstr(mpmath.log(largest, 2), 4)}")
        for line in (p, q[1:]):
            if line:
                print("    " + ", ".join(repr(float(c)) for c in line))


if __name__ == "__main__":
    main(sys.argv[1:])
