"""`MLPMultiTask`: classification and regression targets together, from one body of layers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_y, _num_samples, check_is_fitted

from retrograd.arrays import Array, require_number
from retrograd.errors import DataError, OptionError, unknown_name
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.border import checked_weights, plainly
from retrograd.estimators.classifier import MLPClassifier
from retrograd.estimators.form import HeadsForm, activations_of
from retrograd.estimators.losses import LOG_LOSS, OF_CLASSES, OF_NUMBERS, SQUARED_ERROR
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.prepare import NONE, Targets, checked_rows
from retrograd.estimators.regressor import MLPRegressor
from retrograd.estimators.tasks import (
    ALONE,
    CLASSIFICATION,
    REGRESSION,
    Truth,
    chosen_kind,
    columns_of,
    kind_of,
    of_column,
    of_target,
    require_complete,
    values_of,
)
from retrograd.estimators.validation import Score, given
from retrograd.nn.losses import JointLoss, LossSpec
from retrograd.nn.losses import Targets as ByHead
from retrograd.nn.named import require_names

Head = MLPClassifier | MLPRegressor

HEADS: dict[str, type[Head]] = {CLASSIFICATION: MLPClassifier, REGRESSION: MLPRegressor}
USUAL = {CLASSIFICATION: LOG_LOSS, REGRESSION: SQUARED_ERROR}
ESTIMATOR_TYPES = {CLASSIFICATION: "classifier", REGRESSION: "regressor"}  # scikit-learn's words
BY_TARGET = ("targets", "loss", "loss_weights", "class_weight")  # parameters that may be dicts


class MLPMultiTask(BaseMLP):
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
    >>> model = rg.MLPMultiTask(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> model.targets_
    {'height': 'regression', 'side': 'classification'}
    >>> model.predict([[0.5]])["side"], model.predict_proba([[0.5]])["side"].shape
    (array(['right'], dtype='<U5'), (1, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "targets": [dict, StrOptions(set(HEADS)), None],
        "loss": [dict, StrOptions({LOG_LOSS, *OF_CLASSES, *OF_NUMBERS}), LossSpec, callable, None],
        "loss_weights": [dict, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "standardize_targets": ["boolean"],
    }
    targets: Any
    loss_weights: Any
    class_weight: Any
    label_smoothing: float
    standardize_targets: bool
    _heads: dict[str, Head]
    _is_named: bool

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
        self.targets = targets
        self.loss = loss
        self.loss_weights = loss_weights
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.standardize = standardize
        self.standardize_targets = standardize_targets
        self.encode_columns = encode_columns
        self.callbacks = callbacks
        self.engine = engine
        self.precision = precision
        self.n_threads = n_threads
        self.random_starts = random_starts

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
        self._begin(y, None, is_partial=False)
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
        self._begin(y, classes, is_partial=True)
        return self._fit(X, y, sample_weight, validation, is_partial=True)

    @property
    def targets_(self) -> dict[str, str]:
        """What each target was taken for: "classification" or "regression"."""
        return {
            name: next(kind for kind, made in HEADS.items() if isinstance(head, made))
            for name, head in self._fitted_heads().items()
        }

    @property
    def classes_(self) -> Any:
        """The labels of each target of classes, by name; without names an array."""
        found = self._classifiers()
        if not found:
            raise AttributeError("classes_ is there where a target is one of classes")
        return self._as_given({name: head.classes_ for name, head in found.items()})

    @property
    def estimators_(self) -> dict[str, Head]:
        """For each target the `MLPClassifier` or `MLPRegressor` that it is alone, fitted.

        With copies of the weights as they are now: those of the body, and of the target's outputs.
        It has what goes beyond `predict`: quantiles, deviations, its own trace and gradients.
        """
        heads = self._fitted_heads()
        found = {}
        coefs, intercepts = self._weights()
        for name, part in self._form().parts.items():
            own = found[name] = copy(heads[name])
            own.standardize = self.standardize  # of targets it is done with
            last = slice(None), part
            own.coefs_ = [*(W.copy() for W in coefs[:-1]), np.ascontiguousarray(coefs[-1][last])]
            own.intercepts_ = [*(b.copy() for b in intercepts[:-1]), intercepts[-1][part].copy()]
            own.n_layers_, own.n_iter_, own.t_ = self.n_layers_, self.n_iter_, self.t_
            own._dtype, own._inputs, own.n_features_in_ = (
                self._dtype,
                self._inputs,
                self.n_features_in_,
            )
            if hasattr(self, "feature_names_in_"):
                own.feature_names_in_ = self.feature_names_in_
        return found

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
        found = self.predict(X)
        weights = self._given_weights(X, sample_weight)
        scores = {}
        for name, head in self._heads.items():
            measure = accuracy_score if isinstance(head, MLPClassifier) else r2_score
            own = found[name] if self._is_named else found
            with of_target(name, is_named=self._is_named):
                w = weights.get(name)
                scores[name] = float(measure(columns[name], own, sample_weight=w))
        return scores

    def input_gradients(self, X: Any) -> Any:
        """How each target's prediction moves with each column of X, as its estimator says it."""
        found = {name: own.input_gradients(X) for name, own in self.estimators_.items()}
        return self._as_given(found)

    def _begin(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        """Make the heads that y asks for; or bring those that are there up to the parameters."""
        if y is None:
            raise DataError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        if not self._is_first(is_partial=is_partial):
            self._require_known(self._heads, is_named=self._is_named)
            for name, head in self._heads.items():
                kind = self.targets_[name]
                made = self._make(name, kind, is_named=self._is_named)  # checks the parameters
                head.set_params(**made.get_params(deep=False))
            return
        columns = columns_of(y)
        is_named = columns is not None
        columns = {ALONE: y} if columns is None else columns
        self._require_known(columns, is_named=is_named)
        labels = self._classes_given(classes, columns, is_named=is_named)
        heads = {}
        for name, value in columns.items():
            kind = self._kind(name, value, labels, is_named=is_named)
            heads[name] = head = self._make(name, kind, is_named=is_named)
            if is_partial and isinstance(head, MLPClassifier):
                with of_target(name, is_named=is_named):
                    head._take_classes(values_of(value), labels.get(name))
        self._heads, self._is_named = heads, is_named

    def _kind(self, name: str, value: Any, labels: Mapping[str, Any], *, is_named: bool) -> str:
        loss = self._own("loss", name, is_named=is_named)
        choice = self._own("targets", name, is_named=is_named)
        if choice is not None:
            with of_target(name, is_named=is_named):
                return chosen_kind(choice, loss)
        if name in labels:
            return CLASSIFICATION
        with of_column(name, is_named=is_named):
            array = values_of(value)
            require_complete(array)
            return kind_of(value, array, loss)

    def _make(self, name: str, kind: str, *, is_named: bool) -> Head:
        """A head for a target, its parameters checked."""
        own = self.get_params(deep=False)
        params = {n: own[n] for n in HEADS[kind]._parameter_constraints if n in own}
        params |= {"loss": self._own("loss", name, is_named=is_named), "callbacks": None}
        if params["loss"] is None:
            params["loss"] = USUAL[kind]
        if kind == REGRESSION:
            params["standardize"] = self.standardize_targets
        else:
            params["class_weight"] = self._own("class_weight", name, is_named=is_named)
        head = HEADS[kind](**params)
        with of_target(name, is_named=is_named):
            head._validate_params()
        return head

    def _own(self, parameter: str, name: str, *, is_named: bool) -> Any:
        """What a parameter is for a target: its entry in a dict by names, else what is for all."""
        value = getattr(self, parameter)
        return value.get(name) if is_named and isinstance(value, dict) else value

    def _require_known(self, names: Mapping[str, Any], *, is_named: bool) -> None:
        """Raise OptionError for a parameter about a target that is not there, or a wrong weight."""
        for parameter in BY_TARGET if is_named else ():
            value = getattr(self, parameter)
            for name in value if isinstance(value, dict) else ():
                if name not in names:
                    raise OptionError(f"{parameter}: {unknown_name('target', name, names)}")
        weights = self.loss_weights or {}
        if weights and not is_named:
            raise OptionError("loss_weights: are for targets with names; y is one array")
        for name, weight in weights.items():
            require_number("loss_weights", f"that of {name!r}", weight)
        if all(weights.get(name, 1.0) == 0 for name in names):
            raise OptionError("loss_weights: all are 0; nothing would be learned")

    def _classes_given(
        self, classes: Any, columns: Mapping[str, Any], *, is_named: bool
    ) -> dict[str, Any]:
        """The labels that the first call of partial_fit is given, by target."""
        if classes is None:
            return {}
        if not is_named:
            return {ALONE: classes}
        if not isinstance(classes, Mapping):
            raise OptionError("classes: the targets have names: give {name: labels}")
        for name in classes:
            if name not in columns:
                raise OptionError(f"classes: {unknown_name('target', name, columns)}")
        return dict(classes)

    def _fitted_heads(self) -> dict[str, Head]:
        if not hasattr(self, "_heads"):
            raise AttributeError(f"{type(self).__name__} has this after fit")
        return self._heads

    def _classifiers(self) -> dict[str, MLPClassifier]:
        heads = self._fitted_heads().items()
        return {name: head for name, head in heads if isinstance(head, MLPClassifier)}

    def _as_given(self, found: dict[str, Any]) -> Any:
        """What belongs to targets, by name where they have names."""
        return found if self._is_named else found[ALONE]

    def _by_target(self, output: Array) -> dict[str, Array]:
        """The outputs of each target, from those of all (n, n_outputs_)."""
        return {name: output[:, part] for name, part in self._form().parts.items()}

    def _columns(self, y: Any) -> dict[str, Any]:
        """The columns of y in the order of the targets; DataError unless it has just these."""
        columns = columns_of(y)
        if self._is_named != (columns is not None):
            wanted = f"a dict or a data frame with {', '.join(map(repr, self._heads))}"
            raise DataError(
                f"y: the targets have names: give {wanted}"
                if self._is_named
                else "y: the model was fitted to one array; give one, no names"
            )
        if columns is None:
            return {ALONE: y}
        require_names("y", columns, self._heads, "target")
        return {name: columns[name] for name in self._heads}

    def _checked_pair(self, X: Any, y: Any, *, is_first: bool) -> tuple[Any, dict[str, Any]]:
        X = checked_rows(self, X, is_first=is_first)
        checked = {}
        for name, value in self._columns(y).items():
            with of_column(name, is_named=self._is_named):
                array = values_of(value)
                require_complete(array)
            head = self._heads[name]
            with of_target(name, is_named=self._is_named), plainly():
                checked[name] = _check_y(
                    array, multi_output=True, y_numeric=head._is_numeric, estimator=head
                )
            n, n_rows = _num_samples(array), _num_samples(X)
            if n != n_rows:
                said = f"target {name!r}" if self._is_named else "y"
                raise DataError(
                    f"{said} has {n} rows, X has {n_rows}: inconsistent numbers of samples"
                )
        return X, checked

    def _given_weights(self, X: Any, sample_weight: Any) -> dict[str, Array]:
        if sample_weight is None:
            return {}
        columns = columns_of(sample_weight)
        if columns is None:
            w = checked_weights(X, sample_weight)
            return dict.fromkeys(self._heads, w)
        for name in columns:
            if name not in self._heads:
                raise DataError(f"sample_weight: {unknown_name('target', name, self._heads)}")
        found = {}
        for name, value in columns.items():
            with of_target(name, is_named=True):
                found[name] = checked_weights(X, value)
        return found

    def _weighed(self, y: Any, given: Mapping[str, Array], *, is_partial: bool) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for name, head in self._heads.items():
            with of_target(name, is_named=self._is_named):
                w = head._row_weights(y[name], given.get(name), is_partial=is_partial)
            if w is not None:
                found[name] = w
        if not found:
            return {}
        # The penalty counts a row by what it counts on average.
        n = len(next(iter(found.values())))
        mean = np.mean([found.get(name, np.ones(n)) for name in self._heads], axis=0)
        return {"": mean.astype(np.result_type(*found.values())), **found}

    def _row_weights(
        self, y: Any, sample_weight: Array | None, *, is_partial: bool
    ) -> Array | None:
        raise NotImplementedError("rows have weights by target")

    def _meet(
        self, y: Any, *, is_first: bool, is_partial: bool, weights: Mapping[str, Array] = NONE
    ) -> None:
        for name, head in self._heads.items():
            own = {"": weights[name]} if name in weights else NONE
            with of_target(name, is_named=self._is_named):
                head._meet(y[name], is_first=is_first, is_partial=is_partial, weights=own)

    def _targets(self, y: Any, *, dtype: np.dtype[Any]) -> Targets:
        found: dict[str, Targets] = {}
        for name, head in self._heads.items():
            with of_target(name, is_named=self._is_named):
                own = found[name] = head._targets(y[name], dtype=dtype)
                if not hasattr(head, "n_outputs_"):
                    head.n_outputs_, head.out_activation_ = (
                        own.n_outputs,
                        head._output_activation(),
                    )
                if head.n_outputs_ != own.n_outputs:
                    raise DataError(
                        f"asks for {own.n_outputs} outputs, the model has {head.n_outputs_} for it"
                    )
        stratify = [found[name].stratify for name in self._classifiers()]
        return Targets(
            ByHead({name: own.target for name, own in found.items()}),  # type: ignore[misc]  # heads have one each
            sum(own.n_outputs for own in found.values()),
            Truth({name: own.truth for name, own in found.items()}),
            stratify[0] if len(stratify) == 1 else None,
        )

    def _ready_target(self, y: Array) -> Array | None:
        return None

    def _output_activation(self) -> Any:
        return self._as_given({name: head.out_activation_ for name, head in self._heads.items()})

    def _form(self) -> HeadsForm:
        coefs, _ = self._weights()
        sizes = (len(coefs[0]), *(coef.shape[1] for coef in coefs))
        heads = tuple((n, h.n_outputs_, h.out_activation_) for n, h in self._heads.items())
        return HeadsForm(sizes, activations_of(self.activation, len(sizes) - 2), "identity", heads)

    def _loss(self, network: Any) -> JointLoss:
        losses = []
        for name, head in self._heads.items():
            with of_target(name, is_named=self._is_named):
                losses.append((name, head._loss(network.heads[name])))
        weights = self.loss_weights or {}
        return JointLoss(tuple(losses), {n: float(weights.get(n, 1.0)) for n in self._heads})

    def _score_by(self, loss: JointLoss) -> Score | None:
        own = loss.by_head
        are_scored = [head._score_by(own[name]) is not None for name, head in self._heads.items()]
        return self._score_of if all(are_scored) else None

    def _score_of(self, truth: Any, output: Any, sample_weight: Any) -> float:
        weights = sample_weight or {}
        for name, w in weights.items():
            if not w.any():
                raise DataError(
                    f"all {len(w)} validation rows have the weight 0 in the target {name!r}; hold "
                    "out more, or give X_val and y_val"
                )
        return float(
            np.mean(
                [
                    head._score_of(truth.parts[name], output[name], weights.get(name))
                    for name, head in self._heads.items()
                ]
            )
        )

    def _answers(self, output: Array) -> Any:
        outputs = self._by_target(output)
        return self._as_given({n: head._answers(outputs[n]) for n, head in self._heads.items()})

    def _target_facts(self, arrays: dict[str, Array]) -> dict[str, Any]:
        heads = []
        for name, head in self._heads.items():
            own: dict[str, Array] = {}
            facts = head._target_facts(own)
            if hasattr(self, "loss_curves_"):
                own["losses"] = np.array(self.loss_curves_[name], np.float64)
            arrays |= {f"{key} of {name}": value for key, value in own.items()}
            kind, n = self.targets_[name], int(head.n_outputs_)
            heads.append({"name": name, "kind": kind, "n_outputs": n, **facts})
        return {"labels": None, "targets": {"is_named": self._is_named, "heads": heads}}

    def _take_target_facts(self, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        self._heads, self._is_named = {}, bool(facts["targets"]["is_named"])
        curves = {}
        for own in facts["targets"]["heads"]:
            name = own["name"]
            head = self._heads[name] = self._make(name, own["kind"], is_named=self._is_named)
            head.n_outputs_ = own["n_outputs"]
            ours = {key: arrays.get(f"{key} of {name}") for key in ("classes", "losses")}
            found = {key: array for key, array in ours.items() if array is not None}
            head._take_target_facts(own, found)
            head.out_activation_ = head._output_activation()
            if "losses" in found:
                curves[name] = found["losses"].tolist()
        if curves:
            self.loss_curves_ = curves

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.classifier_tags = ClassifierTags(multi_label=True)
        tags.regressor_tags = RegressorTags()
        if isinstance(self.targets, str):  # all are of one kind
            tags.estimator_type = ESTIMATOR_TYPES.get(self.targets)
        return tags
