"""How an ensemble is trained: its members together, one after another, or on shared weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.estimators.attempt import Attempt
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.course import Course
from retrograd.estimators.form import named
from retrograd.estimators.optimizers import is_stochastic
from retrograd.estimators.options import SHARED
from retrograd.estimators.problem import Problem, Task, has_stopped, problem_of, take_over, task_of
from retrograd.estimators.shared import (
    SharedCourse,
    first_parameters,
    hand_out,
    require_shareable,
    shared_steps,
)
from retrograd.estimators.starts import made_ready, take_up, train
from retrograd.estimators.together import Together
from retrograd.estimators.validation import Given
from retrograd.training.interrupt import Interrupt
from retrograd.training.step import steps_of
from retrograd.training.train import MIXED

if TYPE_CHECKING:
    from retrograd.estimators.ensemble import BaseMLPEnsemble

BOOTSTRAP = 1  # what a second stream of a member's random numbers is for
Fit = tuple[BaseMLP, Problem]


def fit(
    model: BaseMLPEnsemble,
    X: Any,
    y: Any,
    sample_weight: Any,
    given: Given | None,
    classes: Any,
    *,
    is_partial: bool,
) -> None:
    """One call of fit or partial_fit: `estimators_` are there afterwards."""
    if model.members == SHARED:
        require_shareable(model)
    is_first = not hasattr(model, "estimators_") or not (model.warm_start or is_partial)
    for member in getattr(model, "estimators_", ()):
        member._settle()
    with Attempt(model._parts()) as attempt:
        model._be_told(y, classes, is_partial=is_partial)
        members = model._fresh_members() if is_first else model._known_members()
        lead = members[0]
        task = task_of(
            model, lead, X, y, sample_weight, given, is_first=is_first, is_partial=is_partial
        )
        take_over([model, *members], lead)
        model.n_outputs_ = task.targets.n_outputs
        fit_members = _fit_shared if model.members == SHARED else _fit_independent
        try:
            fit_members(model, members, task, attempt)
        finally:
            if attempt.has_begun:
                model._take_figures()


def _fit_independent(
    model: BaseMLPEnsemble, members: list[BaseMLP], task: Task, attempt: Attempt
) -> None:
    first = _problem(model, members[0], task)
    problems = [first] + [_problem(model, one, task, (members[0], first)) for one in members[1:]]
    for name in ("_trunk", "parameters_"):  # of an earlier fit, of members that shared
        if hasattr(model, name):
            delattr(model, name)
    model.estimators_ = members
    model.estimators_samples_ = [problem.order for problem in problems]
    fits = [pair for pair in zip(members, problems, strict=True) if not has_stopped(pair[0], task)]
    if fits and _are_copies(fits):
        _train_together(model, fits, attempt)
    else:
        _train_in_turn(model, fits, task, attempt)


def _problem(
    model: BaseMLPEnsemble, member: BaseMLP, task: Task, first: Fit | None = None
) -> Problem:
    """What a member's fit is about; rows are those of the first member where they are the same."""
    is_drawn = not task.is_partial and (model.bootstrap or model.max_samples != 1.0)
    drawn = partial(_drawn, model, member) if is_drawn else None
    return problem_of(member, task, Calls(member, None, None, {}), drawn=drawn, like=first)


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


def _train_together(model: BaseMLPEnsemble, fits: Sequence[Fit], attempt: Attempt) -> None:
    courses: list[Course] = []
    for member, problem in fits:
        parameters = named(*member._weights())
        courses.append(Course(member, problem, parameters, courses[0] if courses else None))
    lead, problem = fits[0]
    steps = steps_of(
        problem.network,
        problem.loss,
        problem.data.target,
        lead._optimizer.optimizer,
        weighted=tuple(problem.data.weights),
        is_mixed=lead.precision == MIXED,
    )
    together = Together(courses, steps, problem.data, say=_say(model))
    attempt.has_begun = True
    together.run()


def _train_in_turn(
    model: BaseMLPEnsemble, fits: Sequence[Fit], task: Task, attempt: Attempt
) -> None:
    """Train members that are no copies of one program one after another.

    Of a first fit that Ctrl-C or an error ends only those are kept that it reached.
    """
    say, n_begun = _say(model), 0
    with Interrupt() as interrupted:
        try:
            for member, problem in fits:
                problem.network.parameters.update(named(*member._weights()))
                ready = made_ready(member, problem)
                attempt.has_begun, n_begun = True, n_begun + 1
                is_over = train(member, problem, ready) or interrupted()
                if say is not None:
                    loss = getattr(member, "loss_", np.nan)  # none where Ctrl-C came at once
                    figures = f"{member.n_iter_} iterations, loss = {loss:.8f}"
                    say(f"Member {n_begun} of {len(fits)}: {figures}")
                if (is_over or interrupted()) and n_begun < len(fits):
                    warnings.warn(f"{n_begun} of {len(fits)} members were trained.", stacklevel=7)
                    return
        finally:
            if task.is_first and n_begun < len(fits):
                model.estimators_ = model.estimators_[:n_begun]
                model.estimators_samples_ = model.estimators_samples_[:n_begun]


def _fit_shared(
    model: BaseMLPEnsemble, members: list[BaseMLP], task: Task, attempt: Attempt
) -> None:
    lead = members[0]
    trunk = model._new_members([lead.random_state])[0] if task.is_first else model._trunk
    trunk.set_params(**model._member_params())
    take_over([trunk], lead)
    if has_stopped(trunk, task):
        return
    problem = _problem(model, trunk, task)
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
    together = Together([course], steps, problem.data, say=_say(model))
    attempt.has_begun = True
    try:
        together.run()
    finally:
        model.estimators_, model._trunk, model.parameters_ = members, trunk, course.parameters
        model.estimators_samples_ = [problem.order] * len(members)
        hand_out(trunk, members, course.parameters)


def _say(model: BaseMLPEnsemble) -> Callable[[str], None] | None:
    return print if model.verbose else None
