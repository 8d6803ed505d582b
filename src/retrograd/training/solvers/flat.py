"""J and its gradient as functions of one flat vector, as SciPy's minimisers want them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np

from retrograd.arrays import Array
from retrograd.training.session import TrainingSession

TINY = float(np.finfo(np.float64).tiny)


class Halt(Exception):
    """Leaves SciPy's loop. `reason`: why, in a word, or None where only the search ends."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


class Accept(Protocol):
    """What a search calls at each point that it accepts: the end of an epoch.

    Raises Halt where the search is to end. `figures`: more entries of the history, by name.
    """

    def __call__(self, point: Array, J: float, gradient: Array, **figures: float) -> None:
        """End an epoch at this point, where J has this gradient."""
        ...


def never() -> None:
    """No reason to stop."""


class FlatObjective:
    """J over the rows `order` and its gradient in one flat vector; remembers the last point.

    The vector is the parameters of `names` (those that are trained by default), one after the
    other, in float64.
    `halted` is asked before each evaluation, and a reason raises Halt.

    Where J overflows, far along a trial step, it answers with a wall: a J above the accepted one,
    rising, from which the line search steps back to about a tenth. (SciPy takes an infinite J with
    no slope for a minimum.)
    """

    def __init__(
        self,
        session: TrainingSession,
        order: Array,
        *,
        names: Sequence[str] | None = None,
        halted: Callable[[], str | None] = never,
    ) -> None:
        self._session, self._order, self._halted = session, order, halted
        parameters = session.parameters()
        self._shapes = {name: parameters[name].shape for name in names or session.trained}
        self._pieces = pieces(self._shapes)
        self._last: tuple[Array, float, Array] | None = None
        self._accepted: tuple[Array, float, Array] | None = None

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """SciPy's function: J, or a wall, and the gradient."""
        J, g = self.value(flat)
        if self._accepted is None or np.isfinite(J):
            return J, g.copy()
        x, J, g = self._accepted
        step = flat - x
        slope = abs(float(g @ step))
        return J + 5.0 * slope, step * (10.0 * slope / max(float(step @ step), TINY))

    def value(self, flat: Array) -> tuple[float, Array]:
        """J and its gradient; J is infinite where either is not finite."""
        if self._last is None or not np.array_equal(flat, self._last[0]):
            reason = self._halted()
            if reason:
                raise Halt(reason)
            self.move_to(flat)
            J, slopes = self._session.gradient(self._order)
            g = flatten({name: slopes[name] for name in self._shapes})
            self._last = flat.copy(), J if np.isfinite(g).all() and np.isfinite(J) else np.inf, g
        return self._last[1], self._last[2]

    def accept(self, flat: Array) -> tuple[float, Array]:
        """Go on from this point; its J and gradient."""
        J, g = self.value(flat)
        self._accepted = flat.copy(), J, g
        return J, g

    def is_finite(self, point: Array) -> bool:
        """Whether J and its gradient are finite at a point."""
        return bool(np.isfinite(self.value(point)[0]))

    def point(self) -> Array:
        """The session's parameters as one vector."""
        parameters = self._session.parameters()
        return flatten({name: parameters[name] for name in self._shapes})

    def move_to(self, flat: Array) -> None:
        """Give the session the parameters of a vector."""
        with np.errstate(over="ignore"):  # a trial step may leave the range of float32
            for name, piece, shape in self._pieces:
                self._session.engine.write(name, flat[piece].reshape(shape))


def flatten(parameters: Mapping[str, Array]) -> Array:
    """The parameters one after the other in one vector, float64.

    >>> flatten({"W1": np.ones((1, 2)), "b1": np.zeros(1)})
    array([1., 1., 0.])
    """
    return np.concatenate([value.ravel() for value in parameters.values()], dtype=np.float64)


def unflatten(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The pieces of one vector in these shapes.

    >>> unflatten(np.arange(3.0), {"W1": (1, 2), "b1": (1,)})
    {'W1': array([[0., 1.]]), 'b1': array([2.])}
    """
    return {name: flat[piece].reshape(shape) for name, piece, shape in pieces(shapes)}


def pieces(shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[str, slice, tuple[int, ...]]]:
    """Where arrays of these shapes lie in one vector.

    >>> pieces({"W1": (1, 2), "b1": (1,)})
    [('W1', slice(0, 2, None), (1, 2)), ('b1', slice(2, 3, None), (1,))]
    """
    ends = [0, *accumulate(math.prod(shape) for shape in shapes.values())]
    return [
        (name, slice(*span), shape)
        for (name, shape), span in zip(shapes.items(), pairwise(ends), strict=True)
    ]
