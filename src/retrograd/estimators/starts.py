"""A model's starts: from initial weights to trained ones, the best of several kept."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError
from retrograd.estimators.attempt import Attempt
from retrograd.estimators.descent import descend
from retrograd.estimators.form import named
from retrograd.estimators.full_batch import solve
from retrograd.estimators.notes import Notes
from retrograd.estimators.ongoing import Ongoing
from retrograd.estimators.optimizers import (
    SCIKIT_LEARN_LBFGS,
    full_batch_of,
    is_stochastic,
    start,
)
from retrograd.estimators.problem import Problem, begin
from retrograd.estimators.quasi_newton import minimise
from retrograd.estimators.validation import Held
from retrograd.optim.full_batch import FullBatch
from retrograd.training.interrupt import Interrupt
from retrograd.training.session import TrainingSession
from retrograd.training.train import MIXED

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


@dataclass(frozen=True, eq=False)
class Ready:
    """A start all of whose options hold: its session is open, training can begin.

    `solver`: of full batches; None for one that goes by batches, and for scikit-learn's L-BFGS.
    """

    session: TrainingSession
    notes: Notes
    solver: FullBatch | None


def best_of(model: BaseMLP, problem: Problem, n_starts: int, attempt: Attempt) -> None:
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
            ready = made_ready(model, problem)
            attempt.has_begun = True
            try:
                is_over = train(model, problem, ready)
            except DivergenceError as error:
                if n_starts == 1:
                    raise
                failed, is_over = error, False
            else:
                loss = getattr(model, "loss_", np.inf)  # none where Ctrl-C ended the first epoch
                figure = -loss if problem.held is None else model.best_validation_score_
                if best is None or figure > best[0]:
                    best = figure, dict(model.__dict__)
            if is_over or interrupted():
                break
    if best is None:
        assert failed is not None
        raise failed
    model.__dict__.update(best[1])


def made_ready(model: BaseMLP, problem: Problem) -> Ready:
    """Open the session of a start and stand before its first epoch, or refuse its options."""
    goes_on = take_up(model, is_partial=problem.is_partial)
    solver = None if is_stochastic(model.solver) else full_batch_of(model)
    session = open_session(
        model,
        problem,
        seed=drawn_seed(model, problem),
        is_least_squares=solver is not None and solver.needs_residuals,
    )
    notes = notes_of(model, session, problem)
    if goes_on:
        own = session.engine.snapshot()
        state = {name: x for name, x in model._optimizer.state.items() if name in own}
        session.engine.restore(state)
        session.assign(problem.network.parameters)
    return Ready(session, notes, solver)


def train(model: BaseMLP, problem: Problem, ready: Ready) -> bool:
    """Train the network, and give the model its attributes; whether Ctrl-C ended it."""
    session, notes = ready.session, ready.notes
    if not is_stochastic(model.solver):
        if ready.solver is None:
            is_over = minimise(model, session, notes, problem.order)
        else:
            is_over = solve(model, session, notes, problem.order, ready.solver)
        notes.require_judged()
        return is_over
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


def take_up(model: BaseMLP, *, is_partial: bool, like: BaseMLP | None = None) -> bool:
    """Give the model a fresh optimizer, if it needs one; whether it goes on with the last.

    `like`: a model of equal parameters that has just been given one.
    """
    if not is_stochastic(model.solver):
        return False
    goes_on = is_partial and hasattr(model, "_optimizer")
    if not goes_on:
        model._optimizer = start(model) if like is None else replace(like._optimizer)
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
