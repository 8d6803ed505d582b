"""`MLPClassifier`: scikit-learn's, on retrograd's networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels

from retrograd.arrays import Array, is_finite
from retrograd.estimators import options
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.labels import be_told, require_labels, weights_of_classes
from retrograd.estimators.losses import LABELLED, LOG_LOSS, name_of
from retrograd.estimators.ongoing import not_ready, ready_labels, ready_sides
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.prepare import Targets
from retrograd.estimators.validation import given
from retrograd.graph.shape import rows
from retrograd.nn.losses import Target


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]  # scikit-learn is not typed
    """A multi-layer perceptron that classifies, by log loss: scikit-learn's, import line changed.

    Parameters, attributes, methods, results and errors are those of
    `sklearn.neural_network.MLPClassifier`; see docs/scikit-learn.md for what differs.

    Args:
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
            with the best accuracy on them.
        beta_1: of adam, in [0, 1). beta_2: in [0, 1). epsilon: > 0.
        n_iter_no_change: stop after so many epochs without improvement.
        max_fun: of lbfgs: at most so many evaluations of the loss.

    Beyond scikit-learn, by keyword only; the defaults are its behaviour:

    Args:
        loss: "log_loss"; "focal", "hinge", "squared_hinge", "kl_divergence", "half_squared_error";
            `rg.Focal(gamma=3)` and the like; or a function of two nodes (output, y) that returns
            each example's loss, (rows,): y is one-hot, or a column of 0 and 1 for two classes.
        class_weight: {label: weight}, or "balanced", as in scikit-learn's other classifiers.
        label_smoothing: in [0, 1), of log_loss: the share of a target that is spread evenly.
        dropout: in [0, 1): the rate at which units of the hidden layers drop out while training;
            one for all, or one for each.
        clip_norm: > 0: gradients are cut to this Euclidean norm, that of all of them together.
        standardize: inputs are scaled to mean 0 and deviation 1.
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

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["low", "low", "high", "high"]
    >>> clf = rg.MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> clf.predict([[0.2], [2.8]])
    array(['low', 'high'], dtype='<U4')
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = options.OF_CLASSIFIERS
    class_weight: Any
    classes_: Array
    _label_binarizer: Any

    def __init__(
        self,
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
        loss: Any = LOG_LOSS,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
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
            y: (n,) labels, or (n, n_labels) of 0 and 1 for several labels at once; as in
                scikit-learn, what is not 0 counts as 1 there.
            sample_weight: (n,), >= 0.
            X_val, y_val: rows to validate with, of the same form: the weights with the best
                accuracy on them are kept; with `early_stopping` training stops by it.
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
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Run one epoch over these rows, from where the last call ended.

        `classes`: all labels that will come, needed in the first call. Else as in `fit`. With
        `early_stopping` and validation rows, once the score has not improved for
        `n_iter_no_change` calls the best weights are brought back and `is_stopped_` is True;
        further calls with validation rows change nothing.
        """
        is_plain = sample_weight is X_val is y_val is sample_weight_val is None
        if is_plain and classes is None and self._goes_on(X, y):
            return self
        return self._partial_fit(X, y, sample_weight, classes, X_val, y_val, sample_weight_val)

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn's
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]  # scikit-learn's
    def _partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ) -> Self:
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, classes, is_partial=True)

    def predict(self, X: Any) -> Any:
        """The label of each row: (n,), or (n, n_labels) of 0 and 1."""
        return self._answers(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of `classes_`: (n, n_classes)."""
        return self._probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p, out=p))

    def input_gradients(self, X: Any) -> Array:
        """How each probability of `predict_proba` moves with each column of X, row by row.

        (n, n_classes, n_features), in the columns' own units.
        """
        found = self._input_gradients(X)
        return np.concatenate([-found, found], axis=1) if self.n_outputs_ == 1 else found

    def _targets(self, y: Any, *, dtype: np.dtype[Any]) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y)
        encoded = self._label_binarizer.transform(y)
        n_outputs = encoded.shape[1]
        is_multiclass = self._label_binarizer.y_type_ == "multiclass"
        truth = encoded.argmax(axis=1) if is_multiclass else encoded.astype(bool)
        if is_multiclass and name_of(self.loss) in LABELLED:
            return Targets(Target(truth, (rows,), truth.dtype), n_outputs, truth)
        target = Target(encoded.astype(bool).astype(dtype), (rows, n_outputs), dtype)
        return Targets(target, n_outputs, truth, truth if n_outputs == 1 else None)

    def _be_told(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        if is_partial:
            be_told(self, y, classes)

    def _meet(self, y: Any, *, is_first: bool, is_partial: bool) -> None:
        """Take the classes from y, or require that y has no others."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or is_partial):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        are_all = bool(self.warm_start) and not is_partial
        require_labels(unique_labels(y), self.classes_, are_all=are_all)

    def _row_weights(
        self, y: Any, sample_weight: Array | None, *, is_partial: bool
    ) -> Array | None:
        if self.class_weight is None:
            return sample_weight
        weights = weights_of_classes(self.class_weight, y, is_partial=is_partial)
        return weights if sample_weight is None else sample_weight * weights

    def _ready_targets(self) -> Callable[[Array], Array | None]:
        kind, classes = self._label_binarizer.y_type_, self.classes_
        if self.class_weight is None and kind == "binary" and len(classes) == 2:
            return partial(ready_sides, classes=classes, dtype=self._dtype)
        if self.class_weight is None and kind == "multiclass" and name_of(self.loss) in LABELLED:
            return partial(ready_labels, classes=classes)
        return not_ready

    def _output_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _probabilities(self, p: Array) -> Array:
        return np.hstack([1.0 - p, p]) if self.n_outputs_ == 1 else p

    def _answers(self, output: Array) -> Any:
        return self._label_binarizer.inverse_transform(
            output.ravel() if self.n_outputs_ == 1 else output
        )

    def _score_of(self, truth: Any, output: Array, sample_weight: Array | None) -> float:
        """The accuracy, as `score` has it, or NaN; `truth`: (n,) places of labels, or 0 and 1."""
        if not is_finite(output):
            return float("nan")
        if truth.ndim == 1:
            is_right = output.argmax(axis=1) == truth
        elif len(self.classes_) == 1:  # where there is one class, nothing else is predicted
            is_right = np.ones(len(output), bool)
        else:
            is_right = ((output > 0.5) == truth).all(axis=1)
        return float(np.average(is_right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
