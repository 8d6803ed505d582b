"""Initial weights, made on the host so that they are equal on every engine.

With I = fan_in and O = fan_out of W (I, O), each draws from a distribution of the variance below;
`uniform` on (-limit, limit) with limit = sqrt(3 variance), `normal` with that variance.

| name | variance | source |
|---|---|---|
| glorot | 2 / (I + O) | Glorot & Bengio 2010, eq. 16 |
| he | 2 / I | He et al. 2015, eq. 10 |
| lecun | 1 / I | LeCun et al. 1998, eq. 16 |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import unknown_name

# In quotes: numpy.random is imported when it is first used.
Initializer = Callable[["np.random.Generator", int, int], Array]

VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda n_in, n_out: 2.0 / (n_in + n_out),
    "he": lambda n_in, n_out: 2.0 / n_in,
    "lecun": lambda n_in, n_out: 1.0 / n_in,
}


def _uniform(variance: Callable[[int, int], float]) -> Initializer:
    def draw(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
        limit = np.sqrt(3.0 * variance(n_in, n_out))
        return rng.uniform(-limit, limit, (n_in, n_out))

    return draw


def _normal(variance: Callable[[int, int], float]) -> Initializer:
    def draw(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
        return rng.normal(0.0, np.sqrt(variance(n_in, n_out)), (n_in, n_out))

    return draw


INITIALIZERS: dict[str, Initializer] = {
    **{f"{name}_uniform": _uniform(variance) for name, variance in VARIANCES.items()},
    **{f"{name}_normal": _normal(variance) for name, variance in VARIANCES.items()},
    "zeros": lambda rng, n_in, n_out: np.zeros((n_in, n_out)),
}


def find_initializer(name: str) -> Initializer:
    """The initializer of a name.

    >>> find_initializer("he_normal")(np.random.default_rng(0), 2, 3).shape
    (2, 3)
    """
    if not isinstance(name, str) or name not in INITIALIZERS:
        raise unknown_name("initializer", name, INITIALIZERS)
    return INITIALIZERS[name]
