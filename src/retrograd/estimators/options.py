"""The estimators' parameters: their ranges, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, RealNotInt, StrOptions

from retrograd.engines.base import Engine
from retrograd.errors import OptionError
from retrograd.estimators.losses import LOG_LOSS, OF_CLASSES, OF_NUMBERS
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.losses import LossSpec
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS
from retrograd.run import AUTO, ENGINES
from retrograd.training.train import MIXED, PRECISIONS

INDEPENDENT, SHARED = "independent", "shared"

CONSTRAINTS: dict[str, list[Any]] = {
    # Those of scikit-learn, as it has them.
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    # Those that take more here, and those of this package.
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


OF_CLASSIFIERS: dict[str, list[Any]] = {
    **CONSTRAINTS,
    "loss": [StrOptions({LOG_LOSS, *OF_CLASSES}), LossSpec, callable],
    "class_weight": [dict, list, StrOptions({"balanced"}), None],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
}
OF_REGRESSORS: dict[str, list[Any]] = {
    **CONSTRAINTS,
    "loss": [StrOptions(set(OF_NUMBERS)), LossSpec, callable],
}
OF_ENSEMBLES: dict[str, list[Any]] = {
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "members": [StrOptions({INDEPENDENT, SHARED})],
    "bootstrap": ["boolean"],
    "max_samples": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="right"),
    ],
}


def of_members(constraints: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The parameters of an ensemble of estimators that have these: many starts it has anyway."""
    return {k: v for k, v in constraints.items() if k != "random_starts"} | OF_ENSEMBLES


def keep(model: Any, given: Mapping[str, Any]) -> None:
    """Give an estimator the parameters of its constructor, whose `locals()` are given."""
    own = vars(model)
    own.update(given)
    del own["self"]


def hidden_sizes(value: Any) -> list[int]:
    """Units of each hidden layer, from a number or a sequence of them."""
    try:
        sizes = list(value)
    except TypeError:  # no sequence
        sizes = [value]
    if not all(isinstance(size, Integral) for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size < 1 for size in sizes):
        raise OptionError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


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
