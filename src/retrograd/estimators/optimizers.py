"""The optimizer that an estimator's parameters describe, and what goes on between its calls."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.optim.base import Optimizer, at
from retrograd.optim.clip import Clip
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.names import OPTIMIZERS, find_optimizer
from retrograd.optim.scikit_learn import ScikitLearnAdam, ScikitLearnSGD
from retrograd.training.step import COUNT

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP
    from retrograd.estimators.ensemble import BaseMLPEnsemble

SCIKIT_LEARN_LBFGS = "lbfgs"


@dataclass
class OptimizerState:
    """What goes on from one partial_fit to the next: the optimizer, its state, its schedule.

    As in scikit-learn, its numbers stay those of the first call, and `learning_rate` may be
    assigned between calls: the next one goes by it. ("invscaling" then brings its own back.)
    """

    optimizer: Optimizer
    schedule: str = "constant"
    power_t: float = 0.5
    first_rate: float = 0.0
    state: Mapping[str, Array] = field(default_factory=dict)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next epoch; of its first step, where it follows the steps."""
        rate = self.optimizer.numbers().get("learning_rate", float("nan"))
        return at(rate, int(self.state.get(COUNT, 0)))

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimizer = self.optimizer.with_rate(rate)

    def at(self, rate: float) -> OptimizerState:
        """The same at another rate."""
        return replace(self, optimizer=self.optimizer.with_rate(rate))

    @property
    def follows_steps(self) -> bool:
        """Whether its numbers are functions of the step."""
        return any(map(callable, self.optimizer.numbers().values()))

    def after_steps(self, count: int) -> OptimizerState:
        """The same after so many steps; the rest of the state stays."""
        return replace(self, state={**self.state, COUNT: np.array(float(count))})

    def after_epoch(self, rows_seen: int) -> OptimizerState:
        """With the schedule "invscaling": the same at the lower rate after so many rows."""
        with np.errstate(over="ignore"):  # an infinite power leaves next to no rate
            rate = self.first_rate / np.float_power(rows_seen + 1, self.power_t)
        return self.at(max(float(rate), float(np.finfo(np.float64).tiny)))


def is_stochastic(solver: Any) -> bool:
    """Whether a solver goes by batches: else it takes all rows at once."""
    kind: Any = solver if isinstance(solver, str) else type(solver)
    return _goes_by_batches(kind)


@cache  # asked for at each call of partial_fit
def _goes_by_batches(solver: Hashable) -> bool:
    kind: Any = OPTIMIZERS.get(solver, LBFGS) if isinstance(solver, str) else solver
    return not issubclass(kind, FullBatch)


def has_partial_fit(model: BaseMLP | BaseMLPEnsemble) -> bool:
    """True, for a solver that goes by batches; AttributeError for another."""
    if is_stochastic(model.solver):
        return True
    raise AttributeError(
        "partial_fit is only available for stochastic optimizers. "
        f"{model.solver} is not stochastic."
    )


def full_batch_of(model: BaseMLP) -> FullBatch | None:
    """The solver of full batches that the parameters describe; None for scikit-learn's own."""
    require_own_rate(model)
    if model.clip_norm is not None:
        raise OptionError(f"clip_norm: {model.solver!r} takes no steps along a gradient to clip")
    if model.solver == SCIKIT_LEARN_LBFGS:
        return None
    found = find_optimizer(model.solver)
    assert isinstance(found, FullBatch)
    return found


def start(model: BaseMLP) -> OptimizerState:
    """The optimizer that an estimator's parameters describe, at rest."""
    own, first = model.learning_rate, float(model.learning_rate_init)
    rate: Any = own if callable(own) else first
    schedule = "constant"
    made: Optimizer | FullBatch
    if model.solver == "adam":
        # Where a gradient is 0 its square is too: the engine flushes what is smaller to 0.
        epsilon = max(float(model.epsilon), float(np.finfo(model._dtype).tiny))
        made = ScikitLearnAdam(rate, float(model.beta_1), float(model.beta_2), epsilon)
    elif model.solver == "sgd":
        made = ScikitLearnSGD(rate, float(model.momentum), bool(model.nesterovs_momentum))
        schedule = "constant" if callable(own) else own
    else:
        require_own_rate(model)
        made = find_optimizer(model.solver)
        assert isinstance(made, Optimizer)
        if isinstance(model.solver, str) and "learning_rate" in made.numbers():
            made = made.with_rate(rate)
    if model.clip_norm is not None:
        made = Clip(made, global_norm=float(model.clip_norm))
    return OptimizerState(made, schedule, model.power_t, first)


def require_own_rate(model: BaseMLP) -> None:
    """Raise OptionError for a schedule beside an optimizer that has its own rate, or none."""
    if callable(model.learning_rate) and not (
        isinstance(model.solver, str)
        and is_stochastic(model.solver)
        and "learning_rate" in OPTIMIZERS[model.solver]().numbers()  # type: ignore[union-attr]  # as just asked
    ):
        raise OptionError(
            f"learning_rate: a schedule goes with a solver by name that has a learning rate; give "
            f"it to the optimizer itself, as in solver=rg.AdamW(rg.schedules.Cosine(...)); "
            f"the solver is {model.solver!r}"
        )
