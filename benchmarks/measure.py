"""Side by side: a task by every worker, in rounds, so that a drift of the machine slows all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.peers import SESSION, TRAIN, Peer, Setting, numpy_peer
from benchmarks.pool import Worker, WorkerError
from benchmarks.workloads import Task, Workload

SHARE = 0.05  # seconds that one timing fills at least
PAUSE = (
    0.05  # seconds between two timings: OpenBLAS threads spin for 2**26 cycles before they sleep
)
FEWEST = 3  # rounds, however long they take


@dataclass
class Row:
    """What one worker reached: seconds a step in each round, or why there are none.

    `figure`: what all must agree on; `disagrees`: that it is not near the reference.
    """

    peer: Peer
    threads: int
    figure: float = float("nan")
    times: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    problem: str | None = None
    disagrees: bool = False

    @property
    def counts(self) -> bool:
        """Whether its time may be compared."""
        return bool(self.times) and self.problem is None and not self.disagrees

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.times)

    @property
    def cores_busy(self) -> float:
        """Processor time over time: how many threads worked."""
        return statistics.median(self.cores)


@dataclass(frozen=True)
class Result:
    """All rows of one task."""

    task: Task
    reference: float
    rows: tuple[Row, ...]

    def best(self, *, of: str | None = None, ours: bool = False) -> Row | None:
        """The fastest row that counts, of a family or a name, among the peers or among ours."""
        found = [
            row
            for row in self.rows
            if row.counts
            and row.peer.is_ours == ours
            and (of is None or of in (row.peer.family, row.peer.name))
        ]
        return min(found, key=lambda row: row.median, default=None)

    @property
    def session(self) -> Row | None:
        """Ours, the engine alone (prediction and fitting have one form only)."""
        name = SESSION if isinstance(self.task, Workload) else None
        return self.best(of=name, ours=True)

    @property
    def train(self) -> Row | None:
        """Ours as a user waits for it."""
        return self.best(of=TRAIN, ours=True)

    def ratio(self, ours: Row | None) -> float | None:
        """The fastest peer's time over ours."""
        peer = self.best()
        return None if peer is None or ours is None else peer.median / ours.median


def reference(task: Task) -> float:
    """J of the first epoch by NumPy in float64, for training; NaN where the peers are their own."""
    if not isinstance(task, Workload):
        return float("nan")
    import numpy as np

    return numpy_peer.Training(task, task.problem(), Setting(), dtype=np.float64).run(1)


def compare(
    task: Task, workers: Sequence[Worker], *, rounds: int, most_seconds: float = 300.0
) -> Result:
    """Prepare the task in every worker, check that they agree, then time them in turn.

    Rounds end early, though not before the third, once they have taken `most_seconds`.
    """
    rows = [Row(worker.peer, worker.threads) for worker in workers]
    for row, worker in zip(rows, workers, strict=True):
        try:
            row.figure = worker.ask(prepare=task.name)["figure"]
        except WorkerError as error:
            row.problem = str(error)
    expected = reference(task)
    if expected != expected:  # NaN: the median of all is the measure
        figures = [row.figure for row in rows if row.problem is None]
        expected = statistics.median(figures) if figures else float("nan")
    for row in rows:
        is_near = abs(row.figure - expected) <= task.tolerance * abs(expected)
        row.disagrees = row.problem is None and row.peer.is_checked and not is_near
    begin = time.perf_counter()
    for number in range(rounds):
        if number >= FEWEST and time.perf_counter() - begin > most_seconds:
            break
        for row, worker in zip(rows, workers, strict=True):
            if row.problem is None:
                _time(row, worker)
    return Result(task, expected, tuple(rows))


def _time(row: Row, worker: Worker) -> None:
    time.sleep(PAUSE)
    try:
        found = worker.ask(measure=SHARE)
    except WorkerError as error:
        row.problem = str(error)
        return
    row.times.append(found["per_step"])
    row.cores.append(found["cores"])
