"""`MLPEnsembleRegressor`: several networks that predict numbers, trained as one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from retrograd.arrays import Array
from retrograd.estimators import options
from retrograd.estimators.ensemble import BaseMLPEnsemble
from retrograd.estimators.estimates import Estimates
from retrograd.estimators.losses import SQUARED_ERROR, has_quantiles, is_gaussian, output_of
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.regressor import MLPRegressor
from retrograd.estimators.validation import given


class MLPEnsembleRegressor(RegressorMixin, BaseMLPEnsemble):  # type: ignore[misc]  # scikit-learn is not typed
    """Several multi-layer perceptrons that predict numbers: the mean of theirs, and their spread.

    They are trained at once, as copies of one program, and predict in one call. Where there were
    few rows to learn from they differ: `predict(X, return_std=True)`
    [Lakshminarayanan, Pritzel & Blundell 2017].

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

    The others are those of `rg.MLPRegressor`, for every member; `random_starts` is not there.

    Attributes: `estimators_`, the members; `estimators_samples_`, the rows that each trained on;
    `parameters_`, the weights and factors, where members share; `n_iter_`, the most epochs of a
    member; `loss_`, the mean of theirs.

    >>> X = np.linspace(-1.0, 1.0, 21)[:, None]
    >>> model = rg.MLPEnsembleRegressor(
    ...     5, hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", random_state=0
    ... ).fit(X, X.ravel() ** 2)
    >>> mean, std = model.predict([[0.5], [4.0]], return_std=True)
    >>> bool(abs(mean[0] - 0.25) < 0.05), bool(std[1] > 10.0 * std[0])
    (True, True)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = options.of_members(
        options.OF_REGRESSORS
    )
    _member_class = MLPRegressor

    def __init__(
        self,
        n_estimators: int = 10,
        *,
        members: str = "independent",
        bootstrap: bool = False,
        max_samples: float = 1.0,
        loss: Any = SQUARED_ERROR,
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
            y: (n,) or (n, n_targets) numbers, finite.
            sample_weight: (n,), >= 0.
            X_val, y_val: rows to validate with, of the same form: each member keeps its weights
                with the best R2 on them; with `early_stopping` it stops by it.
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
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Run one epoch of every member over these rows, from where the last call ended.

        All members take all rows. With `early_stopping` and validation rows each member ends as
        `rg.MLPRegressor` does.
        """
        validation = given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, is_partial=True)

    def predict(
        self,
        X: Any,
        return_std: bool = False,  # noqa: FBT001, FBT002  # as GaussianProcessRegressor
    ) -> Array | tuple[Array, Array]:
        """The mean of the members' predictions for each row: (n,), or (n, n_targets).

        `return_std`: also their standard deviation, of the same shape. With "gaussian_nll" it is
        that of the mixture of the members' distributions, which has the noise in it too:
        var = mean(std_m**2 + mean_m**2) - mean**2   [Lakshminarayanan et al. 2017, sec. 2.4].
        """
        output = self._outputs(X)
        each = self._of_each(output, Estimates.means)
        mean = each.mean(axis=0)
        if not return_std:
            return mean
        if not is_gaussian(self.loss):
            return mean, each.std(axis=0)
        noise = self._of_each(output, Estimates.deviations)
        return mean, np.sqrt(np.square(noise).mean(axis=0) + each.var(axis=0))

    def predict_members(self, X: Any) -> Array:
        """Each member's prediction for each row: (n_estimators, n), or (..., n, n_targets)."""
        return self._of_each(self._outputs(X), Estimates.means)

    @available_if(has_quantiles)  # type: ignore[untyped-decorator]  # scikit-learn's
    def predict_quantiles(self, X: Any) -> Array:
        """The means over members of the quantiles of `loss=rg.Quantile(...)`, in its order.

        (n, n_quantiles), or (n, n_targets, n_quantiles).
        """
        each = self._of_each(self._outputs(X), Estimates.quantiles)
        found = each.mean(axis=0)
        return found[:, 0] if found.shape[1] == 1 else found

    def _of_each(self, output: Array, read: Callable[[Estimates, Array], Array]) -> Array:
        """What the members' outputs (M, n, n_outputs) estimate."""
        scales = [member._target_scale for member in self.estimators_]
        pairs = zip(scales, output, strict=True)
        found = np.stack([read(Estimates(self.loss, scale), own) for scale, own in pairs])
        return found[:, :, 0] if found.ndim == 3 and found.shape[2] == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = output_of(self.loss) == "exp"
        return tags
