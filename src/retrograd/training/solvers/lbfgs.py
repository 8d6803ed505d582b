"""L-BFGS for full batches: SciPy asks for J and its gradient, the "gradient" step answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError
from retrograd.optim.lbfgs import LBFGS
from retrograd.training.loop import Job, Past, Run
from retrograd.training.session import Epoch, TrainingSession

TINY = float(np.finfo(np.float64).tiny)


class _Stop(Exception):
    """Leaves SciPy's loop: a rule said stop, or a callback moved the parameters."""


class _Objective:
    """J and its gradient as functions of one flat vector; remembers the last point.

    Where J overflows, far along a trial step, it answers with a wall: a J above the accepted one,
    rising, from which the line search steps back to about a tenth. (SciPy takes an infinite J with
    no slope for a minimum.)
    """

    def __init__(self, session: TrainingSession, job: Job) -> None:
        self._session, self._job = session, job
        self._shapes = {name: value.shape for name, value in session.parameters().items()}
        self._last: tuple[Array, float, Array] | None = None
        self._accepted: tuple[Array, float, Array] | None = None
        self.halted: str | None = None

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """SciPy's function: J, or a wall, and the gradient."""
        J, g = self.value(flat)
        if self._accepted is None or np.isfinite(J):
            return J, g.copy()
        x, J, g = self._accepted
        step = flat - x
        slope = abs(float(g @ step))
        return J + 5.0 * slope, step * (10.0 * slope / max(float(step @ step), TINY))

    def value(self, flat: Array) -> tuple[float, Array]:
        """J and its gradient; J is infinite where either is not finite."""
        if self._last is None or not np.array_equal(flat, self._last[0]):
            self.halted = self._job.halted()
            if self.halted:
                raise _Stop
            self.move_to(flat)
            J, slopes = self._session.gradient(self._job.train_rows)
            g = np.concatenate([slopes[name].ravel() for name in self._shapes], dtype=np.float64)
            self._last = flat.copy(), J if np.isfinite(g).all() and np.isfinite(J) else np.inf, g
        return self._last[1], self._last[2]

    def accept(self, flat: Array) -> tuple[float, Array]:
        """Go on from this point; its J and gradient."""
        J, g = self.value(flat)
        self._accepted = flat.copy(), J, g
        return J, g

    def point(self) -> Array:
        """The session's parameters as one vector."""
        parameters = self._session.parameters()
        return np.concatenate([value.ravel() for value in parameters.values()], dtype=np.float64)

    def move_to(self, flat: Array) -> None:
        """Give the session the parameters of a vector."""
        with np.errstate(over="ignore"):  # a trial step may leave the range of float32
            for name, value in unflatten(flat, self._shapes).items():
                self._session.engine.write(name, value)


def minimise(session: TrainingSession, job: Job, options: LBFGS, past: Past | None = None) -> Run:
    """Run L-BFGS until a rule says stop, or until J falls no further in its precision.

    An epoch is one iteration. The session ends at the last accepted point. Where a callback moves
    the parameters, the search begins anew from there. Raises DivergenceError if J or its gradient
    is not finite at the initial weights.
    """
    run, f = Run(session, job, past or Past()), _Objective(session, job)
    n_epochs, reason = run.history.epochs + job.rules.epochs, None
    while reason is None:
        reason = _search(run, f, options, n_epochs)
    run.history.stopped = reason
    return run


def _search(run: Run, f: _Objective, options: LBFGS, n_epochs: int) -> str | None:
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
            raise _Stop

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
    except _Stop:
        reason = reason or f.halted
    finally:
        f.move_to(reached)
    return "epochs" if run.history.epochs >= n_epochs and reason in (None, "converged") else reason


def unflatten(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The pieces of one vector in these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    pieces = np.split(flat, ends[:-1])
    return {
        name: piece.reshape(shape)
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }
