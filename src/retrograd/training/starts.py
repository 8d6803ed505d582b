"""Where training begins: at the network's weights, at a former history, at random starts."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from retrograd.arrays import Array, require_integer
from retrograd.engines.base import Parallel
from retrograd.errors import DivergenceError, OptionError
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.training.history import Among, Checkpoint, History
from retrograd.training.loop import Descent, Job, Past, Run, descend
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession
from retrograd.training.together import Diverged, descend_together

SPLIT, SHUFFLE, WEIGHTS, NOISE = 0, 1, 2, 3
"""What a stream of random numbers is for: the split must not depend on the shuffling."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """How a training begins: its seed, the past that it goes on from, a checksum of its rows."""

    seed: int
    past: History | None = None
    rows: int | None = None

    def stream(self, *purpose: int) -> np.random.Generator:
        """The random numbers for a purpose."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=purpose))

    def shuffling(self, number: int) -> np.random.Generator:
        """The generator of a start's orders, standing where the past left it."""
        rng = self.stream(SHUFFLE, number)
        if self.past is not None and self.past.checkpoint is not None:
            rng.bit_generator.state = self.past.checkpoint.stream
        return rng

    def weights(self, network: Network, number: int) -> dict[str, Array]:
        """Fresh initial weights of a start."""
        return network.initial(int(self.stream(WEIGHTS, number).integers(2**63)))


def begin(
    resume: History | None,
    optimizer: Optimizer | FullBatch,
    random_starts: int,
    seed: int | None,
    *,
    validates: bool,
) -> Beginning:
    """A beginning at zero, or where a former history ended. Raises OptionError if it cannot be."""
    require_integer("train", "random_starts", random_starts)
    if seed is not None:
        seed = require_integer("train", "seed", seed, low=0)
    if resume is None:
        drawn = np.random.SeedSequence(seed).entropy
        assert isinstance(drawn, int)
        return Beginning(drawn)
    if not isinstance(resume, History) or resume.checkpoint is None:
        raise OptionError("train: resume needs a history that rg.train returned")
    if resume.checkpoint.optimizer != optimizer.name:
        raise OptionError(
            f"train: resume continues {resume.checkpoint.optimizer}, the optimizer is now "
            f"{optimizer.name}; give the same one"
        )
    if seed and seed != resume.checkpoint.seed:  # 0, the usual one, may not have been given
        raise OptionError(
            f"train: resume goes on with the seed of the first run, {resume.checkpoint.seed}; "
            f"the seed is now {seed}; leave it out"
        )
    if random_starts > 1:
        raise OptionError("train: resume goes on with one run; random_starts must be 1")
    if resume.epochs and validates != bool(resume.validation_score):
        which = "had none" if validates else "had some"
        raise OptionError(f"train: resume needs validation rows as before; the first run {which}")
    return Beginning(resume.checkpoint.seed, resume)


def on_rows(beginning: Beginning, data: Rows) -> Beginning:
    """The beginning on these rows; OptionError where those of its past were others."""
    found, past = checksum(data), beginning.past
    left = None if past is None or past.checkpoint is None else past.checkpoint.rows
    if left not in (None, found):
        raise OptionError(
            "train: resume goes on with the rows of the first run, and X, Y or the validation rows "
            "are others now; without resume the network goes on from its weights with any rows"
        )
    return replace(beginning, rows=found)


LOOKED_AT, NUMBERS = 1000, 1 << 18  # rows, spread evenly; of wide ones so many that have these


def checksum(data: Rows) -> int:
    """A number that differs where the rows do: of how many there are, and of some of them."""
    arrays = data.X, *(part.array for part in data.target.parts.values())
    widest = max(math.prod(array.shape[1:]) for array in arrays)
    n_rows = max(2, min(LOOKED_AT, NUMBERS // widest))
    rows = np.linspace(0, len(data) - 1, n_rows).astype(np.int64)
    rows = rows[np.diff(rows, prepend=-1) > 0]  # each once; np.unique would load numpy.ma
    total = zlib.crc32(str(len(data)).encode())
    for array in arrays:
        # Rounded: the precision of a training may change.
        with np.errstate(over="ignore"):
            part = array.take(rows, axis=0).astype(np.float32, copy=False)
        total = zlib.crc32(np.ascontiguousarray(part).data, total)
    return total


HALTED = ("interrupted", "time")  # why no further start is trained
FEW = 8  # starts that are faster together
AT_ONCE = 2**25  # rows times weights of a step of the starts that run together: a few ms, some MB
LEAST = 32  # rows that a step counts for at least: states take memory, too
ORDERS = 2**22  # rows of all orders of an epoch: to shuffle them takes some 50 ms, and 32 MB


@dataclass(frozen=True, eq=False)
class Start:
    """A start that was trained.

    - `session`: has the state where it ended: the session, or one of its copies.
    - `rng`: of its orders. `run`: what it made, or what tells how it diverged.
    """

    session: Any
    rng: np.random.Generator
    run: Run | Diverged


def best_of(starts: Iterable[Start], optimizer: Optimizer | FullBatch, seed: Beginning) -> History:
    """The history of the best of these starts, whose parameters are for `left_by`.

    The best has the highest validation score, or the lowest J; NaN is the worst. A start that
    diverged is left out; DivergenceError if all did, with the session at the last finite state of
    the last.
    """
    best: tuple[float, History] | None = None
    figures, diverged, halted = list[float](), None, None
    for start in starts:
        run = start.run
        if not isinstance(run, Run):
            diverged = run
            figures.append(float("nan"))
            continue
        figures.append(_figure(run.history))
        if best is None or _is_better(figures[-1], best[0]):
            run.history.checkpoint = _checkpoint(start.session, optimizer, seed, start.rng, run)
            best = figures[-1], run.history
        if run.history.stopped in HALTED:
            halted = run.history.stopped
    if best is None:
        assert diverged is not None
        raise diverged()
    history = best[1]
    history.stopped = halted or history.stopped
    history.starts = figures if len(figures) > 1 else []
    return history


def in_turn(
    session: TrainingSession,
    network: Network,
    job: Job,
    optimizer: Optimizer | FullBatch,
    beginning: Beginning,
    n_starts: int,
    next_start: Callable[[int], None],
    descent: Descent = descend,
) -> Iterator[Start]:
    """Train from each start in turn, in the session, until one is halted."""
    zero = session.engine.snapshot() if n_starts > 1 else {}
    past = _resume(session, beginning.past, network)
    for number in range(n_starts):
        if number:
            next_start(number)
            session.engine.restore(zero)
            past = Past()
            session.assign(_parameters(session, network, beginning, number))
        rng = beginning.shuffling(number)
        try:
            run = _run(session, job, optimizer, rng, past, descent)
        except DivergenceError as error:
            yield Start(session, rng, partial(_itself, error))
            continue
        yield Start(session, rng, run)
        if run.history.stopped in HALTED:
            return


def n_together(session: TrainingSession, job: Job, n_starts: int) -> int:
    """How many of so many starts to train at once, as copies of the session; 1 is one by one.

    Few starts, or large steps, which threads share, take no less time so, nor do those of sparse
    rows, or of an engine without threads. Of many rows orders would take their time and memory.
    """
    engine, is_dense = session.runs_on, isinstance(session.rows.X, np.ndarray)
    has_threads = isinstance(engine, Parallel) and engine.n_threads > 1
    if session.optimizer is None or session.reads_others or not (is_dense and has_threads):
        return 1
    n_weights = sum(math.prod(session.shapes[name]) for name in session.names)
    n_rows = max(job.batch_size, len(job.validation_rows), LEAST)
    of_steps, of_orders = AT_ONCE // (n_rows * n_weights), ORDERS // len(job.train_rows)
    most = min(n_starts, of_steps, of_orders)
    return 1 if most < FEW else math.ceil(n_starts / math.ceil(n_starts / most))


def at_once(
    session: TrainingSession,
    network: Network,
    job: Job,
    beginning: Beginning,
    n_starts: int,
    size: int,
) -> Iterator[Start]:
    """Train so many starts together, then the next, until they are halted.

    Law: they are what `in_turn` makes of them. The session stays as it is.
    """
    for first in range(0, n_starts, size):
        numbers = range(first, min(first + size, n_starts))
        rngs = [beginning.shuffling(number) for number in numbers]
        weights = (_parameters(session, network, beginning, number) for number in numbers)
        runs = descend_together(session, job, [*map(session.first_state, weights)], rngs)
        for rng, run in zip(rngs, runs, strict=True):
            yield Start(run.session if isinstance(run, Run) else session, rng, run)
        if any(isinstance(run, Run) and run.history.stopped in HALTED for run in runs):
            return


def _parameters(
    session: TrainingSession, network: Network, beginning: Beginning, number: int
) -> dict[str, Array]:
    """Those that a start begins with; the session stands where the first one does."""
    own = session.parameters()
    if number == 0:
        return own
    return {**beginning.weights(network, number), **{name: own[name] for name in session.frozen}}


def _itself(error: DivergenceError) -> DivergenceError:
    return error


def _run(
    session: TrainingSession,
    job: Job,
    optimizer: Optimizer | FullBatch,
    rng: np.random.Generator,
    past: Past,
    descent: Descent,
) -> Run:
    if isinstance(optimizer, FullBatch):
        from retrograd.training.solvers.minimise import minimise  # with all solvers: few need them

        return minimise(session, job, optimizer, past)
    session.optimizer = optimizer  # the last start may have left a reduced rate
    return descent(session, job, rng, past)


def left_by(history: History, session: TrainingSession) -> dict[str, Array]:
    """The parameters that a training ends with, in new arrays."""
    assert history.checkpoint is not None
    if history.starts or history.validation_score:  # else the session is still there
        return {name: value.copy() for name, value in history.checkpoint.parameters.items()}
    return session.parameters()


def _figure(history: History) -> float:
    if history.validation_score:
        return history.validation_score[history.best_epoch - 1]
    return -history.J[-1] if history.J else -np.inf


def _is_better(figure: float, than: float) -> bool:
    return figure > than or (math.isnan(than) and not math.isnan(figure))


def _resume(session: TrainingSession, history: History | None, network: Network) -> Past:
    """Bring back the state in which a history ended.

    Where the network's parameters are no longer those it was left with, they are what to go on
    from, with the optimizer's state of then.
    """
    if history is None or history.checkpoint is None:
        return Past(state=partial(session.first_state, dict(network.parameters)))
    left = history.checkpoint
    shapes = {name: value.shape for name, value in left.state.items()}
    if shapes != session.shapes:
        raise OptionError(
            "train: resume needs the network and the optimizer of the first run; "
            f"its state was {shapes}, now it is {session.shapes}"
        )
    given = session.parameters()
    session.engine.restore(left.state)
    if not _are_equal(given, left.parameters):
        session.assign(given)
    return Past(history, left.parameters if history.validation_score else None)


def _are_equal(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def _checkpoint(
    session: TrainingSession,
    optimizer: Optimizer | FullBatch,
    beginning: Beginning,
    rng: np.random.Generator,
    run: Run,
) -> Checkpoint:
    stream: Mapping[str, Any] = rng.bit_generator.state
    state, parameters = session.engine.snapshot(), run.best
    if parameters is None:
        reads_others = session.reads_others
        parameters = session.parameters() if reads_others else Among(state, session.names)
    return Checkpoint(optimizer.name, state, parameters, beginning.seed, stream, beginning.rows)
