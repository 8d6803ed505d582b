"""The course of one member among several: `descent`'s rules, on its copy of the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from retrograd.arrays import Array, is_finite, require_finite
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.descent import Run
from retrograd.estimators.problem import Problem
from retrograd.estimators.starts import drawn_seed, notes_of, open_session, take_up
from retrograd.nn.noise import SEED, SEEN
from retrograd.optim.base import Optimizer
from retrograd.training.copies import Copy
from retrograd.training.loop import retrace
from retrograd.training.step import COUNT, state_at


class MemberCopy(Copy):
    """The copy of a member: it may stand elsewhere once the member has stopped."""

    _stands_at: Snapshot | None = None

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """The state after the last epoch, or that which was restored."""
        return self._stands_at or super().snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Stand at this state from now on."""
        self._stands_at = snapshot

    def score(self, order: Array) -> tuple[Array, Array]:
        """Losses and outputs for the held-out rows, found for all members at once."""
        found = self.whole.scored[self.number]
        return found["loss"], found["output"]


class Course(Run):
    """The course of one member: its orders, figures, rate and best weights.

    - `problem`: what its fit is about. `parameters`: those that it begins with, by name.
    - `like`: the course of another member: a fresh optimizer is the same as its, if it is fresh.
    - `key`: the numbers of its random layers. `n_steps`: how many it has made.
    """

    session: Any  # a `MemberCopy`

    def __init__(
        self,
        model: BaseMLP,
        problem: Problem,
        parameters: Mapping[str, Array],
        like: Course | None = None,
    ) -> None:
        self.model, self.problem, self.parameters = model, problem, parameters
        if like is not None and like.model._optimizer.state:
            like = None  # it goes on from calls that were its alone, or fewer members had
        other = None if like is None else like.model
        self.goes_on = take_up(model, is_partial=problem.is_partial, like=other)
        self._like = None if self.goes_on else like  # they have the same optimizer
        self.seed = drawn_seed(model, problem)
        noise = problem.network.noise()
        self.key = {} if noise is None else {**noise.numbers(), SEED: float(self.seed)}
        self.n_steps = 0

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, with the rate of the next epoch."""
        found: Optimizer = self.session.optimizer
        return found

    def state(self) -> dict[str, Array]:
        """The state at the first step."""
        own = self.model._optimizer
        fresh = state_at(self.parameters, own.optimizer, self.parameters)
        if self.key:
            fresh[SEEN] = np.zeros(())
        return fresh | {name: value for name, value in own.state.items() if name in fresh}

    def enter(self, copy: MemberCopy, batch_size: int) -> None:
        """Stand at the first epoch of a call."""
        session: Any = copy  # it has what a course needs of a session
        notes = notes_of(self.model, session, self.problem)
        problem = self.problem
        super().__init__(self.model, session, notes, problem.rng, is_partial=problem.is_partial)
        self.begin(problem.order, batch_size)
        if self._like is not None:
            self.has_plateau = self._like.has_plateau

    def is_over(self) -> bool:
        """Let the rate follow its schedule; whether a rule says stop."""
        return self._is_over() or self.is_partial

    def diverged(self, before: Mapping[str, Array], order: Array) -> DivergenceError:
        """Run an epoch that diverged again, in a session of its own; it stands before the step."""
        session = open_session(self.model, self.problem, seed=self.seed)
        found = retrace(session, before, order, self.batch_size, self.model.n_iter_ + 1)
        self.last = session.engine.snapshot()
        return found


def first_states(courses: Sequence[Course]) -> dict[str, Array]:
    """The states of all at the first step, by name, led by the courses.

    Raises DataError unless the weights are finite.
    """
    lead, n = courses[0], len(courses)
    shapes = {name: w.shape for name, w in lead.parameters.items()}
    slots = lead.model._optimizer.optimizer.state(shapes).values()
    has_own = any(slot.copy_of is not None for slot in slots)  # of each course's parameters
    if has_own or any(course.goes_on for course in courses):
        states = [course.state() for course in courses]
        found = {name: np.stack([state[name] for state in states]) for name in states[0]}
        for course, count in zip(courses, found[COUNT], strict=True):
            course.n_steps = int(count)
    else:  # at rest but for the weights
        found = {name: np.broadcast_to(x, (n, *x.shape)) for name, x in lead.state().items()}
        found |= {
            name: np.stack([one.parameters[name] for one in courses]) for name in lead.parameters
        }
    for name in lead.parameters:
        for own in () if is_finite(found[name]) else found[name]:
            require_finite(own, f"parameter {name}")
    return found
