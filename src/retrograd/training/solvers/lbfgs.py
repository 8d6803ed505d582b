"""L-BFGS for full batches: SciPy asks for J and its gradient, the "gradient" step answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.errors import DivergenceError
from retrograd.optim.lbfgs import LBFGS
from retrograd.training.loop import Job, Past, Run
from retrograd.training.session import Epoch, TrainingSession
from retrograd.training.solvers.flat import FlatObjective, Halt


def minimise(session: TrainingSession, job: Job, options: LBFGS, past: Past | None = None) -> Run:
    """Run L-BFGS until a rule says stop, or until J falls no further in its precision.

    An epoch is one iteration. The session ends at the last accepted point. Where a callback moves
    the parameters, the search begins anew from there. Raises DivergenceError if J or its gradient
    is not finite at the initial weights.
    """
    run = Run(session, job, past or Past())
    f = FlatObjective(session, job.train_rows, halted=job.halted)
    n_epochs, reason = run.history.epochs + job.rules.epochs, None
    while reason is None:
        reason = _search(run, f, options, n_epochs)
    run.history.stopped = reason
    return run


def _search(run: Run, f: FlatObjective, options: LBFGS, n_epochs: int) -> str | None:
    """One search from the session's parameters: why it stopped, None if a callback moved them."""
    from scipy.optimize import minimize

    reached, reason = f.point(), None

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal reached, reason
        J, g = f.accept(intermediate_result.x)
        reached = intermediate_result.x.copy()
        f.move_to(reached)
        before = f.point()
        reason = run.end_epoch(Epoch(np.array([J]), float(np.linalg.norm(g)), np.nan, 0), J)
        after = f.point()
        is_moved = not np.array_equal(before, after)
        if is_moved:
            reached = after
        if reason or is_moved:
            raise Halt(reason)

    try:
        if not np.isfinite(f.accept(reached)[0]):
            raise DivergenceError(
                "J or its gradient is not finite at the initial weights; scale the inputs",
                epoch=run.history.epochs + 1,
                step=1,
            )
        minimize(
            f,
            reached,
            jac=True,
            method="L-BFGS-B",
            callback=after_iteration,
            options={
                "maxiter": n_epochs - run.history.epochs,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": options.memory,
                "maxls": options.max_evaluations,
                "ftol": 0.0,
                "gtol": 0.0,
            },
        )
        reason = "converged"
    except Halt as halt:
        reason = halt.reason
    finally:
        f.move_to(reached)
    return "epochs" if run.history.epochs >= n_epochs and reason in (None, "converged") else reason
