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
from retrograd.estimators.descent import Run
from retrograd.estimators.epochs import batch_size_of
from retrograd.estimators.form import listed, named
from retrograd.nn.losses import Target
from retrograd.training.interrupt import Interrupt
from retrograd.training.loop import never
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

WEIGHTS = "coefs_", "intercepts_"
UNASKED = nullcontext(never)  # where nothing asks whether to stop
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
        self._dtype, self._n_columns = model._dtype, model.n_features_in_
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
            if self._is_running:
                return False
            try:
                is_taken = self._takes(model, X, y)
                if is_taken:
                    self._go(model, len(X))
                return is_taken
            finally:
                if self._rows is None:
                    self._let_go()

    def _takes(self, model: BaseMLP, X: Any, y: Any) -> bool:
        """Hand X and y to the session, if they are rows for it and nothing else was changed.

        Rows that are not finite are its own too, until the next ones take their place.
        """
        attributes = vars(model)
        if (
            type(X) is not np.ndarray
            or type(y) is not np.ndarray
            or X.dtype != self._dtype
            or X.ndim != 2
            or X.shape[1] != self._n_columns
            or not y.ndim
            or not 0 < len(X) == len(y)
            or "feature_names_in_" in attributes
            or not all(map(is_, self._parameters_of(attributes), self._parameters))
            or (self._lists and any(list(own) != known for own, known in self._lists))
            or (_has_weights(attributes) and not self._fit_in(model))
        ):
            return False
        target = self._ready(y)
        if target is None or target.shape[1:] != self._target.array.shape[1:]:
            return False
        return is_finite(self._feed(X, target))  # where rows lie close, and were just touched

    def _fit_in(self, model: BaseMLP) -> bool:
        """Whether the model's weights, which may have been assigned, are as large as those here."""
        try:
            return [np.shape(each) for each in (*model.coefs_, *model.intercepts_)] == self._shapes
        except (TypeError, ValueError):  # these are no arrays
            return False

    def _go(self, model: BaseMLP, n_rows: int) -> None:
        """Run one epoch over the rows at hand."""
        run, session, attributes = self._run, self._run.session, model.__dict__
        if _has_weights(attributes):  # read since the last call, or assigned
            session.assign(named(*model._weights()))
            run.mark()
            for name in WEIGHTS:
                attributes.pop(name, None)
        session.optimizer = model._optimizer.optimizer  # whose rate may have been assigned
        self._order(model, n_rows)
        # One batch is soon over: Ctrl-C then comes as it may. A handler of signals costs more.
        is_long = n_rows > run.batch_size
        try:
            self._is_running = True
            with Interrupt() if is_long else UNASKED as interrupted:
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
        if is_broken_off:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        run.require_finite_loss()

    def _feed(self, X: Array, y: Array) -> Array:
        """Hand rows to the session: X as that has it.

        Equally many small ones take the place of those before.
        """
        if self._rows is not None and len(X) == len(self._rows[0]):
            self._rows[0][...], self._rows[1][...] = X, y
            return self._rows[0]
        is_small = X.size <= COPIED
        self._rows = None  # until the session has them: Ctrl-C may come in between
        X = np.array(X, order="C") if is_small else np.ascontiguousarray(X)
        y = np.array(y) if is_small else y
        self.session.feed(Rows(X, replace(self._target, array=y)))
        self._rows = (X, y) if is_small else None
        return X

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
    return "coefs_" in attributes or "intercepts_" in attributes


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
    found = classes.take(places, mode="clip")
    return places if found.tobytes() == y.tobytes() else None  # sooner told than by comparing


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
