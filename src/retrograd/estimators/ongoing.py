"""The short way of partial_fit: the next call with rows of the same form, on the session at hand.

What scikit-learn's checks, the network and its session cost is paid by the first call. A later one
takes this way where it can be told in a few microseconds that the checks would change nothing.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import replace
from numbers import Integral
from operator import is_, itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from retrograd.arrays import Array, is_finite
from retrograd.estimators.descent import Run, batch_size_of
from retrograd.estimators.form import listed, named
from retrograd.nn.losses import Target
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import never
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

WEIGHTS = "coefs_", "intercepts_"
COPIED = 2**16  # entries of rows that are copied sooner than the session is told of others


class Ongoing:
    """A session that stays open from one call of partial_fit to the next.

    Law: a call that goes this way leaves the model as one that does not. Its weights stay in the
    session until somebody asks for them; where the model has some, training goes on from those.
    """

    def __init__(self, model: BaseMLP, run: Run, target: Target) -> None:
        self._run, self._target, self._ready = run, target, model._ready_targets()
        self._parameters_of = itemgetter(*model._parameter_constraints)
        self._parameters = self._parameters_of(vars(model))
        # What a list holds may change while it stays the same list.
        self._lists = [
            (own, list(own)) for own in self._parameters if isinstance(own, list | np.ndarray)
        ]
        # An integer seeds each call anew: equally many rows come in the same order again.
        self._is_seeded = isinstance(model.random_state, Integral)
        self._orders: dict[int, Array] = {}
        self._rows: tuple[Array, Array] | None = None  # of the last call that came this way

    @property
    def session(self) -> TrainingSession:
        """The session that is open."""
        return self._run.session

    def takes(self, model: BaseMLP, X: Any, y: Any) -> Array | None:
        """The targets of y, where X and y are rows for the session without more checks."""
        attributes = vars(model)
        if (
            type(X) is not np.ndarray
            or type(y) is not np.ndarray
            or X.dtype != attributes["_fitted_dtype"]
            or X.ndim != 2
            or X.shape[1] != attributes["n_features_in_"]
            or not 0 < len(X) == len(y)
            or "feature_names_in_" in attributes
            or not is_finite(X)
            or not all(map(is_, self._parameters_of(attributes), self._parameters))
            or (self._lists and any(list(own) != known for own, known in self._lists))
        ):
            return None
        found = self._ready(y)
        fits = found is not None and found.shape[1:] == self._target.array.shape[1:]
        return found if fits else None

    def go(self, model: BaseMLP, X: Array, y: Array) -> None:
        """One epoch over rows that the session takes, y their targets."""
        run, session, attributes = self._run, self._run.session, model.__dict__
        if not attributes.keys().isdisjoint(WEIGHTS):  # read since the last call, or assigned
            session.assign(named(*model._weights()))
            run.mark()
            for name in WEIGHTS:
                attributes.pop(name, None)
        session.optimizer = model._optimizer.optimizer  # whose rate may have been assigned
        self._feed(X, y)
        self._order(model, len(X))
        # One batch is soon over: Ctrl-C then comes as it may. A handler of signals costs more.
        is_long = len(X) > run.batch_size
        try:
            with Interrupt() if is_long else nullcontext(never) as interrupted:
                run.epoch(interrupted)
            is_broken_off = interrupted()
        except KeyboardInterrupt:
            is_broken_off = True
            session.engine.restore(run.last)  # the last state that is whole
        except BaseException:
            session.engine.restore(run.last)
            raise
        if is_broken_off:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        run.require_finite_loss()

    def _feed(self, X: Array, y: Array) -> None:
        """Hand rows to the session; equally many small ones take the place of those before."""
        if self._rows is not None and len(X) == len(self._rows[0]):
            for own, given in zip(self._rows, (X, y), strict=True):
                own[...] = given
            return
        is_small = X.size <= COPIED
        self._rows = (np.array(X, order="C"), np.array(y)) if is_small else None
        X, y = self._rows or (np.ascontiguousarray(X), y)
        self.session.feed(Rows(X, replace(self._target, array=y)))

    def hand_over(self, model: BaseMLP) -> None:
        """Give the model the session's weights in new arrays, but for those that it has."""
        found = listed(self.session.parameters())
        for name, weights in zip(WEIGHTS, found, strict=True):
            model.__dict__.setdefault(name, weights)

    def settle(self, model: BaseMLP) -> None:
        """Give the model what is in the session, for whoever goes on without that."""
        self.hand_over(model)
        self._run.keep_state()

    def _order(self, model: BaseMLP, n_rows: int) -> None:
        """Stand before an epoch over so many rows, in the order that a call of its own draws."""
        run, known = self._run, self._orders.get(n_rows)
        run.begin(known if known is not None else np.arange(n_rows), batch_size_of(model, n_rows))
        if known is not None:
            return
        run.rng = check_random_state(model.random_state)
        order = run.next_order()
        if self._is_seeded:
            self._orders = {n_rows: order}


def not_ready(y: Array) -> None:
    """No y is taken without all checks: None."""


def ready_labels(y: Array, classes: Array) -> Array | None:
    """The place of each label among the classes, (n,) int64; None if that is not plain.

    >>> ready_labels(np.array([5, 3]), np.array([3, 4, 5]))
    array([2, 0])
    """
    if y.ndim != 1 or y.dtype != classes.dtype or y.dtype.kind not in "biuU":
        return None
    places = np.asarray(classes.searchsorted(y), np.int64)
    is_known = classes.take(places, mode="clip") == y
    return places if np.logical_and.reduce(is_known) else None


def ready_sides(y: Array, classes: Array, dtype: np.dtype[Any]) -> Array | None:
    """0 or 1 for each of the labels of two classes, (n, 1); None if that is not plain.

    >>> ready_sides(np.array([5, 3]), np.array([3, 5]), np.dtype(np.float32)).tolist()
    [[1.0], [0.0]]
    """
    places = ready_labels(y, classes)
    return None if places is None else places.astype(dtype)[:, None]


def ready_numbers(y: Array, dtype: np.dtype[Any]) -> Array | None:
    """Finite numbers (n,) of this dtype as a column, (n, 1); None if they are not plain.

    >>> ready_numbers(np.array([5.0, 3.0]), np.dtype(np.float64)).tolist()
    [[5.0], [3.0]]
    """
    return y[:, None] if y.dtype == dtype and y.ndim == 1 and is_finite(y) else None
