"""`train`: from arrays and choices to a trained network and its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import Array, require_same_rows
from retrograd.errors import DataError, DivergenceError, OptionError, unknown_name
from retrograd.nn.losses import Loss, LossChoice, Target, find_loss
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer, require_number
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.names import find_optimizer
from retrograd.training.history import Checkpoint, History
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import Job, descend
from retrograd.training.progress import Progress
from retrograd.training.scores import Score, find_score
from retrograd.training.session import Rows, TrainingSession, check_rows
from retrograd.training.solvers.lbfgs import minimise
from retrograd.training.stopping import Rules

Callback = Callable[[Network, History], bool | None]
Validation = float | tuple[ArrayLike, ArrayLike] | None

PRECISIONS = ("auto", "float32", "float64")
SPLIT_STREAM = 1  # of the seed: the split must not depend on how often rows were shuffled


def train(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    loss: LossChoice = "auto",
    optimizer: Optimizer | LBFGS | str = "adam",
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    sample_weight: ArrayLike | None = None,
    l2: float = 0.0,
    validation: Validation = None,
    score: str | Score = "auto",
    patience: int | None = None,
    tolerance: float | None = None,
    gradient_tolerance: float | None = None,
    max_seconds: float | None = None,
    random_starts: int = 1,
    seed: int | None = 0,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
    resume: History | None = None,
    engine: str = "auto",
    precision: str = "auto",
) -> History:
    """Train a network by gradient descent. Its parameters are updated; the history is returned.

    J of a batch is the mean over its rows of the loss, plus l2/2 times the sum of the squared
    weights. The short last batch is the mean over its own rows.

    Args:
        network: trained from its present parameters.
        X: (n, n_inputs), finite. float32 and float64 are kept; integers become float64.
        Y: (n, n_outputs), or (n,) for one output; integer labels (n,) for classes.
        loss: "cross_entropy", "half_squared_error", "squared_error", or a function of two nodes
            (output, y) that returns each example's loss, (rows,). "auto": cross_entropy for a
            softmax or sigmoid output, else half_squared_error.
        optimizer: `rg.SGD`, `rg.Adam`, `rg.AdamW`, `rg.LBFGS`, or a name: "sgd", "adam", "adamw",
            "lbfgs".
        epochs: at most so many passes over the rows (iterations for L-BFGS).
        batch_size: rows a step: 1 is per-example descent, None all of them. L-BFGS takes all.
        shuffle: a new order of the rows for each epoch.
        sample_weight: (n,), >= 0: J is then sum(w * loss) / sum(w).
        l2: >= 0.
        validation: rows to hold out as a share in (0, 1), or a pair (X, Y). With it, the weights
            with the best validation score are kept.
        score: of the validation rows: "accuracy", "r2", "loss" (its negative), or a function
            (y, output) -> float; higher is better. "auto" is accuracy for cross_entropy, else r2.
        patience: stop when the validation score has not improved for so many epochs.
        tolerance: stop when J has not fallen by more than this over `patience` (or 10) epochs.
        gradient_tolerance: stop when the norm of the gradient of an epoch's last step is at most
            this; with `batch_size=None` that is the gradient of J over all rows.
        max_seconds: stop at the end of the step in which this time is over.
        random_starts: train from so many initial weights (the present ones, then fresh ones) and
            keep the best by validation score, or by J.
        seed: of shuffling, the held-out rows and the fresh starts. None draws one.
        callbacks: each is called as `callback(network, history)` between epochs, with the network
            up to date; training stops if one returns True.
        progress: show a progress bar on standard error.
        resume: the history of a former call with the same optimizer: training goes on from the
            network's parameters with the optimizer's state and the shuffling of then. 5 epochs and
            5 resumed ones are 10 epochs, bit for bit.
        engine: "auto" or "numpy".
        precision: "auto" (X's float type), "float32" or "float64". The parameters take it.

    Returns:
        The `History`: J, validation score, gradient norm, learning rate and seconds of each epoch.

    Raises:
        DataError: X, Y do not fit the network or the loss, or are not finite.
        DivergenceError: J or the weights left the finite numbers; names epoch and step. The network
            keeps the last finite weights.

    Ctrl-C ends training after the current step and returns as usual, with the best weights so far
    by validation, or the newest without; a second Ctrl-C raises KeyboardInterrupt.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> net = rg.MLP([1, 8, 1], activation="tanh")
    >>> history = rg.train(net, X, X**2, optimizer=rg.Adam(0.01), epochs=200)
    >>> history.J[-1] < 0.1 * history.J[0]
    True
    """
    if not isinstance(network, Network):
        raise OptionError(f"train: expected a network (rg.MLP, rg.Network), got {network!r}")
    chosen_loss, chosen_optimizer = find_loss(loss, network), find_optimizer(optimizer)
    rules = Rules(
        int_at_least(epochs, "epochs"), tolerance, patience, gradient_tolerance, max_seconds
    )
    require_number("train", "l2", l2)
    int_at_least(random_starts, "random_starts")
    if batch_size is not None:
        int_at_least(batch_size, "batch_size")
    if patience is not None and tolerance is None and validation is None:
        raise OptionError("train: patience needs validation rows, or a tolerance in J")
    start = _start_of(resume, chosen_optimizer, random_starts, seed)

    data = check_rows(network, chosen_loss, _cast(X, precision), Y, sample_weight)
    data, train_rows, validation_rows = _hold_out(
        network, chosen_loss, data, validation, start.shuffle["seed"]
    )
    score_name, score_function = find_score(score, is_classification=chosen_loss.is_classification)
    is_full = batch_size is None or isinstance(chosen_optimizer, LBFGS)
    session = TrainingSession(
        network,
        data,
        loss=chosen_loss,
        optimizer=None if isinstance(chosen_optimizer, LBFGS) else chosen_optimizer,
        l2=l2,
        engine=engine,
    )

    def after_epoch(history: History) -> bool:
        bar.show(history)
        if not callbacks:
            return False
        network.parameters.update(session.parameters())
        asked = [callback(network, history) for callback in callbacks]
        for name, value in network.parameters.items():
            session.engine.write(name, value)
        return any(asked)

    with Interrupt() as interrupted, Progress(epochs, is_shown=progress) as bar:
        job = Job(
            rules=rules,
            train_rows=train_rows,
            validation_rows=validation_rows,
            validation_targets=data.target.array[validation_rows],
            batch_size=len(train_rows) if is_full else min(batch_size or 1, len(train_rows)),
            shuffle=shuffle and not is_full,
            score=score_function,
            score_name=score_name,
            after_epoch=after_epoch,
            interrupted=interrupted,
        )
        try:
            history = _best_start(network, session, job, chosen_optimizer, start, random_starts)
        finally:
            network.parameters.update(session.parameters())
    return history


def int_at_least(value: Any, name: str, low: int = 1) -> int:
    """The value, if it is an integer of at least `low`; else OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise OptionError(f"train: {name} must be an integer of at least {low}, got {value!r}")
    return int(value)


def _cast(X: ArrayLike, precision: str) -> ArrayLike:
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    if precision == "auto":
        return X
    dtype: DTypeLike = precision
    try:
        return np.asarray(X).astype(dtype, copy=False)
    except (ValueError, TypeError) as error:
        raise DataError(f"X: not an array of numbers: {error}") from None


def _start_of(
    resume: History | None, optimizer: Optimizer | LBFGS, random_starts: int, seed: int | None
) -> Checkpoint:
    """Where training begins: at the checkpoint of a former history, or at zero."""
    if resume is None:
        drawn = np.random.SeedSequence(seed).entropy
        stream = np.random.default_rng(drawn).bit_generator.state
        return Checkpoint(optimizer.name, {}, {"seed": drawn, "stream": stream}, 0)
    if resume.checkpoint is None:
        raise OptionError("train: resume needs a history that rg.train returned")
    if resume.checkpoint.optimizer != optimizer.name:
        raise OptionError(
            f"train: resume continues {resume.checkpoint.optimizer}, the optimizer is now "
            f"{optimizer.name}; give the same one"
        )
    if random_starts > 1:
        raise OptionError("train: resume goes on with one run; random_starts must be 1")
    return resume.checkpoint


def _hold_out(
    network: Network, loss: Loss, data: Rows, validation: Validation, seed: Any
) -> tuple[Rows, Array, Array]:
    """The data with validation rows appended where they came apart, and both sets of row numbers."""
    rows = np.arange(len(data))
    if validation is None:
        return data, rows, rows[:0]
    if isinstance(validation, tuple):
        if len(validation) != 2:
            raise OptionError("train: validation is a share, or a pair (X, Y)")
        more = check_rows(network, loss, np.asarray(validation[0], data.X.dtype), validation[1])
        if more.target.array.shape[1:] != data.target.array.shape[1:]:
            raise DataError("train: validation targets must have the form of Y")
        require_same_rows("validation X", len(more), "validation Y", len(more.target.array))
        return _joined(data, more), rows, np.arange(len(data), len(data) + len(more))
    require_number("train", "validation", validation, high=1.0, open_low=True)
    n_held = round(validation * len(data))
    if not 0 < n_held < len(data):
        raise DataError(
            f"train: a validation share of {validation:g} of {len(data)} rows leaves "
            f"{len(data) - n_held} to train on and {n_held} to validate; both need 1"
        )
    mixed = np.random.default_rng([seed, SPLIT_STREAM]).permutation(rows)
    return data, np.sort(mixed[n_held:]), np.sort(mixed[:n_held])


def _joined(data: Rows, more: Rows) -> Rows:
    weights = data.sample_weight
    if weights is not None:  # validation rows are scored without weights
        weights = np.concatenate([weights, np.ones(len(more), weights.dtype)])
    target = data.target
    both = np.concatenate([target.array, more.target.array.astype(target.dtype, copy=False)])
    return Rows(np.concatenate([data.X, more.X]), Target(both, target.shape, target.dtype), weights)


def _best_start(
    network: Network,
    session: TrainingSession,
    job: Job,
    optimizer: Optimizer | LBFGS,
    start: Checkpoint,
    random_starts: int,
) -> History:
    """Train from each start in turn; the session ends in the state of the best."""
    zero = session.engine.snapshot()
    session.engine.restore(start.state)
    best: tuple[float, History, Any] | None = None
    figures: list[float] = []
    diverged: DivergenceError | None = None
    seconds = job.rules.max_seconds
    for number in range(random_starts):
        rng = np.random.default_rng([start.shuffle["seed"], number])
        if number == 0:
            rng = np.random.default_rng()
            rng.bit_generator.state = start.shuffle["stream"]
        else:
            session.engine.restore({**zero, **network.initial(_seed_of(start, number))})
        try:
            history = _run(session, job, optimizer, rng)
        except DivergenceError as error:
            diverged = error
            figures.append(float("nan"))
            continue
        figure = _figure(history)
        figures.append(figure)
        history.checkpoint = _checkpoint(session, optimizer, start, rng, history)
        if best is None or figure > best[0]:
            best = (figure, history, session.engine.snapshot())
        if seconds is not None and history.seconds:
            seconds -= history.seconds[-1]
            job = replace(job, rules=replace(job.rules, max_seconds=max(seconds, 1e-9)))
        if history.stopped in ("interrupted", "time"):
            break
    if best is None:
        assert diverged is not None
        raise diverged
    session.engine.restore(best[2])
    best[1].starts = figures if random_starts > 1 else []
    return best[1]


def _run(
    session: TrainingSession, job: Job, optimizer: Optimizer | LBFGS, rng: np.random.Generator
) -> History:
    if isinstance(optimizer, LBFGS):
        return minimise(session, job, optimizer)
    return descend(session, job, rng)


def _seed_of(start: Checkpoint, number: int) -> int:
    return int(np.random.SeedSequence([start.shuffle["seed"], number]).generate_state(1)[0])


def _figure(history: History) -> float:
    if history.validation_score:
        return max(history.validation_score)
    return -history.J[-1] if history.J else -np.inf


def _checkpoint(
    session: TrainingSession,
    optimizer: Optimizer | LBFGS,
    start: Checkpoint,
    rng: np.random.Generator,
    history: History,
) -> Checkpoint:
    state = {
        name: value
        for name, value in session.engine.snapshot().items()
        if name not in session.names
    }
    shuffle = {"seed": start.shuffle["seed"], "stream": rng.bit_generator.state}
    return Checkpoint(optimizer.name, state, shuffle, start.epochs + history.epochs)
