"""Holding out: which rows train and which validate."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import Array, require_number
from retrograd.errors import DataError, OptionError
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.named import Named
from retrograd.nn.network import Network
from retrograd.training.rows import Rows, check_rows

Validation = float | tuple[Named, Named] | None


def hold_out(
    network: Network,
    loss: Loss | JointLoss,
    data: Rows,
    validation: Validation,
    rng: np.random.Generator,
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
    held = np.sort(mixed[:n_held])
    for head, w in data.weights_of.items():
        if not w[held].any():
            raise DataError(
                f"train: all of the {n_held} validation rows have the weight 0 in the head "
                f"{head!r}; hold out more, or pass validation as a pair (X, Y)"
            )
    return data, np.sort(mixed[n_held:]), held


def check_pair(
    network: Network, loss: Loss | JointLoss, data: Rows, pair: tuple[Named, Named] | list[Named]
) -> Rows:
    """The rows of a pair (X, Y), in the precision of the data; DataError unless of their form."""
    if len(pair) != 2:
        raise OptionError(f"train: validation is a share, or a pair (X, Y); got {len(pair)} things")
    try:
        more = check_rows(network, loss, pair[0], pair[1], dtype=data.X.dtype)
    except DataError as error:
        raise DataError(f"validation {error}") from None
    if more.target.form != data.target.form:
        raise DataError(
            f"validation Y: is {more.target}, Y is {data.target}; they must have the same form"
        )
    return more


def _joined(data: Rows, more: Rows) -> Rows:
    others = more.target.parts
    target = data.target.each(lambda head, own: np.concatenate([own.array, others[head].array]))
    both = Rows(np.concatenate([data.X, more.X]), target)
    ones = np.ones(len(more), data.X.dtype)  # validation rows are scored without weights
    return both.weighed({head: np.concatenate([w, ones]) for head, w in data.weights.items()})
