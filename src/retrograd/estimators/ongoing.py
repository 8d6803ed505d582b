"""The short way of partial_fit: the next call with rows of the same form, on the session at hand.

What scikit-learn's checks, the network and its session cost is paid by the first call. A later one
takes this way where it can be told in a few microseconds that the checks would change nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from numbers import Integral
from operator import is_, itemgetter
from threading import RLock
from typing import TYPE_CHECKING, Any
from weakref import proxy

import numpy as np
from sklearn.utils import check_random_state

from retrograd.arrays import Array, is_finite
from retrograd.engines.forks import renew_in_children
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
COPIED = 2**20  # entries of rows that are copied sooner than the session is told of others


class Ongoing:
    """A session that stays open from one call of partial_fit to the next.

    Law: a call that goes this way leaves the model as one that does not. Its weights stay in the
    session until somebody asks for them; where the model has some, training goes on from those.
    One thread at a time trains with it or reads from it.
    """

    def __init__(self, model: BaseMLP, run: Run, target: Target) -> None:
        self._run, self._target, self._ready = run, target, model._ready_targets()
        known: Any = proxy(model)  # which has this: no circle keeps both alive
        run.model = run.notes.model = known
        self._parameters_of = itemgetter(*model._parameter_constraints)
        self._parameters = self._parameters_of(vars(model))
        # What a list holds may change while it stays the same list.
        self._lists = [
            (own, list(own)) for own in self._parameters if isinstance(own, list | np.ndarray)
        ]
        # An integer seeds each call anew: equally many rows come in the same order again.
        self._is_seeded = isinstance(model.random_state, Integral)
        self._orders: dict[int, Array] = {}
        self._rows: tuple[Array, Array] | None = None  # the session's, where it has its own
        self._shapes = [part.shape for part in chain(*model._weights())]
        self._is_running = False
        self._let_go()
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """See `Renewable`. The epoch that another thread had begun is forgotten."""
        self._lock = RLock()  # by one thread several times: a schedule may look at the model
        if self._is_running:
            self._is_running = False
            self.session.engine.restore(self._run.last)

    @property
    def session(self) -> TrainingSession:
        """The session that is open."""
        return self._run.session

    def goes(self, model: BaseMLP, X: Any, y: Any) -> bool:
        """Run one epoch over X and y, if they need no more checks than can be made at once."""
        with self._lock:
            target = None if self._is_running else self._target_of(model, X, y)
            if target is None:
                return False
            self._go(model, X, target)
            return True

    def _target_of(self, model: BaseMLP, X: Any, y: Any) -> Array | None:
        """The targets of y, where X and y are rows for the session and nothing else was changed."""
        attributes = vars(model)
        if (
            type(X) is not np.ndarray
            or type(y) is not np.ndarray
            or X.dtype != attributes["_fitted_dtype"]
            or X.ndim != 2
            or X.shape[1] != attributes["n_features_in_"]
            or not y.ndim
            or not 0 < len(X) == len(y)
            or "feature_names_in_" in attributes
            or not is_finite(X)
            or not all(map(is_, self._parameters_of(attributes), self._parameters))
            or (self._lists and any(list(own) != known for own, known in self._lists))
            or (_has_weights(attributes) and not self._fit_in(model))
        ):
            return None
        found = self._ready(y)
        fits = found is not None and found.shape[1:] == self._target.array.shape[1:]
        return found if fits else None

    def _fit_in(self, model: BaseMLP) -> bool:
        """Whether the model's weights, which may have been assigned, are as large as those here."""
        return [np.shape(each) for each in (*model.coefs_, *model.intercepts_)] == self._shapes

    def _go(self, model: BaseMLP, X: Array, y: Array) -> None:
        run, session, attributes = self._run, self._run.session, model.__dict__
        if _has_weights(attributes):  # read since the last call, or assigned
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
            self._is_running = True
            with Interrupt() if is_long else nullcontext(never) as interrupted:
                run.epoch(interrupted)
            is_broken_off = interrupted()
        except KeyboardInterrupt:
            is_broken_off = True
            session.engine.restore(run.last)  # the last state that is whole
        except BaseException:
            session.engine.restore(run.last)
            raise
        finally:
            self._is_running = False
            self._take_back(model)
            if self._rows is None:
                self._let_go()
        if is_broken_off:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        run.require_finite_loss()

    def _feed(self, X: Array, y: Array) -> None:
        """Hand rows to the session; equally many small ones take the place of those before."""
        if self._rows is not None and len(X) == len(self._rows[0]):
            for own, given in zip(self._rows, (X, y), strict=True):
                own[...] = given
            return
        is_small = X.size <= COPIED
        self._rows = None  # until the session has them: Ctrl-C may come in between
        X = np.array(X, order="C") if is_small else np.ascontiguousarray(X)
        y = np.array(y) if is_small else y
        self.session.feed(Rows(X, replace(self._target, array=y)))
        self._rows = (X, y) if is_small else None

    def _let_go(self) -> None:
        """Keep no rows of a user's: the session has one of zeros."""
        x, y = self.session.rows.X, self._target.array
        self._feed(np.zeros((1, x.shape[1]), x.dtype), np.zeros((1, *y.shape[1:]), y.dtype))
        self._target = replace(self._target, array=y[:0].copy())

    def weights(self, model: BaseMLP) -> dict[str, list[Array]]:
        """The weights of a model that has not both, in new arrays: they become its own.

        Unless training is under way: what it is told then are weights of the moment.
        """
        with self._lock:
            found = dict(zip(WEIGHTS, listed(self.session.parameters()), strict=True))
            if not self._is_running:
                for name in WEIGHTS:
                    found[name] = model.__dict__.setdefault(name, found[name])
            return found

    def settle(self, model: BaseMLP) -> None:
        """Give the model what is in the session, for whoever goes on without that."""
        with self._lock:
            for name, weights in self.weights(model).items():
                model.__dict__.setdefault(name, weights)
            self._run.keep_state()

    def _take_back(self, model: BaseMLP) -> None:
        """After an epoch: weights of its midst, which somebody was given for good, are no more."""
        attributes = model.__dict__
        if not _has_weights(attributes):
            return
        for name in WEIGHTS:
            attributes.pop(name, None)
        if model._ongoing is not self:  # the session was closed meanwhile
            self.settle(model)

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


def _has_weights(attributes: Mapping[str, Any]) -> bool:
    """Whether a model with these attributes has weights of its own."""
    return not attributes.keys().isdisjoint(WEIGHTS)


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
