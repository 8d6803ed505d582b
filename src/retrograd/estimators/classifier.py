"""`MLPClassifier`: scikit-learn's, on retrograd's networks."""

from __future__ import annotations

from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from retrograd.arrays import Array
from retrograd.errors import DataError
from retrograd.estimators import serial
from retrograd.estimators.base import BaseMLP, Targets
from retrograd.estimators.border import plainly
from retrograd.estimators.losses import LOG_LOSS
from retrograd.graph.shape import rows
from retrograd.nn.losses import Target


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """A multi-layer perceptron that classifies, by log loss: scikit-learn's, import line changed.

    Parameters, attributes, methods, results and errors are those of
    `sklearn.neural_network.MLPClassifier`; see docs/scikit-learn.md for what differs.

    Args:
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
            with the best accuracy on them.
        beta_1: of adam, in [0, 1). beta_2: in [0, 1). epsilon: > 0.
        n_iter_no_change: stop after so many epochs without improvement.
        max_fun: of lbfgs: at most so many evaluations of the loss.

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["low", "low", "high", "high"]
    >>> clf = rg.MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> clf.predict([[0.2], [2.8]])
    array(['low', 'high'], dtype='<U4')
    """

    loss = LOG_LOSS
    classes_: Array
    _label_binarizer: Any

    def __init__(
        self,
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
            y: (n,) labels, or (n, n_labels) of 0 and 1 for several labels at once.
            sample_weight: (n,), >= 0.
        """
        return self._fit(X, y, sample_weight, is_partial=False)

    def _partial_fit_exists(self) -> bool:
        return self._has_partial_fit()

    @available_if(_partial_fit_exists)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Run one epoch over these rows, from where the last call ended.

        `classes`: all labels that will come, needed in the first call. Else as in `fit`.
        """
        with plainly():
            if _check_partial_fit_first_call(self, classes):
                is_multilabel = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if is_multilabel else classes)
        return self._fit(X, y, sample_weight, is_partial=True)

    def predict(self, X: Any) -> Any:
        """The label of each row: (n,), or (n, n_labels) of 0 and 1."""
        return self._labels(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of `classes_`: (n, n_classes)."""
        p = self._outputs(X)
        return np.hstack([1.0 - p, p]) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p, out=p))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted classifier to one file, whole or not at all; `rg.load` reads it back."""
        serial.save(self, path)

    def _targets(self, y: Any, *, dtype: np.dtype[Any], is_partial: bool) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._meet_classes(y, is_partial=is_partial)
        encoded = self._label_binarizer.transform(y)
        n_outputs = encoded.shape[1]
        if self._label_binarizer.y_type_ == "multiclass":
            labels = encoded.argmax(axis=1)
            return Targets(Target(labels, (rows,), labels.dtype), n_outputs, y)
        target = Target(encoded.astype(dtype), (rows, n_outputs), dtype)
        return Targets(target, n_outputs, y, encoded.astype(bool) if n_outputs == 1 else None)

    def _meet_classes(self, y: Any, *, is_partial: bool) -> None:
        """Take the classes from y, or require that y has no others."""
        if not hasattr(self, "classes_") or not (self.warm_start or is_partial):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        found = unique_labels(y)
        if self.warm_start:
            if set(found) != set(self.classes_):
                raise DataError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {found}"
                )
        elif np.setdiff1d(found, self.classes_, assume_unique=True).size:
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {found}."
            )

    def _output_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _labels(self, output: Array) -> Any:
        return self._label_binarizer.inverse_transform(
            output.ravel() if self.n_outputs_ == 1 else output
        )

    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        # The labels of outputs that are not finite are of a finite type, and count as scikit-learn
        # counts them.
        return float(accuracy_score(truth, self._labels(output), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
