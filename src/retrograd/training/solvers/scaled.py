"""Scaled conjugate gradients: curvature by a difference of gradients in place of a line search."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import Array
from retrograd.optim.conjugate_gradient import ScaledConjugateGradient
from retrograd.training.solvers.flat import Accept, FlatObjective

LARGEST_DAMPING = 1e30
EPSILON = float(np.finfo(np.float64).eps)


def search_scaled(
    f: FlatObjective, w: Array, options: ScaledConjugateGradient, accept: Accept
) -> None:
    """Moller's algorithm from w, in his symbols: p the direction, r = -g, mu = p.r   [Moller 1993].

    A step that lowers J by too little of what the curvature predicts, or at which J is not finite,
    is not taken; the damping grows then, and falls where the prediction was good.
    """
    J, g = f.value(w)
    r = -g
    p, damping, is_new, k = r.copy(), options.damping, True, 0
    curvature = 0.0
    while True:
        length = float(p @ p)
        if length == 0.0 or damping > LARGEST_DAMPING:
            return
        if is_new:
            sigma = options.sigma / np.sqrt(length)
            near = f.value(w + sigma * p)[1]
            # s = (g(w + sigma p) - g(w)) / sigma     curvature = p.s
            curvature = float(p @ (near + r)) / sigma
            curvature = curvature if np.isfinite(curvature) else 0.0
        delta = curvature + damping * length
        if delta <= 0.0:  # made positive
            damping = 2.0 * (damping - delta / length)
            delta = curvature + damping * length
        mu = float(p @ r)
        step = mu / delta * p
        if not (np.abs(step) > EPSILON * np.abs(w)).any():
            if k == 0:
                return
            p, is_new, k = r.copy(), True, 0  # once more along -g
            continue
        J_there, g_there = f.value(w + step)
        gain = 2.0 * delta * (J - J_there) / mu**2 if np.isfinite(J_there) else -1.0
        is_new = gain > 0.0
        if is_new:
            w, J, k = w + step, J_there, k + 1
            r_there = -g_there
            beta = 0.0 if k % len(w) == 0 else float(r_there @ (r_there - r)) / mu
            r, p = r_there, r_there + beta * p
            if float(p @ r) <= 0.0:  # uphill: begin anew
                p = r.copy()
            if gain >= 0.75:
                damping /= 4.0
            accept(w, J, -r)
        if gain < 0.25:
            damping += delta * (1.0 - gain) / length
