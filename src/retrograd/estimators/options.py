"""The estimators' parameters beside scikit-learn's: their ranges, and what they stand for."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from retrograd.engines.base import Engine
from retrograd.errors import OptionError
from retrograd.nn.activations import ACTIVATIONS
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS
from retrograd.run import AUTO, ENGINES
from retrograd.training.train import MIXED, PRECISIONS

CONSTRAINTS: dict[str, list[Any]] = {
    "activation": [StrOptions({"logistic", *ACTIVATIONS}), callable, list, tuple],
    "solver": [StrOptions(set(OPTIMIZERS)), Optimizer, FullBatch],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
    "standardize": ["boolean"],
    "encode_columns": ["boolean"],
    "callbacks": [None, list, tuple],
    "engine": [StrOptions({AUTO, *ENGINES}), Engine],
    "precision": [StrOptions(set(PRECISIONS))],
    "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    "random_starts": [Interval(Integral, 1, None, closed="left")],
}


def dtypes_of(precision: str) -> Any:
    """The float types that X may have, as scikit-learn's checks take them."""
    if precision == AUTO:
        return (np.float64, np.float32)
    return np.dtype("float32" if precision == MIXED else precision)


def rates_of(dropout: Any, n_hidden: int) -> tuple[float, ...]:
    """The dropout rate of each hidden layer, from one for all or one for each."""
    if isinstance(dropout, Real):
        return (float(dropout),) * n_hidden
    rates = tuple(dropout)
    is_rate = [isinstance(rate, Real) and 0 <= float(rate) < 1 for rate in rates]
    if len(rates) != n_hidden or not all(is_rate):
        raise OptionError(
            f"dropout: a rate in [0, 1), or one for each of the {n_hidden} hidden layers; "
            f"got {dropout!r}"
        )
    return tuple(map(float, rates))
