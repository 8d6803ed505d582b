"""scikit-learn's epochs, on a training session: its orders, its rates, its rules for stopping."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from retrograd.arrays import Array, is_finite
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError, FitDivergenceError
from retrograd.estimators.epochs import batch_size_of, batch_sizes, draw, losses_of
from retrograd.estimators.form import listed
from retrograd.estimators.notes import Notes
from retrograd.optim.plateau import follow_plateau, has_plateau
from retrograd.training.figures import Epoch
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import retrace
from retrograd.training.session import TrainingSession
from retrograd.training.step import COUNT

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

AT_ONCE = 2**27  # rows times weights of the epochs in one call: some 10 ms
SMALLEST_RATE = 1e-6  # the adaptive rate is not divided below it
DIVERGED = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
INFINITE_LOSS = (
    "Solver produced a loss that is not finite. The input data or the targets may contain large "
    "values and need to be preprocessed."
)


def descend(
    model: BaseMLP,
    session: TrainingSession,
    notes: Notes,
    *,
    order: Array,
    rng: np.random.RandomState,
    is_partial: bool,
) -> Run:
    """Run epochs over the rows `order` until a rule says stop, and give the model its attributes.

    Raises FitDivergenceError when the weights leave the finite numbers; the model keeps the last
    finite ones. With held-out rows it stops there with a warning, and keeps the best.
    """
    run = Run(model, session, notes, rng, is_partial=is_partial)
    run.begin(order, batch_size_of(model, len(order)))
    with Interrupt() as interrupted:
        is_broken_off = False
        try:
            run.epochs(interrupted)
        except KeyboardInterrupt:  # a second one, or from another program's handler
            is_broken_off = True
        finally:
            run.hand_over()
    run.is_interrupted = is_broken_off or interrupted()
    if run.is_interrupted:
        warnings.warn("Training interrupted by user.", stacklevel=8)
    run.require_finite_loss()
    return run


class Run:
    """The loop over epochs of fit or partial_fit, and what it hands to the model."""

    def __init__(
        self,
        model: BaseMLP,
        session: TrainingSession,
        notes: Notes,
        rng: np.random.RandomState,
        *,
        is_partial: bool,
    ) -> None:
        self.model, self.session, self.notes = model, session, notes
        self.rng, self.is_partial = rng, is_partial
        self.last: Snapshot = session.engine.snapshot()
        self.J: Array = np.zeros(0)  # of each batch of the last epoch,
        self._loss = 0.0  # and their mean
        self.is_interrupted = False
        self._sized = 0, 0  # rows, and rows of a batch

    @cached_property
    def has_plateau(self) -> bool:
        """Whether a rate falls on a plateau: it is shown the loss."""
        return has_plateau(self.model._optimizer.optimizer)

    @cached_property
    def follows_steps(self) -> bool:
        """Whether a rate follows the steps."""
        return self.model._optimizer.follows_steps

    def begin(self, order: Array, batch_size: int) -> None:
        """Stand before the first epoch of a call, over these rows in batches of this size."""
        if self._sized != (len(order), batch_size):
            self._sized, self.sizes = (len(order), batch_size), batch_sizes(len(order), batch_size)
        self.order, self.batch_size = order, batch_size
        self.notes.rows_of_epoch = len(order)
        self.model.n_iter_ = 0

    def mark(self) -> None:
        """Take the session's state as the last one: weights may have been assigned."""
        self.last = self.session.engine.snapshot(into=self.last)

    def epochs(self, interrupted: Callable[[], bool]) -> None:
        """Run epochs until a rule says stop."""
        model = self.model
        while model.n_iter_ < model.max_iter:
            orders = np.empty((self.n_certain(), len(self.order)), np.int64)
            if self.run(self.draw(orders), interrupted):
                return
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=9,
        )

    def n_certain(self) -> int:
        """How many epochs may run at once: no rule ends one but the last, nothing looks between."""
        model, n_rows = self.model, len(self.order)
        looks = self.notes.held is not None or self.notes.calls_back or model.verbose
        moves = self.has_plateau or model._optimizer.schedule == "invscaling"
        if self.is_partial or looks or moves:
            return 1
        n_weights = sum(coef.size for coef in model.coefs_)
        n_left = model.max_iter - model.n_iter_
        n_until_stale = model.n_iter_no_change - model._no_improvement_count + 1
        return max(1, int(min(n_left, n_until_stale, AT_ONCE // (n_rows * n_weights))))

    def draw(self, into: Array) -> Array:
        """Draw the orders of the next epochs: (n_epochs, rows)."""
        draw([self], into[None])
        return into

    def next_order(self) -> Array:
        """The rows of the next epoch, in its order."""
        return np.asarray(self.draw(np.empty((1, len(self.order)), np.int64))[0])

    def run(self, orders: Array, interrupted: Callable[[], bool]) -> bool:
        """Run and note the epochs of these orders (n_epochs, rows); whether all is over."""
        if len(orders) == 1:
            (self.order,) = orders
            return self.epoch(interrupted)
        session = self.session
        found = session.epochs(orders, self.batch_size, interrupted)
        is_whole = len(found.J) == len(orders) * len(self.sizes)
        if not is_whole or session.engine.not_finite(session.names) is not None:
            session.engine.restore(self.last)  # it happened somewhere among them
            return any(self._epoch_in(order, interrupted) for order in orders)
        self.mark()
        self._note(found)
        return self._is_over() or interrupted()

    def epoch(self, interrupted: Callable[[], bool]) -> bool:
        """Run an epoch in the order at hand, and note it; whether it was the last."""
        session, notes = self.session, self.notes
        found = session.epoch(self.order, self.batch_size, interrupted, is_observed=False)
        has_diverged = session.engine.not_finite(session.names) is not None
        if not has_diverged:
            self.mark()
        elif notes.held is None:
            raise self._divergence()
        if len(found.J) < len(self.sizes):
            return True
        self._note(found, has_diverged=has_diverged)
        if has_diverged:
            warnings.warn(f"{DIVERGED} The best ones are kept.", ConvergenceWarning, 11)
            return True
        if self.is_partial and self.follows_steps:  # whose state is not handed over each time
            n_steps = int(session.engine.read(COUNT))
            self.model._optimizer = self.model._optimizer.after_steps(n_steps)
        is_asked = False
        if notes.calls_back:
            is_asked = notes.asks_to_stop()
            self.mark()
        return self._is_over() or self.is_partial or is_asked or interrupted()

    def _epoch_in(self, order: Array, interrupted: Callable[[], bool]) -> bool:
        self.order = order
        return self.epoch(interrupted)

    def _note(self, found: Epoch, *, has_diverged: bool = False) -> None:
        """Note the epochs with these figures, all whole."""
        J, sizes = found.J, self.sizes
        if found.J_of:
            self.notes.heads({head: losses_of(own, sizes) for head, own in found.J_of.items()})
        self.end(J[-len(sizes) :], losses_of(J, sizes), has_diverged=has_diverged)

    def end(self, J: Array, losses: list[float], *, has_diverged: bool) -> None:
        """Note epochs, from their losses and J of each batch of the last."""
        self.J, self._loss = J, losses[-1]
        self.notes.epochs(losses, has_diverged=has_diverged)

    def _is_over(self) -> bool:
        """Let the rate follow its schedule; whether there is no more to gain."""
        model, schedule = self.model, self.model._optimizer.schedule
        if schedule == "invscaling":
            model._optimizer = model._optimizer.after_epoch(model.t_)
        if self.has_plateau:
            seen = model.loss_curve_ if self.notes.held is None else model.validation_loss_curve_
            model._optimizer = replace(
                model._optimizer, optimizer=follow_plateau(model._optimizer.optimizer, seen[-1])
            )
        if not self.notes.is_stale:
            self._follow_rate()
            return False
        is_adaptive = schedule == "adaptive"
        if not is_adaptive or model._optimizer.learning_rate <= SMALLEST_RATE:
            self._say("Learning rate too small. Stopping." if is_adaptive else "Stopping.")
            return True
        model._optimizer = model._optimizer.at(model._optimizer.learning_rate / 5.0)
        self._say(f"Setting learning rate to {model._optimizer.learning_rate:f}")
        model._no_improvement_count = 0
        self._follow_rate()
        return False

    def _follow_rate(self) -> None:
        self.session.optimizer = self.model._optimizer.optimizer

    def _say(self, consequence: str) -> None:
        """Tell whoever asked for it that there was no improvement, and what follows."""
        model, held = self.model, self.notes.held
        if model.verbose:
            what = "Validation score" if held is not None and held.stops else "Training loss"
            print(
                f"{what} did not improve more than tol={model.tol:f} for "
                f"{model.n_iter_no_change} consecutive epochs. {consequence}"
            )

    def require_finite_loss(self) -> None:
        """Raise FitDivergenceError if J left the finite numbers in the last epoch."""
        model = self.model
        if self.notes.held is not None or math.isfinite(self._loss) or is_finite(self.J):
            return
        # After a warm start from another loss it may be that of means below 0: NaN in scikit-learn.
        if model.out_activation_ == model._output_activation():
            step = int(np.argmin(np.isfinite(self.J))) + 1
            epoch = self.model.n_iter_
            raise FitDivergenceError(
                f"{INFINITE_LOSS} It is {self.J[step - 1]} at epoch {epoch}, step {step}.",
                epoch=epoch,
                step=step,
            )

    def _divergence(self) -> FitDivergenceError:
        found: DivergenceError = retrace(
            self.session, self.last, self.order, self.batch_size, self.model.n_iter_ + 1
        )
        self.mark()
        return FitDivergenceError(
            f"{DIVERGED} {found}", epoch=found.epoch, step=found.step, origin=found.origin
        )

    def hand_over(self) -> None:
        """Give the model its weights, the best ones where rows were held out."""
        self.session.engine.restore(self.last)
        model, best = self.model, self.notes.best
        if self.is_partial:  # the newest, until it is over
            model._best_weights, held = best, self.notes.held
            is_stopped = held is not None and held.stops and self.notes.is_stale
            if held is not None:
                model.is_stopped_ = is_stopped
            best = best if is_stopped else None
        self.keep(self.session.parameters() if best is None else best)
        self.keep_state()

    def keep(self, parameters: Mapping[str, Array]) -> None:
        """Give the model its weights."""
        self.model.coefs_, self.model.intercepts_ = listed(parameters)

    def keep_state(self) -> None:
        """Give the model the optimizer's state."""
        # Where others are predicted with than are trained, the trained ones are state too.
        own = () if self.session.reads_others else self.session.names
        rest: Snapshot = {name: self.last[name] for name in self.last if name not in own}
        self.model._optimizer = replace(self.model._optimizer, state=rest)
