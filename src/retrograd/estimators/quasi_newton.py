"""scikit-learn's L-BFGS on a training session: SciPy's, with its stopping rules."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import FitDivergenceError
from retrograd.estimators.descent import DIVERGED
from retrograd.estimators.form import listed
from retrograd.nn.losses import Loss
from retrograd.nn.network import Network
from retrograd.training.session import Rows, TrainingSession
from retrograd.training.solvers.flat import FlatObjective

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


def minimise(
    model: BaseMLP, network: Network, data: Rows, *, loss: Loss, order: Array | None = None
) -> None:
    """Minimise J over the rows `order` in one batch, all by default; give the model its attributes.

    Ctrl-C ends it, and the model keeps the last accepted weights. Raises FitDivergenceError where
    J is not finite at the initial weights.
    """
    from scipy.optimize import minimize
    from sklearn.exceptions import ConvergenceWarning

    alpha = float(model.alpha)
    session = TrainingSession(
        network, data, loss=loss, optimizer=None, l2=lambda weights: alpha / weights
    )
    # All coefficients, then all intercepts: sums of products round as scikit-learn's do.
    names = sorted(session.names, key=lambda name: name[0])
    order = np.arange(len(data)) if order is None else order
    f = FlatObjective(session, order, names=names)
    best = f.point()
    model.n_iter_, model.loss_ = 0, f.accept(best)[0]
    if not np.isfinite(model.loss_):
        raise FitDivergenceError(DIVERGED, epoch=1, step=1)

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal best
        best = intermediate_result.x.copy()
        f.accept(best)
        model.n_iter_, model.loss_ = model.n_iter_ + 1, float(intermediate_result.fun)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")

    options = {"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol}
    try:
        result = minimize(
            f, best, method="L-BFGS-B", jac=True, options=options, callback=after_iteration
        )
        best, model.loss_ = result.x, float(result.fun)
        if not result.success:
            warnings.warn(_not_converged(model, result), ConvergenceWarning, stacklevel=4)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    f.move_to(best)
    model.coefs_, model.intercepts_ = listed(session.parameters())


def _not_converged(model: BaseMLP, result: Any) -> str:
    return (
        f"lbfgs failed to converge after {result.nit} iteration(s) (status={result.status}): "
        f"{result.message}. Increase max_iter={model.max_iter} or max_fun={model.max_fun}, or "
        "scale the data as in https://scikit-learn.org/stable/modules/preprocessing.html"
    )
