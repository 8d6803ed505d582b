"""What the two ensembles share: parameters, their members, prediction by all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.estimators import ensemble_fit, ensemble_serial, options, stack
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.optimizers import has_partial_fit
from retrograd.estimators.prepare import encoded, plain_inputs, plain_pair
from retrograd.estimators.seeds import generator
from retrograd.estimators.validation import Given

NOT_SHARED = ("random_state", "verbose", "random_starts")
"""Parameters of members that are not those of the ensemble."""


class BaseMLPEnsemble(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """The base of the ensembles. Fitted, they consist of their members, `estimators_`.

    Each member is a fitted `MLPClassifier` or `MLPRegressor`, whose weights may be read and
    changed; its figures (`loss_curve_`, `n_iter_`, ...) are there too.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    _member_class: ClassVar[type[BaseMLP]]
    n_estimators: int
    members: str
    bootstrap: bool
    max_samples: float
    solver: Any
    loss: Any
    early_stopping: bool
    warm_start: bool
    random_state: Any
    verbose: bool | int
    hidden_layer_sizes: Any
    standardize: bool
    encode_columns: bool
    precision: str

    estimators_: list[BaseMLP]
    estimators_samples_: list[Array]
    parameters_: Mapping[str, Array]
    n_features_in_: int
    n_outputs_: int
    n_iter_: int
    loss_: float
    _trunk: BaseMLP

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
        ensemble_fit.fit(self, X, y, sample_weight, given, classes, is_partial=is_partial)
        return self

    def _be_told(self, y: Any, classes: Any, *, is_partial: bool) -> None:
        """Learn what a call is told of the targets before it looks at the rows."""

    def _parts(self) -> list[BaseEstimator]:
        """All estimators that a fit changes: this one and what it is made of."""
        own = [*getattr(self, "estimators_", ()), getattr(self, "_trunk", None)]
        return [self, *(one for one in own if one is not None)]

    def _take_figures(self) -> None:
        """Take `n_iter_` and `loss_` from the members."""
        self.n_iter_ = max(member.n_iter_ for member in self.estimators_)
        losses = [member.loss_ for member in self.estimators_ if hasattr(member, "loss_")]
        if losses:
            self.loss_ = float(np.mean(losses))
        elif hasattr(self, "loss_"):  # of a fit before: Ctrl-C came before the first epoch was over
            del self.loss_

    @property
    def _is_numeric(self) -> bool:
        return self._member_class._is_numeric

    def _member_params(self) -> dict[str, Any]:
        """The parameters that the members have of the ensemble."""
        names = self._member_class._parameter_constraints
        return {name: getattr(self, name) for name in names if name not in NOT_SHARED}

    def _new_members(self, seeds: Iterable[int]) -> list[BaseMLP]:
        params = self._member_params()
        return [self._member_class(**params, random_state=int(seed)) for seed in seeds]

    def _fresh_members(self) -> list[BaseMLP]:
        rng = generator(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=int(self.n_estimators))
        return self._new_members(seeds)

    def _known_members(self) -> list[BaseMLP]:
        """The members that are there, with the parameters as they are now."""
        if len(self.estimators_) != self.n_estimators:
            raise OptionError(
                f"the ensemble has {len(self.estimators_)} members, n_estimators is now "
                f"{self.n_estimators}; fit with warm_start=False to begin again"
            )
        if hasattr(self, "_trunk") != (self.members == options.SHARED):
            raise OptionError(
                "`members` has changed since the last fit; fit with warm_start=False to begin again"
            )
        params = self._member_params()
        for member in self.estimators_:
            member.set_params(**params)
        return self.estimators_

    def _checked_pair(self, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
        """X and y by scikit-learn's checks, X as the user has it."""
        return plain_pair(self, X, y, is_first=is_first)

    def _outputs(self, X: Any) -> Array:
        """Each member's output for a user's X: (M, n, outputs of the network)."""
        X = plain_inputs(self, X)
        lead = self.estimators_[0]
        if all(member._inputs is lead._inputs for member in self.estimators_):
            return stack.outputs(self.estimators_, encoded(lead, X))
        # Each learned from rows of its own what becomes of the columns.
        return np.concatenate([stack.outputs([m], encoded(m, X)) for m in self.estimators_])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted ensemble to one file, whole or not at all; `rg.load` reads it back."""
        ensemble_serial.save(self, path)

    def _partial_fit_exists(self) -> bool:
        return has_partial_fit(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not (self.standardize or self.encode_columns)
        tags.input_tags.allow_nan = tags.input_tags.string = bool(self.encode_columns)
        return tags
