"""A model's starts: from initial weights to trained ones, the best of several kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError, OptionError, ShapeError
from retrograd.estimators import options
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.descent import descend
from retrograd.estimators.form import Form, activations_of, initial, named, require_rows_apart
from retrograd.estimators.full_batch import solve
from retrograd.estimators.losses import require_output
from retrograd.estimators.notes import Notes
from retrograd.estimators.ongoing import Ongoing
from retrograd.estimators.optimizers import (
    SCIKIT_LEARN_LBFGS,
    full_batch_of,
    is_stochastic,
    start,
)
from retrograd.estimators.prepare import Targets, learned
from retrograd.estimators.quasi_newton import minimise
from retrograd.estimators.validation import Held, split
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.network import Network
from retrograd.training.interrupt import Interrupt
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession
from retrograd.training.train import MIXED

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

HISTORY = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
    "is_stopped_",
    "loss_curves_",
)


def begin(model: BaseMLP, sizes: tuple[int, ...], rng: np.random.RandomState) -> None:
    """Draw initial weights and set the attributes of a model without an epoch."""
    model.n_iter_ = model.t_ = 0
    model.n_layers_, model.n_outputs_ = len(sizes), sizes[-1]
    model.out_activation_ = model._output_activation()
    form = Form(sizes, activations_of(model.activation, len(sizes) - 2), model.out_activation_)
    try:
        model.coefs_, model.intercepts_ = initial(form, rng, model._dtype, model.activation)
    except (MemoryError, ValueError) as error:
        raise OptionError(
            f"hidden_layer_sizes={model.hidden_layer_sizes!r}: weights of the shapes "
            f"{form.shapes} are more than fit in memory"
        ) from error
    model._best_weights = None
    for name in HISTORY:
        if hasattr(model, name):
            delattr(model, name)


@dataclass(frozen=True, eq=False)
class Problem:
    """What one call of fit or partial_fit is about.

    - `data`: all rows. `order`: the numbers of those to train on; `held`: others, that validate.
    - `rng`: of what is drawn from here on: the seed of dropout, orders, weights of further starts.
    - `calls`: what is called between epochs. `is_partial`: for one epoch.
    """

    network: Network
    data: Rows
    loss: Loss | JointLoss
    order: Array
    held: Held | None
    rng: np.random.RandomState
    calls: Calls
    is_partial: bool


def set_out(
    model: BaseMLP,
    X: Any,
    targets: Targets,
    rng: np.random.RandomState,
    *,
    is_first: bool,
    holds_out: bool,
    drawn: Callable[[Array], Array] | None = None,
    is_learned: bool = False,
    sample_weight: Any = None,
) -> tuple[Any, Array, Array | None]:
    """Draw initial weights and the rows that are held out; learn from the others what X becomes.

    Returns X as the network takes it, the rows to train on, and those held out or None.
    `drawn`: picks among the rows to train on. `is_learned`: X is as the network takes it already.
    `sample_weight`: as the user gave it.
    """
    hidden = options.hidden_sizes(model.hidden_layer_sizes)
    # scikit-learn draws weights first; but those of encoded columns are counted only later.
    counts_later = is_first and model.encode_columns
    if is_first and not counts_later:
        begin(model, (X.shape[1], *hidden, targets.n_outputs), rng)
    order, test = np.arange(len(targets.target)), None
    if holds_out:
        order, test = split(model, targets, rng)
    if drawn is not None:
        order = drawn(order)
    if is_first and not is_learned:
        X = learned(model, X, targets, order, sample_weight)
    if counts_later:
        begin(model, (X.shape[1], *hidden, targets.n_outputs), rng)
    sizes = (X.shape[1], *hidden, targets.n_outputs)
    if model._form().sizes != sizes:
        raise ShapeError(
            f"the weights are for the sizes {model._form().sizes}, the parameters and data ask for "
            f"{sizes}; fit with warm_start=False to begin again"
        )
    for activation, units in zip(model._form().activations, hidden, strict=True):
        if callable(activation):
            require_rows_apart(activation, units)
    require_output(model.loss, model.out_activation_, model._output_activation())
    return X, order, test


def network_to_train(model: BaseMLP) -> Network:
    """The network that the parameters describe, with the weights that are there now."""
    form = model._form()
    network = form.network(model._dtype, options.rates_of(model.dropout, len(form.activations)))
    network.parameters.update(named(*model._weights()))
    return network


def best_of(model: BaseMLP, problem: Problem, n_starts: int) -> None:
    """Train from each start in turn; the model is left as the best of them left it."""
    best: tuple[float, dict[str, Any]] | None = None
    failed: DivergenceError | None = None
    with Interrupt() as interrupted:  # Ctrl-C between two starts ends them too
        for number in range(n_starts):
            if number:
                begin(model, model._form().sizes, problem.rng)
                problem.network.parameters.update(named(*model._weights()))
                if interrupted():
                    warnings.warn("Training interrupted by user.", stacklevel=6)
                    break
            try:
                is_over = train(model, problem)
            except DivergenceError as error:
                if n_starts == 1:
                    raise
                failed, is_over = error, False
            else:
                figure = -model.loss_ if problem.held is None else model.best_validation_score_
                if best is None or figure > best[0]:
                    best = figure, dict(model.__dict__)
            if is_over or interrupted():
                break
    if best is None:
        assert failed is not None
        raise failed
    model.__dict__.update(best[1])


def train(model: BaseMLP, problem: Problem) -> bool:
    """Train the network, and give the model its attributes; whether Ctrl-C ended it."""
    goes_on = take_up(model, is_partial=problem.is_partial)
    full_batch = None if is_stochastic(model.solver) else full_batch_of(model)
    session = open_session(
        model,
        problem,
        seed=drawn_seed(model, problem),
        is_least_squares=full_batch is not None and full_batch.needs_residuals,
    )
    notes = notes_of(model, session, problem)
    if not is_stochastic(model.solver):
        if full_batch is None:
            is_over = minimise(model, session, notes, problem.order)
        else:
            is_over = solve(model, session, notes, problem.order, full_batch)
        notes.require_judged()
        return is_over
    if goes_on:
        own = session.engine.snapshot()
        state = {name: x for name, x in model._optimizer.state.items() if name in own}
        session.engine.restore(state)
        session.assign(problem.network.parameters)
    run = descend(
        model,
        session,
        notes,
        order=problem.order,
        rng=problem.rng,
        is_partial=problem.is_partial,
    )
    if not problem.is_partial:
        notes.require_judged()
    is_plain = problem.held is None and not notes.calls_back and model._inputs is None
    is_plain = is_plain and not problem.data.weights and not session.heads
    if problem.is_partial and is_plain and problem.network.noise() is None:
        model._ongoing = Ongoing(model, run, problem.data.only_target)
    return run.is_interrupted


def take_up(model: BaseMLP, *, is_partial: bool) -> bool:
    """Give the model a fresh optimizer, if it needs one; whether it goes on with the last."""
    if not is_stochastic(model.solver):
        return False
    goes_on = is_partial and hasattr(model, "_optimizer")
    if not goes_on:
        model._optimizer = start(model)
    return goes_on


def drawn_seed(model: BaseMLP, problem: Problem) -> int:
    """The seed of the network's random layers; 0 where it has none.

    An integer `random_state` draws the same in each warm start, which shall not see the same noise
    again: the rows that the model has seen count too.
    """
    if problem.network.noise() is None:
        return 0
    drawn = int(problem.rng.randint(2**31 - 1))
    if problem.is_partial or not model.t_:
        return drawn
    return int(np.random.default_rng([drawn, model.t_]).integers(2**31 - 1))


def open_session(
    model: BaseMLP, problem: Problem, *, seed: int, is_least_squares: bool = False
) -> TrainingSession:
    """The session of a problem, with the network's weights and the optimizer at rest."""
    alpha = float(model.alpha)
    return TrainingSession(
        problem.network,
        problem.data,
        loss=problem.loss,
        optimizer=model._optimizer.optimizer if is_stochastic(model.solver) else None,
        l2=lambda weights: penalties(alpha, weights),
        engine=model._place().find(),
        is_mixed=model.precision == MIXED,
        is_least_squares=is_least_squares,
        seed=seed,
    )


def penalties(alpha: float, weights: Array) -> Array:
    """The l2 of batches: the penalty alpha/2 ||W||**2 is divided by their weight, as the loss is.

    >>> penalties(0.5, np.array([2.0, 0.0]))
    array([0.25, 0.  ])
    """
    return np.divide(alpha, weights, where=weights > 0, out=np.zeros(weights.shape))


def notes_of(model: BaseMLP, session: TrainingSession, problem: Problem) -> Notes:
    """What the call takes down, and where it begins."""
    held = problem.held
    begin_history(model, held)
    if (
        problem.network.heads
        and hasattr(model, "loss_curve_")
        and not hasattr(model, "loss_curves_")
    ):
        model.loss_curves_ = {head: [] for head in problem.network.heads}
    best = model._best_weights if problem.is_partial else None
    if held is not None and is_judged_first(model, problem):
        score = held.judge(session)[1]
        model.best_validation_score_ = -np.inf if np.isnan(score) else score
        best = session.parameters()
    elif best is None and held is not None and model.best_validation_score_ == -np.inf:
        best = session.parameters()  # no score may be better than none, as where all are NaN
    return Notes(model, session, held, after_epoch=problem.calls.after_epoch(), best=best)


def is_judged_first(model: BaseMLP, problem: Problem) -> bool:
    """Whether the weights at the start are among those that may be the best.

    They are in a warm start with validation rows of its own. (Where rows are held out scikit-learn
    compares with the best score of the fits before, and may keep worse weights.)
    """
    is_warm = not problem.is_partial and (model.t_ or model.n_iter_)
    return bool(is_warm and problem.held is not None and problem.held.is_given)


def begin_history(model: BaseMLP, held: Held | None) -> None:
    """Begin what this kind of fit takes down, where no fit before it has."""
    is_silent = model.solver == SCIKIT_LEARN_LBFGS
    if not (is_silent or hasattr(model, "loss_curve_")):
        model.loss_curve_ = []
        model.best_loss_ = model.validation_scores_ = model.best_validation_score_ = None
        model._no_improvement_count = 0
    if held is not None and getattr(model, "validation_scores_", None) is None:
        model.validation_scores_, model.validation_loss_curve_ = [], []
        model.best_validation_score_ = -np.inf
    if not is_silent and model.best_loss_ is None and not (held is not None and held.stops):
        model.best_loss_ = np.inf
