"""The short way of partial_fit: the next call with rows of the same form, on the session at hand.

What scikit-learn's checks, the network and its session cost is paid by the first call. A later one
takes this way where it can be told in a few microseconds that the checks would change nothing.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from itertools import accumulate, chain
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
from retrograd.training.loop import never
from retrograd.training.rows import Rows
from retrograd.training.session import TrainingSession

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


class Ongoing:
    """A session that stays open from one call of partial_fit to the next.

    Law: a call that goes this way leaves the model as one that does not, but for the arrays: its
    weights are written into those that it has, where another call makes new ones.
    """

    def __init__(self, model: BaseMLP, run: Run, target: Target) -> None:
        self._run, self._target = run, target
        self._names = tuple(model._parameter_constraints)
        self._parameters = [model.__dict__.get(name) for name in self._names]
        # What a list holds may change while it stays the same list.
        self._lists = [
            (own, list(own)) for own in self._parameters if isinstance(own, list | np.ndarray)
        ]
        # An integer seeds each call anew: equally many rows come in the same order again.
        self._is_seeded = isinstance(model.random_state, Integral)
        self._orders: dict[int, Array] = {}
        # The model's weights are pieces of one block: whether they were changed is one look.
        parts = listed(run.session.parameters())
        self._weights = np.concatenate([part.ravel() for part in chain(*parts)])
        self._known = self._weights.copy()
        model.coefs_, model.intercepts_ = self._given = _pieces(self._weights, parts)
        self._into = named(*_pieces(self._weights, parts))  # for us, whatever a user does to his

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
            or not all(map(is_, map(model.__dict__.get, self._names), self._parameters))
            or any(list(own) != known for own, known in self._lists)
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
        session.optimizer = model._optimizer.optimizer  # whose rate may have been assigned
        session.feed(rows)
        self._order(model, len(rows))
        # One batch is soon over: Ctrl-C then comes as it may. A handler of signals costs more.
        is_long = len(rows) > run.batch_size
        try:
            with Interrupt() if is_long else nullcontext(never) as interrupted:
                run.epoch(interrupted)
                self._give(model)
            is_broken_off = interrupted()
        except KeyboardInterrupt:
            is_broken_off = True
            self._bring_back(model)
        except BaseException:
            self._bring_back(model)
            raise
        if is_broken_off:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        run.require_finite_loss()

    def _give(self, model: BaseMLP) -> None:
        """Give the model the session's weights."""
        self.session.parameters(self._into)
        self._known[:] = self._weights
        model.coefs_, model.intercepts_ = map(list, self._given)

    def _bring_back(self, model: BaseMLP) -> None:
        """Give the session and the model the last state that is whole."""
        self.session.engine.restore(self._run.last)
        self._give(model)

    def settle(self) -> None:
        """Give the model the optimizer's state, for whoever goes on from it without the session."""
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

    def _has_weights(self, model: BaseMLP) -> bool:
        """Whether the model's weights are those that it was given, none assigned or changed."""
        return (
            all(
                len(own) == len(given) and all(map(is_, own, given))
                for own, given in zip((model.coefs_, model.intercepts_), self._given, strict=True)
            )
            and (self._weights == self._known).all()
        )


def _pieces(block: Array, like: tuple[list[Array], list[Array]]) -> tuple[list[Array], list[Array]]:
    """A block as arrays of these shapes, one after another."""
    ends = accumulate(part.size for part in chain(*like))
    cut = iter(np.split(block, [*ends]))
    coefs, intercepts = ([next(cut).reshape(part.shape) for part in parts] for parts in like)
    return coefs, intercepts


def ready_labels(y: Array, classes: Array) -> Array | None:
    """The place of each label among three classes or more, (n,) int64; None if that is not plain.

    >>> ready_labels(np.array([5, 3]), np.array([3, 4, 5]))
    array([2, 0])
    """
    if y.ndim != 1 or y.dtype != classes.dtype or y.dtype.kind not in "biuU" or len(classes) < 3:
        return None
    places = np.asarray(classes.searchsorted(y), np.int64)
    return places if (classes.take(places, mode="clip") == y).all() else None
