"""Solvers of full batches under the rules of training: an epoch is a point that they accept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError
from retrograd.optim.conjugate_gradient import ConjugateGradient, ScaledConjugateGradient
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.training.loop import Job, Past, Run
from retrograd.training.session import Epoch, TrainingSession
from retrograd.training.solvers.flat import Accept, FlatObjective, Halt
from retrograd.training.solvers.levenberg_marquardt import residuals_of, search_damped
from retrograd.training.solvers.line_search import search_lbfgs, search_lines
from retrograd.training.solvers.residuals import Residuals
from retrograd.training.solvers.scaled import search_scaled


@dataclass(frozen=True)
class Solver:
    """How a solver sees a job, and its search.

    `search(seen, point, options, accept)` goes on from a point, calls `accept` at each that it
    takes, and returns where it finds no lower J.
    """

    see: Callable[[TrainingSession, Job], FlatObjective | Residuals]
    search: Callable[[Any, Array, Any, Accept], None]


def _flat(session: TrainingSession, job: Job) -> FlatObjective:
    return FlatObjective(session, job.train_rows, halted=job.halted)


SOLVERS: dict[type[FullBatch], Solver] = {
    LBFGS: Solver(_flat, search_lbfgs),
    ConjugateGradient: Solver(_flat, search_lines),
    ScaledConjugateGradient: Solver(_flat, search_scaled),
    LevenbergMarquardt: Solver(residuals_of, search_damped),
}


def minimise(
    session: TrainingSession, job: Job, options: FullBatch, past: Past | None = None
) -> Run:
    """Run a solver until a rule says stop, or until J falls no further in its precision.

    The session ends at the last accepted point. Where a callback moves the parameters, the search
    begins anew from there. Raises DivergenceError if J or its derivatives are not finite at the
    initial weights.
    """
    run = Run(session, job, past or Past())
    solver = SOLVERS[type(options)]
    seen = solver.see(session, job)
    n_epochs, reason = run.history.epochs + job.rules.epochs, None
    while reason is None:
        reason = _search(run, seen, solver, options, n_epochs)
    run.history.stopped = reason
    return run


def _search(
    run: Run, seen: FlatObjective | Residuals, solver: Solver, options: FullBatch, n_epochs: int
) -> str | None:
    """One search from the session's parameters: why it stopped, None if a callback moved them."""
    reached = seen.point()

    def accept(point: Array, J: float, gradient_norm: float, **figures: float) -> None:
        nonlocal reached
        reached = point.copy()
        seen.move_to(reached)
        before = seen.point()
        for name, value in figures.items():
            getattr(run.history, name).append(value)
        reason = run.end_epoch(Epoch(np.array([J]), gradient_norm, np.nan, 0), J)
        if reason is None and run.history.epochs >= n_epochs:
            reason = "epochs"
        after = seen.point()
        is_moved = not np.array_equal(before, after)
        if is_moved:
            reached = after
        if reason or is_moved:
            raise Halt(reason)

    try:
        if not seen.is_finite(reached):
            raise DivergenceError(
                "J or its gradient is not finite at the initial weights; scale the inputs, or "
                "begin from smaller weights",
                epoch=run.history.epochs + 1,
                step=1,
            )
        solver.search(seen, reached, options, accept)
    except Halt as halt:
        return halt.reason
    finally:
        seen.move_to(reached)
    return "converged"
