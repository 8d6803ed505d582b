"""The loop over epochs: orders, scores, stopping, divergence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from retrograd.arrays import Array, is_finite
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError
from retrograd.optim.plateau import follow_plateau, has_plateau
from retrograd.training.divergence import at_the_edge, diverged
from retrograd.training.figures import Epoch, Means
from retrograd.training.history import History
from retrograd.training.origin import find_origin
from retrograd.training.scores import Score, as_figure
from retrograd.training.session import TrainingSession
from retrograd.training.stopping import Rules, Watch


@dataclass(frozen=True, eq=False)
class Job:
    """What one run does: over which rows, in which batches, under which rules.

    - `train_rows`, `validation_rows`: numbers of the session's rows; validation may have none.
    - `after_epoch(history)`: called between epochs; may write parameters to the session; asks to
      stop by returning True.
    - `halted()`: asked between batches: why to stop at once ("interrupted", "time"), or None.
    """

    rules: Rules
    train_rows: Array
    validation_rows: Array
    validation_targets: Any
    batch_size: int
    shuffle: bool
    score: Score | None
    score_name: str
    after_epoch: Callable[[History], bool]
    halted: Callable[[], str | None]


@dataclass(frozen=True, eq=False)
class Past:
    """What came before a run: its history so far, and the parameters of the best epoch in it.

    `state`: makes the state that the session is in, where that need not be copied to be known.
    """

    history: History = field(default_factory=History)
    best: Snapshot | None = None
    state: Callable[[], Snapshot] | None = None


class Whole:
    """The last state known to be finite, to return to: at first the one that a run begins with."""

    def __init__(self, session: TrainingSession, past: Past) -> None:
        self._session, self._make = session, past.state
        self._kept = session.engine.snapshot() if past.state is None else None

    def mark(self) -> None:
        """The session is in such a state now."""
        self._kept = self._session.engine.snapshot(into=self._kept)

    @property
    def state(self) -> Snapshot:
        """That state."""
        if self._kept is None:
            assert self._make is not None
            return self._make()
        return self._kept


class Run:
    """One run under way: its history, its watch, and the best parameters by validation.

    `session`: a `TrainingSession`, or one of its copies.
    """

    def __init__(self, session: Any, job: Job, past: Past) -> None:
        self.session, self.job = session, job
        self.history = past.history.copy()
        self.history.score = job.score_name
        self.watch = Watch(job.rules)
        self._has_plateau = session.optimizer is not None and has_plateau(session.optimizer)
        for epoch in range(1, self.history.epochs + 1):
            self.watch.see(self.history, epoch)
            self._follow_plateau(epoch)
        self.best: Snapshot | None = past.best
        self.n_epochs = self.history.epochs + job.rules.epochs  # those of the past are counted
        self._spent = self.history.seconds[-1] if self.history.seconds else 0.0
        self._begin = time.perf_counter()

    def order(self, rng: np.random.Generator) -> Array:
        """The rows of the next epoch, in its order."""
        return rng.permutation(self.job.train_rows) if self.job.shuffle else self.job.train_rows

    def take(self, epoch: Epoch, order: Array) -> bool:
        """Note an epoch in this order, if all of it ran; whether the run is over."""
        if epoch.n_rows < len(order):
            reason: str | None = self.job.halted() or "interrupted"
        else:
            means = self.session.weighing.means(epoch, order, self.job.batch_size)
            reason = self.end_epoch(epoch, means)
            if reason is None and self.history.epochs == self.n_epochs:
                reason = "epochs"
        if reason:
            self.history.stopped = reason
        return reason is not None

    def end_epoch(self, epoch: Epoch, means: Means) -> str | None:
        """Note an epoch's figures, call the callbacks; the reason to stop, or None."""
        history = self.history
        history.J.append(means.J)
        for head, J in means.J_of.items():
            history.J_of.setdefault(head, []).append(J)
        history.gradient_norm.append(epoch.gradient_norm)
        history.learning_rate.append(epoch.learning_rate)
        history.record(epoch.statistics)
        if len(self.job.validation_rows):
            self._validate()
        history.seconds.append(self._spent + time.perf_counter() - self._begin)
        self._follow_plateau(history.epochs)
        if self.watch.see(history, history.epochs) and history.validation_score:
            self.best = self.session.parameters()
        history.best_epoch = self.watch.best_epoch
        reason = self.watch.reason(history)
        asked = self.job.after_epoch(history)
        return self.job.halted() or ("callback" if asked else reason)

    def _follow_plateau(self, epoch: int) -> None:
        """Show J of an epoch, counted from 1, to the rates that fall on a plateau."""
        optimizer = self.session.optimizer
        if not self._has_plateau or optimizer is None:
            return
        J = (self.history.validation_J or self.history.J)[epoch - 1]
        self.session.optimizer = follow_plateau(optimizer, J)

    def _validate(self) -> None:
        loss, output, loss_of = self.session.score_all(self.job.validation_rows)
        means = self.session.weighing.validation_means(self.job.validation_rows, loss, loss_of)
        score = -means.J
        if self.job.score is not None:
            found = self.job.score(self.job.validation_targets, output)
            score = as_figure(self.job.score_name, found)
        self.history.validation_J.append(means.J)
        for head, J in means.J_of.items():
            self.history.validation_J_of.setdefault(head, []).append(J)
        self.history.validation_score.append(score)


Descent = Callable[[TrainingSession, Job, "np.random.Generator", Past], Run]
"""Runs epochs until a rule says stop: `descend`, or what takes its rows from elsewhere."""


def descend(session: TrainingSession, job: Job, rng: np.random.Generator, past: Past) -> Run:
    """Run epochs until a rule says stop; the session then has the state after the last step.

    Raises DivergenceError, with the session at its last finite state.
    """
    run, whole = Run(session, job, past), Whole(session, past)

    def is_halted() -> bool:
        return job.halted() is not None

    while True:
        order = run.order(rng)
        epoch = session.epoch(order, job.batch_size, is_halted)
        if not is_finite(epoch.J) or session.engine.not_finite():
            # The epoch is run again, step by step, to find where it left the finite numbers.
            raise retrace(session, whole.state, order, job.batch_size, run.history.epochs + 1)
        if run.take(epoch, order):
            return run
        whole.mark()


def retrace(
    session: TrainingSession, start: Snapshot, order: Array, batch_size: int, epoch: int
) -> DivergenceError:
    """Replay a diverged epoch step by step; the session is left at its last finite state.

    Returns the error that names the epoch and the step, both from 1.
    """
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return replay(
        session,
        start,
        ((batch, partial(session.epoch, batch, batch_size, never)) for batch in batches),
        epoch,
        of=f" of {len(batches)}",
    )


def replay(
    session: TrainingSession,
    start: Snapshot,
    steps: Iterable[tuple[Array, Callable[[], Epoch]]],
    epoch: int,
    *,
    first: int = 1,
    of: str = "",
) -> DivergenceError:
    """Run steps, at least one, from a snapshot until one diverges; the session is left before it.

    Where none does, as rounding may differ from that of the whole epoch, it is left after the last.

    `steps`: the rows of each, and what runs it. The one that diverges is run once more on the
    reference engine, to find the gate where the first NaN or infinity came from. `first`: the
    number of the first of them in its epoch. `of`: how many that has, in words.
    """
    session.engine.restore(start)
    for step, (rows, run) in enumerate(steps, start=first):
        before = session.engine.snapshot()
        J = float(run().J[0])
        broken = session.engine.not_finite()
        if not np.isfinite(J) or broken:
            session.engine.restore(before)
            origin = find_origin(session.replayed(rows), rows, epoch, step)
            return diverged(session, epoch, step, of, J, broken, origin)
    return at_the_edge(session, epoch, step, J)


def never() -> bool:
    """No reason to stop."""
    return False
