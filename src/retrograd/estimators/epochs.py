"""What epochs are made of: the orders that they go through, their batches, their losses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.base import Shuffles
from retrograd.engines.orders import shuffle_in_turn

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP
    from retrograd.estimators.descent import Run

LARGEST_AUTO_BATCH = 200
MANY = 2000  # rows of orders from which on an engine draws them faster than NumPy


def draw(runs: Sequence[Run], into: Array) -> None:
    """Draw the orders of the next epochs of runs with the same parameters: (runs, n_epochs, rows).

    They are those of sklearn.utils.shuffle, without its checks.
    """
    model = runs[0].model
    into[:, 0] = [run.order for run in runs]
    if not model.shuffle:
        into[:] = into[:, :1]
    elif (
        into.size >= MANY
        and len({id(run.rng) for run in runs}) == len(runs)  # none is drawn from by two threads
        and isinstance(engine := runs[0].session.runs_on, Shuffles)
    ):
        engine.shuffle([run.rng for run in runs], into)
    else:
        shuffle_in_turn([run.rng for run in runs], into)
    for run, orders in zip(runs, into, strict=True):
        run.order = orders[-1]


def batch_sizes(n_rows: int, batch_size: int) -> Array:
    """The rows of each batch.

    >>> batch_sizes(5, 2)
    array([2., 2., 1.])
    """
    sizes = np.full(-(-n_rows // batch_size), float(batch_size))
    sizes[-1] = n_rows - batch_size * (len(sizes) - 1)
    return sizes


def losses_of(J: Array, sizes: Array) -> list[float]:
    """The loss of each epoch from J of their batches, one after another, which count by rows.

    >>> losses_of(np.array([1.0, 5.0, 2.0, 2.0]), np.array([3.0, 1.0]))
    [2.0, 2.0]
    """
    if len(sizes) == len(J) == 1:  # as below, where arrays of one number would take longer
        size = sizes.item()
        return [J.item() * size / size]
    by_rows = np.multiply(J.reshape(-1, len(sizes)), sizes, dtype=np.float64)
    found: list[float] = (np.add.reduce(by_rows, axis=1) / np.add.reduce(sizes)).tolist()
    return found


def batch_size_of(model: BaseMLP, n_rows: int) -> int:
    """The rows of a batch, of so many."""
    if isinstance(model.batch_size, str):  # "auto"
        return min(LARGEST_AUTO_BATCH, n_rows)
    if model.batch_size > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=9,
        )
    return int(min(model.batch_size, n_rows))
