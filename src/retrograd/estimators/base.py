"""What the two estimators share: parameters and their ranges, the course of a fit, prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from retrograd.arrays import Array, SparseRows
from retrograd.errors import OptionError, ShapeError
from retrograd.estimators.descent import Held, OptimizerState, descend, hold_out
from retrograd.estimators.form import Form, initial, named, outputs
from retrograd.estimators.losses import loss_of
from retrograd.estimators.quasi_newton import minimise
from retrograd.inspect.subject import Subject
from retrograd.nn.losses import Target
from retrograd.nn.network import Network
from retrograd.training.rows import Rows

STOCHASTIC = ("sgd", "adam")
INPUTS = "csr"  # the sparse form that is taken as it is; others are brought to it
FLOATS = (np.float64, np.float32)


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
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=INPUTS,
            multi_output=True,
            y_numeric=self._is_numeric,
            dtype=FLOATS,
            reset=is_first,
        )
        # A model that goes on keeps the precision of its weights.
        dtype = X.dtype if is_first else self.coefs_[0].dtype
        X = X.astype(dtype, copy=False)
        targets = self._targets(y, dtype=dtype, is_partial=is_partial)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=dtype, ensure_non_negative=True
            )
        rng = check_random_state(self.random_state)
        sizes = (X.shape[1], *hidden, targets.n_outputs)
        if is_first:
            self._begin(sizes, rng, dtype)
        form = self._form()
        if form.sizes != sizes:
            raise ShapeError(
                f"the weights are for the sizes {form.sizes}, the parameters and data ask for "
                f"{sizes}; fit with warm_start=False to begin again"
            )
        if self.early_stopping and is_partial:
            raise OptionError("partial_fit does not support early_stopping=True")
        network = form.network(dtype)
        network.parameters.update(named(self.coefs_, self.intercepts_))
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
        form = Form(sizes, self.activation, self.out_activation_)
        self.coefs_, self.intercepts_ = initial(form, rng, dtype)
        if self.solver not in STOCHASTIC:
            return
        self.loss_curve_ = []
        self._no_improvement_count = 0
        is_early = self.early_stopping
        self.best_loss_ = None if is_early else np.inf
        self.validation_scores_ = [] if is_early else None
        self.best_validation_score_ = -np.inf if is_early else None

    def _hold_out(
        self, data: Rows, targets: Targets, rng: np.random.RandomState
    ) -> tuple[Array, Held]:
        return hold_out(
            self, data, targets.truth, stratify=targets.stratify, rng=rng, score=self._score_of
        )

    def _form(self) -> Form:
        """The form of the network with the weights that are there now."""
        sizes = (len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_))
        return Form(sizes, self.activation, self.out_activation_)

    def _outputs(self, X: Any) -> Array:
        """The network's output for a user's X: (n, n_outputs_)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=INPUTS, reset=False)
        return outputs(self._form(), self.coefs_, self.intercepts_, X)

    def _as_network(self) -> Network:
        """A network with the weights that are there now."""
        check_is_fitted(self)
        network = self._form().network(self.coefs_[0].dtype)
        network.parameters.update(named(self.coefs_, self.intercepts_))
        return network

    def _subject(self, X: Any, y: Any, sample_weight: Any = None) -> Subject:
        """The network, its loss and penalty, and these rows, to be looked at."""
        check_is_fitted(self)
        dtype = self.coefs_[0].dtype
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=INPUTS,
            multi_output=True,
            y_numeric=self._is_numeric,
            dtype=dtype,
            reset=False,
        )
        like_partial_fit = copy(self)  # a batch may lack a class
        like_partial_fit.warm_start = False
        target = like_partial_fit._targets(y, dtype=dtype, is_partial=True).target
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=dtype, ensure_non_negative=True
            )
        network = self._as_network()
        rows = X if isinstance(X, np.ndarray) else SparseRows(X)
        weight = len(y) if sample_weight is None else max(float(sample_weight.sum()), 1.0)
        return Subject.of(
            network,
            Rows(rows, target, sample_weight),
            loss_of(self.loss, network),
            float(self.alpha) / weight,
        )

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
    return model._form().network(model.coefs_[0].dtype)


def _hidden_sizes(value: Any) -> list[int]:
    """Units of each hidden layer, from a number or a sequence of them."""
    sizes = list(value) if hasattr(value, "__iter__") else [value]
    if any(not isinstance(size, Integral) or size < 1 for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be > 0 and integers, got {sizes}.")
    return [int(size) for size in sizes]
