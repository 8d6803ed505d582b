"""The loop over epochs: orders, scores, stopping, divergence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError
from retrograd.training.history import History
from retrograd.training.scores import Score
from retrograd.training.session import Epoch, TrainingSession
from retrograd.training.stopping import Rules, Watch


@dataclass(frozen=True, eq=False)
class Job:
    """What one run does: over which rows, in which batches, under which rules.

    `train_rows` and `validation_rows` are row numbers of the session's data (validation may be
    empty). `after_epoch(history)` is called between epochs, and asks to stop by returning True;
    `interrupted()` is asked between batches.
    """

    rules: Rules
    train_rows: Array
    validation_rows: Array
    validation_targets: Array
    batch_size: int
    shuffle: bool
    score: Score | None
    score_name: str
    after_epoch: Callable[[History], bool]
    interrupted: Callable[[], bool]


def descend(session: TrainingSession, job: Job, rng: np.random.Generator) -> History:
    """Run epochs until a rule says stop; the session then has the best, or the last, state.

    Raises DivergenceError, with the session at its last finite state.
    """
    history, watch = History(score=job.score_name), Watch(job.rules)
    begin = time.perf_counter()

    def time_is_up() -> bool:
        limit = job.rules.max_seconds
        return limit is not None and time.perf_counter() - begin >= limit

    def stop() -> bool:
        return job.interrupted() or time_is_up()

    last = session.engine.snapshot()
    for _ in range(job.rules.epochs):
        order = rng.permutation(job.train_rows) if job.shuffle else job.train_rows
        epoch = session.epoch(order, job.batch_size, stop)
        now = session.engine.snapshot()
        if not (np.isfinite(epoch.J).all() and is_finite(now)):
            raise retrace(session, last, order, job.batch_size, history.epochs + 1)
        last = now
        if epoch.n_rows < len(order) or np.isnan(epoch.gradient_norm):
            history.stopped = "interrupted" if job.interrupted() else "time"
            break
        record(history, session, job, epoch, session.mean_J(epoch, order, job.batch_size))
        history.seconds.append(time.perf_counter() - begin)
        reason = after(history, job, watch, last)
        if reason:
            history.stopped = reason
            break
    finish(history, session, watch)
    return history


def record(
    history: History, session: TrainingSession, job: Job, epoch: Epoch, mean_J: float
) -> None:
    """Add an epoch's figures to the history."""
    history.J.append(mean_J)
    history.gradient_norm.append(epoch.gradient_norm)
    history.learning_rate.append(epoch.learning_rate)
    if len(job.validation_rows):
        loss, output = session.score(job.validation_rows)
        history.validation_J.append(float(loss.mean(dtype=np.float64)))
        score = -history.validation_J[-1]
        if job.score is not None:
            score = float(job.score(job.validation_targets, output))
        history.validation_score.append(score)


def after(history: History, job: Job, watch: Watch, snapshot: Snapshot) -> str | None:
    """Note the epoch that ended, call the callbacks; the reason to stop, or None."""
    reason = watch.see(history, snapshot)
    history.best_epoch = watch.best_epoch
    asked = job.after_epoch(history)
    if job.interrupted():
        return "interrupted"
    return "callback" if asked else reason


def finish(history: History, session: TrainingSession, watch: Watch) -> None:
    """Bring back the best state by validation, where there is one."""
    if watch.best is not None:
        session.engine.restore(watch.best)


def is_finite(snapshot: Snapshot) -> bool:
    """Whether every number of a state is finite."""
    return all(np.isfinite(value).all() for value in snapshot.values())


def retrace(
    session: TrainingSession, start: Snapshot, order: Array, batch_size: int, epoch: int
) -> DivergenceError:
    """Replay a diverged epoch step by step; the session is left at its last finite state.

    Returns the error that names the epoch and the step, both from 1.
    """
    session.engine.restore(start)
    n_batches = -(-len(order) // batch_size)
    for step in range(n_batches):
        before = session.engine.snapshot()
        batch = order[step * batch_size : (step + 1) * batch_size]
        J = session.epoch(batch, batch_size, lambda: False).J[0]
        if not np.isfinite(J) or not is_finite(session.engine.snapshot()):
            session.engine.restore(before)
            break
    return DivergenceError(
        f"training diverged at epoch {epoch}, step {step + 1} of {n_batches}: J is {J:g} and the "
        "next weights are not finite; the network keeps the last finite weights. "
        "Try a smaller learning_rate, or scale the inputs and targets",
        epoch=epoch,
        step=step + 1,
    )
