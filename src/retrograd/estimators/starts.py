"""A model's starts: from initial weights to trained ones, the best of several kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DivergenceError, OptionError
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.descent import descend
from retrograd.estimators.form import Form, activations_of, initial, named
from retrograd.estimators.full_batch import solve
from retrograd.estimators.notes import Notes
from retrograd.estimators.ongoing import Ongoing
from retrograd.estimators.optimizers import (
    SCIKIT_LEARN_LBFGS,
    full_batch_of,
    is_stochastic,
    start,
)
from retrograd.estimators.quasi_newton import minimise
from retrograd.estimators.validation import Held
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.network import Network
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
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


def begin(
    model: BaseMLP, sizes: tuple[int, ...], rng: np.random.RandomState, dtype: np.dtype[Any]
) -> None:
    """Draw initial weights and set the attributes of a model without an epoch."""
    model.n_iter_ = model.t_ = 0
    model.n_layers_, model.n_outputs_ = len(sizes), sizes[-1]
    model.out_activation_ = model._output_activation()
    model._dtype = dtype
    form = Form(sizes, activations_of(model.activation, len(sizes) - 2), model.out_activation_)
    try:
        model.coefs_, model.intercepts_ = initial(form, rng, dtype, model.activation)
    except (MemoryError, ValueError) as error:
        raise OptionError(
            f"hidden_layer_sizes={model.hidden_layer_sizes!r}: weights of the shapes "
            f"{form.shapes} are more than fit in memory"
        ) from error
    model._best_weights = None
    for name in HISTORY:
        if hasattr(model, name):
            delattr(model, name)


def best_of(
    model: BaseMLP,
    n_starts: int,
    sizes: tuple[int, ...],
    network: Network,
    data: Rows,
    loss: Loss | JointLoss,
    order: Array,
    held: Held | None,
    rng: np.random.RandomState,
    calls: Calls,
    *,
    is_partial: bool,
) -> None:
    """Train from each start in turn; the model is left as the best of them left it."""
    best: tuple[float, dict[str, Any]] | None = None
    failed: DivergenceError | None = None
    for number in range(n_starts):
        if number:
            begin(model, sizes, rng, data.X.dtype)
        network.parameters.update(named(*model._weights()))
        try:
            train(model, network, data, loss, order, held, rng, calls, is_partial=is_partial)
        except DivergenceError as error:
            if n_starts == 1:
                raise
            failed = error
            continue
        figure = -model.loss_ if held is None else model.best_validation_score_
        if best is None or figure > best[0]:
            best = figure, dict(model.__dict__)
    if best is None:
        assert failed is not None
        raise failed
    model.__dict__.update(best[1])


def train(
    model: BaseMLP,
    network: Network,
    data: Rows,
    loss: Loss | JointLoss,
    order: Array,
    held: Held | None,
    rng: np.random.RandomState,
    calls: Calls,
    *,
    is_partial: bool,
) -> None:
    """Train the network on the rows `order`, and give the model its attributes."""
    alpha, goes_on = float(model.alpha), is_partial and hasattr(model, "_optimizer")
    is_by_batches, full_batch = is_stochastic(model.solver), None
    if is_by_batches and not goes_on:
        model._optimizer = start(model)
    elif not is_by_batches:
        full_batch = full_batch_of(model)
    noise = network.noise()
    session = TrainingSession(
        network,
        data,
        loss=loss,
        optimizer=model._optimizer.optimizer if is_by_batches else None,
        # The penalty alpha/2 ||W||**2 is divided by the batch's weight, as the loss is.
        l2=lambda weights: np.divide(alpha, weights, where=weights > 0, out=np.zeros(len(weights))),
        engine=model._place().find(),
        is_mixed=model.precision == MIXED,
        is_least_squares=isinstance(full_batch, LevenbergMarquardt),
        seed=0 if noise is None else int(rng.randint(2**31 - 1)),
    )
    begin_history(model, held)
    if session.heads and not hasattr(model, "loss_curves_"):
        model.loss_curves_ = {head: [] for head in session.heads}
    best = model._best_weights if is_partial else None
    if best is None and held is not None and model.best_validation_score_ == -np.inf:
        best = session.parameters()  # no score may be better than none, as where all are NaN
    notes = Notes(model, session, held, after_epoch=calls.after_epoch(), best=best)
    if is_by_batches:
        if goes_on:
            own = session.engine.snapshot()
            state = {name: x for name, x in model._optimizer.state.items() if name in own}
            session.engine.restore(state)
            session.assign(network.parameters)
        run = descend(model, session, notes, order=order, rng=rng, is_partial=is_partial)
        is_plain = held is None and not notes.calls_back and model._inputs is None
        is_plain = is_plain and not data.weights and not session.heads
        if is_partial and is_plain and noise is None:
            model._ongoing = Ongoing(model, run, data.only_target)
    elif full_batch is None:
        minimise(model, session, notes, order)
    else:
        solve(model, session, notes, order, full_batch)


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
