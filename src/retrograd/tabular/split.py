"""Rows apart for training, validation and test, as integer arrays over one X."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import DataError, OptionError


@dataclass(frozen=True, eq=False)
class Split:
    """Rows in ascending order: every row of X in just one part."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split(
    n: int,
    *,
    y: ArrayLike | None = None,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
) -> Split:
    """Deal n rows out at random. `validation`, `test`: shares in [0, 1), together below 1.

    A part with a share above 0 has at least one row, and training has. `y`: (n,) class labels
    (leave it out for a regression); where each class has a row for each part, every class is dealt
    out by itself, so that the parts have the classes in the same shares.

    Raises OptionError for a share or a seed out of range, DataError for too few rows.

    >>> parts = split(20)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (14, 3, 3)
    >>> parts = split(20, y=[0] * 10 + [1] * 10, validation=0, test=0.2)
    >>> parts.test < 10
    array([ True,  True, False, False])
    """
    shares = {"validation": validation, "test": test}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise OptionError(f"{name} is a share of the rows in [0, 1); got {share}")
    if validation + test >= 1:
        raise OptionError(f"validation and test leave no rows to train on: {validation} + {test}")
    if seed < 0:
        raise OptionError(f"seed is an integer >= 0; got {seed}")
    n_parts = 1 + sum(share > 0 for share in shares.values())
    if n < n_parts:
        raise DataError(f"{n} rows cannot be split in {n_parts} parts; give more, or a share of 0")

    groups = [np.arange(n)]
    if y is not None:
        labels = np.asarray(y)
        if labels.shape != (n,):
            raise DataError(f"y has one label a row, the shape ({n},); got {labels.shape}")
        _, label, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if counts.min() >= n_parts:
            groups = [np.flatnonzero(label == c) for c in range(len(counts))]

    random = np.random.default_rng(seed)
    part = np.zeros(n, np.int64)  # 0 training, 1 validation, 2 test
    for rows in groups:
        n_validation, n_test = _counts(len(rows), validation, test)
        shuffled = random.permutation(rows)
        part[shuffled[:n_validation]] = 1
        part[shuffled[n_validation : n_validation + n_test]] = 2
    return Split(*(np.flatnonzero(part == p) for p in range(3)))


def _counts(n: int, validation: float, test: float) -> tuple[int, int]:
    """The rows of n for validation and test, each at least 1 if its share is above 0."""
    n_validation, n_test = (max(1, round(n * s)) if s else 0 for s in (validation, test))
    while n_validation + n_test >= n:  # shares near 1: training has a row too
        if n_validation >= n_test:
            n_validation -= 1
        else:
            n_test -= 1
    return n_validation, n_test
