"""Two problems that small networks are known to find hard: two spirals, and parity."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import Array, require_integer, require_number
from retrograd.datasets.dataset import Dataset
from retrograd.errors import OptionError

TURNS = 3.0  # of each spiral
MOST_BITS = 16


def two_spirals(n: int = 97, noise: float = 0.0, seed: int = 0) -> Dataset:
    """Two interlocked spirals of three turns each, `n` points on each; which one in.

    `n`: at least 1; 97 are the 194 points of the original [Lang & Witbrock 1988, Learning to tell
    two spirals apart], whose i-th point lies at the angle i pi/16 and the radius 6.5 (104 - i)/104;
    other `n` are spread evenly over the same curve. The other spiral is this one turned by 180
    degrees. `noise`: the standard deviation that is added to each coordinate, >= 0. `seed`: >= 0.
    Raises OptionError.

    >>> data = two_spirals()
    >>> data.X.shape, data.X[0].tolist(), data.y[:2].tolist()
    ((194, 2), [0.0, 6.5], [0, 1])
    """
    n = require_integer("two_spirals", "n", n)
    require_number("two_spirals", "noise", noise)
    seed = require_integer("two_spirals", "seed", seed, low=0)
    i = np.linspace(0.0, 16.0 * 2.0 * TURNS, n)
    angle, radius = i * np.pi / 16.0, 6.5 * (104.0 - i) / 104.0
    one: Array = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    X: Array = np.stack([one, -one], axis=1).reshape(-1, 2)
    return Dataset(
        name="two_spirals",
        task="classification",
        X=X + noise * np.random.default_rng(seed).standard_normal(X.shape),
        y=np.tile(np.array([0, 1]), n),
        feature_names=("x", "y"),
        target_name="spiral",
        class_names=("first", "second"),
        description=f"{n} points on each of two interlocked spirals of three turns "
        "[Lang & Witbrock 1988]",
    )


def parity(bits: int = 6) -> Dataset:
    """Every pattern of so many bits, -1 or 1, and whether the number of ones is odd.

    `bits`: in [1, 16]; 2 is exclusive or. The 2**bits rows count upwards. To flip any bit flips the
    class, so that no bit alone says anything of it   [Minsky & Papert 1969].
    Raises OptionError.

    >>> data = parity(2)
    >>> data.X.tolist(), data.y.tolist()
    ([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    bits = require_integer("parity", "bits", bits)
    if bits > MOST_BITS:
        raise OptionError(f"parity: bits must be at most {MOST_BITS}, got {bits}")
    ones: Array = np.arange(2**bits)[:, None] >> np.arange(bits)[::-1] & 1
    return Dataset(
        name="parity",
        task="classification",
        X=2.0 * ones - 1.0,
        y=ones.sum(axis=1) % 2,
        feature_names=tuple(f"bit {i}" for i in range(1, bits + 1)),
        target_name="parity",
        class_names=("even", "odd"),
        description=f"all patterns of {bits} bits and the parity of their ones "
        "[Minsky & Papert 1969]",
    )
