"""Members of an ensemble trained at once: copies of one program, each with a course of its own.

Law: each member's weights and figures are those of a fit of its own, with the same seed.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from retrograd.arrays import Array, require_finite
from retrograd.engines.base import Session, Snapshot
from retrograd.errors import FitDivergenceError
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.descent import DIVERGED, INFINITE_LOSS, Run, batch_size_of, batch_sizes
from retrograd.estimators.form import listed
from retrograd.estimators.notes import Notes
from retrograd.estimators.optimizers import start
from retrograd.estimators.starts import begin_history
from retrograd.estimators.validation import Held
from retrograd.graph.step import Step
from retrograd.optim.base import Optimizer
from retrograd.training.interrupt import Interrupt
from retrograd.training.origin import Origin
from retrograd.training.rows import Rows
from retrograd.training.step import state_at


class Course(Run):
    """The course of one member: its order, figures, rate and best weights, by `descent`'s rules."""

    session: Any  # a `_Copy`

    def __init__(
        self,
        model: BaseMLP,
        parameters: Mapping[str, Array],
        order: Array,
        held: Held | None,
        rng: np.random.RandomState,
    ) -> None:
        self.model, self.parameters, self.order = model, parameters, order
        self.held, self.rng = held, rng

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, with the rate of the next epoch."""
        found: Optimizer = self.session.optimizer
        return found

    def prepare(self, *, is_partial: bool) -> None:
        """Take up the optimizer of the last partial_fit, or begin with a fresh one."""
        if not (is_partial and hasattr(self.model, "_optimizer")):
            self.model._optimizer = start(self.model)

    def enter(self, copy: _Copy, batch_size: int, *, is_partial: bool) -> None:
        """Stand at the first epoch of a call."""
        session: Any = copy  # it has what a course needs of a session
        model, held = self.model, self.held
        begin_history(model, held)
        is_new = held is not None and model.best_validation_score_ == -np.inf
        best = session.parameters() if is_new else None  # as in a fit of its own
        notes = Notes(model, session, held, best=best)
        super().__init__(model, session, notes, self.rng, is_partial=is_partial)
        self.begin(self.order, batch_size)

    def end_epoch(self, J: Array, loss: float, *, is_broken: bool) -> bool:
        """Note an epoch, from J of its batches and their mean; whether it was the last."""
        self.J = J
        self.notes.epoch(loss)
        return is_broken or self._is_over() or self.is_partial

    def hand_over(self) -> None:
        """Give the model its weights, the best ones where rows were held out, and the optimizer."""
        names = self.session.names
        found = {name: self.last[name] for name in names}
        self.keep(found if self.notes.best is None else self.notes.best)
        rest = {name: value for name, value in self.last.items() if name not in names}
        self.model._optimizer = replace(self.model._optimizer, state=rest)

    def keep(self, parameters: Mapping[str, Array]) -> None:
        """Give the model its weights."""
        self.model.coefs_, self.model.intercepts_ = listed(parameters)


FindOrigin = Callable[[int, Mapping[str, Array], Array, int, int], Origin | None]
"""`find(member, state, rows, epoch, step)`: the origin of its first NaN or infinity."""


class _Copy:
    """One copy of a session, as its member's course sees it: its state, and scores."""

    def __init__(self, whole: Together, number: int, optimizer: Optimizer) -> None:
        self._whole, self._number = whole, number
        self.optimizer, self.names = optimizer, whole.names
        self.engine = self

    def snapshot(self) -> Snapshot:
        """The state after the last epoch."""
        return self._whole.state_of(self._number)

    def parameters(self) -> dict[str, Array]:
        """The parameters after the last epoch."""
        state = self._whole.state_of(self._number)
        return {name: state[name] for name in self.names}

    def score(self, order: Array) -> tuple[Array, Array]:
        """Losses and outputs for the held-out rows, found for all members at once."""
        return self._whole.scores[self._number]


class Together:
    """Training of members over one data set, epoch by epoch until each has stopped by its rules.

    - `courses`: of the members, prepared; their orders are equally long.
    - `steps`: "train" and "score", as `training_steps` makes them, of one member.
    - `say`: takes a line for each epoch, where that is wanted.
    - `find_origin`: where a member's step over rows, from a state, leaves the finite numbers.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        steps: Mapping[str, Step],
        data: Rows,
        *,
        is_partial: bool,
        say: Callable[[str], None] | None = None,
        find_origin: FindOrigin | None = None,
    ) -> None:
        self.courses, self._data, self._say = courses, data, say
        self._find_origin = find_origin
        self.names = tuple(courses[0].parameters)
        self._alpha = float(courses[0].model.alpha)
        self._n_rows = len(courses[0].order)
        self._size = batch_size_of(courses[0].model, self._n_rows)
        self._starts = np.arange(0, self._n_rows, self._size)
        self._sizes = batch_sizes(self._n_rows, self._size)
        self._active = list(range(len(courses)))
        self._rates: tuple[list[Optimizer], dict[str, float | Array]] = [], {}
        self.scores: dict[int, tuple[Array, Array]] = {}
        states = [_state(course) for course in courses]
        stacked = {name: np.stack([state[name] for state in states]) for name in states[0]}
        engine = courses[0].model._place().find()
        self._session: Session = engine.open(steps, stacked, data.named(), copies=len(states))
        # After the last epoch and after the one before it; the names of the last, taken apart.
        self._now, self._before = self._session.snapshot(), self._session.snapshot()
        self._apart: dict[str, Array] = {}
        for m, course in enumerate(courses):
            copy = _Copy(self, m, course.model._optimizer.optimizer)
            course.enter(copy, self._size, is_partial=is_partial)

    def run(self) -> None:
        """Run epochs until every member has stopped, and give the members their attributes.

        Raises FitDivergenceError when the weights of a member leave the finite numbers; all keep
        the last finite ones. With held-out rows that member stops with a warning.
        """
        with Interrupt() as interrupted:
            is_broken_off = False
            try:
                self._epochs(interrupted)
            except KeyboardInterrupt:  # a second one, or from another program's handler
                is_broken_off = True
            finally:
                self._stand(self._active)
                for course in self.courses:
                    course.hand_over()
        if is_broken_off or interrupted():
            warnings.warn("Training interrupted by user.", stacklevel=5)
            return
        for m, course in enumerate(self.courses):
            if course.held is None and not np.isfinite(course.J).all():
                raise FitDivergenceError(
                    f"{INFINITE_LOSS} It is so for member {m} at epoch {course.model.n_iter_}.",
                    epoch=course.model.n_iter_,
                    step=int(np.argmin(np.isfinite(course.J))) + 1,
                )
        if self._active:
            lead, n = self.courses[0].model, len(self.courses)
            _warn(
                f"Stochastic Optimizer: Maximum iterations ({lead.max_iter}) reached and the "
                f"optimization hasn't converged yet in {len(self._active)} of {n} members."
            )

    def _epochs(self, interrupted: Callable[[], bool]) -> None:
        """Run epochs; members that have stopped are no longer active."""
        for epoch in range(1, self.courses[0].model.max_iter + 1):
            active = self._active
            orders = np.stack([self.courses[m].next_order() for m in active])
            numbers = self._numbers(active, orders)
            J = self._session.run(
                "train", orders, numbers, batch_size=self._size, stop=interrupted, only=active
            )["J"]
            self._before, self._now = self._now, self._session.snapshot(into=self._before)
            self._apart = {}
            broken = self._not_finite(active)
            for m in broken:
                if self.courses[m].held is None:
                    raise self._divergence(m, orders[active.index(m)], epoch)
            if J.shape[1] < len(self._sizes):
                return
            self._score(active)
            losses = np.multiply(J, self._sizes, dtype=np.float64).sum(axis=1) / self._sizes.sum()
            if self._say is not None:
                figures = f"Iteration {epoch}, mean loss = {losses.mean():.8f}"
                self._say(f"{figures}, {len(active)} of {len(self.courses)} members")
            over = [
                m
                for m, own, loss in zip(active, J, losses.tolist(), strict=True)
                if self.courses[m].end_epoch(own, loss, is_broken=m in broken)
            ]
            self._stand([m for m in over if m not in broken])
            self._active = [m for m in active if m not in over]
            for m in broken:  # its best weights are kept; the others go on
                self.courses[m].last = {
                    name: np.array(self._before[name][m]) for name in self._before
                }
                _warn(f"{DIVERGED} Member {m} stops; its best ones are kept.")
            if interrupted() or not self._active:
                return

    def _numbers(self, active: Sequence[int], orders: Array) -> dict[str, float | Array]:
        """The scalars of an epoch: a number where all members have the same."""
        optimizers = [self.courses[m].optimizer for m in active]
        is_as_before = len(optimizers) == len(self._rates[0]) and all(
            map(operator.is_, optimizers, self._rates[0])
        )
        if not is_as_before:
            self._rates = optimizers, _rates(optimizers, len(self._sizes))
        # The penalty alpha/2 ||W||**2 is divided by the batch's weight, as the loss is.
        weights = self._sizes
        if self._data.sample_weight is not None:
            own = self._data.sample_weight[orders]
            weights = np.stack([np.add.reduceat(one, self._starts) for one in own])
        none = np.zeros(weights.shape)
        l2 = np.divide(self._alpha, weights, where=weights > 0, out=none)
        return {**self._rates[1], "l2": l2}

    def _score(self, active: Sequence[int]) -> None:
        """Losses and outputs for the held-out rows of members under way."""
        held = [one for one in (self.courses[m].held for m in active) if one is not None]
        if held:
            orders = np.stack([one.order for one in held])
            found = self._session.run("score", orders, {}, batch_size=4096, only=active)
            both = zip(found["loss"], found["output"], strict=True)
            self.scores = dict(zip(active, both, strict=True))

    def state_of(self, m: int) -> dict[str, Array]:
        """A copy of a member's state after the last epoch."""
        if not self._apart:
            self._apart = {name: self._now[name] for name in self._now}
        return {name: np.array(value[m]) for name, value in self._apart.items()}

    def _stand(self, numbers: Sequence[int]) -> None:
        """Let members stand where they are."""
        for m in numbers:
            self.courses[m].last = self.state_of(m)

    def _not_finite(self, active: Sequence[int]) -> list[int]:
        if self._session.not_finite() is None:
            return []
        values = [self._now[name] for name in self.names]
        return [m for m in active if not all(np.isfinite(value[m]).all() for value in values)]

    def _divergence(self, m: int, order: Array, epoch: int) -> FitDivergenceError:
        """Run a diverged epoch again, step by step; all members stand at finite weights."""
        self._session.restore(self._before)
        self._now, self._apart = self._before, {}
        self._active = [i for i in self._active if i != m]
        self._stand([*self._active, m])
        numbers, n_steps = self._numbers([m], order[None]), len(self._sizes)
        for step, first in enumerate(self._starts):
            here = {
                name: np.broadcast_to(value, (1, n_steps))[:, step : step + 1].copy()
                for name, value in numbers.items()
            }
            batch = order[None, first : first + self._size]
            J = self._session.run("train", batch, here, only=[m])["J"]
            self._now, self._apart = self._session.snapshot(), {}
            if not np.isfinite(J).all() or self._not_finite([m]):
                break
            self.courses[m].last = self.state_of(m)
        at = (epoch, step + 1)
        last, find = self.courses[m].last, self._find_origin
        origin = None if find is None else find(m, last, batch[0], *at)
        return FitDivergenceError(
            f"{DIVERGED} Member {m} diverged at epoch {epoch}, step {step + 1} of {n_steps}"
            f"{'' if origin is None else f': {origin}'}; "
            "the members keep their last finite weights. Try a smaller learning_rate_init, or "
            "scale the inputs and targets",
            epoch=epoch,
            step=step + 1,
            origin=origin,
        )


def _rates(optimizers: Sequence[Optimizer], n_batches: int) -> dict[str, float | Array]:
    """The optimizers' numbers: a number where they have the same, else one for each and batch."""
    numbers: dict[str, Any] = dict(optimizers[0].numbers())
    several = [one.numbers() for one in optimizers if one != optimizers[0]]
    for name, value in numbers.items():
        if any(one[name] != value for one in several):
            rates = np.array([[one.numbers()[name]] for one in optimizers], np.float64)
            numbers[name] = np.repeat(rates, n_batches, axis=1)
    return numbers


def _state(course: Course) -> dict[str, Array]:
    """A member's state at the first step of a call; DataError unless its weights are finite."""
    model = course.model
    for name, value in course.parameters.items():
        require_finite(value, f"parameter {name}")
    fresh = state_at(course.parameters, model._optimizer.optimizer, course.parameters)
    return {**fresh, **model._optimizer.state}


def _warn(message: str) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(message, ConvergenceWarning, stacklevel=6)
