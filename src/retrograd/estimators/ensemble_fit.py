"""How an ensemble is trained: its members together, one after another, or on shared weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.course import Course
from retrograd.estimators.form import named
from retrograd.estimators.optimizers import is_stochastic
from retrograd.estimators.options import SHARED
from retrograd.estimators.prepare import (
    Targets,
    checked_targets,
    dtype_of,
    encoded,
    plain_pair,
    rows_of,
)
from retrograd.estimators.seeds import generator
from retrograd.estimators.shared import (
    SharedCourse,
    first_parameters,
    hand_out,
    require_shareable,
    shared_steps,
)
from retrograd.estimators.starts import Problem, network_to_train, set_out, take_up, train
from retrograd.estimators.together import Together
from retrograd.estimators.validation import Given, append, held_out
from retrograd.training.interrupt import Interrupt
from retrograd.training.step import steps_of
from retrograd.training.train import MIXED

if TYPE_CHECKING:
    from retrograd.estimators.ensemble import BaseMLPEnsemble

BOOTSTRAP = 1  # what a second stream of a member's random numbers is for
OF_X = ("n_features_in_", "feature_names_in_")
OF_DATA = (*OF_X, "classes_", "_label_binarizer", "_dtype")
"""What members know of the data, and know alike."""

Fit = tuple[BaseMLP, Problem]


@dataclass(frozen=True, eq=False)
class Task:
    """What a call of fit or partial_fit trains an ensemble on, checked; X as the user has it."""

    X: Any
    y: Any
    targets: Targets
    sample_weight: Any
    given: Given | None
    is_first: bool
    is_partial: bool


def fit(
    model: BaseMLPEnsemble,
    X: Any,
    y: Any,
    sample_weight: Any,
    given: Given | None,
    *,
    is_partial: bool,
) -> None:
    """One call of fit or partial_fit: `estimators_` are there afterwards."""
    if model.early_stopping and is_partial and given is None:
        raise OptionError("partial_fit does not support early_stopping=True")
    if model.members == SHARED:
        require_shareable(model)
    is_first = not hasattr(model, "estimators_") or not (model.warm_start or is_partial)
    X, y = plain_pair(model, X, y, is_first=is_first)
    members = model._fresh_members() if is_first else model._known_members()
    lead = members[0]
    if is_first:
        lead._dtype = dtype_of(model, X)
    # What the ensemble was told of the data: by X, and in partial_fit by `classes`.
    take_over(lead, model, OF_DATA if is_partial else OF_X)
    targets = checked_targets(lead, y, lead._dtype, is_first=is_first, is_partial=is_partial)
    for one in (model, *members):
        take_over(one, lead)
    model.n_outputs_ = targets.n_outputs
    task = Task(X, y, targets, sample_weight, given, is_first, is_partial)
    if model.members == SHARED:
        _fit_shared(model, members, task)
    else:
        _fit_independent(model, members, task)


def take_over(one: Any, other: Any, names: Sequence[str] = OF_DATA) -> None:
    """Give one estimator what the other knows of the data."""
    for name in names:
        if hasattr(other, name):
            setattr(one, name, getattr(other, name))


def _fit_independent(model: BaseMLPEnsemble, members: list[BaseMLP], task: Task) -> None:
    first = _problem(model, members[0], task)
    problems = [first] + [_problem(model, one, task, (members[0], first)) for one in members[1:]]
    for name in ("_trunk", "parameters_"):  # of an earlier fit, of members that shared
        if hasattr(model, name):
            delattr(model, name)
    model.estimators_ = members
    model.estimators_samples_ = [problem.order for problem in problems]
    fits = [pair for pair in zip(members, problems, strict=True) if not _has_stopped(pair[0], task)]
    if fits and _are_copies(fits):
        _train_together(model, fits)
    else:
        _train_in_turn(model, fits, task)


def _has_stopped(member: BaseMLP, task: Task) -> bool:
    """Whether partial_fit with validation rows changes nothing any more."""
    return task.is_partial and task.given is not None and getattr(member, "is_stopped_", False)


def _problem(
    model: BaseMLPEnsemble, member: BaseMLP, task: Task, first: Fit | None = None
) -> Problem:
    """What a member's fit is about; where it has the rows of the first member, that's."""
    rng = generator(member.random_state)
    holds_out = model.early_stopping and task.given is None and is_stochastic(model.solver)
    is_drawn = not task.is_partial and (model.bootstrap or model.max_samples != 1.0)
    common = first
    if first is not None and (member.standardize or member.encode_columns):
        if task.is_first and not (holds_out or is_drawn):
            member._inputs, member._target_scale = first[0]._inputs, first[0]._target_scale
        elif task.is_first or member._inputs is not first[0]._inputs:
            common = None  # each learns from rows of its own what becomes of the columns
    if common is not None:
        X = common[1].data.X
    else:
        X = task.X if task.is_first else encoded(member, task.X)
    X, order, test = set_out(
        member,
        X,
        task.targets,
        rng,
        is_first=task.is_first,
        holds_out=holds_out,
        drawn=partial(_drawn, model, member) if is_drawn else None,
        is_learned=common is not None,
        sample_weight=task.sample_weight,
    )
    calls = Calls(member, None, None, {})
    if common is not None:
        problem = replace(common[1], order=order, rng=rng, calls=calls)
    else:
        weights, is_partial = task.sample_weight, task.is_partial
        data, held = rows_of(member, X, task.y, task.targets, weights, is_partial=is_partial), None
        network = network_to_train(member)
        loss = member._loss(network)
        if task.given is not None:
            data, held = append(member, data, task.given, score=member._score_by(loss))
        problem = Problem(network, data, loss, order, held, rng, calls, is_partial)
    if test is None:
        return problem
    score = member._score_by(problem.loss)
    return replace(problem, held=held_out(problem.data, task.targets, test, score))


def _drawn(model: BaseMLPEnsemble, member: BaseMLP, order: Array) -> Array:
    """The rows of these that a member trains on, drawn from a stream of its own."""
    n, size = len(order), model.max_samples
    if isinstance(size, Integral):
        if size > n:
            raise OptionError(f"max_samples={size} is more than the {n} rows to draw from")
        n_drawn = int(size)
    else:
        n_drawn = max(1, int(size * n))
    if not model.bootstrap and n_drawn == n:
        return order
    rng = np.random.default_rng([int(member.random_state), BOOTSTRAP])
    return order[rng.choice(n, n_drawn, replace=model.bootstrap)]


def _are_copies(fits: Sequence[Fit]) -> bool:
    """Whether members can be copies of one program: same rows, and nothing called between."""
    lead, first = fits[0]
    if not is_stochastic(lead.solver) or lead.callbacks:
        return False
    take_up(lead, is_partial=first.is_partial)
    reads_others = lead._optimizer.optimizer.reads_others
    return not reads_others and all(problem.data is first.data for _, problem in fits)


def _train_together(model: BaseMLPEnsemble, fits: Sequence[Fit]) -> None:
    courses = [Course(member, problem, named(*member._weights())) for member, problem in fits]
    lead, problem = fits[0]
    steps = steps_of(
        problem.network,
        problem.loss,
        problem.data.target,
        lead._optimizer.optimizer,
        weighted=tuple(problem.data.weights),
        is_mixed=lead.precision == MIXED,
    )
    Together(courses, steps, problem.data, say=_say(model)).run()


def _train_in_turn(model: BaseMLPEnsemble, fits: Sequence[Fit], task: Task) -> None:
    """Train members that are no copies of one program one after another.

    Of a first fit that Ctrl-C ends only those are kept that it reached.
    """
    say = _say(model)
    with Interrupt() as interrupted:
        for m, (member, problem) in enumerate(fits, start=1):
            problem.network.parameters.update(named(*member._weights()))
            is_over = train(member, problem) or interrupted()
            if say is not None:
                loss = getattr(member, "loss_", np.nan)  # none where Ctrl-C came at once
                figures = f"{member.n_iter_} iterations, loss = {loss:.8f}"
                say(f"Member {m} of {len(fits)}: {figures}")
            if (is_over or interrupted()) and m < len(fits):
                warnings.warn(f"{m} of {len(fits)} members were trained.", stacklevel=7)
                if task.is_first:
                    model.estimators_ = model.estimators_[:m]
                    model.estimators_samples_ = model.estimators_samples_[:m]
                return


def _fit_shared(model: BaseMLPEnsemble, members: list[BaseMLP], task: Task) -> None:
    lead = members[0]
    trunk = model._new_members([lead.random_state])[0] if task.is_first else model._trunk
    trunk.set_params(**model._member_params())
    take_over(trunk, lead)
    problem = _problem(model, trunk, task)
    if _has_stopped(trunk, task):
        return
    parameters: Mapping[str, Array]
    if task.is_first:
        parameters = first_parameters(trunk.coefs_, trunk.intercepts_, len(members), problem.rng)
    else:
        parameters = model.parameters_
    course = SharedCourse(trunk, problem, parameters)
    steps = shared_steps(
        trunk._form(),
        trunk.loss,
        problem.data.only_target,
        trunk._optimizer.optimizer,
        len(members),
        dtype=trunk._dtype,
        is_weighted=problem.data.sample_weight is not None,
    )
    try:
        Together([course], steps, problem.data, say=_say(model)).run()
    finally:
        model.estimators_, model._trunk, model.parameters_ = members, trunk, course.parameters
        model.estimators_samples_ = [problem.order] * len(members)
        hand_out(trunk, members, course.parameters)


def _say(model: BaseMLPEnsemble) -> Callable[[str], None] | None:
    return print if model.verbose else None
