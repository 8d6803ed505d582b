"""Holding out: which rows train and which validate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array, require_number
from retrograd.errors import DataError, OptionError
from retrograd.nn.losses import Loss
from retrograd.nn.network import Network
from retrograd.training.session import Rows, check_rows

Validation = float | tuple[ArrayLike, ArrayLike] | None


def hold_out(
    network: Network, loss: Loss, data: Rows, validation: Validation, rng: np.random.Generator
) -> tuple[Rows, Array, Array]:
    """The rows of data, and the numbers of those to train on and of those to validate.

    A pair (X, Y) is appended to the data, in its precision; a share is drawn from it by `rng`.
    """
    rows = np.arange(len(data))
    if validation is None:
        return data, rows, rows[:0]
    if isinstance(validation, tuple | list):
        both = _joined(data, check_pair(network, loss, data, validation))
        return both, rows, np.arange(len(data), len(both))
    require_number("train", "validation", validation, high=1.0, open_low=True)
    n_held = round(validation * len(data))
    if not 0 < n_held < len(data):
        raise DataError(
            f"train: a validation share of {validation:g} of {len(data)} rows leaves "
            f"{len(data) - n_held} to train on and {n_held} to validate; both need 1"
        )
    mixed = rng.permutation(rows)
    return data, np.sort(mixed[n_held:]), np.sort(mixed[:n_held])


def check_pair(
    network: Network, loss: Loss, data: Rows, pair: tuple[ArrayLike, ArrayLike] | list[ArrayLike]
) -> Rows:
    """The rows of a pair (X, Y), in the precision of the data; DataError unless of their form."""
    if len(pair) != 2:
        raise OptionError(f"train: validation is a share, or a pair (X, Y); got {len(pair)} things")
    try:
        more = check_rows(network, loss, pair[0], pair[1], dtype=data.X.dtype)
    except DataError as error:
        raise DataError(f"validation {error}") from None
    if (more.target.shape, more.target.dtype) != (data.target.shape, data.target.dtype):
        raise DataError(
            f"validation Y: is {more.target.dtype} {more.target.array.shape}, "
            f"Y is {data.target.dtype} {data.target.array.shape}; they must have the same form"
        )
    return more


def _joined(data: Rows, more: Rows) -> Rows:
    weights = data.sample_weight
    if weights is not None:  # validation rows are scored without weights
        weights = np.concatenate([weights, np.ones(len(more), weights.dtype)])
    target = data.target
    both = np.concatenate([target.array, more.target.array])
    return Rows(np.concatenate([data.X, more.X]), replace(target, array=both), weights)
