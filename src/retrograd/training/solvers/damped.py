"""Levenberg-Marquardt: damped Gauss-Newton steps, each of which lowers a sum of squares."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import Array
from retrograd.training.solvers.residuals import Residuals

LEAST_GAIN = 1e-4  # a step is taken from this part of the fall that the linear model predicts
LARGEST_DAMPING = 1e20  # beyond it no step is left of a step
TINY = 1e-150  # its square is a number still
EPSILON = float(np.finfo(np.float64).eps)


class Descent:
    """The sum of squares S(p) = 1/2 sum(r**2) + 1/2 sum(penalty * p**2), lowered step by step.

    r is linear near p, so that S is there a parabola with the matrix H and the gradient g:

        H = J.T J + diag(penalty)     g = J.T r + penalty p     (H + damping D**2) step = -g

    A step that lowers S by too little of what this predicts, or leaves the finite numbers, is not
    taken, and the damping grows; after a good one it falls   [Levenberg 1944; Marquardt 1963;
    Nielsen 1999, Damping parameter in Marquardt's method].

    Args:
        residuals: r, J and the penalty. Both must be finite at the point.
        point: where to begin, (P,).
        damping: of the first step, as a part of the largest entry of H / D**2.
        is_scaled: D is the largest norm that each column of J had so far, so that the steps do not
            depend on the parameters' units [More 1978]; else 1.
    """

    def __init__(
        self,
        residuals: Residuals,
        point: Array,
        *,
        damping: float,
        is_scaled: bool,
    ) -> None:
        self._residuals, self._is_scaled = residuals, is_scaled
        self.penalty = residuals.penalty
        self._scale = np.full(len(point), TINY)
        self._growth = 2.0
        is_finite = self._look(point, residuals.values(point))
        assert is_finite
        largest = np.diag(self._scaled(self.H)).max(initial=EPSILON)
        self._damping = self._first_damping = damping * float(largest)

    @property
    def S(self) -> float:
        """The sum of squares at the point."""
        return self._sum(self.point, self.r)

    @property
    def H(self) -> Array:
        """The Gauss-Newton matrix at the point (P, P)."""
        H = self.JJ.copy()
        H.flat[:: len(H) + 1] += self.penalty
        return H

    @property
    def g(self) -> Array:
        """The gradient of S at the point (P,)."""
        return self.Jr + self.penalty * self.point

    def step(self) -> bool:
        """Go to a point with a lower S; False if there is none within rounding."""
        H, g = self._scaled(self.H), self.g / self._scale
        diagonal = np.einsum("ii->i", H)  # a view
        plain = diagonal.copy()
        while self._damping < LARGEST_DAMPING:
            diagonal[:] = plain + self._damping
            x = _solve(H, -g)
            if x is not None:
                if not (np.abs(x / self._scale) > EPSILON * np.abs(self.point)).any():
                    break
                gain = self._gain(x, g)
                if gain > LEAST_GAIN:
                    # [Nielsen 1999]; a gain far above 1 says no more than 1 does.
                    self._damping *= max(1.0 / 3.0, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3)
                    self._growth = 2.0
                    return True
            self._damping = max(self._damping, EPSILON) * self._growth
            self._growth *= 2.0
        self._damping, self._growth = self._first_damping, 2.0
        return False

    def _gain(self, x: Array, g: Array) -> float:
        """Try a step, x in units of 1 / D: the fall of S, of that predicted. Taken if enough."""
        there = self.point + x / self._scale
        r = self._residuals.values(there)
        with np.errstate(over="ignore", invalid="ignore"):
            # S(p) - (S of the linear model)(p + step) = x.(damping x - g) / 2   [eq. 2.2]
            predicted = 0.5 * float(x @ (self._damping * x - g))
            gain = (self.S - self._sum(there, r)) / predicted if predicted > 0.0 else -1.0
        return gain if gain > LEAST_GAIN and self._look(there, r) else -1.0

    def decrement(self) -> float:
        """The part of S by which an undamped step would lower it, were r linear: its square root.

        0 where H is singular within rounding.
        """
        g = self.g / self._scale
        x = _solve(self._scaled(self.H), g)
        return float(np.sqrt(g @ x / (2.0 * self.S))) if x is not None and self.S else 0.0

    def inverse_trace(self) -> float:
        """The trace of H^-1; 0 where H is singular within rounding."""
        from scipy.linalg import lapack

        factor, fault = lapack.dpotrf(self.H, lower=True, clean=True)
        if fault:
            return 0.0
        inverse, _ = lapack.dtrtri(factor, lower=True)
        return float((inverse**2).sum())  # H^-1 = L^-T L^-1

    def _look(self, point: Array, r: Array) -> bool:
        """Be at a point with these residuals, and compute J there; False if it is not finite."""
        JJ, Jr = np.zeros((len(point), len(point))), np.zeros(len(point))
        with np.errstate(over="ignore", invalid="ignore"):
            for rows, J in self._residuals.blocks(point):
                JJ += J.T @ J
                Jr += J.T @ r[rows]
        if not (np.isfinite(JJ).all() and np.isfinite(Jr).all()):
            return False
        self.point, self.r, self.JJ, self.Jr = point, r, JJ, Jr
        norms = np.sqrt(np.diag(JJ)) if self._is_scaled else np.ones(len(point))
        self._scale = np.maximum(self._scale, norms)
        return True

    def _scaled(self, H: Array) -> Array:
        return H / self._scale / self._scale[:, None] if self._is_scaled else H

    def _sum(self, point: Array, r: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return 0.5 * float(r @ r + self.penalty @ point**2)


def _solve(H: Array, b: Array) -> Array | None:
    """The solution of H x = b; None where H is not positive definite within rounding."""
    from scipy.linalg import lapack

    factor, fault = lapack.dpotrf(H, lower=True, clean=False)
    if fault:
        return None
    x, _ = lapack.dpotrs(factor, b, lower=True)
    return x if np.isfinite(x).all() else None
