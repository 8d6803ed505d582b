"""Members of an ensemble trained at once: copies of one program, each with a course of its own.

Law: each member's weights and figures are those of a fit of its own, with the same seed.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from retrograd.arrays import Array, is_finite, rows_at_once
from retrograd.engines.batches import Batches
from retrograd.errors import DivergenceError, FitDivergenceError
from retrograd.estimators.course import Course, MemberCopy, first_states
from retrograd.estimators.descent import DIVERGED, INFINITE_LOSS
from retrograd.estimators.epochs import batch_size_of, batch_sizes, draw, losses_of
from retrograd.estimators.starts import is_judged_first, penalties
from retrograd.graph.step import Step
from retrograd.optim.base import Optimizer, rates
from retrograd.training.copies import Copies, Numbers, joined
from retrograd.training.interrupt import Interrupt
from retrograd.training.objective import L2
from retrograd.training.rows import Rows


class Together:
    """Training of members over one data set, epoch by epoch until each has stopped by its rules.

    - `courses`: of the members; their orders are equally long.
    - `steps`: "train" and "score", as `training_steps` makes them, of one member.
    - `say`: takes a line for each epoch, where that is wanted.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        steps: Mapping[str, Step],
        data: Rows,
        *,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.courses, self._data, self._say = courses, data, say
        self._alpha = float(courses[0].model.alpha)
        self._n_rows = len(courses[0].problem.order)
        self._size = batch_size_of(courses[0].model, self._n_rows)
        self._sizes = batch_sizes(self._n_rows, self._size)
        self._active = list(range(len(courses)))
        self._rates: tuple[list[Optimizer], int, Numbers] = [], 0, {}
        engine, states = courses[0].model._place().find(), first_states(courses)
        self._copies = Copies(engine, steps, states, data.named(), courses[0].parameters)
        if any(is_judged_first(course.model, course.problem) for course in courses):
            self._score()
        for m, course in enumerate(courses):
            course.enter(MemberCopy(self._copies, m, course.model._optimizer.optimizer), self._size)

    def run(self) -> bool:
        """Run epochs until every member has stopped; whether Ctrl-C ended it.

        The members get their attributes. Raises FitDivergenceError when the weights of a member
        leave the finite numbers; all keep the last finite ones. With held-out rows that member
        stops with a warning.
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
            warnings.warn("Training interrupted by user.", stacklevel=7)
            return True
        for m, course in enumerate(self.courses):
            if not course.is_partial:
                course.notes.require_judged()
            if course.notes.held is None and not is_finite(course.J):
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
        return False

    def _epochs(self, interrupted: Callable[[], bool]) -> None:
        """Run epochs; members that have stopped are no longer active."""
        lead = self.courses[0].model
        while self._active and self.courses[self._active[0]].model.n_iter_ < lead.max_iter:
            courses = [self.courses[m] for m in self._active]
            n_epochs = min(1 if self._say else course.n_certain() for course in courses)
            orders = np.empty((len(courses), n_epochs, self._n_rows), np.int64)
            draw(courses, orders)
            if self._run(orders, interrupted):
                return

    def _run(self, orders: Array, interrupted: Callable[[], bool]) -> bool:
        """Run the epochs of these orders (active members, n_epochs, rows); whether all is over."""
        active, (n_active, n_epochs, _) = self._active, orders.shape
        in_row = orders.reshape(n_active, -1)
        J = self._copies.run(
            "train",
            in_row,
            self._numbers(in_row, n_epochs * len(self._sizes)),
            batch_size=self._size,
            pass_rows=None if n_epochs == 1 else self._n_rows,
            stop=interrupted,
            only=active,
        )["J"]
        self._copies.mark()
        broken = self._copies.not_finite(self._copies.names, active)
        is_whole = J.shape[1] == n_epochs * len(self._sizes)
        if n_epochs > 1 and (broken or not is_whole):  # somewhere among them
            self._copies.go_back()
            return any(self._run(orders[:, [e]], interrupted) for e in range(n_epochs))
        for m in broken:
            if self.courses[m].notes.held is None:
                raise self._divergence(m, orders[active.index(m), 0])
        if not is_whole:
            return True
        self._score()
        found = losses_of(J.ravel(), self._sizes)
        self._tell(found)
        losses = [found[i : i + n_epochs] for i in range(0, len(found), n_epochs)]
        for m, own, of_member in zip(active, J[:, -len(self._sizes) :], losses, strict=True):
            self.courses[m].n_steps += J.shape[1]
            self.courses[m].end(own, of_member, has_diverged=m in broken)
        over = [m for m in active if m not in broken and self.courses[m].is_over()]
        self._stand(over)
        for m in broken:  # its best weights are kept; the others go on
            self.courses[m].last = self._copies.state_before(m)
            _warn(f"{DIVERGED} Member {m} stops; its best ones are kept.")
        self._active = [m for m in active if m not in over and m not in broken]
        return interrupted() or not self._active

    def _numbers(self, orders: Array, n_batches: int) -> Numbers:
        """The scalars of the next batches: a number where all active members have the same."""
        courses = [self.courses[m] for m in self._active]
        optimizers = [course.optimizer for course in courses]
        known, of_length, found = self._rates
        is_as_before = len(known) == len(optimizers) and all(map(operator.is_, optimizers, known))
        if not is_as_before or of_length != n_batches:
            distinct = {id(one): one for one in optimizers}  # fresh ones are one and the same
            own = {one: optimizer.numbers() for one, optimizer in distinct.items()}
            is_moving = any(callable(rate) for numbers in own.values() for rate in numbers.values())
            each: list[Numbers] = []
            for course in courses:
                numbers = own[id(course.optimizer)].items()
                now = {k: rates(rate, course.n_steps, n_batches) for k, rate in numbers}
                each.append({**now, **course.key})
            found = joined(each, n_batches)
            self._rates = ([] if is_moving else optimizers), n_batches, found
        weights = np.tile(self._sizes, n_batches // len(self._sizes))
        if self._data.sample_weight is not None:
            starts = Batches(self._n_rows, self._size).starts(orders.shape[1])
            own_weights = self._data.sample_weight[orders]
            weights = np.stack([np.add.reduceat(one, starts) for one in own_weights])
        return {**found, L2: penalties(self._alpha, weights)}

    def _score(self) -> None:
        """Losses and outputs for the held-out rows of members under way."""
        held = [self.courses[m].problem.held for m in self._active]
        orders = [one.order for one in held if one is not None]
        if orders:
            size = rows_at_once(self._data.X)
            self._copies.score(np.stack(orders), {}, self._active, size)

    def _tell(self, losses: list[float]) -> None:
        if self._say is not None:
            n, epoch = len(self.courses), self.courses[self._active[0]].model.n_iter_ + 1
            figures = f"Iteration {epoch}, mean loss = {np.mean(losses):.8f}"
            self._say(f"{figures}, {len(self._active)} of {n} members")

    def _stand(self, numbers: Sequence[int]) -> None:
        """Let members stand where they are."""
        for m in numbers:
            self.courses[m].last = self._copies.state_of(m)

    def _divergence(self, m: int, order: Array) -> FitDivergenceError:
        """The error for a member that diverged; all members stand at finite weights."""
        self._copies.go_back()
        self._stand(self._active)
        self._active = [i for i in self._active if i != m]
        found: DivergenceError = self.courses[m].diverged(self._copies.state_of(m), order)
        who = f"Member {m}: " if len(self.courses) > 1 else ""
        return FitDivergenceError(
            f"{DIVERGED} {who}{found}",
            epoch=found.epoch,
            step=found.step,
            origin=found.origin,
        )


def _warn(message: str) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(message, ConvergenceWarning, stacklevel=8)
