"""What a fit is about: a user's rows and the parameters, checked, as a problem for a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError, ShapeError
from retrograd.estimators import options
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.form import Form, activations_of, initial, named, require_rows_apart
from retrograd.estimators.losses import GO_ON, require_output
from retrograd.estimators.optimizers import is_stochastic
from retrograd.estimators.prepare import (
    Targets,
    checked_targets,
    dtype_of,
    encoded,
    learned,
    rows_of,
)
from retrograd.estimators.seeds import generator
from retrograd.estimators.validation import Given, Held, append, held_out, split
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.network import Network
from retrograd.training.rows import Rows

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP
    from retrograd.estimators.ensemble import BaseMLPEnsemble

OF_X = ("n_features_in_", "feature_names_in_")
OF_DATA = (*OF_X, "classes_", "_label_binarizer", "_dtype")
"""What an ensemble and its members know of the data, and know alike."""

HISTORY = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
    "is_stopped_",
    "loss_curves_",
)


@dataclass(frozen=True, eq=False)
class Task:
    """What a call of fit or partial_fit is to train on, checked; X as the user has it."""

    X: Any
    y: Any
    targets: Targets
    sample_weight: Any
    given: Given | None
    is_first: bool
    is_partial: bool


def task_of(
    model: BaseMLP | BaseMLPEnsemble,
    lead: BaseMLP,
    X: Any,
    y: Any,
    sample_weight: Any,
    given: Given | None,
    *,
    is_first: bool,
    is_partial: bool,
) -> Task:
    """The checked task of a call of `model`; `lead`, itself or a member, learns what y is.

    A first fit decides on the precision; a model that goes on keeps it.
    """
    if model.early_stopping and is_partial and given is None:
        raise OptionError("partial_fit does not support early_stopping=True")
    X, y = model._checked_pair(X, y, is_first=is_first)
    if is_first:
        lead._dtype = dtype_of(model, X)
    if lead is not model:  # by X, and in partial_fit by `classes`
        take_over([lead], model, OF_DATA if is_partial else OF_X)
    targets = checked_targets(lead, y, lead._dtype, is_first=is_first, is_partial=is_partial)
    return Task(X, y, targets, sample_weight, given, is_first, is_partial)


def take_over(ones: Sequence[Any], other: Any, names: Sequence[str] = OF_DATA) -> None:
    """Give estimators what another knows of the data."""
    known = {name: getattr(other, name) for name in names if hasattr(other, name)}
    for one in ones:
        for name, value in known.items():
            setattr(one, name, value)


def has_stopped(model: BaseMLP, task: Task) -> bool:
    """Whether partial_fit with validation rows changes nothing any more."""
    return task.is_partial and task.given is not None and getattr(model, "is_stopped_", False)


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


def problem_of(
    model: BaseMLP,
    task: Task,
    calls: Calls,
    *,
    drawn: Callable[[Array], Array] | None = None,
    like: tuple[BaseMLP, Problem] | None = None,
) -> Problem:
    """What one fit is about: initial weights are drawn, rows held out, and all of them checked.

    `drawn`: picks among the rows to train on. `like`: another estimator of the same task with its
    problem; where the rows become the same inputs for both, they are shared.
    """
    rng = generator(model.random_state)
    holds_out = model.early_stopping and task.given is None and is_stochastic(model.solver)
    common = like
    if like is not None and (model.standardize or model.encode_columns):
        if task.is_first and not holds_out and drawn is None:
            model._inputs, model._target_scale = like[0]._inputs, like[0]._target_scale
        elif task.is_first or model._inputs is not like[0]._inputs:
            common = None  # each learns from rows of its own what becomes of the columns
    if common is not None:
        X = common[1].data.X
    else:
        X = task.X if task.is_first else encoded(model, task.X)
    alike = None if common is None else common[1]
    X, order, test = set_out(model, X, task, rng, holds_out=holds_out, drawn=drawn, like=alike)
    if common is not None:
        problem = replace(common[1], order=order, rng=rng, calls=calls)
    else:
        data = rows_of(
            model, X, task.y, task.targets, task.sample_weight, is_partial=task.is_partial
        )
        network, held = network_to_train(model), None
        loss = model._loss(network)
        if task.given is not None:
            data, held = append(model, data, task.given, score=model._score_by(loss))
        problem = Problem(network, data, loss, order, held, rng, calls, task.is_partial)
    if test is None:
        return problem
    score = model._score_by(problem.loss)
    return replace(problem, held=held_out(problem.data, task.targets, test, score))


def set_out(
    model: BaseMLP,
    X: Any,
    task: Task,
    rng: np.random.RandomState,
    *,
    holds_out: bool,
    drawn: Callable[[Array], Array] | None,
    like: Problem | None,
) -> tuple[Any, Array, Array | None]:
    """Draw initial weights and the rows that are held out; learn from the others what X becomes.

    Returns X as the network takes it, the rows to train on, and those held out or None.
    `drawn`: picks among the rows to train on. `like`: the problem of another estimator with equal
    parameters, whose X, as the network takes it, this is.
    """
    targets, is_first = task.targets, task.is_first
    if like is not None:
        hidden = like.network.sizes[1:-1]
    else:
        hidden = tuple(options.hidden_sizes(model.hidden_layer_sizes))
    # scikit-learn draws weights first; but those of encoded columns are counted only later.
    counts_later = is_first and model.encode_columns
    if is_first and not counts_later:
        begin(model, (X.shape[1], *hidden, targets.n_outputs), rng)
    if like is None or holds_out or drawn is not None:
        order, test = np.arange(len(targets.target)), None
    else:
        order, test = like.order, None  # one array for all who train on all rows
    if holds_out:
        order, test = split(model, targets, rng)
    if drawn is not None:
        order = drawn(order)
    if is_first and like is None:
        X = learned(model, X, targets, order, task.sample_weight)
    if counts_later:
        begin(model, (X.shape[1], *hidden, targets.n_outputs), rng)
    if like is None or not is_first:  # fresh weights are of the form of those that it is like
        require_form(model, (X.shape[1], *hidden, targets.n_outputs))
    return X, order, test


def require_form(model: BaseMLP, sizes: tuple[int, ...]) -> None:
    """Raise OptionError or ShapeError unless the weights go with the parameters and these sizes."""
    form = model._form()
    if form.sizes != sizes:
        raise ShapeError(
            f"the weights are for the sizes {form.sizes}, the parameters and data ask for "
            f"{sizes}; fit with warm_start=False to begin again"
        )
    for activation, units in zip(form.activations, sizes[1:-1], strict=True):
        if callable(activation):
            require_rows_apart(activation, units)
    if model.loss not in GO_ON:
        require_output(model.loss, model.out_activation_, model._output_activation())


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
        model.__dict__.pop(name, None)


def network_to_train(model: BaseMLP) -> Network:
    """The network that the parameters describe, with the weights that are there now."""
    form = model._form()
    network = form.network(model._dtype, options.rates_of(model.dropout, len(form.activations)))
    network.parameters.update(named(*model._weights()))
    return network
