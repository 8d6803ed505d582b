"""Columns as finite numbers, and the mean and scale that standardise them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import DataError
from retrograd.files.table import Column, is_text, parse_numbers


def finite_numbers(
    name: str, column: Column, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """The column (n,) as float64, NaN where missing. Rows in messages count from 1.

    `rows`: the numbers of the rows, from 0, where they are some of a table's: `Table.row_numbers`.

    Raises DataError at the first word and the first infinite number.

    >>> import numpy as np
    >>> finite_numbers("age", np.array([31.0, np.inf]))
    Traceback (most recent call last):
    ...
    retrograd.errors.DataError: column 'age' holds inf in row 2; numbers are finite
    """
    if is_text(column):
        words = ["" if word is None else str(word) for word in column]
        numbers = parse_numbers(words)
        if numbers is None:
            row = next(i for i, word in enumerate(words) if parse_numbers([word]) is None)
            where = f"in row {row_in_words(row, rows)}, where a number is expected"
            problem = f"holds {words[row][:60]!r} {where}"
            raise DataError(f"column {name!r} {problem}")
    else:
        numbers = column.astype(np.float64, copy=False)
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        value, where = numbers[infinite[0]], row_in_words(infinite[0], rows)
        raise DataError(f"column {name!r} holds {value} in row {where}; numbers are finite")
    return numbers


def row_in_words(row: int, rows: NDArray[np.int64] | None) -> str:
    """What a message calls a row: its number in the table as it was read, from 1."""
    return str(1 + int(row if rows is None else rows[row]))


def mean_and_scale(
    name: str, numbers: NDArray[np.float64], weights: NDArray[Any] | None = None
) -> tuple[float, float]:
    """The mean and the population standard deviation of numbers (n,) without NaN, n > 0.

    `weights`: (n,), >= 0; numbers of the weight 0 are as if they were not there, unless all are.
    The scale of a constant column is 1. Raises DataError where the range of float64 is exceeded.

    >>> import numpy as np
    >>> mean_and_scale("age", np.array([1.0, 3.0])), mean_and_scale("age", np.array([0.1] * 3))
    ((2.0, 1.0), (0.1, 1.0))
    >>> mean_and_scale("age", np.array([1.0, 3.0, 99.0]), np.array([1, 1, 0]))
    (2.0, 1.0)
    """
    if weights is not None and weights.any():
        counts = weights > 0
        numbers, weights = numbers[counts], weights[counts].astype(np.float64)
    else:
        weights = None
    least, most = float(numbers.min()), float(numbers.max())
    if least == most:  # asked of the numbers: their deviation from a rounded mean is not quite 0
        return least, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.average(numbers, weights=weights))
        deviation = numbers - mean
        # Relative to the largest deviation: a square must neither overflow nor vanish.
        largest = float(np.abs(deviation).max())
        scale = largest * float(np.sqrt(np.average((deviation / largest) ** 2, weights=weights)))
    if not (np.isfinite(mean) and 0 < scale < np.inf):
        problem = f"runs from {least} to {most}, which float64 cannot standardise"
        raise DataError(f"column {name!r} {problem}")
    return mean, scale


def standardise(
    name: str,
    numbers: NDArray[np.float64],
    mean: float,
    scale: float,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """`(numbers - mean) / scale`, NaN staying NaN. Raises DataError where that overflows.

    `rows`: as in `finite_numbers`.
    """
    with np.errstate(over="ignore"):
        standard = (numbers - mean) / scale
    overflow = np.flatnonzero(np.isinf(standard))
    if overflow.size:
        row = overflow[0]
        where = f"in row {row_in_words(row, rows)}"
        problem = f"holds {numbers[row]} {where}, too far from the training data's {mean}"
        raise DataError(f"column {name!r} {problem}")
    return standard
