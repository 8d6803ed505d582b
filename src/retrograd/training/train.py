"""`train`: from arrays and choices to a trained network and its history."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Never

import numpy as np

from retrograd.arguments import require_no_others
from retrograd.arrays import (
    is_finite,
    require_flag,
    require_integer,
    require_number,
    require_several,
)
from retrograd.engines.base import Engine
from retrograd.errors import OptionError, require_known
from retrograd.nn.losses import LossChoice, find_loss, require_two_classes
from retrograd.nn.named import Named
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import find_optimizer
from retrograd.training.class_weights import ClassWeight, weigh_classes
from retrograd.training.frozen import find_frozen
from retrograd.training.history import History
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import Descent, Job, descend
from retrograd.training.progress import Progress
from retrograd.training.scores import Score, find_score, require_comparable
from retrograd.training.session import TrainingSession
from retrograd.training.starts import (
    NOISE,
    SPLIT,
    Start,
    at_once,
    begin,
    best_of,
    in_turn,
    left_by,
    n_together,
    on_rows,
)
from retrograd.training.stopping import Rules
from retrograd.training.streams import (
    Batches,
    Form,
    Stream,
    descend_batches,
    require_no_batches,
    require_streamable,
)
from retrograd.training.validation import Validation, hold_out

Callback = Callable[[Network, History], bool | None]

MIXED = "bfloat16"
PRECISIONS = ("auto", "float32", "float64", MIXED)


def train(
    network: Network,
    X: Named | Batches,
    Y: Named | None = None,
    *,
    loss: LossChoice = "auto",
    optimizer: Optimizer | FullBatch | str = "adam",
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    sample_weight: Named | None = None,
    class_weight: ClassWeight | Mapping[str, ClassWeight] = None,
    l2: float = 0.0,
    frozen: Sequence[str] = (),
    validation: Validation = None,
    score: str | Score = "auto",
    patience: int | None = None,
    tolerance: float | None = None,
    gradient_tolerance: float | None = None,
    max_seconds: float | None = None,
    random_starts: int = 1,
    seed: int | None = 0,
    callbacks: Sequence[Callback] = (),
    statistics: bool = False,
    progress: bool = False,
    resume: History | None = None,
    engine: str | Engine = "auto",
    precision: str = "auto",
    **others: Never,
) -> History:
    """Train a network by gradient descent. Its parameters are updated; the history is returned.

    J of a batch is the mean over its rows of the loss, plus l2/2 times the sum of the squared
    weights. The short last batch is the mean over its own rows.

    Args:
        network: trained from its present parameters.
        X: (n, n_inputs), finite. float32 and float64 are kept; integers become float64.
            Or, without Y, batches for data that do not fit in memory: an iterable of (X, Y) or
            (X, Y, sample_weight), such as a list or a PyTorch DataLoader, that is gone through anew
            for each epoch; or a function that returns such an iterable, called for each epoch. An
            iterator that can be gone through once will do for one epoch. Batches keep their order
            and sizes: `batch_size` and `shuffle` say nothing. All are of the form of the first.
            Each is trained on in one native call; about ten are in memory at a time.
            For a network with `rg.Inputs` a dict of arrays, or a data frame.
        Y: (n, n_outputs), or (n,) for one output; integer labels (n,) for classes. For a network
            with `rg.Heads` a dict of those, or a data frame.
        loss: a name, an object with numbers of its own, or a function of two nodes (output, y) that
            returns each example's loss, (rows,). "auto": cross_entropy for a softmax or sigmoid
            output, else half_squared_error. Names: "half_squared_error", "squared_error",
            "absolute_error", "huber", "log_cosh", "quantile", "cosine"; "poisson", "gamma",
            "tweedie", "gaussian_nll"; "cross_entropy", "focal", "hinge", "squared_hinge",
            "kl_divergence". Objects: `rg.Huber`, `rg.Quantile`, `rg.Tweedie`, `rg.GaussianNLL`,
            `rg.CrossEntropy` (label smoothing), `rg.Focal`. For a network with `rg.Heads`: "auto",
            `rg.Losses`, or a dict of such losses, each of the weight 1.
        optimizer: `rg.Adam(...)`, or a name for its usual numbers: "sgd", "rmsprop", "adagrad",
            "adadelta", "adam", "adamw", "adamax", "nadam", "radam", "lion", "lamb", "adafactor",
            "muon", "rprop", "schedule_free_adamw". A learning rate may be a function of
            the step, such as those in `rg.schedules`. Others stand around one of these: `rg.Clip`,
            `rg.Decay`, `rg.Accumulate`, `rg.EMA`, `rg.SWA`, `rg.Lookahead`, `rg.SAM`, `rg.Groups`.
            Where one averages, scores and the trained network have the averages. For full batches
            `rg.LBFGS`, `rg.ConjugateGradient`, `rg.ScaledConjugateGradient` and
            `rg.LevenbergMarquardt` ("lbfgs", "conjugate_gradient", ...): an epoch is an iteration.
        epochs: at most so many passes over the rows (iterations of a solver of full batches).
        batch_size: rows a step: 1 is per-example descent, None all of them. Solvers of full
            batches take all.
        shuffle: a new order of the rows for each epoch.
        sample_weight: (n,), >= 0: J is then sum(w * loss) / sum(w). With heads for all of them, or
            a dict; 0 where a row has no target for a head (some number must stand there), which
            then does not count in that head's validation either.
        class_weight: {label: weight}, 1 where a label is missing, or "balanced": n / (classes *
            rows of the class), of the rows to train on. The sample weights are multiplied by it.
            With heads a dict of such.
        l2: >= 0.
        frozen: parameters that stay as they are, by name or by patterns with `*` and `?`: ["W1"],
            or ["*1", "*2"] for the first two layers. They have no gradient, no penalty and no
            optimizer state; a frozen `rg.BatchNorm` takes its running estimates as in predictions.
        validation: rows to hold out as a share in (0, 1), or a pair (X, Y); beside batches a pair.
            With it, the weights with the best validation score are kept. A pair is copied, together
            with X.
        score: of the validation rows: "accuracy", "r2", "loss" (its negative), or a function
            (y, output) -> float, of dicts with heads; higher is better. With heads "auto" is the
            loss, that of all together. Else "accuracy" fits losses of classes, "r2" those
            whose output has the target's shape and estimates it. "auto" is accuracy for losses of
            classes, r2 for those of an error, "loss" for others and for a function.
        patience: stop when the validation score has not improved for so many epochs.
        tolerance: stop when J has not fallen by more than this over `patience` (or 10) epochs.
        gradient_tolerance: stop when the norm of the gradient of an epoch's last step is at most
            this; with `batch_size=None` that is the gradient of J over all rows.
        max_seconds: stop at the end of a step, once this time is over.
        random_starts: train from so many initial weights (the present ones, then fresh ones) and
            keep the best by validation score, or by J. A start that diverges is left out. The
            epochs are for each start, the seconds for all. Eight or more with small steps are
            trained at once on all cores, each bit for bit as alone; with `callbacks`, `progress`,
            `max_seconds`, sparse rows, batches, a solver of full batches, or an optimizer that
            averages weights, they are trained one after another.
        seed: of shuffling, the held-out rows and the fresh starts. None draws one. With `resume`
            it is that of the first run; 0 and None stand for it.
        callbacks: each is called as `callback(network, history)` between epochs, with the network
            up to date, and may assign parameters; the run stops if one returns True.
        statistics: record norms of parameters, gradients and updates, and of each layer's delta, in
            the last step of each epoch, or where an iteration of a solver of full batches ended:
            see `History.statistics`, and `rg.diagnose`.
        progress: show a progress bar on standard error.
        resume: the history of a former call with the same rows, optimizer, seed and split:
            training goes on where it stopped, and the history returned has the epochs of both. 5
            epochs and 5 resumed ones are 10 epochs, bit for bit (solvers for full batches forget
            the curvature).
            Parameters assigned in between are gone on from, with the optimizer's state of then.
        engine: "auto", "cpu" or "numpy", or an engine.
        precision: "auto" (X's float type), "float32" or "float64". The parameters take it.
            "bfloat16": float32, but the operands of every product are rounded to bfloat16 while
            training; scores and predictions are float32's.

    Returns:
        The `History`: J, validation score, gradient norm, learning rate and seconds of each epoch.

    Raises:
        DataError: X, Y do not fit the network or the loss, or are not finite. Of batches it names
            the number.
        OptionError: an argument out of its range, or that does not fit the others; an unknown name,
            with the known ones.
        DivergenceError: J or the weights left the finite numbers; names epoch and step. The network
            keeps the last finite weights.

    Ctrl-C ends training at the end of a step and returns as usual, with the best weights so far
    by validation, or the newest without; a second Ctrl-C raises KeyboardInterrupt. Starts that are
    trained at once have then made equally many steps, and the best so far is kept.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> net = rg.MLP([1, 8, 1], activation="tanh")
    >>> history = rg.train(net, X, X**2, optimizer=rg.Adam(0.01), epochs=200)
    >>> history.J[-1] < 0.1 * history.J[0]
    True
    """
    require_no_others("train", others, train)
    if not isinstance(network, Network):
        raise OptionError(f"train: expected a network (rg.MLP, rg.Network), got {network!r}")
    callbacks = require_several("train", "callbacks", callbacks, "a list of functions")
    if not all(map(callable, callbacks)):
        raise OptionError(f"train: callbacks is a list of functions, got {callbacks!r}")
    require_known("precision", precision, PRECISIONS)
    require_flag("train", "shuffle", shuffle)
    require_flag("train", "progress", progress)
    require_flag("train", "statistics", statistics)
    require_number("train", "l2", l2)
    rules = Rules(epochs, tolerance, patience, gradient_tolerance, max_seconds)
    if patience is not None and tolerance is None and validation is None:
        raise OptionError("train: patience needs validation rows, or a tolerance in J")
    chosen_loss, chosen_optimizer = find_loss(loss, network), find_optimizer(optimizer)
    score_name, score_function = find_score(score, chosen_loss)
    beginning = begin(
        resume, chosen_optimizer, random_starts, seed, validates=validation is not None
    )

    is_mixed = precision == MIXED
    is_least_squares = isinstance(chosen_optimizer, FullBatch) and chosen_optimizer.needs_residuals
    if is_mixed and is_least_squares:
        raise OptionError("train: LevenbergMarquardt needs the precision float32 or float64")
    dtype = None if precision == "auto" else "float32" if is_mixed else precision
    form = Form(network, chosen_loss, class_weight, dtype)
    descent: Descent = descend
    if Y is None:
        require_streamable(X, chosen_optimizer, sample_weight, class_weight, validation)
        first_epoch = 1 + (resume.epochs if resume else 0)
        stream = Stream(X, form, validation, n_passes=epochs * random_starts, epoch=first_epoch)
        data, train_rows = stream.first, np.arange(len(stream.first))
        validation_rows, validation_targets = stream.validation_rows, stream.validation_targets
        descent = partial(descend_batches, stream)
    else:
        require_no_batches(X)
        data = form.rows(X, Y, sample_weight)
        require_two_classes(chosen_loss, data.target)
        data, train_rows, validation_rows = hold_out(
            network, chosen_loss, data, validation, beginning.stream(SPLIT)
        )
        data = weigh_classes(class_weight, chosen_loss, data, network, train_rows)
        validation_targets = data.target.rows(validation_rows)
        beginning = on_rows(beginning, data)
    require_comparable(score, data.target, network.n_outputs)
    is_full = batch_size is None or isinstance(chosen_optimizer, FullBatch)
    size = len(train_rows) if is_full else require_integer("train", "batch_size", batch_size)
    with (
        Interrupt() as interrupted,
        Progress(epochs, is_shown=progress, first=resume.epochs if resume else 0) as bar,
    ):
        # In here: Ctrl-C in the middle of loading LLVM would leave half of it.
        session = TrainingSession(
            network,
            data,
            loss=chosen_loss,
            optimizer=None if isinstance(chosen_optimizer, FullBatch) else chosen_optimizer,
            l2=l2,
            engine=engine,
            is_mixed=is_mixed,
            is_least_squares=is_least_squares,
            is_recorded=statistics,
            frozen=find_frozen(network, frozen),
            seed=int(beginning.stream(NOISE).integers(2**53)),
        )
        job = Job(
            rules=rules,
            train_rows=train_rows,
            validation_rows=validation_rows,
            validation_targets=validation_targets,
            batch_size=min(size, len(train_rows)),
            shuffle=shuffle and not is_full,
            score=score_function,
            score_name=score_name,
            after_epoch=_after_epoch(network, session, callbacks, bar),
            halted=_halted(interrupted, max_seconds),
        )
        # One by one where each is looked at as it goes, or the first ones have the time.
        is_by_itself = callbacks or progress or max_seconds is not None or Y is None
        size = 1 if is_by_itself else n_together(session, job, random_starts)
        history: History | None = None
        try:
            starts: Iterator[Start]
            if size > 1:
                starts = at_once(session, network, job, beginning, random_starts, size)
            else:
                starts = in_turn(
                    session,
                    network,
                    job,
                    chosen_optimizer,
                    beginning,
                    random_starts,
                    lambda number: bar.restart(number + 1, random_starts),
                    descent,
                )
            history = best_of(starts, chosen_optimizer, beginning)
        finally:
            session.engine.release()
            parameters = session.parameters() if history is None else left_by(history, session)
            # A second Ctrl-C may come in the middle of anything.
            if all(map(is_finite, parameters.values())):
                network.parameters.adopt(parameters)
    if isinstance(chosen_optimizer, Optimizer):
        _warn_of_no_step(history, chosen_optimizer)
    return history


def _warn_of_no_step(history: History, optimizer: Optimizer) -> None:
    """Say so where an `rg.Accumulate` has not come to a step, and so nothing has changed."""
    assert history.checkpoint is not None
    n_batches = optimizer.waiting(history.checkpoint.state)
    if n_batches:
        warnings.warn(
            f"Accumulate took no step: {n_batches:g} batches came and `every` is more, so "
            "nothing has changed; train for more epochs, on smaller batches, or resume",
            stacklevel=3,
        )


def _after_epoch(
    network: Network, session: TrainingSession, callbacks: Sequence[Callback], bar: Progress
) -> Callable[[History], bool]:
    """What is done between epochs: the bar moves, callbacks see and may change the network."""

    def after_epoch(history: History) -> bool:
        bar.show(history)
        if not callbacks:
            return False
        network.parameters.adopt(session.parameters())
        asked = [callback(network, history) for callback in callbacks]
        session.assign(network.parameters)
        return any(asked)

    return after_epoch


def _halted(interrupted: Callable[[], bool], max_seconds: float | None) -> Callable[[], str | None]:
    """Why to stop at once, or None: Ctrl-C, or the time from now on."""
    begin = time.perf_counter()

    def halted() -> str | None:
        if interrupted():
            return "interrupted"
        is_over = max_seconds is not None and time.perf_counter() - begin >= max_seconds
        return "time" if is_over else None

    return halted
