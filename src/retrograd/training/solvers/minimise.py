"""Solvers of full batches under the rules of training: an epoch is a point that they accept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.optim.conjugate_gradient import ConjugateGradient, ScaledConjugateGradient
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.training.divergence import at_the_start
from retrograd.training.figures import Epoch, Means
from retrograd.training.loop import Job, Past, Run
from retrograd.training.origin import find_origin
from retrograd.training.session import TrainingSession
from retrograd.training.solvers.flat import Accept, FlatObjective, Halt, unflatten
from retrograd.training.solvers.levenberg_marquardt import residuals_of, search_damped
from retrograd.training.solvers.line_search import search_lbfgs, search_lines
from retrograd.training.solvers.residuals import Residuals
from retrograd.training.solvers.scaled import search_scaled
from retrograd.training.statistics import norms_of


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
    reason = None
    while reason is None:
        reason = _search(run, seen, solver, options)
    run.history.stopped = reason
    return run


def _search(
    run: Run, seen: FlatObjective | Residuals, solver: Solver, options: FullBatch
) -> str | None:
    """One search from the session's parameters: why it stopped, None if a callback moved them."""
    reached = seen.point()

    def accept(point: Array, J: float, gradient: Array, **figures: float) -> None:
        nonlocal reached
        update, reached = point - reached, point.copy()
        seen.move_to(reached)
        before = seen.point()
        for name, value in figures.items():
            getattr(run.history, name).append(value)
        means = Means(J, run.session.J_of(run.job.train_rows))
        norm = float(np.linalg.norm(gradient))
        statistics = _statistics(run, reached, gradient, update)
        reason = run.end_epoch(Epoch(np.array([J]), norm, np.nan, 0, statistics=statistics), means)
        if reason is None and run.history.epochs >= run.n_epochs:
            reason = "epochs"
        after = seen.point()
        is_moved = not np.array_equal(before, after)
        if is_moved:
            reached = after
        if reason or is_moved:
            raise Halt(reason)

    try:
        if not seen.is_finite(reached):
            epoch, rows = run.history.epochs + 1, run.job.train_rows
            origin = find_origin(run.session.replayed(rows), rows, epoch, 1)
            raise at_the_start(run.session, epoch, origin)
        solver.search(seen, reached, options, accept)
    except Halt as halt:
        return halt.reason
    finally:
        seen.move_to(reached)
    return "converged"


def _statistics(run: Run, point: Array, gradient: Array, update: Array) -> dict[str, float]:
    """What is recorded of a point that was reached by an update; nothing where nobody asked."""
    session = run.session
    if not session.is_recorded:
        return {}
    parameters = session.parameters()
    shapes = {name: parameters[name].shape for name in session.trained}
    arrays = (unflatten(flat, shapes) for flat in (point, gradient, update))
    return {**norms_of(*arrays), **session.observe(run.job.train_rows)}
