"""`MLPMultiTask`: classification and regression targets together, from one body of layers."""

from __future__ import annotations

from copy import copy
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from retrograd.errors import require_known
from retrograd.estimators import options
from retrograd.estimators.classifier import MLPClassifier
from retrograd.estimators.heads import HEADS, Head, ManyHeads
from retrograd.estimators.losses import LOG_LOSS, OF_CLASSES, OF_NUMBERS
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.tasks import (
    ALONE,
    CLASSIFICATION,
    REGRESSION,
    of_target,
    require_counting,
    values_of,
)
from retrograd.estimators.validation import given
from retrograd.nn.losses import LossSpec

ESTIMATOR_TYPES = {CLASSIFICATION: "classifier", REGRESSION: "regressor"}  # scikit-learn's words


class MLPMultiTask(ManyHeads):
    """A multi-layer perceptron with several targets, some of them classes and some numbers.

    ::

        J = sum over targets of weight * (mean over rows of the target's loss) + penalty

    [Caruana 1997, sec. 1]

    All targets share the hidden layers; each has outputs of its own, which are those of an
    `MLPClassifier` or an `MLPRegressor`. See docs/scikit-learn.md.

    Args:
        targets: {name: "classification" or "regression"}, for targets whose values do not say it:
            words, booleans and categories are classes, floats are numbers; whole numbers are
            classes where there are at most 20 different ones, and an error where there are more.
            The word alone is for all targets.
        loss: {name: loss} as `MLPClassifier` and `MLPRegressor` take it; "log_loss" and
            "squared_error" for the targets that it leaves out. One that is no dict is for all.
        loss_weights: {name: number >= 0}, 1 for the targets that it leaves out.
        hidden_layer_sizes: units of each hidden layer: integers of at least 1, or one of them.
        activation: of the hidden layers, as in `MLPClassifier`.
        solver: "adam", "sgd", "lbfgs", any other optimizer of the package but
            "levenberg_marquardt" by name, or an optimizer with numbers of its own.
        alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle,
            random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, beta_1, beta_2,
            epsilon, n_iter_no_change, max_fun: as in `MLPClassifier`.
        early_stopping: hold out `validation_fraction` of the rows, in [0, 1), and keep the weights
            with the best `score` on them.
        class_weight: {name: {label: weight} or "balanced"}; "balanced" alone is for all targets
            of classes.
        label_smoothing: in [0, 1), of log_loss, for all targets of classes.
        standardize: inputs are scaled to mean 0 and deviation 1.
        standardize_targets: so are the numbers to be predicted, where their loss is one of an
            error. Without it the target with the largest numbers has all of the gradient.
        dropout, clip_norm, encode_columns, callbacks, engine, precision, n_threads, random_starts:
            as in `MLPClassifier`.

    A y without names, an array, is one target; then parameters are its own, `predict` and the
    others return arrays, and all is as in `MLPClassifier` or `MLPRegressor`.

    >>> X = np.linspace(-1.0, 1.0, 41)[:, None]
    >>> y = {"height": X.ravel() ** 2, "side": np.where(X.ravel() < 0, "left", "right")}
    >>> model = rg.MLPMultiTask(hidden_layer_sizes=(8,), solver="lbfgs", tol=1e-3, random_state=0)
    >>> model = model.fit(X, y)
    >>> model.targets_
    {'height': 'regression', 'side': 'classification'}
    >>> model.predict([[0.5]])["side"], model.predict_proba([[0.5]])["side"].shape
    (array(['right'], dtype='<U5'), (1, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **options.CONSTRAINTS,
        "targets": [dict, StrOptions(set(HEADS)), None],
        "loss": [dict, StrOptions({LOG_LOSS, *OF_CLASSES, *OF_NUMBERS}), LossSpec, callable, None],
        "loss_weights": [dict, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "standardize_targets": ["boolean"],
    }

    def __init__(
        self,
        targets: Any = None,
        loss: Any = None,
        loss_weights: Any = None,
        *,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        dropout: Any = 0.0,
        clip_norm: float | None = None,
        standardize: bool = False,
        standardize_targets: bool = True,
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
            y: the targets by name: a dict of columns, a data frame or a structured array. A column
                of a dict may be (n, k): k numbers, or k labels of 0 and 1. Or one target, (n,).
            sample_weight: (n,), >= 0; or by the names of targets. A weight of 0 in a target says
                that it is not known of the row.
            X_val, y_val: rows to validate with, of the same form: the weights with the best
                `score` on them are kept (the lowest loss, where a target is not estimated); with
                `early_stopping` training stops by it.
            sample_weight_val: as `sample_weight`.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, is_partial=False)

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]  # scikit-learn's
    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn's
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]  # scikit-learn's
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
        """Run one epoch over these rows, from where the last call ended; else as `fit`.

        `classes`: all labels that will come, {name: labels} for each target of classes, needed in
        the first call, which also learns the scale of numbers.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, classes, is_partial=True)

    @property
    def classes_(self) -> Any:
        """The labels of each target of classes, by name; without names an array."""
        found = self._classifiers()
        if not found:
            raise AttributeError("classes_ is there where a target is one of classes")
        return self._as_given({name: head.classes_ for name, head in found.items()})

    def estimator_of(self, target: str | None = None) -> Head:
        """The `MLPClassifier` or `MLPRegressor` that one target is alone, fitted.

        With copies of the weights as they are now: those of the body, and of the target's outputs.
        It has what goes beyond `predict`: quantiles, deviations, its own trace and gradients.
        `target`: its name; None where targets have none. Raises UnknownNameError for another.
        """
        heads = self._fitted_heads()
        name = ALONE if target is None and not self._is_named else target
        part = self._form().parts[require_known("target", name, heads)]
        coefs, intercepts = self._weights()
        own = copy(heads[str(name)])
        own.standardize = self.standardize  # of targets it is done with
        own.coefs_ = [*(W.copy() for W in coefs[:-1]), np.ascontiguousarray(coefs[-1][:, part])]
        own.intercepts_ = [*(b.copy() for b in intercepts[:-1]), intercepts[-1][part].copy()]
        own._dtype, own._inputs = self._dtype, self._inputs
        for known in ("n_layers_", "n_iter_", "t_", "n_features_in_", "feature_names_in_"):
            if hasattr(self, known):
                setattr(own, known, getattr(self, known))
        return own

    def predict(self, X: Any) -> Any:
        """The prediction of each target for each row, by name; without names an array.

        Labels (n,), numbers (n,), or (n, k) where the target has k columns.
        """
        return self._answers(self._outputs(X))

    def _classes_exist(self) -> bool:
        if self._classifiers() if hasattr(self, "_heads") else self.targets != REGRESSION:
            return True
        raise AttributeError("probabilities are there where a target is one of classes")

    @available_if(_classes_exist)  # type: ignore[untyped-decorator]  # scikit-learn's
    def predict_proba(self, X: Any) -> Any:
        """The probabilities of each target of classes, (n, n_classes) in the order of `classes_`.

        By name; without names an array.
        """
        outputs = self._by_target(self._outputs(X))
        heads = self._classifiers()
        return self._as_given({n: head._probabilities(outputs[n]) for n, head in heads.items()})

    @available_if(_classes_exist)  # type: ignore[untyped-decorator]  # scikit-learn's
    def predict_log_proba(self, X: Any) -> Any:
        """The logarithm of `predict_proba`."""
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return {name: np.log(own) for name, own in p.items()} if self._is_named else np.log(p)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The mean over targets of `scores`: at most 1, whatever `loss_weights` are."""
        return float(np.mean([*self.scores(X, y, sample_weight).values()]))

    def scores(self, X: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """The accuracy of each target of classes, the R2 of each of numbers, by name.

        `sample_weight`: (n,), or by the names of targets.
        """
        from sklearn.metrics import accuracy_score, r2_score

        check_is_fitted(self)
        columns = self._columns(y)
        output = self._outputs(X)
        outputs, weights = self._by_target(output), self._given_weights(output, sample_weight)
        require_counting(weights, "rows to score")
        scores = {}
        for name, head in self._heads.items():
            measure = accuracy_score if isinstance(head, MLPClassifier) else r2_score
            found, w = head._answers(outputs[name]), weights.get(name)
            with of_target(name, is_named=self._is_named):
                scores[name] = float(measure(values_of(columns[name]), found, sample_weight=w))
        return scores

    def input_gradients(self, X: Any) -> Any:
        """How each target's prediction moves with each column of X, as its estimator says it."""
        heads = self._fitted_heads()
        found = {name: self.estimator_of(name).input_gradients(X) for name in heads}
        return self._as_given(found)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.classifier_tags = ClassifierTags(multi_label=True)
        tags.regressor_tags = RegressorTags()
        if isinstance(self.targets, str):  # all are of one kind
            tags.estimator_type = ESTIMATOR_TYPES.get(self.targets)
        return tags
