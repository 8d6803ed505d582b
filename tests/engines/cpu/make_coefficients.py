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
REFITTED = 5  # coefficients, the lowest
ROUNDS = 20  # with some coefficients given, exchange may go round in a circle


@dataclass(frozen=True)
class Fit:
    """P(x) ~ f(x) on [low, high], of the degree, with the least weight(x) |error|."""

    f: Function
    low: Any
    high: Any
    degree: int
    weight: Function


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


def remez(fit: Fit, fixed: dict[int, Any]) -> list[Any]:
    """The coefficients of the minimax fit; some of them given."""
    free = [k for k in range(fit.degree + 1) if k not in fixed]
    n = len(free) + 1
    grid = chebyshev(mpf(fit.low), mpf(fit.high), GRID * (fit.degree + 2) + 1)
    grid = [x for x in grid if abs(x) > mpf(10) ** -30]
    values, weights = [fit.f(x) for x in grid], [fit.weight(x) for x in grid]
    # The grid is Chebyshev's, so places even along it are good ones; but where f is 0, so is w.
    usable = [i for i, w in enumerate(weights) if w >= max(weights) / 100]
    chosen = [usable[i * (len(usable) - 1) // max(n - 1, 1)] for i in range(n)]
    least, best = mpf("inf"), []
    for _ in range(ROUNDS):
        rows, right = [], []
        for sign, i in enumerate(chosen):
            known = sum((c * grid[i] ** k for k, c in fixed.items()), mpf(0))
            rows.append([grid[i] ** k for k in free] + [(-1) ** sign / weights[i]])
            right.append(values[i] - known)
        *solution, error = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(right))
        found = fixed | dict(zip(free, solution, strict=True))
        p = [found[k] for k in range(fit.degree + 1)]
        errors = [w * (polynomial(p, x) - f) for x, f, w in zip(grid, values, weights, strict=True)]
        largest = max(abs(e) for e in errors)
        if largest < least:
            least, best = largest, p
        if largest <= abs(error) * mpf("1.001"):
            break
        chosen = exchange(errors, n)
    return best


def rounded(fit: Fit, dtype: Any, fixed: dict[int, Any]) -> tuple[list[Any], Any]:
    """The coefficients as numbers of the dtype, and the largest error with them."""
    known = dict(fixed)
    # Powers that lack the lowest have a common zero at 0: no exchange then, if 0 lies inside.
    for k in range(min(REFITTED, fit.degree) if fit.low >= 0 else 0):
        if k not in known:
            known[k] = mpf(float(dtype(float(remez(fit, known)[k]))))
    p = [mpf(float(dtype(float(c)))) for c in remez(fit, known)]
    points = chebyshev(mpf(fit.low), mpf(fit.high), 2000)[1:-1]
    largest = max(abs(fit.weight(x) * (polynomial(p, x) - fit.f(x))) for x in points)
    return p, largest


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


def erf_fit(high: Any, degree: int) -> Fit:
    """erf(a) = -expm1(-(a + a P(a))) for 0 <= a <= high; beyond, it is 1."""
    return Fit(
        lambda a: -mpmath.log(mpmath.erfc(a)) / a - 1,
        0,
        high,
        degree,
        lambda a: a * mpmath.erfc(a) / mpmath.erf(a),
    )


def erfc_fit(middle: int, high: Any, degree: int) -> Fit:
    """(1 + 2 a) e**(a**2) erfc(a) = P(q), q = (a - middle) / (a + middle), for 0 <= a <= high"""

    def smooth(q: Any) -> Any:
        a = middle * (1 + q) / (1 - q)
        return (1 + 2 * a) * mpmath.exp(a * a) * mpmath.erfc(a)

    last = (mpf(high) - middle) / (mpf(high) + middle)
    return Fit(smooth, -1, last, degree, lambda q: 1 / smooth(q))


def sin_fit(degree: int) -> Fit:
    """sin(r) = r + r z P(z), z = r**2, for |r| <= REDUCED"""
    return Fit(
        lambda z: (mpmath.sin(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z,
        0,
        REDUCED**2,
        degree,
        lambda z: z * mpmath.sqrt(z) / mpmath.sin(mpmath.sqrt(z)),
    )


def cos_fit(degree: int) -> Fit:
    """cos(r) = 1 - z / 2 + z**2 P(z), z = r**2, for |r| <= REDUCED"""
    return Fit(
        lambda z: (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2,
        0,
        REDUCED**2,
        degree,
        lambda z: z**2 / mpmath.cos(mpmath.sqrt(z)),
    )


def artanh_fit(degree: int) -> Fit:
    """artanh(s) = s + s z (1/3 + z P(z)), z = s**2, 0 <= s <= (sqrt 2 - 1) / (sqrt 2 + 1)"""

    def quotient(z: Any) -> Any:
        return mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z)

    return Fit(
        lambda z: (quotient(z) - 1 - z / 3) / z**2,
        0,
        ((ROOT - 1) / (ROOT + 1)) ** 2,
        degree,
        lambda z: z**2 / quotient(z),
    )


REDUCED = mpmath.pi / 4 * mpf("1.05")
LOG = (1 / ROOT - 1, ROOT - 1)
FITS: dict[str, tuple[Fit, Any, dict[int, Any]]] = {
    "exp32": (exp_fit(6), np.float32, {0: mpf(1)}),
    "exp64": (exp_fit(11), np.float64, {0: mpf(1)}),
    "expm1_32": (expm1_fit(3), np.float32, {}),
    "expm1_64": (expm1_fit(9), np.float64, {}),
    "log32": (log1p_fit(*LOG, 7), np.float32, {}),
    "log64": (log1p_fit(*LOG, 18), np.float64, {}),
    "softplus32": (log1p_fit(0, 1, 7), np.float32, {}),
    "erf32": (erf_fit(4, 8), np.float32, {}),
    "erf64": (erf_fit(6, 23), np.float64, {}),
    "erfc32": (erfc_fit(2, 10.5, 11), np.float32, {}),
    "erfc64": (erfc_fit(4, 27.5, 22), np.float64, {}),
    "sin32": (sin_fit(2), np.float32, {}),
    "sin64": (sin_fit(5), np.float64, {}),
    "cos32": (cos_fit(2), np.float32, {}),
    "cos64": (cos_fit(5), np.float64, {}),
    "artanh32": (artanh_fit(2), np.float32, {}),
    "artanh64": (artanh_fit(6), np.float64, {}),
    "softplus64": (log1p_fit(0, 1, 18), np.float64, {}),
}


def main(names: list[str]) -> None:
    for name in names or FITS:
        p, largest = rounded(*FITS[name])
        power = mpmath.nstr(mpmath.log(largest, 2), 4)
        line = ", ".join(repr(float(c)) for c in p)
        sys.stdout.write(f"{name}: largest error 2**{power}\n    {line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
