"""`MLPEnsembleClassifier`: several networks that classify, trained as one program."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from retrograd.arrays import Array
from retrograd.estimators import options
from retrograd.estimators.classifier import MLPClassifier
from retrograd.estimators.ensemble import BaseMLPEnsemble
from retrograd.estimators.labels import be_told
from retrograd.estimators.losses import LOG_LOSS
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.validation import given


class MLPEnsembleClassifier(ClassifierMixin, BaseMLPEnsemble):  # type: ignore[misc]  # scikit-learn is not typed
    """Several multi-layer perceptrons that classify by the mean of their probabilities.

    They are trained at once, as copies of one program, and predict in one call. What they disagree
    on tells how sure the mean is: `predict_proba(X, return_std=True)`.

    Args:
        n_estimators: how many members, M, at least 1.
        members: "independent": each has weights of its own, drawn and shuffled by a seed of its
            own. "shared": all share the weights; each has factors of 1 or -1 at first on the rows
            and columns of every matrix, and biases of its own, and sees every row of every batch:
            W_m = r_m * W * s_m   [Wen, Tran & Ba 2020]. Not with every option (docs/ensembles.md).
        bootstrap: members draw the rows that they train on, with replacement.
        max_samples: rows that a member draws: a number of them, or a share of all, in (0, 1].
        random_state: of the members' seeds; those are the `random_state` of `estimators_`.
        verbose: print the mean loss of each epoch; where members are trained in turn, a line for
            each of them.
        early_stopping: each member holds out rows of its own, keeps its best weights and stops
            by itself; with shared weights all together.
        callbacks: functions called with the member that is trained, as `callback(member)`; True
            stops that one.

    The others are those of `rg.MLPClassifier`, for every member; `random_starts` is not there.

    Attributes: `estimators_`, the members; `estimators_samples_`, the rows that each trained on;
    `parameters_`, the weights and factors, where members share; `n_iter_`, the most epochs of a
    member; `loss_`, the mean of theirs.

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["low", "low", "high", "high"]
    >>> model = rg.MLPEnsembleClassifier(5, hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
    >>> model.fit(X, y).predict([[0.2], [2.8]])
    array(['low', 'high'], dtype='<U4')
    >>> p, std = model.predict_proba([[0.2], [1.5]], return_std=True)
    >>> bool(std[1, 0] > std[0, 0])  # between the classes they differ most
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = options.of_members(
        options.OF_CLASSIFIERS
    )
    _member_class = MLPClassifier
    classes_: Array
    _label_binarizer: Any

    def __init__(
        self,
        n_estimators: int = 10,
        *,
        members: str = "independent",
        bootstrap: bool = False,
        max_samples: float = 1.0,
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
    ) -> None:
        options.keep(self, locals())

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
        """Train all members from fresh weights, or with `warm_start` from those that are there.

        Args:
            X: (n, n_features) numbers, finite, or a sparse matrix of them. float32 stays float32.
            y: (n,) labels, or (n, n_labels) of 0 and 1 for several labels at once.
            sample_weight: (n,), >= 0.
            X_val, y_val: rows to validate with, of the same form: each member keeps its weights
                with the best accuracy on them; with `early_stopping` it stops by it.
            sample_weight_val: (n_val,), >= 0.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, is_partial=False)

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]  # scikit-learn's
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
        """Run one epoch of every member over these rows, from where the last call ended.

        All members take all rows. `classes`: all labels that will come, needed in the first
        call. With `early_stopping` and validation rows each member ends as `rg.MLPClassifier`.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, classes, is_partial=True)

    def _be_told(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        if is_partial:
            be_told(self, y, classes)

    def predict(self, X: Any) -> Any:
        """The label of the highest mean probability: (n,), or (n, n_labels) of 0 and 1."""
        mean = self._outputs(X).mean(axis=0)
        lead: Any = self.estimators_[0]
        return lead._answers(mean)

    def predict_proba(
        self,
        X: Any,
        return_std: bool = False,  # noqa: FBT001, FBT002  # as GaussianProcessRegressor
    ) -> Array | tuple[Array, Array]:
        """The mean over members of the probability of each class: (n, n_classes).

        `return_std`: also its standard deviation over the members, of the same shape.
        """
        each = self.predict_proba_members(X)
        mean = each.mean(axis=0)
        return (mean, each.std(axis=0)) if return_std else mean

    def predict_proba_members(self, X: Any) -> Array:
        """Each member's probability of each class: (n_estimators, n, n_classes)."""
        p = self._outputs(X)
        return np.concatenate([1.0 - p, p], axis=2) if self.n_outputs_ == 1 else p

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
