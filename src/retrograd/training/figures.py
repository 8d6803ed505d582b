"""The figures of an epoch, and their means over its rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from retrograd.arrays import Array

EMPTY: Mapping[str, Any] = MappingProxyType({})  # without heads, or without statistics


class Epoch(NamedTuple):
    """The figures of one epoch, as far as it ran: J of each batch, and of its last step.

    `J_of`: that of each head, where there are some. `statistics`: of the last step, by name, where
    they are recorded.
    """

    J: Array
    gradient_norm: float
    learning_rate: float
    n_rows: int
    J_of: Mapping[str, Array] = EMPTY
    statistics: Mapping[str, float] = EMPTY


class Means(NamedTuple):
    """J over the rows of an epoch, and that of each head, where there are some."""

    J: float
    J_of: Mapping[str, float] = EMPTY


def mean_by(weights: Array, J: Array) -> float:
    """The mean of J over batches of these weights; the plain mean where all of them are 0.

    >>> mean_by(np.array([3.0, 1.0]), np.array([1.0, 5.0]))
    2.0
    """
    total = np.add.reduce(weights)
    return float(np.add.reduce(J * weights) / total if total else J.mean())
