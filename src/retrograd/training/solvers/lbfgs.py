"""L-BFGS for full batches: SciPy asks for J and its gradient, the session's "gradient" step answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError
from retrograd.optim.lbfgs import LBFGS
from retrograd.training.history import History
from retrograd.training.loop import Job, after, finish, record
from retrograd.training.session import Epoch, TrainingSession
from retrograd.training.stopping import Watch


class _Stop(Exception):
    """Leaves SciPy's loop inside an iteration."""


class _Objective:
    """J and its gradient as functions of one flat vector; remembers the last point."""

    def __init__(self, session: TrainingSession, job: Job) -> None:
        self._session, self._rows = session, job.train_rows
        self._shapes = {name: value.shape for name, value in session.parameters().items()}
        self._last: tuple[Array, float, Array] | None = None

    def __call__(self, flat: Array) -> tuple[float, Array]:
        if self._last is None or not np.array_equal(flat, self._last[0]):
            self.move_to(flat)
            J, slopes = self._session.gradient(self._rows)
            g = np.concatenate([slopes[name].ravel() for name in self._shapes], dtype=np.float64)
            # A trial step may overflow: an infinite J makes the line search step back.
            if not (np.isfinite(J) and np.isfinite(g).all()):
                J, g = np.inf, np.zeros_like(g)
            self._last = flat.copy(), J, g
        return self._last[1], self._last[2].copy()

    def start(self) -> Array:
        """The session's parameters as one vector."""
        parameters = self._session.parameters()
        return np.concatenate([value.ravel() for value in parameters.values()], dtype=np.float64)

    def move_to(self, flat: Array) -> None:
        """Give the session the parameters of a vector."""
        for name, value in unflatten(flat, self._shapes).items():
            self._session.engine.write(name, value)


def minimise(session: TrainingSession, job: Job, options: LBFGS) -> History:
    """Run L-BFGS until a rule says stop, or until J falls no further in its precision.

    An epoch is one iteration. The session ends at the last accepted point, or at the best by
    validation. Raises DivergenceError if J is not finite at the initial weights.
    """
    from scipy.optimize import minimize

    history, watch = History(score=job.score_name), Watch(job.rules)
    begin, f = time.perf_counter(), _Objective(session, job)
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


def unflatten(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The pieces of one vector in these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    pieces = np.split(flat, ends[:-1])
    return {
        name: piece.reshape(shape)
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }
