"""L-BFGS for full batches: SciPy asks for J and its gradient, the session's "gradient" step answers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError
from retrograd.optim.lbfgs import LBFGS
from retrograd.training.history import History
from retrograd.training.loop import Job, after, finish, record
from retrograd.training.session import Epoch, TrainingSession
from retrograd.training.solvers.flat import FlatObjective
from retrograd.training.stopping import Watch


class _Stop(Exception):
    """Leaves SciPy's loop inside an iteration."""


def minimise(session: TrainingSession, job: Job, options: LBFGS) -> History:
    """Run L-BFGS until a rule says stop, or until J falls no further in its precision.

    An epoch is one iteration. The session ends at the last accepted point, or at the best by
    validation. Raises DivergenceError if J is not finite at the initial weights.
    """
    from scipy.optimize import minimize

    history, watch = History(score=job.score_name), Watch(job.rules)
    begin, f = time.perf_counter(), FlatObjective(session, job.train_rows)
    accepted = f.start()
    if not np.isfinite(f(accepted)[0]):
        raise DivergenceError("J is not finite at the initial weights", epoch=1, step=1)

    def guarded(flat: Array) -> tuple[float, Array]:
        limit = job.rules.max_seconds
        if job.interrupted() or (limit is not None and time.perf_counter() - begin >= limit):
            history.stopped = "interrupted" if job.interrupted() else "time"
            raise _Stop
        return f(flat)

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal accepted
        accepted = intermediate_result.x.copy()
        J, g = f(accepted)
        f.move_to(accepted)
        epoch = Epoch(np.array([J]), float(np.linalg.norm(g)), float("nan"), len(job.train_rows))
        record(history, session, job, epoch, J)
        history.seconds.append(time.perf_counter() - begin)
        reason = after(history, job, watch, session.engine.snapshot())
        if reason:
            history.stopped = reason
            raise _Stop

    settings = {
        "maxiter": job.rules.epochs,
        "maxfun": np.iinfo(np.int32).max,
        "maxcor": options.memory,
        "maxls": options.max_evaluations,
        "ftol": 0.0,
        "gtol": 0.0,
    }
    try:
        minimize(
            guarded,
            accepted,
            jac=True,
            method="L-BFGS-B",
            callback=after_iteration,
            options=settings,
        )
        history.stopped = "epochs" if history.epochs >= job.rules.epochs else "converged"
    except _Stop:
        pass
    f.move_to(accepted)
    finish(history, session, watch)
    return history
