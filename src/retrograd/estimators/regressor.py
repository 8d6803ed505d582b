"""`MLPRegressor`: scikit-learn's, on retrograd's networks."""

from __future__ import annotations

from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from retrograd.arrays import Array, cast, require_finite
from retrograd.errors import DataError
from retrograd.estimators import serial
from retrograd.estimators.base import BaseMLP, Targets
from retrograd.estimators.border import require_numbers
from retrograd.estimators.losses import POISSON, SQUARED_ERROR
from retrograd.graph.shape import rows
from retrograd.nn.losses import Target


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """A multi-layer perceptron that predicts numbers: scikit-learn's, import line changed.

    Parameters, attributes, methods, results and errors are those of
    `sklearn.neural_network.MLPRegressor`; see docs/scikit-learn.md for what differs.

    Args:
        loss: "squared_error" (1/2 the square), or "poisson" (half the deviance, y >= 0, predictions
            are exp of the last layer).
        hidden_layer_sizes: units of each hidden layer: integers of at least 1, or one of them.
        activation: of the hidden layers: "identity", "logistic", "tanh", "relu".
        solver: "adam", "sgd", "lbfgs".
        alpha: >= 0, of the penalty alpha/2 ||W||**2 / rows of the batch.
        batch_size: rows a step; "auto" is min(200, n). L-BFGS takes all.
        learning_rate: of sgd: "constant"; "invscaling": learning_rate_init / t**power_t;
            "adaptive": divided by 5 when the loss (or validation score) no longer improves.
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

    With several outputs the gradient is that of the sum over outputs, the reported loss their mean.

    >>> X = np.linspace(-1.0, 1.0, 21)[:, None]
    >>> model = rg.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
    >>> bool(model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({SQUARED_ERROR, POISSON})],
    }
    _is_numeric = True

    def __init__(
        self,
        loss: str = SQUARED_ERROR,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
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
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train from fresh weights, or with `warm_start` from those that are there.

        Args:
            X: (n, n_features) numbers, finite, or a sparse matrix of them. float32 stays float32.
            y: (n,) or (n, n_outputs) numbers, finite.
            sample_weight: (n,), >= 0.
        """
        return self._fit(X, y, sample_weight, is_partial=False)

    def _partial_fit_exists(self) -> bool:
        return self._has_partial_fit()

    @available_if(_partial_fit_exists)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run one epoch over these rows, from where the last call ended; else as `fit`."""
        return self._fit(X, y, sample_weight, is_partial=True)

    def predict(self, X: Any) -> Array:
        """The prediction for each row: (n,), or (n, n_outputs)."""
        return _squeezed(self._outputs(X))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted regressor to one file, whole or not at all; `rg.load` reads it back."""
        serial.save(self, path)

    def _targets(self, y: Any, *, dtype: np.dtype[Any], is_partial: bool) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        require_numbers(y, "y")
        require_finite(y, "y")  # objects are numbers only now
        if self.loss == POISSON and (y < 0).any():
            raise DataError(f"loss='poisson' needs y >= 0, the least is {y.min():g}")
        target = np.ascontiguousarray(cast(y.reshape(len(y), -1), "y", dtype))
        return Targets(Target(target, (rows, target.shape[1]), dtype), target.shape[1], target)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == POISSON
        return tags

    def _output_activation(self) -> str:
        return "exp" if self.loss == POISSON else "identity"

    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        if not np.isfinite(output).all():
            return float("nan")
        with np.errstate(over="ignore"):  # where training diverges the score is -inf
            return float(r2_score(truth, _squeezed(output), sample_weight=sample_weight))


def _squeezed(output: Array) -> Array:
    return output.ravel() if output.shape[1] == 1 else output
