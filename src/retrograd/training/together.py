"""Random starts trained at once: copies of one program, each with a run of its own.

Law: each run is, bit for bit, what `descend` makes of the start alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.arrays import Array, is_finite
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError
from retrograd.training.copies import Copies, Copy
from retrograd.training.loop import Job, Past, Run, retrace
from retrograd.training.session import TrainingSession

Diverged = Callable[[], DivergenceError]


class StartCopy(Copy):
    """The copy of a start, as its run sees it."""

    def __init__(self, whole: Copies, number: int, session: TrainingSession) -> None:
        assert session.optimizer is not None
        super().__init__(whole, number, session.optimizer)
        self.weighing, self._scored = session.weighing, session.scored

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """The state where it stands, which may outlive the other copies."""
        return dict(super().snapshot())

    def score_all(self, order: Array) -> tuple[Array, Any, dict[str, Array]]:
        """See `TrainingSession.score_all`: found for all copies at once."""
        return self._scored(self.whole.scored[self.number])


def descend_together(
    session: TrainingSession,
    job: Job,
    states: Sequence[Snapshot],
    rngs: Sequence[np.random.Generator],
) -> list[Run | Diverged]:
    """Run epochs of all starts until a rule has stopped each: its run, or what tells its error.

    `states`, `rngs`: where each begins. The session is where an error, once asked for, leaves it.
    """
    copies = session.copies(states)
    runs = [Run(StartCopy(copies, m, session), job, Past()) for m in range(len(states))]
    ended: list[Run | Diverged] = [*runs]
    names, active = session.shapes.keys(), [*range(len(runs))]
    room = np.empty((len(runs), len(job.train_rows)), np.int64)

    def is_halted() -> bool:
        return job.halted() is not None

    while active:
        orders = room[: len(active)]
        for order, m in zip(orders, active, strict=True):
            order[:] = runs[m].order(rngs[m])
        optimizers = {m: runs[m].session.optimizer for m in active}
        epochs = session.epoch_of(copies, optimizers, orders, job.batch_size, is_halted)
        broken = copies.not_finite(names, active)
        if len(job.validation_rows) and not is_halted():
            session.score_of(copies, job.validation_rows, active)
        going = []
        for m, epoch, order in zip(active, epochs, orders, strict=True):
            if m in broken or not is_finite(epoch.J):
                ended[m] = partial(_retrace, session, runs[m], copies.state_before(m), order.copy())
            elif reason := job.halted():  # the score of each may take its time
                runs[m].history.stopped = reason
            elif not runs[m].take(epoch, order):
                going.append(m)
        active = going
    return ended


def _retrace(session: TrainingSession, run: Run, before: Snapshot, order: Array) -> DivergenceError:
    """The error of an epoch that diverged, from the state before it."""
    session.optimizer = run.session.optimizer  # its rates may have fallen
    return retrace(session, before, order, run.job.batch_size, run.history.epochs + 1)
