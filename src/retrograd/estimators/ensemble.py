"""What the two ensembles share: parameters, the seeds and rows of members, their training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted

from retrograd.arrays import Array, SparseRows
from retrograd.errors import OptionError, ShapeError
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.border import checked, checked_weights, plainly
from retrograd.estimators.callbacks import Calls
from retrograd.estimators.form import named
from retrograd.estimators.losses import loss_of
from retrograd.estimators.options import hidden_sizes
from retrograd.estimators.prepare import Targets
from retrograd.estimators.shared import SharedCourse, first_parameters, of_member, shared_steps
from retrograd.estimators.stack import outputs
from retrograd.estimators.starts import begin, penalty, train
from retrograd.estimators.together import Course, Together
from retrograd.estimators.validation import hold_out
from retrograd.nn.activations import ACTIVATIONS
from retrograd.training.origin import Origin, find_origin
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession
from retrograd.training.step import steps_of

INDEPENDENT, SHARED = "independent", "shared"
OWN = ("n_estimators", "members", "bootstrap", "max_samples", "random_state", "verbose")
"""Parameters that the members do not have, or not as the ensemble has them."""
TAKEN = (
    *("hidden_layer_sizes", "alpha", "batch_size", "learning_rate_init", "power_t", "max_iter"),
    *("shuffle", "random_state", "tol", "verbose", "warm_start", "momentum", "nesterovs_momentum"),
    *("early_stopping", "validation_fraction", "beta_1", "beta_2", "epsilon", "n_iter_no_change"),
    *("max_fun", "engine", "n_threads"),
)
"""Parameters that are those of the members."""
STOCHASTIC = ("adam", "sgd")
FLOATS = (np.float64, np.float32)
BOOTSTRAP = 1  # what a second stream of a member's random numbers is for
OF_DATA = ("n_features_in_", "feature_names_in_", "classes_", "_label_binarizer")
OF_COURSE = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_"),
    *("validation_scores_", "validation_loss_curve_", "best_validation_score_"),
    *("_no_improvement_count", "_dtype", "n_layers_", "n_outputs_", "out_activation_"),
)


class BaseMLPEnsemble(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """The base of the ensembles. Fitted, they consist of their members, `estimators_`.

    Each member is a fitted `MLPClassifier` or `MLPRegressor`, whose weights may be read and
    changed; its figures (`loss_curve_`, `n_iter_`, ...) are there too.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "members": [StrOptions({INDEPENDENT, SHARED})],
        "bootstrap": ["boolean"],
        "max_samples": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        **{name: BaseMLP._parameter_constraints[name] for name in TAKEN},
        "activation": [StrOptions({"logistic", *ACTIVATIONS}), callable],
        "solver": [StrOptions({*STOCHASTIC, "lbfgs"})],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    }

    _member_class: ClassVar[type[BaseMLP]]
    n_estimators: int
    members: str
    bootstrap: bool
    max_samples: float
    solver: str
    early_stopping: bool
    warm_start: bool
    random_state: Any
    verbose: bool | int
    hidden_layer_sizes: Any

    estimators_: list[BaseMLP]
    estimators_samples_: list[Array]
    parameters_: Mapping[str, Array]
    n_features_in_: int
    n_outputs_: int
    n_iter_: int
    loss_: float
    _trunk: BaseMLP

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, is_partial: bool) -> Self:
        self._require_options(is_partial=is_partial)
        hidden = hidden_sizes(self.hidden_layer_sizes)
        is_first = not hasattr(self, "estimators_") or not (self.warm_start or is_partial)
        X, y = checked(
            self,
            X,
            y,
            multi_output=True,
            y_numeric=self._member_class._is_numeric,
            dtype=FLOATS,
            reset=is_first,
        )
        members = self._fresh_members() if is_first else self._known_members()
        dtype = X.dtype if is_first else members[0]._dtype
        X = X.astype(dtype, copy=False)
        with plainly():
            targets = self._targets(members, y, dtype, is_first=is_first, is_partial=is_partial)
        if sample_weight is not None:
            sample_weight = checked_weights(X, sample_weight)
        rows = X if isinstance(X, np.ndarray) else SparseRows(X)
        data = Rows(rows, targets.target, sample_weight)
        sizes = (X.shape[1], *hidden, targets.n_outputs)
        if not is_first and members[0]._form().sizes != sizes:
            raise ShapeError(
                f"the weights are for the sizes {members[0]._form().sizes}, the parameters and "
                f"data ask for {sizes}; fit with warm_start=False to begin again"
            )
        if self.members == SHARED:
            self._fit_shared(members, sizes, data, targets, dtype, is_partial=is_partial)
        else:
            self._fit_independent(members, sizes, data, targets, dtype, is_partial=is_partial)
        self.n_iter_ = max(member.n_iter_ for member in members)
        self.loss_ = float(np.mean([member.loss_ for member in members]))
        return self

    def _fit_independent(
        self,
        members: list[BaseMLP],
        sizes: tuple[int, ...],
        data: Rows,
        targets: Targets,
        dtype: np.dtype[Any],
        *,
        is_partial: bool,
    ) -> None:
        courses = []
        is_first = not hasattr(members[0], "coefs_")
        for member in members:
            rng = check_random_state(member.random_state)
            if is_first:
                begin(member, sizes, rng, dtype)
            order, held = np.arange(len(data)), None
            if self.early_stopping and self.solver in STOCHASTIC:
                order, held = hold_out(member, data, targets, rng=rng, score=member._score_of)
            if not is_partial:
                order = order[self._drawn(member, len(order))]
            parameters = named(*member._weights())
            courses.append(Course(member, parameters, order, held, rng))
        for name in ("_trunk", "parameters_"):  # of an earlier fit, of members that shared
            if hasattr(self, name):
                delattr(self, name)
        self.estimators_ = members
        self.estimators_samples_ = [course.order for course in courses]
        network = members[0]._form().network(dtype)
        loss = loss_of(members[0].loss, network)
        if self.solver not in STOCHASTIC:  # each line search takes steps of its own
            for one in courses:
                network.parameters.update(one.parameters)
                calls = Calls(one.model, None, None, {})
                train(
                    one.model,
                    network,
                    data,
                    loss,
                    one.order,
                    None,
                    one.rng,
                    calls,
                    is_partial=False,
                )
            return
        for course in courses:
            course.prepare(is_partial=is_partial)
        steps = steps_of(
            network,
            loss,
            data.target,
            courses[0].model._optimizer.optimizer,
            weighted=tuple(data.weights),
        )
        alpha = float(members[0].alpha)

        def origin_of(
            m: int, state: Mapping[str, Array], rows: Array, epoch: int, step: int
        ) -> Origin | None:
            optimizer = courses[m].model._optimizer.optimizer
            session = TrainingSession(
                network, data, loss=loss, optimizer=optimizer, l2=penalty(alpha), engine="numpy"
            )
            session.engine.restore(state)
            return find_origin(session.replayed(rows), rows, epoch, step)

        options: dict[str, Any] = {"is_partial": is_partial, "say": self._say()}
        Together(courses, steps, data, **options, find_origin=origin_of).run()

    def _fit_shared(
        self,
        members: list[BaseMLP],
        sizes: tuple[int, ...],
        data: Rows,
        targets: Targets,
        dtype: np.dtype[Any],
        *,
        is_partial: bool,
    ) -> None:
        is_first = not hasattr(members[0], "coefs_")
        trunk = self._new_members([members[0].random_state])[0] if is_first else self._trunk
        trunk.set_params(**self._member_params())
        for name in OF_DATA:
            if hasattr(members[0], name):
                setattr(trunk, name, getattr(members[0], name))
        rng = check_random_state(trunk.random_state)
        parameters: Mapping[str, Array]
        if is_first:
            begin(trunk, sizes, rng, dtype)
            parameters = first_parameters(trunk.coefs_, trunk.intercepts_, len(members), rng)
        else:
            parameters = self.parameters_
        order, held = np.arange(len(data)), None
        if self.early_stopping:
            order, held = hold_out(trunk, data, targets, rng=rng, score=trunk._score_of)
        course = SharedCourse(trunk, parameters, order, held, rng)
        course.prepare(is_partial=is_partial)
        steps = shared_steps(
            trunk._form(),
            trunk.loss,
            data.only_target,
            trunk._optimizer.optimizer,
            len(members),
            dtype=dtype,
            is_weighted=data.sample_weight is not None,
        )
        try:
            Together([course], steps, data, is_partial=is_partial, say=self._say()).run()
        finally:
            self.estimators_, self._trunk, self.parameters_ = members, trunk, course.parameters
            self.estimators_samples_ = [order] * len(members)
            self._hand_out()

    def _hand_out(self) -> None:
        """Give the members their weights and the figures of the course that they had in common."""
        layers = range(1, len(self.parameters_) // 4 + 1)
        self._trunk.coefs_ = [self.parameters_[f"W{i}"] for i in layers]
        self._trunk.intercepts_ = [self.parameters_[f"b{i}"][0] for i in layers]
        for m, member in enumerate(self.estimators_):
            member.coefs_, member.intercepts_ = of_member(self.parameters_, m)
            for name in OF_COURSE:
                if hasattr(self._trunk, name):
                    value = getattr(self._trunk, name)
                    setattr(member, name, list(value) if isinstance(value, list) else value)

    def _require_options(self, *, is_partial: bool) -> None:
        """Raise OptionError for parameters that do not go together."""
        if is_partial and self.early_stopping:
            raise OptionError("partial_fit does not support early_stopping=True")
        if self.members != SHARED:
            return
        if self.solver not in STOCHASTIC:
            raise OptionError(
                f"members='shared' is trained by solver='adam' or 'sgd', not {self.solver!r}"
            )
        if self.bootstrap or self.max_samples != 1.0:
            raise OptionError(
                "members='shared' see the same rows; bootstrap must be False and max_samples 1.0"
            )

    def _member_params(self) -> dict[str, Any]:
        """The parameters that the members have of the ensemble."""
        own = self.get_params(deep=False)
        names = [n for n in self._member_class().get_params(deep=False) if n not in OWN]
        return {name: own[name] for name in names if name in own}

    def _new_members(self, seeds: Iterable[int]) -> list[BaseMLP]:
        params = self._member_params()
        return [self._member_class(**params, random_state=int(seed)) for seed in seeds]

    def _fresh_members(self) -> list[BaseMLP]:
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=self.n_estimators)
        return self._new_members(seeds)

    def _known_members(self) -> list[BaseMLP]:
        """The members that are there, with the parameters as they are now."""
        if len(self.estimators_) != self.n_estimators:
            raise OptionError(
                f"the ensemble has {len(self.estimators_)} members, n_estimators is now "
                f"{self.n_estimators}; fit with warm_start=False to begin again"
            )
        if hasattr(self, "_trunk") != (self.members == SHARED):
            raise OptionError(
                "`members` has changed since the last fit; fit with warm_start=False to begin again"
            )
        params = self._member_params()
        for member in self.estimators_:
            member._settle()
            member.set_params(**params)
        return self.estimators_

    def _targets(
        self,
        members: list[BaseMLP],
        y: Any,
        dtype: np.dtype[Any],
        *,
        is_first: bool,
        is_partial: bool,
    ) -> Targets:
        """The checked y; the members take over what it and X say of the data."""
        lead = members[0]
        for name in OF_DATA:
            if hasattr(self, name) and (is_partial or name in OF_DATA[:2]):
                setattr(lead, name, getattr(self, name))
        lead._meet(y, is_first=is_first, is_partial=is_partial)
        targets = lead._targets(y, dtype=dtype)
        for name in OF_DATA:
            if hasattr(lead, name):
                for other in (self, *members):
                    setattr(other, name, getattr(lead, name))
        self.n_outputs_ = targets.n_outputs
        return targets

    def _drawn(self, member: BaseMLP, n: int) -> Array:
        """Places among n rows that a member trains on: all, or drawn from a stream of its own."""
        size = self.max_samples
        if isinstance(size, Integral):
            if size > n:
                raise OptionError(f"max_samples={size} is more than the {n} rows to draw from")
            n_drawn = int(size)
        else:
            n_drawn = max(1, int(size * n))
        if not self.bootstrap and n_drawn == n:
            return np.arange(n)
        rng = np.random.default_rng([int(member.random_state), BOOTSTRAP])
        return rng.choice(n, n_drawn, replace=self.bootstrap)

    def _outputs(self, X: Any) -> Array:
        """Each member's output for a user's X: (M, n, n_outputs_)."""
        check_is_fitted(self)
        X = checked(self, X, dtype="numeric", reset=False)
        return outputs(self.estimators_, X)

    def _say(self) -> Any:
        return print if self.verbose else None

    def _has_partial_fit(self) -> bool:
        if self.solver in STOCHASTIC:
            return True
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {self.solver} is not "
            "stochastic."
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
