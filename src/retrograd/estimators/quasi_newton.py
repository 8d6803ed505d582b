"""scikit-learn's L-BFGS on a training session: SciPy's, with its stopping rules."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import FitDivergenceError
from retrograd.estimators.descent import DIVERGED, INFINITE_LOSS
from retrograd.estimators.form import listed
from retrograd.estimators.notes import Notes
from retrograd.training.divergence import at_the_start
from retrograd.training.interrupt import Interrupt
from retrograd.training.origin import find_origin
from retrograd.training.session import TrainingSession
from retrograd.training.solvers.flat import FlatObjective

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


def minimise(model: BaseMLP, session: TrainingSession, notes: Notes, order: Array) -> bool:
    """Minimise J over all rows in one batch, and give the model its attributes.

    Ctrl-C ends it, and the model keeps the last accepted weights; where rows validate, the best.
    Returns whether it did.
    Raises FitDivergenceError where J is not finite at the initial weights.
    """
    from scipy.optimize import minimize
    from sklearn.utils.optimize import _check_optimize_result

    # All coefficients, then all intercepts: sums of products round as scikit-learn's do.
    names = sorted(session.names, key=lambda name: name[0])
    f = FlatObjective(session, order, names=names)
    best, is_stopped, is_interrupted = f.point(), False, False
    model.n_iter_, model.loss_ = 0, np.float64(f.accept(best)[0])
    if not np.isfinite(model.loss_):
        found = at_the_start(session, 1, find_origin(session.replayed(order), order, 1, 1))
        raise FitDivergenceError(f"{DIVERGED} {found}", epoch=1, step=1, origin=found.origin)

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal best, is_stopped
        best = intermediate_result.x.copy()
        f.accept(best)
        model.n_iter_, model.loss_ = model.n_iter_ + 1, np.float64(intermediate_result.fun)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        if notes.held is not None or notes.calls_back:
            f.move_to(best)
        if notes.held is not None:
            notes.validate(has_diverged=not np.isfinite(best).all())
        if notes.asks_to_stop():
            is_stopped = True
            raise StopIteration  # which SciPy takes as the wish to stop

    def objective(flat: Array) -> tuple[float, Array]:
        if interrupted():
            raise KeyboardInterrupt
        return f(flat)

    options = {"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol}
    with Interrupt() as interrupted:
        try:
            result = minimize(
                objective,
                best,
                method="L-BFGS-B",
                jac=True,
                options=options,
                callback=after_iteration,
            )
            best, model.loss_ = result.x, np.float64(result.fun)
        except KeyboardInterrupt:
            is_interrupted = True
    if not (is_stopped or is_interrupted):
        _check_optimize_result("lbfgs", result, model.max_iter)  # warns if it did not converge
    if is_interrupted:
        warnings.warn("Training interrupted by user.", stacklevel=8)
    f.move_to(best)
    parameters = session.parameters() if notes.best is None else notes.best
    model.coefs_, model.intercepts_ = listed(parameters)
    if not np.isfinite(model.loss_):
        raise FitDivergenceError(INFINITE_LOSS, epoch=max(model.n_iter_, 1), step=1)
    return is_interrupted
