"""The inverse fin problem: the heat-transfer coefficient of a pin fin from its temperatures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.datasets.dataset import Dataset
from retrograd.errors import OptionError

LENGTH = 0.040  # m
DIAMETER = 0.005  # m
CONDUCTIVITY = 14.9  # W/(m K), stainless steel AISI 304 at 300 K   [Incropera & DeWitt, table A.1]
BASE_TEMPERATURE = 100.0  # °C
AMBIENT_TEMPERATURE = 20.0  # °C
# W/(m^2 K): free convection of a gas to a gentle forced one. The Biot number h D / (4 k) stays
# below 0.01, so the fin is one-dimensional; m L runs from 0.9 to 2.9, so every station stays warm
# enough to tell every h.
COEFFICIENT_RANGE = (10.0, 100.0)
# m: every 5 mm up to the tip. The base is not among them, its temperature is the same for every h.
STATIONS = LENGTH * np.arange(1, 9) / 8


def temperatures(h: ArrayLike, x: ArrayLike = STATIONS) -> NDArray[np.float64]:
    """The steady temperatures (n, s) in °C at `x` (s,) in m from the base, for `h` (n,) > 0.

    A straight fin with an insulated tip, h in W/(m^2 K):
    theta(x) / theta_b = cosh(m (L - x)) / cosh(m L), theta = T - T_ambient, m^2 = h P / (k A)
    [Incropera & DeWitt, Fundamentals of Heat and Mass Transfer, sec. 3.6, case B].

    >>> temperatures([10.0, 100.0], [0.0, LENGTH]).round(1)
    array([[100. ,  74.8],
           [100. ,  28.5]])
    """
    h, x = np.asarray(h, np.float64), np.asarray(x, np.float64)
    # P / A = (pi D) / (pi D^2 / 4) = 4 / D
    m = np.sqrt(h * 4 / (CONDUCTIVITY * DIAMETER))[:, None]
    ratio = np.cosh(m * (LENGTH - x)) / np.cosh(m * LENGTH)
    return AMBIENT_TEMPERATURE + (BASE_TEMPERATURE - AMBIENT_TEMPERATURE) * ratio


def fin(n: int = 1000, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Measured temperatures at 8 stations along a fin in, its heat-transfer coefficient out.

    ::

        T(x) = T_ambient + (T_base - T_ambient) cosh(m (L - x)) / cosh(m L) + noise
        m^2 = 4 h / (k D)

    A straight fin with an insulated tip   [Incropera & DeWitt 2002, sec. 3.6, case B].

    `n`: fins, at least 1, each with an h drawn uniformly from `COEFFICIENT_RANGE`. `noise`: the
    standard deviation of a measured temperature in kelvin, finite and >= 0. `seed`: >= 0; the
    same seed gives the same h for every `noise`. Raises OptionError.

    With a noise of 0.1 K the 8 temperatures determine h to a standard error of 0.02 (smallest h)
    to 0.26 W/(m^2 K) (largest): an unbiased estimate can do no better [Cramer-Rao bound].

    >>> data = fin(n=500, noise=0.2)
    >>> data.X.shape, data.target_name, data.units["h"], data.units["T(x=5mm)"]
    ((500, 8), 'h', 'W/(m^2 K)', '°C')
    """
    if n < 1:
        raise OptionError(f"n is the number of fins, at least 1; got {n}")
    if not (math.isfinite(noise) and noise >= 0):
        raise OptionError(f"noise is a standard deviation in kelvin, >= 0; got {noise}")
    if seed < 0:
        raise OptionError(f"seed is an integer >= 0; got {seed}")
    random = np.random.default_rng(seed)
    h = random.uniform(*COEFFICIENT_RANGE, n)
    exact = temperatures(h)
    feature_names = tuple(f"T(x={round(1000 * x)}mm)" for x in STATIONS)
    return Dataset(
        name="fin",
        task="regression",
        X=exact + noise * random.standard_normal(exact.shape),
        y=h,
        feature_names=feature_names,
        target_name="h",
        class_names=None,
        description=f"{n} pin fins of stainless steel: temperatures at 8 stations, read to {noise}"
        " K, and the heat-transfer coefficient [Incropera & DeWitt, sec. 3.6, insulated tip]",
        units=dict.fromkeys(feature_names, "°C") | {"h": "W/(m^2 K)"},
    )
