"""Initial weights and biases, made on the host so that they are equal on every engine.

With I = fan_in and O = fan_out of W (I, O), each of these names, as in "he_normal", is a
distribution of mean 0 and the variance below: `uniform` on (-limit, limit) with
limit = sqrt(3 variance), `normal`, or `truncated_normal`, a normal held within two standard
deviations and widened to have that variance. A bias (O,) is drawn by the same I and O.

| name | variance | source |
|---|---|---|
| glorot | 2 / (I + O) | Glorot & Bengio 2010, eq. 16; PyTorch's xavier |
| he | 2 / I | He et al. 2015, eq. 10; PyTorch's kaiming |
| lecun | 1 / I | LeCun et al. 1998, eq. 16 |
| fan_in | 1 / (3 I) | uniform within 1 / sqrt(I): PyTorch's default of a linear layer, W and b |

Keras's `GlorotNormal`, `HeNormal` and `LecunNormal` are the truncated ones. The other names are
"orthogonal", "truncated_normal", "normal", "uniform", "zeros" and "ones": those of the classes here
with their usual numbers. An object has others: `rg.initializers.Orthogonal(gain=1.4)`. Values that
depend on the data are made by `rg.unit_variance`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from retrograd.arguments import Choices
from retrograd.arrays import Array, require_number
from retrograd.errors import OptionError, require_known

__all__ = [
    "Constant",
    "Initializer",
    "Normal",
    "Orthogonal",
    "TruncatedNormal",
    "Uniform",
    "VarianceScaling",
]

if TYPE_CHECKING:  # at run time numpy.random is imported when it is first used
    from numpy.random import Generator

HELD = 2.0  # standard deviations within which a truncated normal lies
_INSIDE = math.erf(HELD / math.sqrt(2.0))
_DENSITY = math.exp(-(HELD**2) / 2.0) / math.sqrt(2.0 * math.pi)
HELD_DEVIATION = math.sqrt(1.0 - 2.0 * HELD * _DENSITY / _INSIDE)  # what is left of 1: 0.88


def _uniform(rng: Generator, variance: float, shape: tuple[int, ...]) -> Array:
    limit = np.sqrt(3.0 * variance)
    return rng.uniform(-limit, limit, shape)


def _normal(rng: Generator, variance: float, shape: tuple[int, ...]) -> Array:
    return rng.normal(0.0, np.sqrt(variance), shape)


def _truncated_normal(rng: Generator, variance: float, shape: tuple[int, ...]) -> Array:
    return np.sqrt(variance) / HELD_DEVIATION * _held(rng, shape)


def _held(rng: Generator, shape: tuple[int, ...]) -> Array:
    """A standard normal, drawn again until it lies within HELD."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > HELD).any():
        values[outside] = rng.standard_normal(np.count_nonzero(outside))
    return values


VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2.0 / fan_in,
    "lecun": lambda fan_in, fan_out: 1.0 / fan_in,
    "fan_in": lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
}
DISTRIBUTIONS = {
    "uniform": _uniform,
    "normal": _normal,
    "truncated_normal": _truncated_normal,
}


@dataclass(frozen=True)
class Initializer(Choices, ABC):
    """How initial values are drawn: a frozen dataclass of its numbers."""

    name: ClassVar[str]
    takes_biases: ClassVar[bool] = True

    @abstractmethod
    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """Values for a layer of these sizes, float64: of a shape, by default that of W."""


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Mean 0, and gain**2 times a variance by the layer's sizes: "he_normal" and its like.

    Args:
        rule: "glorot", "he", "lecun" or "fan_in": see the table of the module.
        distribution: "uniform", "normal" or "truncated_normal".
        gain: > 0, a factor of the values: 5/3 is PyTorch's for tanh.

    >>> rg.initializers.VarianceScaling("glorot", "normal", gain=2.0)
    VarianceScaling(rule='glorot', distribution='normal', gain=2.0)
    """

    name = "variance_scaling"

    rule: str
    distribution: str = "uniform"
    gain: float = 1.0

    def __post_init__(self) -> None:
        require_known("rule of an initializer", self.rule, VARIANCES)
        require_known("distribution", self.distribution, DISTRIBUTIONS)
        require_number("VarianceScaling", "gain", self.gain, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """Values of the rule's variance."""
        variance = self.gain**2 * VARIANCES[self.rule](fan_in, fan_out)
        return DISTRIBUTIONS[self.distribution](rng, variance, shape or (fan_in, fan_out))


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """W with W.T @ W = gain**2 I, or W @ W.T where it is wide; uniform among all such.

    [Saxe et al. 2014; PyTorch: orthogonal_]: the Q of a normal matrix, with the signs that make R's
    diagonal positive   [Mezzadri 2007]. Of weights only.

    Args:
        gain: > 0: sqrt(2) suits relu.
    """

    name = "orthogonal"
    takes_biases = False

    gain: float = 1.0

    def __post_init__(self) -> None:
        require_number("Orthogonal", "gain", self.gain, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """A matrix whose columns, or rows if they are fewer, are orthogonal."""
        tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
        q, r = np.linalg.qr(tall)
        q = self.gain * q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(q if fan_in >= fan_out else q.T)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """A normal of mean 0, held within two standard deviations   [Keras: TruncatedNormal].

    Args:
        deviation: > 0, that of the normal; the values have 0.88 times as much.
    """

    name = "truncated_normal"

    deviation: float = 0.05

    def __post_init__(self) -> None:
        require_number("TruncatedNormal", "deviation", self.deviation, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """Values within two deviations."""
        return self.deviation * _held(rng, shape or (fan_in, fan_out))


@dataclass(frozen=True)
class Normal(Initializer):
    """A normal of mean 0   [Keras: RandomNormal].

    Args:
        deviation: > 0.
    """

    name = "normal"

    deviation: float = 0.05

    def __post_init__(self) -> None:
        require_number("Normal", "deviation", self.deviation, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """Values of this deviation."""
        return rng.normal(0.0, self.deviation, shape or (fan_in, fan_out))


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform from low to high   [Keras: RandomUniform].

    Args:
        low: a number. high: above it.
    """

    name = "uniform"

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        require_number("Uniform", "low", self.low, low=-math.inf, open_low=True)
        require_number("Uniform", "high", self.high, low=self.low, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """Values from low to high."""
        return rng.uniform(self.low, self.high, shape or (fan_in, fan_out))


@dataclass(frozen=True)
class Constant(Initializer):
    """The same value everywhere: "zeros", "ones", or another   [Keras: Constant].

    Args:
        value: finite.
    """

    name = "constant"

    value: float = 0.0

    def __post_init__(self) -> None:
        require_number("Constant", "value", self.value, low=-math.inf, open_low=True)

    def __call__(
        self, rng: Generator, fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None
    ) -> Array:
        """The value, so often."""
        return np.full(shape or (fan_in, fan_out), float(self.value))


INITIALIZERS: dict[str, Initializer] = {
    **{
        f"{rule}_{distribution}": VarianceScaling(rule, distribution)
        for rule in VARIANCES
        for distribution in DISTRIBUTIONS
    },
    **{kind.name: kind() for kind in (Orthogonal, TruncatedNormal, Normal, Uniform)},
    "zeros": Constant(0.0),
    "ones": Constant(1.0),
}
"""The initializers by name, with their usual numbers."""

KINDS: dict[str, type[Initializer]] = {
    kind.name: kind
    for kind in (VarianceScaling, Orthogonal, TruncatedNormal, Normal, Uniform, Constant)
}

InitializerChoice = str | Initializer


def find_initializer(initializer: InitializerChoice) -> Initializer:
    """The initializer of a name, or the initializer itself.

    >>> find_initializer("he_normal")(np.random.default_rng(0), 2, 3).shape
    (2, 3)
    """
    if isinstance(initializer, Initializer):
        return initializer
    if isinstance(initializer, type) and initializer in KINDS.values():
        raise OptionError(f"initializer: pass an instance, {initializer.__name__}(), not the class")
    return INITIALIZERS[require_known("initializer", initializer, INITIALIZERS)]


def require_of_biases(initializer: InitializerChoice) -> None:
    """Raise OptionError unless the initializer can make a bias."""
    if not find_initializer(initializer).takes_biases:
        raise OptionError(f"bias_initializer: {initializer} makes matrices; a bias is a row")


def initializer_to_json(initializer: InitializerChoice) -> Any:
    """A name as it is; an object as its kind and numbers.

    A class of the user's is code, which a file does not hold: "auto" stands for it, should the
    loaded network be asked for initial values anew.
    """
    if isinstance(initializer, str):
        return initializer
    if KINDS.get(initializer.name) is not type(initializer):
        return "auto"
    return {"kind": initializer.name, **asdict(initializer)}


def initializer_from_json(value: Any) -> Any:
    """The inverse of `initializer_to_json`; what is neither stays as it is, to be refused."""
    if not isinstance(value, dict):
        return value
    numbers = dict(value)
    return KINDS[numbers.pop("kind")](**numbers)


def __dir__() -> list[str]:
    return __all__
