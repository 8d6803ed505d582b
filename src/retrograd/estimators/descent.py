"""scikit-learn's epochs, on a training session: its orders, its rates, its rules for stopping."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.base import Snapshot
from retrograd.errors import DivergenceError, FitDivergenceError, OptionError
from retrograd.estimators.form import listed
from retrograd.nn.losses import Loss
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.scikit_learn import ScikitLearnAdam, ScikitLearnSGD
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import retrace
from retrograd.training.session import Rows, TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

LARGEST_AUTO_BATCH = 200
SMALLEST_RATE = 1e-6  # the adaptive rate is not divided below it
DIVERGED = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)

INFINITE_LOSS = (
    "Solver produced a loss that is not finite. The input data or the targets may contain large "
    "values and need to be preprocessed."
)


@dataclass(frozen=True)
class OptimizerState:
    """What goes on from one partial_fit to the next: the optimizer, its state, its schedule.

    As in scikit-learn, its numbers stay those of the first call.
    """

    optimizer: Optimizer
    schedule: str = "constant"
    power_t: float = 0.5
    first_rate: float = 0.0
    state: Mapping[str, Array] = field(default_factory=dict)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next epoch."""
        rate = self.optimizer.learning_rate  # type: ignore[attr-defined]  # both optimizers have it
        return float(rate)

    def at(self, rate: float) -> OptimizerState:
        """The same at another rate."""
        return replace(self, optimizer=replace(self.optimizer, learning_rate=rate))  # type: ignore[call-arg]

    def after_epoch(self, rows_seen: int) -> OptimizerState:
        """The rate of `invscaling` falls with the rows seen; the others stay."""
        if self.schedule != "invscaling":
            return self
        with np.errstate(over="ignore"):  # an infinite power leaves next to no rate
            rate = self.first_rate / np.float_power(rows_seen + 1, self.power_t)
        return self.at(max(float(rate), float(np.finfo(np.float64).tiny)))


def start(model: BaseMLP) -> OptimizerState:
    """The optimizer that an estimator's parameters describe, at rest."""
    first = float(model.learning_rate_init)
    if model.solver == "adam":
        # Where a gradient is 0 its square is too: the engine flushes what is smaller to 0.
        epsilon = max(float(model.epsilon), float(np.finfo(model._dtype).tiny))
        adam = ScikitLearnAdam(first, model.beta_1, model.beta_2, epsilon)
        return OptimizerState(adam, first_rate=first)
    sgd = ScikitLearnSGD(first, model.momentum, model.nesterovs_momentum)
    return OptimizerState(sgd, model.learning_rate, model.power_t, first)


@dataclass(frozen=True, eq=False)
class Held:
    """Rows held out for early stopping: their numbers, and the score of the outputs for them."""

    order: Array
    score: Callable[[Array], float]


def descend(
    model: BaseMLP,
    network: Network,
    data: Rows,
    *,
    loss: Loss,
    order: Array,
    held: Held | None,
    rng: np.random.RandomState,
    is_partial: bool,
) -> None:
    """Run epochs over the rows `order` until a rule says stop, and give the model its attributes.

    Raises FitDivergenceError when the weights leave the finite numbers; the model keeps the last
    finite ones. With held-out rows it stops there with a warning, and keeps the best.
    """
    if not (is_partial and hasattr(model, "_optimizer")):
        model._optimizer = start(model)
    alpha = float(model.alpha)
    session = TrainingSession(
        network,
        data,
        loss=loss,
        optimizer=model._optimizer.optimizer,
        # The penalty alpha/2 ||W||**2 is divided by the batch's weight, as the loss is.
        l2=lambda weights: np.divide(alpha, weights, where=weights > 0, out=np.zeros(len(weights))),
    )
    session.engine.restore(model._optimizer.state)
    run = _Run(model, session, held, order, _batch_size(model, len(order)), is_partial=is_partial)
    with Interrupt() as interrupted:
        is_broken_off = False
        try:
            run.epochs(rng, interrupted)
        except KeyboardInterrupt:  # a second one, or from another program's handler
            is_broken_off = True
        finally:
            run.hand_over()
    if is_broken_off or interrupted():
        warnings.warn("Training interrupted by user.", stacklevel=4)
    if held is None and not np.isfinite(run.J).all():
        step = int(np.argmin(np.isfinite(run.J))) + 1
        raise FitDivergenceError(
            f"{INFINITE_LOSS} It is {run.J[step - 1]} at epoch {model.n_iter_}, step {step}.",
            epoch=model.n_iter_,
            step=step,
        )


class _Run:
    """One call of fit or partial_fit: the loop over epochs, and what it hands to the model."""

    def __init__(
        self,
        model: BaseMLP,
        session: TrainingSession,
        held: Held | None,
        order: Array,
        batch_size: int,
        *,
        is_partial: bool,
    ) -> None:
        self.model, self.session, self.held = model, session, held
        self.order, self.batch_size, self.is_partial = order, batch_size, is_partial
        self.last = self.best = session.engine.snapshot()
        self.J: Array = np.zeros(0)  # of each batch of the last epoch

    def epochs(self, rng: np.random.RandomState, interrupted: Callable[[], bool]) -> None:
        """Run epochs until a rule says stop."""
        from sklearn.exceptions import ConvergenceWarning

        model = self.model
        model.n_iter_ = 0
        sizes = np.diff([*range(0, len(self.order), self.batch_size), len(self.order)])
        while model.n_iter_ < model.max_iter:
            if model.shuffle:
                places = np.arange(len(self.order))
                rng.shuffle(places)  # as sklearn.utils.shuffle does, without its checks
                self.order = self.order[places]
            epoch = self.session.epoch(self.order, self.batch_size, interrupted, is_observed=False)
            now = self.session.engine.snapshot()
            is_finite = self.session.engine.not_finite() is None or all(
                np.isfinite(now[name]).all() for name in self.session.names
            )
            if not is_finite and self.held is None:
                raise self._divergence()
            if epoch.n_rows < len(self.order):
                self.last = now
                return
            self.J = epoch.J
            self._note(float(np.average(epoch.J, weights=sizes)))
            if not is_finite:
                warnings.warn(f"{DIVERGED} The best ones are kept.", ConvergenceWarning, 5)
                return
            self.last = now
            if self._is_over() or self.is_partial or interrupted():
                return
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=5,
        )

    def _note(self, loss: float) -> None:
        """Take down the figures of an epoch, and whether it was better than those before."""
        model = self.model
        model.n_iter_ += 1
        model.t_ += len(self.order)
        model.loss_ = loss
        model.loss_curve_.append(loss)
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {loss:.8f}")
        if self.held is None:
            is_better = not loss > model.best_loss_ - model.tol
            model.best_loss_ = min(model.best_loss_, loss)
        else:
            score = self.held.score(self.session.score(self.held.order)[1])
            model.validation_scores_.append(score)
            if model.verbose:
                print(f"Validation score: {score:f}")
            is_better = not score < model.best_validation_score_ + model.tol
            if score > model.best_validation_score_:
                model.best_validation_score_ = score
                self.best = self.session.engine.snapshot()
        model._no_improvement_count = 0 if is_better else model._no_improvement_count + 1

    def _is_over(self) -> bool:
        """Let the rate follow its schedule; whether there is no more to gain."""
        model = self.model
        model._optimizer = model._optimizer.after_epoch(model.t_)
        if model._no_improvement_count <= model.n_iter_no_change:
            self._follow_rate()
            return False
        what = "Validation score" if self.held else "Training loss"
        message = (
            f"{what} did not improve more than tol={model.tol:f} for "
            f"{model.n_iter_no_change} consecutive epochs."
        )
        is_adaptive = model._optimizer.schedule == "adaptive"
        if not is_adaptive or model._optimizer.learning_rate <= SMALLEST_RATE:
            self._say(f"{message}{' Learning rate too small.' if is_adaptive else ''} Stopping.")
            return True
        model._optimizer = model._optimizer.at(model._optimizer.learning_rate / 5.0)
        self._say(f"{message} Setting learning rate to {model._optimizer.learning_rate:f}")
        model._no_improvement_count = 0
        self._follow_rate()
        return False

    def _follow_rate(self) -> None:
        self.session.optimizer = self.model._optimizer.optimizer

    def _say(self, line: str) -> None:
        if self.model.verbose:
            print(line)

    def _divergence(self) -> FitDivergenceError:
        found: DivergenceError = retrace(
            self.session, self.last, self.order, self.batch_size, self.model.n_iter_ + 1
        )
        self.last = self.session.engine.snapshot()
        return FitDivergenceError(f"{DIVERGED} {found}", epoch=found.epoch, step=found.step)

    def hand_over(self) -> None:
        """Give the model its weights, the best ones where rows were held out."""
        state = self.last
        if self.held is not None:
            state = {**state, **{name: self.best[name] for name in self.session.names}}
        model, own = self.model, self.session.names
        model.coefs_, model.intercepts_ = listed({name: state[name] for name in own})
        rest: Snapshot = {name: value for name, value in state.items() if name not in own}
        model._optimizer = replace(model._optimizer, state=rest)


def _batch_size(model: BaseMLP, n_rows: int) -> int:
    if isinstance(model.batch_size, str):  # "auto"
        return min(LARGEST_AUTO_BATCH, n_rows)
    if model.batch_size > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=5,
        )
    return int(min(model.batch_size, n_rows))


def hold_out(
    model: BaseMLP,
    data: Rows,
    targets: Any,
    *,
    stratify: Any,
    rng: np.random.RandomState,
    score: Callable[[Any, Array, Array | None], float],
) -> tuple[Array, Held]:
    """The rows to train on and those held out, drawn as scikit-learn draws them.

    `score(targets, outputs, sample_weight)` is taken of the held-out rows.
    """
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(data)),
        random_state=rng,
        test_size=model.validation_fraction,
        stratify=stratify,
    )
    if len(test) < 2:
        raise OptionError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    weights = None if data.sample_weight is None else data.sample_weight[test]
    return train, Held(test, lambda outputs: score(targets[test], outputs, weights))
