"""The short way of partial_fit: the next call with rows of the same form, on the session at hand.

What scikit-learn's checks, the network and its session cost is paid by the first call. A later one
takes this way where it can be told in a few microseconds that the checks would change nothing.
"""

from __future__ import annotations

import warnings
from numbers import Integral
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from retrograd.arrays import Array, is_finite
from retrograd.estimators.descent import Run, batch_size_of
from retrograd.estimators.form import listed, named
from retrograd.nn.losses import Target
from retrograd.training.interrupt import Interrupt
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


class Ongoing:
    """A session that stays open from one call of partial_fit to the next.

    Law: a call that goes this way leaves the model as one that does not.
    """

    def __init__(self, model: BaseMLP, run: Run, target: Target) -> None:
        self._run, self._target = run, target
        self._names = tuple(model._parameter_constraints)
        self._parameters = self._parameters_of(model)
        # An integer seeds each call anew, which takes longer than a step: its state is kept.
        self._rng = check_random_state(model.random_state)
        self._seeded = None
        if isinstance(model.random_state, Integral):
            self._seeded = self._rng.get_state(legacy=False)
        self._keep_weights(model)

    @property
    def session(self) -> TrainingSession:
        """The session that is open."""
        return self._run.session

    def rows(self, model: BaseMLP, X: Any, y: Any) -> Rows | None:
        """X and y as rows of the session, where they need no more checks; else None."""
        dtype = model._dtype
        if (
            type(X) is not np.ndarray
            or type(y) is not np.ndarray
            or X.dtype != dtype
            or X.ndim != 2
            or X.shape[1] != model.n_features_in_
            or not 0 < len(X) == len(y)
            or hasattr(model, "feature_names_in_")
            or not is_finite(X)
            or not all(map(is_, self._parameters_of(model), self._parameters))
        ):
            return None
        array = model._ready_target(y)
        if array is None or array.shape[1:] != self._target.array.shape[1:]:
            return None
        target = Target(array, self._target.shape, self._target.dtype)
        return Rows(np.ascontiguousarray(X), target)

    def go(self, model: BaseMLP, rows: Rows) -> None:
        """One epoch over these rows."""
        run, session = self._run, self._run.session
        if not self._has_weights(model):
            session.assign(named(*model._weights()))
            run.mark()
        session.feed(rows)
        run.begin(np.arange(len(rows)), batch_size_of(model, len(rows)))
        if self._seeded is not None:
            self._rng.set_state(self._seeded)
        with Interrupt() as interrupted:
            try:
                run.epochs(self._rng, interrupted)
            except BaseException:
                session.engine.restore(run.last)
                raise
            finally:
                model.coefs_, model.intercepts_ = listed(session.parameters())
                self._keep_weights(model)
        if interrupted():
            warnings.warn("Training interrupted by user.", stacklevel=4)
        run.require_finite_loss()

    def settle(self) -> None:
        """Give the model the optimizer's state, for whoever goes on from it without the session."""
        self._run.keep_state()

    def _keep_weights(self, model: BaseMLP) -> None:
        self._given = [*model.coefs_, *model.intercepts_]
        self._copies = [array.copy() for array in self._given]

    def _has_weights(self, model: BaseMLP) -> bool:
        """Whether the model's weights are those that it was given, none assigned or changed."""
        own = [*model.coefs_, *model.intercepts_]
        return len(own) == len(self._given) and all(
            a is b and np.array_equal(a, c)
            for a, b, c in zip(own, self._given, self._copies, strict=True)
        )

    def _parameters_of(self, model: BaseMLP) -> list[Any]:
        own = model.__dict__
        return [own.get(name) for name in self._names]


def ready_labels(y: Array, classes: Array) -> Array | None:
    """The place of each label among three classes or more, (n,) int64; None if that is not plain.

    >>> ready_labels(np.array([5, 3]), np.array([3, 4, 5]))
    array([2, 0])
    """
    if y.ndim != 1 or y.dtype != classes.dtype or y.dtype.kind not in "biuU" or len(classes) < 3:
        return None
    places = classes.searchsorted(y)
    if places.max() >= len(classes) or not (classes[places] == y).all():
        return None
    return np.asarray(places, np.int64)
