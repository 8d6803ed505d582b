"""L-BFGS and conjugate gradients by SciPy: it asks for J and its gradient, the step answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.optim.conjugate_gradient import ConjugateGradient
from retrograd.optim.lbfgs import LBFGS
from retrograd.training.solvers.flat import Accept, FlatObjective

NO_END = np.iinfo(np.int32).max  # training's own rules end a search


def search_lbfgs(f: FlatObjective, point: Array, options: LBFGS, accept: Accept) -> None:
    """L-BFGS from a point."""
    numbers = {
        "maxiter": NO_END,
        "maxfun": NO_END,
        "maxcor": options.memory,
        "maxls": options.max_evaluations,
        "ftol": 0.0,
        "gtol": 0.0,
    }
    _search(f, point, "L-BFGS-B", numbers, accept)


def search_lines(
    f: FlatObjective, point: Array, options: ConjugateGradient, accept: Accept
) -> None:
    """Conjugate gradients from a point, begun anew along -g while that still lowers J."""
    numbers = {"maxiter": NO_END, "gtol": 0.0, "c2": options.curvature}
    while True:
        before = f.value(point)[0]
        point = _search(f, point, "CG", numbers, accept)
        if not f.value(point)[0] < before:
            return


def _search(
    f: FlatObjective, point: Array, method: str, options: Mapping[str, Any], accept: Accept
) -> Array:
    """SciPy's search from a point; where it ended."""
    from scipy.optimize import minimize

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal point
        point = intermediate_result.x.copy()
        J, g = f.accept(point)
        accept(point, J, g)

    f.accept(point)
    minimize(f, point, jac=True, method=method, callback=after_iteration, options=dict(options))
    return point
