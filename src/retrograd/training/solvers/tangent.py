"""The tangent plane of a least-squares problem at a point: what the data say there."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)


class Tangent:
    """The plane that the columns of J (n, P) span, by J's singular values.

    Of J itself with columns scaled to norm 1, not of J.T J, whose condition number is the square:
    so a standard error keeps twice the digits.
    """

    def __init__(self, J: Array, r: Array) -> None:
        from scipy.linalg import svd

        norms = np.sqrt(np.einsum("np,np->p", J, J))
        self._scale = np.where(norms > 0.0, norms, 1.0)
        U, s, Vt = svd(J / self._scale, full_matrices=False, check_finite=False)
        is_known = s > max(J.shape) * EPSILON * s.max(initial=0.0)
        self._V, self._s, self._null = Vt[is_known].T, s[is_known], Vt[~is_known].T
        self._along = U[:, is_known].T @ r
        self.sum_of_squares = float(r @ r)
        self.degrees_of_freedom = len(r) - J.shape[1]

    @property
    def along(self) -> float:
        """|r along the plane|: 0 at a minimum."""
        return float(np.linalg.norm(self._along))

    @property
    def offset(self) -> float:
        """|r along the plane| / |r across it|, each per degree of freedom [Bates & Watts 1981]."""
        along = self.along**2
        across = max(self.sum_of_squares - along, 0.0) / max(self.degrees_of_freedom, 1)
        if along == 0.0:
            return 0.0
        return float(np.sqrt(along / max(len(self._s), 1) / across)) if across > 0.0 else np.inf

    @property
    def step(self) -> Array:
        """The undamped Gauss-Newton step (P,), the shortest where there are several."""
        return -(self._V @ (self._along / self._s)) / self._scale

    @property
    def undetermined(self) -> Array:
        """Whether a change of each parameter can be made up for by others, or by nothing: (P,)."""
        return np.abs(self._null).max(axis=1, initial=0.0) > np.sqrt(EPSILON)

    def covariance(self) -> Array:
        """s**2 (J.T J)^-1 (P, P); infinite where the data do not determine a parameter."""
        if not self.degrees_of_freedom:
            return np.full((len(self._scale), len(self._scale)), np.inf)
        W = self._V / self._s / self._scale[:, None]
        found = self.sum_of_squares / self.degrees_of_freedom * (W @ W.T)
        unknown = self.undetermined
        found[unknown, unknown] = np.inf
        return found
