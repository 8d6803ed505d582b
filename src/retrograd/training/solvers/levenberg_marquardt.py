"""Levenberg-Marquardt on a network: residuals from its loss, and the penalty, chosen if asked."""

from __future__ import annotations

import math

import numpy as np

from retrograd.arrays import Array
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.training.loop import Job
from retrograd.training.objective import has_penalty
from retrograd.training.session import TrainingSession
from retrograd.training.solvers.damped import Descent
from retrograd.training.solvers.flat import Accept
from retrograd.training.solvers.residuals import Residuals, require_few, require_own_rows

TINY = float(np.finfo(np.float64).tiny)
SETTLED = 1e-3  # a relative change of l2: below it Bayesian regularisation has found its own


def residuals_of(session: TrainingSession, job: Job) -> Residuals:
    """The training rows' residuals, weighted so that half their sum of squares is J without l2."""
    parameters = session.parameters()
    shapes = {name: parameters[name].shape for name in session.trained}
    require_few("LevenbergMarquardt", shapes)
    l2 = float(np.asarray(session.weighing.l2_of(job.train_rows, len(job.train_rows))).item())
    return Residuals(
        session.engine,
        job.train_rows,
        shapes,
        session.n_outputs,
        weights=np.sqrt(session.weighing.shares(job.train_rows)),
        penalty=np.concatenate(
            [np.full(math.prod(s), l2 if has_penalty(name) else 0.0) for name, s in shapes.items()]
        ),
        halted=job.halted,
    )


def search_damped(
    residuals: Residuals, point: Array, options: LevenbergMarquardt, accept: Accept
) -> None:
    """Levenberg-Marquardt from a point."""
    require_own_rows("LevenbergMarquardt", residuals, point)
    descent = Descent(residuals, point, damping=options.damping, is_scaled=False)
    if options.bayesian:
        _search_bayesian(descent, accept)
        return
    while descent.step():
        accept(descent.point, descent.S, descent.g)


def _search_bayesian(descent: Descent, accept: Accept) -> None:
    """Each step is followed by the l2 under which the data are the most probable.

    With N residuals, P parameters w and S = (|r|**2 + l2 |w|**2) / 2, Gaussian noise and prior:

        gamma = P - l2 tr(H^-1)     l2 = gamma / (N - gamma) |r|**2 / |w|**2

    [MacKay 1992; Foresee & Hagan 1997: l2 is alpha / beta of F = beta E_D + alpha E_W]
    """
    n = len(descent.point)
    # At first no more parameters than the data could determine: a large l2 would end it at w = 0.
    l2 = float(descent.penalty.max()) or _most_probable(descent, min(n, len(descent.r) / 2))
    while True:
        descent.penalty = np.full(n, l2)
        is_lower = descent.step()
        gamma = n - l2 * descent.inverse_trace()
        before, l2 = l2, _most_probable(descent, gamma)
        if not is_lower and abs(l2 / before - 1.0) < SETTLED:
            return
        accept(
            descent.point,
            descent.S,
            descent.g,
            l2=before,
            effective_parameters=gamma,
        )


def _most_probable(descent: Descent, gamma: float) -> float:
    """The l2 of a number of parameters that the data determine; there is one residual more."""
    free = max(len(descent.r) - gamma, 1.0)
    sizes = max(float(descent.point @ descent.point), TINY), float(descent.r @ descent.r)
    return max(gamma, TINY) / free * sizes[1] / sizes[0]
