"""The package's solvers of full batches under an estimator: an iteration is an epoch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from retrograd.arrays import Array
from retrograd.errors import DivergenceError, FitDivergenceError
from retrograd.estimators.descent import DIVERGED
from retrograd.estimators.form import listed
from retrograd.estimators.notes import Notes
from retrograd.optim.full_batch import FullBatch
from retrograd.training.history import History
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import Job
from retrograd.training.session import TrainingSession
from retrograd.training.solvers.minimise import minimise
from retrograd.training.stopping import Rules

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


def solve(
    model: BaseMLP, session: TrainingSession, notes: Notes, order: Array, solver: FullBatch
) -> bool:
    """Run a solver over all rows, and give the model its attributes; whether Ctrl-C ended it.

    It ends where J falls no further, where the gradient's norm is at most `tol`, after `max_iter`
    iterations, or with early stopping by the validation score. Raises FitDivergenceError where J
    is not finite at the initial weights.
    """
    from sklearn.exceptions import ConvergenceWarning

    def after_epoch(history: History) -> bool:
        notes.heads({head: [J[-1]] for head, J in history.J_of.items()})
        notes.epochs([history.J[-1]])
        asked = notes.asks_to_stop()
        return asked or (notes.held is not None and notes.held.stops and notes.is_stale)

    model.n_iter_, notes.rows_of_epoch = 0, len(order)
    with Interrupt() as interrupted:
        job = Job(
            rules=Rules(model.max_iter, gradient_tolerance=float(model.tol)),
            train_rows=order,
            validation_rows=order[:0],
            validation_targets=order[:0],
            batch_size=len(order),
            shuffle=False,
            score=None,
            score_name="loss",
            after_epoch=after_epoch,
            halted=lambda: "interrupted" if interrupted() else None,
        )
        stopped = "interrupted"
        try:
            stopped = minimise(session, job, solver).history.stopped
        except DivergenceError as error:
            raise FitDivergenceError(
                f"{DIVERGED} {error}", epoch=error.epoch, step=error.step, origin=error.origin
            ) from error
        except KeyboardInterrupt:  # a second one
            pass
        finally:
            found = session.parameters() if notes.best is None else notes.best
            model.coefs_, model.intercepts_ = listed(found)
    if stopped == "interrupted":
        warnings.warn("Training interrupted by user.", stacklevel=8)
    if stopped == "epochs":
        warnings.warn(
            f"{solver.name}: Maximum iterations ({model.max_iter}) reached and the optimization "
            "hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=8,
        )
    return stopped == "interrupted"
