"""What the two estimators share: parameters, attributes, the course of a fit, prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from retrograd.arrays import Array
from retrograd.estimators import look, options, serial
from retrograd.estimators.attempt import Attempt
from retrograd.estimators.border import (
    checked_weights,
    dtype_in,
    require_finite_outputs,
    require_lists,
    weights_in,
)
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.form import Form, Place, activations_of, outputs
from retrograd.estimators.inputs import Inputs, Scale
from retrograd.estimators.losses import loss_of
from retrograd.estimators.ongoing import WEIGHTS, Ongoing
from retrograd.estimators.optimizers import OptimizerState
from retrograd.estimators.prepare import (
    Targets,
    checked_inputs,
    plain_pair,
)
from retrograd.estimators.problem import has_stopped, problem_of, task_of
from retrograd.estimators.starts import best_of
from retrograd.estimators.validation import Given, Score
from retrograd.inspect.subject import Subject
from retrograd.nn.network import Network


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn is not typed
    """The base of the estimators. Parameters and attributes are scikit-learn's, names and all.

    The fitted state is plain arrays and numbers: `coefs_` and `intercepts_` may be read, changed
    in place and assigned.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = options.CONSTRAINTS

    _is_numeric: ClassVar[bool] = False  # whether targets are numbers
    # Parameters, set by the constructors of the two.
    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: int | str
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    loss: Any
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
    dropout: Any
    clip_norm: float | None
    standardize: bool
    encode_columns: bool
    callbacks: Any
    engine: Any
    precision: str
    n_threads: int | None
    random_starts: int

    # Attributes, set by fit.
    coefs_: list[Array]
    intercepts_: list[Array]
    n_features_in_: int
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: Any
    t_: int
    loss_: float
    loss_curve_: list[float]
    loss_curves_: dict[str, list[float]]  # of heads
    best_loss_: Any  # None with early stopping, as the next two are without
    validation_scores_: Any
    best_validation_score_: Any
    validation_loss_curve_: Any
    is_stopped_: bool
    _no_improvement_count: int
    _fitted_dtype: np.dtype[Any]
    _optimizer: OptimizerState
    _best_weights: Mapping[str, Array] | None = None
    _inputs: Inputs | None = None
    _target_scale: Scale | None = None
    _ongoing: Ongoing | None = None

    @abstractmethod
    def _meet(self, y: Any, *, is_first: bool, is_partial: bool) -> None:
        """Learn from the checked y what its targets are, or require that they are as before."""

    @abstractmethod
    def _targets(self, y: Any, *, dtype: np.dtype[Any]) -> Targets:
        """The checked y as targets."""

    def _row_weights(
        self, y: Any, sample_weight: Array | None, *, is_partial: bool
    ) -> Array | None:
        """The weights of rows, with those of their classes."""
        return sample_weight

    @abstractmethod
    def _ready_targets(self) -> Callable[[Array], Array | None]:
        """What makes targets of a y that needs no more checks than can be made at once, else None.

        It stays the same as long as the parameters do.
        """

    def _scales_targets(self) -> bool:
        """Whether targets are standardised."""
        return False

    def _learn_targets(self, truth: Any, order: Array, weights: Mapping[str, Array]) -> None:
        """Learn the scale of the targets of rows `order`. `weights`: of all rows, by head."""
        self._target_scale = None
        if self._scales_targets():
            own = weights[""][order] if "" in weights else None
            self._target_scale = Scale.of(truth, own)

    def _scaled(self, head: str, array: Array) -> Array:
        """Targets of a head as the network is trained on them."""
        return array if self._target_scale is None else self._target_scale.apply(array)

    @abstractmethod
    def _answers(self, output: Array) -> Any:
        """The predictions that the network's output (n, n_outputs_) stands for."""

    def _checked_pair(self, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
        """X and y by scikit-learn's checks, X as the user has it."""
        return plain_pair(self, X, y, is_first=is_first)

    def _given_weights(self, X: Any, sample_weight: Any) -> dict[str, Array]:
        """The weights that a user gave of the rows of checked X, by head; "" is the one output."""
        if sample_weight is None:
            return {}
        return {"": checked_weights(X, sample_weight, self._dtype)}

    def _weights_of_rows(self, given: Mapping[str, Array]) -> Array | None:
        """How much each row counts by the weights that were given; None where all count alike."""
        return given.get("")

    def _weighed(self, y: Any, given: Mapping[str, Array], *, is_partial: bool) -> dict[str, Array]:
        """The weights given by head, with those of the classes."""
        weights = self._row_weights(y, given.get(""), is_partial=is_partial)
        return {} if weights is None else {"": weights}

    @abstractmethod
    def _output_activation(self) -> str:
        """What turns the last layer's result into predictions."""

    @abstractmethod
    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        """The score of the network's output; NaN where it is not finite."""

    def _score_by(self, loss: Any) -> Score | None:
        """How validation rows are scored; None for the negative of their loss."""
        return self._score_of

    def _tells_apart(self, truth: Any, weights: Mapping[str, Array]) -> bool:
        """Whether the score of such validation rows tells good models from bad ones."""
        return True

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        given: Given | None = None,
        classes: Any = None,
        *,
        is_partial: bool,
    ) -> Self:
        """One call of fit or partial_fit: all is checked and prepared, then trained."""
        self._settle()
        calls = Calls(self, X, y, {"sample_weight": sample_weight})
        is_first = self._is_first(is_partial=is_partial)
        with Attempt(self._parts()) as attempt:
            self._be_told(y, classes, is_partial=is_partial)
            task = task_of(
                self, self, X, y, sample_weight, given, is_first=is_first, is_partial=is_partial
            )
            if not has_stopped(self, task):
                problem = problem_of(self, task, calls)
                best_of(self, problem, self.random_starts if is_first else 1, attempt)
        calls.end()
        return self

    def _be_told(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        """Learn what a call is told of the targets before it looks at the rows."""

    def _parts(self) -> list[BaseEstimator]:
        """All estimators that a fit changes: this one and what it is made of."""
        return [self]

    def _is_first(self, *, is_partial: bool) -> bool:
        """Whether a call of fit or partial_fit begins anew."""
        return not hasattr(self, "coefs_") or not (self.warm_start or is_partial)

    def _loss(self, network: Any) -> Any:
        return loss_of(self.loss, network, getattr(self, "label_smoothing", 0.0))

    def _form(self) -> Form:
        """The form of the network with the weights that are there now."""
        coefs, _ = self._weights()
        sizes = (len(coefs[0]), *(coef.shape[1] for coef in coefs))
        return Form(sizes, activations_of(self.activation, len(sizes) - 2), self.out_activation_)

    def _weights(self) -> tuple[list[Array], list[Array]]:
        """The weights that are there now, assigned ones too, in the precision of the fit."""
        return weights_in(self.coefs_, self.intercepts_, self._dtype)

    @property
    def _dtype(self) -> np.dtype[Any]:
        """The float type of the fit; of a model put together by hand that of its weights."""
        own: np.dtype[Any] | None = self.__dict__.get("_fitted_dtype")
        if own is not None:
            return own
        require_lists(self.coefs_, self.intercepts_)
        return dtype_in((*self.coefs_, *self.intercepts_))

    @_dtype.setter
    def _dtype(self, dtype: np.dtype[Any]) -> None:
        self._fitted_dtype = dtype

    def _place(self) -> Place:
        return Place(self.engine, self.n_threads)

    def activations(self, X: Any, layer: int) -> Array:
        """What a layer gives out for each row of X: (n, units of the layer).

        `layer`: 1 is the first hidden one, `n_layers_ - 1` the output; -1 is the last, too.

        >>> X = np.linspace(-1.0, 1.0, 21)[:, None]
        >>> model = rg.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs").fit(X, X.ravel())
        >>> model.activations(X, 1).shape
        (21, 8)
        """
        return look.activations(self, X, layer)

    def _input_gradients(self, X: Any) -> Array:
        """d(output)/d(column of X) for each row: (n, n_outputs, n_features)."""
        return look.input_gradients(self, X)

    def _outputs(self, X: Any) -> Array:
        """The network's output for a user's X: (n, n_outputs_)."""
        X = checked_inputs(self, X)
        found = outputs(self._form(), *self._weights(), X, self._place())
        require_finite_outputs(found)
        return found

    def _settle(self) -> None:
        """Close the session of partial_fit that is open; its state becomes the model's."""
        if self._ongoing is not None:
            self._ongoing.settle(self)
            self._ongoing = None

    def __getstate__(self) -> Any:
        if self._ongoing is not None:
            self._ongoing.settle(self)
        return {k: v for k, v in super().__getstate__().items() if k != "_ongoing"}

    def __getattr__(self, name: str) -> Any:
        """The weights, where the session of partial_fit that is open has them still."""
        ongoing = self.__dict__.get("_ongoing")
        if name not in WEIGHTS or ongoing is None:
            return object.__getattribute__(self, name)  # raises what was raised before
        return ongoing.weights(self)[name]

    def __dir__(self) -> list[str]:
        own = super().__dir__()
        return [*own] if self._ongoing is None else [*{*own, *WEIGHTS}]

    def _goes_on(self, X: Any, y: Any) -> bool:
        """Run one epoch on the session that is open, if there is one that takes these rows."""
        if self._ongoing is None or "_skl_callbacks" in vars(self):
            return False
        return self._ongoing.goes(self, X, y)

    def _as_network(self) -> Network:
        """The network as it is trained, with the weights that are there now."""
        return look.as_trained(self)

    def _inputs_for(self, X: Any) -> Any:
        """A user's X as that network takes it."""
        return checked_inputs(self, X)

    def _subject(self, X: Any, y: Any, sample_weight: Any = None) -> Subject:
        """The network, its loss and penalty, and these rows, to be looked at.

        Rows are prepared as in `fit`, and count by `sample_weight` and `class_weight`; "balanced"
        balances the classes of these rows.
        """
        return look.subject(self, X, y, sample_weight)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one file, whole or not at all; `rg.load` reads it back."""
        serial.save(self, path)

    def _target_facts(self, arrays: dict[str, Array]) -> dict[str, Any]:
        """What targets became: "labels" and "targets" as strict JSON, arrays beside it."""
        return serial.target_facts(self, arrays)

    def _take_target_facts(self, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """The inverse of `_target_facts`."""
        serial.take_target_facts(self, facts, arrays)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not (self.standardize or self.encode_columns)
        tags.input_tags.allow_nan = tags.input_tags.string = bool(self.encode_columns)
        return tags


def network_of(model: BaseMLP) -> Network:
    """The network of a fitted estimator, its weights 0: what is computed, not with what."""
    return model._form().network(model.coefs_[0].dtype)
