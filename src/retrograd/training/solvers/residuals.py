"""Residuals of the rows of data and their Jacobian, as functions of one flat vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from retrograd.arrays import Array, is_finite
from retrograd.engines.base import Session
from retrograd.errors import GraphError, OptionError
from retrograd.training.residual_steps import slope_name
from retrograd.training.solvers.flat import Halt, flatten, never, unflatten

BLOCK_BYTES = 2**25  # of the Jacobian, computed at once: it need not be held as a whole
MOST_PARAMETERS = 5000  # J.T J is then 200 MB, and a step takes seconds


class Residuals:
    """The residuals of rows, weighted, and their Jacobian, of steps opened on an engine.

    Shapes: n rows, O columns, P parameters; the residuals are one vector (n O,), row by row.

    Args:
        session: with the steps of `residual_steps`.
        order: the rows, (n,).
        shapes: of the parameters by name; a point is all of them in one vector (P,), float64.
        n_columns: O.
        weights: what the residuals of each row are multiplied with, (n,) or one number.
        penalty: of each parameter, (P,) or one number: adds penalty/2 p**2 to the sum of squares.
        halted: asked before each evaluation; a reason raises Halt.
    """

    def __init__(
        self,
        session: Session,
        order: Array,
        shapes: Mapping[str, tuple[int, ...]],
        n_columns: int,
        *,
        weights: Array | float = 1.0,
        penalty: Array | float = 0.0,
        halted: Callable[[], str | None] = never,
    ) -> None:
        self._session, self._order, self._shapes = session, order, dict(shapes)
        self._n_columns, self.halted = n_columns, halted
        self._weights = np.broadcast_to(np.asarray(weights, np.float64), order.shape)
        self.n_parameters = sum(map(math.prod, shapes.values()))
        self.penalty = np.full(self.n_parameters, penalty, np.float64)
        self.epsilon = 0.0  # of the residuals' precision
        self._kept: tuple[Array, Array] | None = None  # a point, and J there if it is one block

    def __len__(self) -> int:
        return len(self._order) * self._n_columns

    def values(self, point: Array, *, batch_size: int | None = None) -> Array:
        """The residuals (n O,) at a point."""
        self._ask()
        self.move_to(point)
        found = self._session.run("residuals", self._order, batch_size=batch_size)["residuals"]
        self.epsilon = float(np.finfo(found.dtype).eps)
        return (found.astype(np.float64) * self._weights[:, None]).ravel()

    def blocks(self, point: Array) -> Iterator[tuple[slice, Array]]:
        """The Jacobian (n O, P) at a point in blocks of rows: which of them, and the entries."""
        if self._kept is not None and np.array_equal(point, self._kept[0]):
            yield slice(0, len(self)), self._kept[1]
            return
        self.move_to(point)
        size = max(1, BLOCK_BYTES // (8 * self._n_columns * self.n_parameters))
        for start in range(0, len(self._order), size):
            rows = slice(start, start + size)
            J = self._block(rows)
            if len(J) == len(self):
                self._kept = point.copy(), J
            yield slice(start * self._n_columns, start * self._n_columns + len(J)), J

    def _block(self, rows: slice) -> Array:
        """The Jacobian of some rows at the session's parameters: batches of one row each."""
        self._ask()
        found = self._session.run("jacobian", self._order[rows], batch_size=1)
        n = len(self._order[rows])
        J = np.empty((n, self._n_columns, self.n_parameters))
        for column in range(self._n_columns):
            end = 0
            for name in self._shapes:
                slopes = found[slope_name(name, column)].reshape(n, -1)
                begin, end = end, end + slopes.shape[1]
                np.multiply(slopes, self._weights[rows, None], out=J[:, column, begin:end])
        return J.reshape(-1, self.n_parameters)

    def jacobian(self, point: Array) -> Array:
        """The Jacobian (n O, P) at a point, whole."""
        return np.concatenate([J for _, J in self.blocks(point)])

    def is_finite(self, point: Array) -> bool:
        """Whether the residuals and their Jacobian are finite at a point."""
        r = self.values(point)
        with np.errstate(over="ignore", invalid="ignore"):  # their sum of squares is to be finite
            is_usable = bool(np.isfinite(r @ r))
        return is_usable and all(is_finite(J) for _, J in self.blocks(point))

    def point(self) -> Array:
        """The session's parameters as one vector."""
        return flatten({name: self._session.read(name) for name in self._shapes})

    def move_to(self, point: Array) -> None:
        """Give the session the parameters of a vector."""
        with np.errstate(over="ignore"):  # a trial step may leave the range of float32
            for name, value in unflatten(point, self._shapes).items():
                self._session.write(name, value)

    def _ask(self) -> None:
        reason = self.halted()
        if reason:
            raise Halt(reason)


def require_few(owner: str, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The number of parameters P; OptionError where J.T J, (P, P), would be too large."""
    n = sum(map(math.prod, shapes.values()))
    if n > MOST_PARAMETERS:
        raise OptionError(
            f"{owner}: {n} parameters make J.T J {n} x {n} ({8e-9 * n * n:.2g} GB); it takes at "
            f"most {MOST_PARAMETERS}; use rg.LBFGS"
        )
    return n


def require_own_rows(owner: str, residuals: Residuals, point: Array) -> None:
    """GraphError where the residuals of single rows are not those of all rows in one batch.

    The Jacobian comes from single rows: of a mean over the batch, or of noise, it would be another.
    """
    together, alone = residuals.values(point), residuals.values(point, batch_size=1)
    # What rounding is relative to: the residuals, and what they are differences of.
    size = np.abs(alone)
    for rows, J in residuals.blocks(point):
        size[rows] += np.abs(J) @ np.abs(point)
    if (np.abs(together - alone) > np.sqrt(residuals.epsilon) * size).any():
        raise GraphError(
            f"{owner}: the residuals of a row depend on other rows, or on chance; a graph may give "
            "its variables their sizes in place of rows"
        )
