"""`MLPRegressor`: scikit-learn's, on retrograd's networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from retrograd.arrays import Array, cast, require_finite
from retrograd.errors import OptionError
from retrograd.estimators import options
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.border import require_dense, require_numbers
from retrograd.estimators.estimates import Estimates, squeezed
from retrograd.estimators.losses import (
    POISSON,
    SCALABLE,
    SQUARED_ERROR,
    has_quantiles,
    is_gaussian,
    name_of,
    output_of,
    outputs_each,
    require_means,
)
from retrograd.estimators.ongoing import not_ready, ready_numbers
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.prepare import Targets
from retrograd.estimators.validation import Score, given
from retrograd.graph.shape import rows
from retrograd.nn.losses import Target


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """A multi-layer perceptron that predicts numbers: scikit-learn's, import line changed.

    Parameters, attributes, methods, results and errors are those of
    `sklearn.neural_network.MLPRegressor`; see docs/scikit-learn.md for what differs.

    Args:
        loss: "squared_error" (1/2 the square), or "poisson" (half the deviance, y >= 0, predictions
            are exp of the last layer) as in scikit-learn; "absolute_error", "huber", "log_cosh",
            "quantile", "gaussian_nll", "gamma", "tweedie", "cosine"; `rg.Huber(0.5)` and the like;
            or a function of two nodes (output, y) that returns each example's loss, (rows,).
        hidden_layer_sizes: units of each hidden layer: integers of at least 1, or one of them.
        activation: of the hidden layers: "identity", "logistic", "tanh", "relu", any other of the
            package's (see `rg.Dense`), or a Python function of nodes; one for all, or a sequence
            with one for each.
        solver: "adam", "sgd", "lbfgs" as in scikit-learn; any other optimizer of the package by
            name ("adamw", "lion", "levenberg_marquardt", ...), which then takes
            `learning_rate_init`; or an optimizer with numbers of its own, `rg.AdamW(1e-3)`.
        alpha: >= 0, of the penalty alpha/2 ||W||**2 / rows of the batch.
        batch_size: rows a step; "auto" is min(200, n). L-BFGS takes all.
        learning_rate: of sgd: "constant"; "invscaling": learning_rate_init / t**power_t;
            "adaptive": divided by 5 when the loss (or validation score) no longer improves. Of any
            solver with a rate: a function of the step, such as those in `rg.schedules`.
        learning_rate_init: > 0. power_t: >= 0.
        max_iter: at most so many epochs, at least 1.
        shuffle: a new order of the rows for each epoch.
        random_state: of the initial weights, the held-out rows and the orders.
        tol: >= 0, the least improvement that counts.
        verbose: print the loss of each epoch.
        warm_start: fit goes on from the weights that are there.
        momentum: of sgd, in [0, 1]. nesterovs_momentum: whether it looks ahead.
        early_stopping: hold out `validation_fraction` of the rows, in [0, 1), and keep the weights
            with the best R2 on them.
        beta_1: of adam, in [0, 1). beta_2: in [0, 1). epsilon: > 0.
        n_iter_no_change: stop after so many epochs without improvement.
        max_fun: of lbfgs: at most so many evaluations of the loss.

    Beyond scikit-learn, by keyword only; the defaults are its behaviour:

    Args:
        dropout: in [0, 1): the rate at which units of the hidden layers drop out while training;
            one for all, or one for each.
        clip_norm: > 0: gradients are cut to this Euclidean norm, that of all of them together.
        standardize: inputs, and the targets of losses of an error, are scaled to mean 0 and
            deviation 1.
        encode_columns: X may be a data frame with words: each becomes one input a category;
            numbers are standardised, and a column with missing ones gets a second input that says
            so.
        callbacks: functions called as `callback(estimator)` between epochs; one that returns True
            stops training. scikit-learn's own are given by `set_callbacks`.
        engine: "auto", "cpu", "numpy", or an engine.
        precision: "auto" (X's float type), "float32", "float64", "bfloat16".
        n_threads: at most so many threads; None for all processors.
        random_starts: train from so many initial weights, keep the best by validation score or
            loss.

    With several outputs the gradient is that of the sum over outputs, the reported loss their mean.

    >>> X = np.linspace(-1.0, 1.0, 21)[:, None]
    >>> model = rg.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
    >>> bool(model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = options.OF_REGRESSORS
    _is_numeric = True

    def __init__(
        self,
        loss: Any = SQUARED_ERROR,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        clip_norm: float | None = None,
        standardize: bool = False,
        encode_columns: bool = False,
        callbacks: Any = None,
        engine: Any = "auto",
        precision: str = "auto",
        n_threads: int | None = None,
        random_starts: int = 1,
    ) -> None:
        options.keep(self, locals())

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn's
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]  # scikit-learn's
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train from fresh weights, or with `warm_start` from those that are there.

        Args:
            X: (n, n_features) numbers, finite, or a sparse matrix of them. float32 stays float32.
            y: (n,) or (n, n_targets) numbers, finite.
            sample_weight: (n,), >= 0.
            X_val, y_val: rows to validate with, of the same form: the weights with the best R2 on
                them are kept (the lowest loss for quantiles, "gaussian_nll" and "cosine", and where
                all y_val are the same); with `early_stopping` training stops by it.
            sample_weight_val: (n_val,), >= 0.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, is_partial=False)

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Run one epoch over these rows, from where the last call ended; else as `fit`.

        With `early_stopping` and validation rows, once the score has not improved for
        `n_iter_no_change` calls the best weights are brought back and `is_stopped_` is True;
        further calls with validation rows change nothing.
        """
        is_plain = sample_weight is X_val is y_val is sample_weight_val is None
        if is_plain and self._goes_on(X, y):
            return self
        return self._partial_fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn's
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]  # scikit-learn's
    def _partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ) -> Self:
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, is_partial=True)

    def predict(self, X: Any, *, return_std: bool = False) -> Any:
        """The prediction for each row: (n,), or (n, n_targets).

        Of quantiles it is the one nearest 1/2 (see `predict_quantiles`), with "gaussian_nll" the
        mean: `return_std=True` returns the standard deviations too, as a second array.
        """
        output = self._outputs(X)
        mean = self._answers(output)
        if not return_std:
            return mean
        if not is_gaussian(self.loss):
            raise OptionError(
                f"return_std needs a model with loss='gaussian_nll', this one has {self.loss!r}"
            )
        return mean, squeezed(self._estimates.deviations(output))

    def input_gradients(self, X: Any) -> Array:
        """How each prediction moves with each column of X, row by row, in their own units.

        (n, n_features), or (n, n_targets, n_features) for several targets.
        """
        found = self._input_gradients(X)
        of_targets = self._estimates.of_targets
        slopes = np.stack([of_targets(each) for each in np.moveaxis(found, 2, 0)], axis=2)
        if self._target_scale is not None:
            slopes = slopes * self._target_scale.scale[:, None]
        return slopes[:, 0] if slopes.shape[1] == 1 else slopes

    @available_if(has_quantiles)  # type: ignore[untyped-decorator]  # scikit-learn's
    def predict_quantiles(self, X: Any) -> Array:
        """The quantiles of `loss=rg.Quantile(...)` for each row, in its order.

        (n, n_quantiles), or (n, n_targets, n_quantiles).
        """
        found = self._estimates.quantiles(self._outputs(X))
        return found[:, 0] if found.shape[1] == 1 else found

    def _meet(self, y: Any, *, is_first: bool, is_partial: bool) -> None:
        require_dense(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        require_numbers(y, "y")
        require_finite(y, "y")  # objects are numbers only now

    def _scales_targets(self) -> bool:
        return bool(self.standardize) and name_of(self.loss) in SCALABLE

    def _targets(self, y: Any, *, dtype: np.dtype[Any]) -> Targets:
        require_means(self.loss, y)
        truth = np.ascontiguousarray(cast(y.reshape(len(y), -1), "y", dtype))
        target = Target(truth, (rows, truth.shape[1]), dtype)
        return Targets(target, truth.shape[1] * outputs_each(self.loss), truth)

    def _ready_targets(self) -> Callable[[Array], Array | None]:
        if output_of(self.loss) == "exp":  # which takes none below 0
            return not_ready
        return partial(ready_numbers, dtype=self._dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = output_of(self.loss) == "exp"
        return tags

    def _output_activation(self) -> str:
        return output_of(self.loss)

    def _score_by(self, loss: Any) -> Score | None:
        is_estimate = loss.name == POISSON or "r2" in loss.scores
        return self._score_of if is_estimate else None

    def _tells_apart(self, truth: Any, weights: Mapping[str, Array]) -> bool:
        # R2 compares with the variance of the rows: where they have none it says nothing.
        counts = truth[weights[""] > 0] if "" in weights else truth
        return bool((counts != counts[:1]).any())

    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        if not np.isfinite(output).all():
            return float("nan")
        with np.errstate(over="ignore"):  # where training diverges the score is -inf
            return float(r2_score(truth, self._answers(output), sample_weight=sample_weight))

    def _answers(self, output: Array) -> Any:
        return squeezed(self._estimates.means(output))

    @property
    def _estimates(self) -> Estimates:
        return Estimates(self.loss, self._target_scale)
