"""What a multi-layer perceptron with several heads has that one with one output has not.

Each head is an `MLPClassifier` or `MLPRegressor` without weights: it knows its labels or its scale,
its loss and its score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_y, _num_samples, check_is_fitted

from retrograd.arrays import Array, require_number
from retrograd.errors import DataError, OptionError, unknown_name
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.border import checked_weights, plainly
from retrograd.estimators.classifier import MLPClassifier
from retrograd.estimators.form import HeadsForm, activations_of
from retrograd.estimators.labels import be_told
from retrograd.estimators.losses import LOG_LOSS, SQUARED_ERROR, require_output
from retrograd.estimators.ongoing import not_ready
from retrograd.estimators.prepare import Targets, plain_rows
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
from retrograd.estimators.validation import Score
from retrograd.nn.losses import JointLoss
from retrograd.nn.losses import Targets as ByHead
from retrograd.nn.named import require_names

Head = MLPClassifier | MLPRegressor

HEADS: dict[str, type[Head]] = {CLASSIFICATION: MLPClassifier, REGRESSION: MLPRegressor}
USUAL = {CLASSIFICATION: LOG_LOSS, REGRESSION: SQUARED_ERROR}
BY_TARGET = ("targets", "loss", "loss_weights", "class_weight")  # parameters that may be dicts


class ManyHeads(BaseMLP):
    """The base of `MLPMultiTask`: how targets become heads, and what becomes of their outputs."""

    targets: Any
    loss_weights: Any
    class_weight: Any
    label_smoothing: float
    standardize_targets: bool
    _heads: dict[str, Head]
    _is_named: bool

    def _parts(self) -> list[BaseEstimator]:
        return [self, *getattr(self, "_heads", {}).values()]

    def _be_told(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        """Make the heads that y asks for; or bring those that are there up to the parameters."""
        if y is None:
            raise DataError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        if not self._is_first(is_partial=is_partial):
            self._bring_up(_labels(classes, is_named=self._is_named))
            return
        columns = columns_of(y)
        is_named = columns is not None
        columns = {ALONE: y} if columns is None else columns
        self._require_targets(columns, is_named=is_named)
        labels = _labels(classes, is_named=is_named)
        kinds = {
            name: self._kind(name, value, labels, is_named=is_named)
            for name, value in columns.items()
        }
        self._require_classes(labels, kinds, is_named=is_named)
        heads = {name: self._make(name, kind, is_named=is_named) for name, kind in kinds.items()}
        for name, head in heads.items():
            if is_partial and isinstance(head, MLPClassifier):
                with of_target(name, is_named=is_named):
                    be_told(head, values_of(columns[name]), labels.get(name))
        self._heads, self._is_named = heads, is_named

    def _bring_up(self, labels: Mapping[str, Any]) -> None:
        """Give the heads that are there the parameters as they are now, or refuse these."""
        is_named, kinds = self._is_named, self.targets_
        self._require_targets(self._heads, is_named=is_named)
        self._require_classes(labels, kinds, is_named=is_named)
        for name, head in self._heads.items():
            made = self._make(name, kinds[name], is_named=is_named)
            choice = self._own("targets", name, is_named=is_named)
            with of_target(name, is_named=is_named):
                if choice not in (None, kinds[name]):
                    raise OptionError(
                        f"`targets` says that it is one of {choice}, the model was fitted to one "
                        f"of {kinds[name]}; fit with warm_start=False to begin again"
                    )
                head.set_params(**made.get_params(deep=False))
                require_output(head.loss, head.out_activation_, head._output_activation())
                if isinstance(head, MLPClassifier) and name in labels:
                    be_told(head, None, labels[name])  # as before, else an error

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

    def _require_targets(self, names: Mapping[str, Any], *, is_named: bool) -> None:
        """Raise OptionError for a parameter about a target that is not there."""
        for parameter in BY_TARGET if is_named else ():
            value = getattr(self, parameter)
            for name in value if isinstance(value, dict) else ():
                if name not in names:
                    raise OptionError(f"{parameter}: {unknown_name('target', name, names)}")

    def _require_classes(
        self, labels: Mapping[str, Any], kinds: Mapping[str, str], *, is_named: bool
    ) -> None:
        """Raise OptionError for what is about classes, where the target has none."""
        known = [name for name, kind in kinds.items() if kind == CLASSIFICATION]
        own, weighted = self.class_weight, ()
        if is_named and isinstance(own, dict):
            weighted = tuple(name for name, weights in own.items() if weights is not None)
            own = None
        for parameter, names in {"classes": labels, "class_weight": weighted}.items():
            for name in names:
                if name not in known:
                    message = unknown_name("target of classes", name, known)
                    raise OptionError(f"{parameter}: {message}")
        for parameter, value in {
            "class_weight": own,
            "label_smoothing": self.label_smoothing,
        }.items():
            if value and not known:
                raise OptionError(f"{parameter}={value!r}: no target is one of classes")

    def _weights_by_target(self) -> dict[str, float]:
        """How much the loss of each target counts; OptionError for what is no such weight."""
        given = self.loss_weights or {}
        if given and not self._is_named:
            raise OptionError("loss_weights: are for targets with names; y is one array")
        found = dict.fromkeys(self._heads, 1.0)
        for name, weight in given.items():
            require_number("loss_weights", f"that of {name!r}", weight)
            found[name] = float(weight)
        if not any(found.values()):
            raise OptionError("loss_weights: all are 0; nothing would be learned")
        return found

    @property
    def targets_(self) -> dict[str, str]:
        """What each target was taken for: "classification" or "regression"."""
        return {
            name: next(kind for kind, made in HEADS.items() if isinstance(head, made))
            for name, head in self._fitted_heads().items()
        }

    def _fitted_heads(self) -> dict[str, Head]:
        check_is_fitted(self, "_heads")
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
        X = plain_rows(self, X, is_first=is_first)
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
            w = checked_weights(X, sample_weight, self._dtype)
            return dict.fromkeys(self._heads, w)
        for name in columns:
            if name not in self._heads:
                raise DataError(f"sample_weight: {unknown_name('target', name, self._heads)}")
        found = {}
        for name, value in columns.items():
            with of_target(name, is_named=True):
                found[name] = checked_weights(X, value, self._dtype)
        return found

    def _weighed(self, y: Any, given: Mapping[str, Array], *, is_partial: bool) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for name, head in self._heads.items():
            with of_target(name, is_named=self._is_named):
                w = head._row_weights(y[name], given.get(name), is_partial=is_partial)
            if w is not None:
                found[name] = w
        mean = self._weights_of_rows(found)  # the penalty counts a row by it
        return {} if mean is None else {"": mean.astype(np.result_type(*found.values())), **found}

    def _weights_of_rows(self, given: Mapping[str, Array]) -> Array | None:
        if not given:
            return None
        n = len(next(iter(given.values())))
        return np.asarray(np.mean([given.get(name, np.ones(n)) for name in self._heads], axis=0))

    def _tells_apart(self, truth: Truth, weights: Mapping[str, Array]) -> bool:
        return all(
            head._tells_apart(truth.parts[n], {"": weights[n]} if n in weights else {})
            for n, head in self._heads.items()
        )

    def _meet(self, y: Any, *, is_first: bool, is_partial: bool) -> None:
        for name, head in self._heads.items():
            with of_target(name, is_named=self._is_named), plainly():
                head._meet(y[name], is_first=is_first, is_partial=is_partial)

    def _learn_targets(self, truth: Truth, order: Array, weights: Mapping[str, Array]) -> None:
        for name, head in self._heads.items():
            own = {"": weights[name]} if name in weights else {}
            with of_target(name, is_named=self._is_named):
                head._learn_targets(truth.parts[name], order, own)

    def _scaled(self, head: str, array: Array) -> Array:
        return self._heads[head]._scaled("", array)

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
            ByHead({name: own.target.parts[""] for name, own in found.items()}),
            sum(own.n_outputs for own in found.values()),
            Truth({name: own.truth for name, own in found.items()}),
            stratify[0] if len(stratify) == 1 else None,
        )

    def _ready_targets(self) -> Callable[[Array], Array | None]:
        return not_ready

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
        return JointLoss(tuple(losses), self._weights_by_target())

    def _score_by(self, loss: JointLoss) -> Score | None:
        own = loss.by_head
        are_scored = [head._score_by(own[name]) is not None for name, head in self._heads.items()]
        return self._score_of if all(are_scored) else None

    def _score_of(self, truth: Any, output: Any, sample_weight: Any) -> float:
        weights = sample_weight or {}
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


def _labels(classes: Any, *, is_named: bool) -> dict[str, Any]:
    """The labels that partial_fit is given, by target."""
    if classes is None:
        return {}
    if is_named and not isinstance(classes, Mapping):
        raise OptionError("classes: the targets have names; give {name: labels}")
    return dict(classes) if is_named else {ALONE: classes}
