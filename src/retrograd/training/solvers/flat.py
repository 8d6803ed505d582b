"""J and its gradient as functions of one flat vector, as SciPy's minimisers want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrograd.arrays import Array
from retrograd.training.session import TrainingSession


class FlatObjective:
    """Called with a vector: J over the rows `order`, and its gradient; remembers the last point.

    The vector is the parameters of `names`, one after the other, in float64. Where J or its
    gradient is not finite, J is infinite: a line search steps back from there.
    """

    def __init__(
        self, session: TrainingSession, order: Array, names: Sequence[str] | None = None
    ) -> None:
        self._session, self._order = session, order
        parameters = session.parameters()
        self._shapes = {name: parameters[name].shape for name in names or session.names}
        self._last: tuple[Array, float, Array] | None = None

    def __call__(self, flat: Array) -> tuple[float, Array]:
        if self._last is None or not np.array_equal(flat, self._last[0]):
            self.move_to(flat)
            J, slopes = self._session.gradient(self._order)
            g = np.concatenate([slopes[name].ravel() for name in self._shapes], dtype=np.float64)
            if not (np.isfinite(J) and np.isfinite(g).all()):
                J, g = np.inf, np.zeros_like(g)
            self._last = flat.copy(), J, g
        return self._last[1], self._last[2].copy()

    def start(self) -> Array:
        """The session's parameters as one vector."""
        parameters = self._session.parameters()
        return np.concatenate([parameters[name].ravel() for name in self._shapes], dtype=np.float64)

    def move_to(self, flat: Array) -> None:
        """Give the session the parameters of a vector."""
        for name, value in unflatten(flat, self._shapes).items():
            self._session.engine.write(name, value)


def unflatten(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The pieces of one vector in these shapes.

    >>> unflatten(np.arange(3.0), {"W1": (1, 2), "b1": (1,)})
    {'W1': array([[0., 1.]]), 'b1': array([2.])}
    """
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    pieces = np.split(flat, ends[:-1])
    return {
        name: piece.reshape(shape)
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }
