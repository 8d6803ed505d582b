"""What the two estimators share: parameters and their ranges, the course of a fit, prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from retrograd.arrays import Array, SparseRows
from retrograd.errors import OptionError, ShapeError
from retrograd.estimators.border import (
    checked,
    plainly,
    require_finite_outputs,
    require_unmasked,
    weights_in,
)
from retrograd.estimators.descent import Held, OptimizerState, descend, hold_out
from retrograd.estimators.form import Form, initial, named, outputs
from retrograd.estimators.losses import loss_of
from retrograd.estimators.quasi_newton import minimise
from retrograd.nn.losses import Target
from retrograd.nn.network import Network
from retrograd.training.session import Rows

STOCHASTIC = ("sgd", "adam")
FLOATS = (np.float64, np.float32)
HISTORY = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


@dataclass(frozen=True, eq=False)
class Targets:
    """Checked targets: as the network takes them, as scores compare them, and to split by."""

    target: Target
    n_outputs: int
    truth: Any
    stratify: Any = None


class BaseMLP(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn is not typed
    """The base of the estimators. Parameters and attributes are scikit-learn's, names and all.

    The fitted state is plain arrays and numbers: `coefs_` and `intercepts_` may be read, changed
    in place and assigned.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
    }

    _is_numeric: ClassVar[bool] = False  # whether targets are numbers
    # Parameters, set by the constructors of the two.
    hidden_layer_sizes: Any
    activation: str
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    loss: str
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool | int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int

    # Attributes, set by fit.
    coefs_: list[Array]
    intercepts_: list[Array]
    n_features_in_: int
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: Any  # None with early stopping, as the next two are without
    validation_scores_: Any
    best_validation_score_: Any
    _no_improvement_count: int
    _dtype: np.dtype[Any]
    _optimizer: OptimizerState

    @abstractmethod
    def _targets(self, y: Any, *, dtype: np.dtype[Any], is_partial: bool) -> Targets:
        """The checked y as targets; sets the attributes that depend on y alone."""

    @abstractmethod
    def _output_activation(self) -> str:
        """What turns the last layer's result into predictions."""

    @abstractmethod
    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        """The score of the network's output; NaN where it is not finite."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, is_partial: bool) -> Self:
        hidden = _hidden_sizes(self.hidden_layer_sizes)
        is_first = not hasattr(self, "coefs_") or not (self.warm_start or is_partial)
        X, y = checked(
            self,
            X,
            y,
            multi_output=True,
            y_numeric=self._is_numeric,
            dtype=FLOATS,
            reset=is_first,
        )
        # A model that goes on keeps the precision of its first fit.
        dtype = X.dtype if is_first else self._dtype
        X = X.astype(dtype, copy=False)
        with plainly():
            targets = self._targets(y, dtype=dtype, is_partial=is_partial)
        if sample_weight is not None:
            require_unmasked(sample_weight, "sample_weight")
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=dtype, ensure_non_negative=True
            )
        rng = check_random_state(self.random_state)
        sizes = (X.shape[1], *hidden, targets.n_outputs)
        if is_first:
            self._begin(sizes, rng, dtype)
        self._begin_history()
        form = self._form()
        if form.sizes != sizes:
            raise ShapeError(
                f"the weights are for the sizes {form.sizes}, the parameters and data ask for "
                f"{sizes}; fit with warm_start=False to begin again"
            )
        if self.early_stopping and is_partial:
            raise OptionError("partial_fit does not support early_stopping=True")
        network = form.network(dtype)
        network.parameters.update(named(*self._weights()))
        rows = X if isinstance(X, np.ndarray) else SparseRows(X)
        data, loss = Rows(rows, targets.target, sample_weight), loss_of(self.loss, network)
        if self.solver not in STOCHASTIC:
            minimise(self, network, data, loss=loss)
            return self
        order, held = np.arange(len(data)), None
        if self.early_stopping:
            order, held = self._hold_out(data, targets, rng)
        descend(
            self, network, data, loss=loss, order=order, held=held, rng=rng, is_partial=is_partial
        )
        return self

    def _begin(
        self, sizes: tuple[int, ...], rng: np.random.RandomState, dtype: np.dtype[Any]
    ) -> None:
        """Draw initial weights and set the attributes of a model without an epoch."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_, self.n_outputs_ = len(sizes), sizes[-1]
        self.out_activation_ = self._output_activation()
        self._dtype = dtype
        form = Form(sizes, self.activation, self.out_activation_)
        try:
            self.coefs_, self.intercepts_ = initial(form, rng, dtype)
        except (MemoryError, ValueError) as error:
            raise OptionError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}: weights of the shapes "
                f"{form.shapes} are more than fit in memory"
            ) from error
        for name in HISTORY:
            if hasattr(self, name):
                delattr(self, name)

    def _begin_history(self) -> None:
        """Begin what this kind of fit takes down, where no fit before it has."""
        if self.solver not in STOCHASTIC:
            return
        if not hasattr(self, "loss_curve_"):
            self.loss_curve_ = []
            self.best_loss_ = self.validation_scores_ = self.best_validation_score_ = None
            self._no_improvement_count = 0
        if self.early_stopping and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        elif not self.early_stopping and self.best_loss_ is None:
            self.best_loss_ = np.inf

    def _hold_out(
        self, data: Rows, targets: Targets, rng: np.random.RandomState
    ) -> tuple[Array, Held]:
        return hold_out(
            self, data, targets.truth, stratify=targets.stratify, rng=rng, score=self._score_of
        )

    def _form(self) -> Form:
        """The form of the network with the weights that are there now."""
        coefs, _ = self._weights()
        sizes = (len(coefs[0]), *(coef.shape[1] for coef in coefs))
        return Form(sizes, self.activation, self.out_activation_)

    def _weights(self) -> tuple[list[Array], list[Array]]:
        """The weights that are there now, assigned ones too, in the precision of the fit."""
        return weights_in(self.coefs_, self.intercepts_, self._dtype)

    def _outputs(self, X: Any) -> Array:
        """The network's output for a user's X: (n, n_outputs_)."""
        check_is_fitted(self)
        X = checked(self, X, reset=False)
        found = outputs(self._form(), *self._weights(), X)
        require_finite_outputs(found)
        return found

    def _has_partial_fit(self) -> bool:
        if self.solver in STOCHASTIC:
            return True
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{self.solver} is not stochastic."
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def network_of(model: BaseMLP) -> Network:
    """The network of a fitted estimator, its weights 0: what is computed, not with what."""
    return model._form().network(model._dtype)


def _hidden_sizes(value: Any) -> list[int]:
    """Units of each hidden layer, from a number or a sequence of them."""
    sizes = list(value) if hasattr(value, "__iter__") else [value]
    if not all(isinstance(size, Integral) for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size < 1 for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]
