"""Losses of outputs that estimate numbers: squared, absolute and robust errors, quantiles, angles.

e = output - y throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.errors import DataError, OptionError
from retrograd.graph.node import Node, constant
from retrograd.graph.shape import rows
from retrograd.nn.losses.base import ErrorFormula, Formula, Loss
from retrograd.nn.losses.targets import Target, number_target
from retrograd.nn.network import Forward, Network


def half_squared_residuals(forward: Forward, y: Node) -> Node:
    """e, (rows, O): half_squared_error is 1/2 of the sum of their squares."""
    return forward.output - y


def squared_residuals(forward: Forward, y: Node) -> Node:
    """sqrt(2) e, (rows, O): squared_error is 1/2 of the sum of their squares."""
    return math.sqrt(2.0) * (forward.output - y)


@dataclass(frozen=True)
class HalfSquaredError(Formula):
    """1/2 sum over outputs of e**2.  dJ/d(output) = e / B   [L1.2]

    For O outputs, O/2 times PyTorch's MSELoss and Keras's MeanSquaredError.
    """

    name = "half_squared_error"
    scored_by = "r2"

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        return 0.5 * gates.sum(gates.square(forward.output - y), axis=1)

    def bind(self, network: Network) -> Loss:
        """The loss for a network, with its residuals."""
        return replace(super().bind(network), residuals=half_squared_residuals)


@dataclass(frozen=True)
class SquaredError(ErrorFormula):
    """The sum over outputs of e**2, without the 1/2   [PyTorch: MSELoss, times O]."""

    name = "squared_error"

    def of_error(self, e: Node) -> Node:
        """e**2"""
        return gates.square(e)

    def bind(self, network: Network) -> Loss:
        """The loss for a network, with its residuals."""
        return replace(super().bind(network), residuals=squared_residuals)


@dataclass(frozen=True)
class AbsoluteError(ErrorFormula):
    """The sum over outputs of |e|, which a median minimises   [PyTorch: L1Loss, times O]."""

    name = "absolute_error"

    def of_error(self, e: Node) -> Node:
        """|e|, whose gradient at 0 is 0"""
        return gates.abs(e)


@dataclass(frozen=True)
class Huber(ErrorFormula):
    """e**2 / 2 where |e| <= delta, else delta (|e| - delta / 2); summed over outputs.

    [Huber 1964]; O times PyTorch's HuberLoss. With delta = 1 also its SmoothL1Loss.

    Args:
        delta: > 0, in the unit of the targets.

    >>> rg.Huber(delta=0.5)
    Huber(delta=0.5)
    """

    name = "huber"

    delta: float = 1.0

    def __post_init__(self) -> None:
        require_number("Huber", "delta", self.delta, open_low=True)

    def of_error(self, e: Node) -> Node:
        """c (|e| - c / 2) with c = min(|e|, delta)"""
        size = gates.abs(e)
        c = gates.minimum(size, float(self.delta))
        return c * (size - 0.5 * c)


@dataclass(frozen=True)
class LogCosh(ErrorFormula):
    """The sum over outputs of log(cosh(e)).  d/de = tanh(e)   [Keras: LogCosh, times O]

    e**2 / 2 near 0, |e| - log 2 far from it.
    """

    name = "log_cosh"

    def of_error(self, e: Node) -> Node:
        """-log(1 - tanh(e)**2) / 2 for |e| < 1, else |e| + log(1 + e**(-2|e|)) - log 2"""
        size = gates.abs(e)
        is_near = size < 1.0
        # Each form loses its digits where the other is good; 0 keeps the first finite elsewhere.
        t = gates.tanh(gates.where(is_near, e, 0.0))
        near = -0.5 * gates.log1p(-gates.square(t))
        far = (size - math.log(2.0)) + gates.softplus(-2.0 * size)
        return gates.where(is_near, near, far)


@dataclass(frozen=True)
class Quantile(Formula):
    """The pinball loss: q |e| for an output below its target, (1 - q) |e| above; several q at once.

    [Koenker & Bassett 1978]; scikit-learn's mean_pinball_loss times the number of outputs.
    Each target has one output for each quantile, side by side: with quantiles (0.1, 0.9) and two
    targets the four outputs are 0.1 and 0.9 of the first, then 0.1 and 0.9 of the second. Nothing
    keeps the quantiles of a row from crossing. The gradient at e = 0 is 0.

    Args:
        quantiles: each in (0, 1); one number, or several.

    >>> rg.Quantile([0.1, 0.5, 0.9])
    Quantile(quantiles=(0.1, 0.5, 0.9))
    """

    name = "quantile"

    quantiles: float | Sequence[float] = (0.1, 0.5, 0.9)

    def __post_init__(self) -> None:
        several = np.atleast_1d(np.asarray(self.quantiles, dtype=object)).ravel().tolist()
        if not several:
            raise OptionError("Quantile: quantiles must name at least one, got none")
        for q in several:
            require_number("Quantile", "each of quantiles", q, high=1.0, open_low=True)
        object.__setattr__(self, "quantiles", tuple(map(float, several)))

    def _n_quantiles(self) -> int:
        assert isinstance(self.quantiles, tuple)
        return len(self.quantiles)

    def require(self, network: Network) -> None:
        """Raise OptionError unless the outputs are so many for each target."""
        n = self._n_quantiles()
        if network.n_outputs % n:
            raise OptionError(
                f"quantile: {n} quantiles need {n} outputs for each target; "
                f"the network has {network.n_outputs}"
            )

    def scores(self, network: Network) -> tuple[str, ...]:
        """r2 of medians alone: other quantiles are not meant to meet their targets."""
        return ("r2",) if self.quantiles == (0.5,) else ()

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Finite numbers, one for each group of outputs."""
        return number_target(Y, n_outputs // self._n_quantiles(), dtype)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        q = constant(self.quantiles, dtype=forward.output.dtype)
        output = gates.reshape(forward.output, (rows, -1, self._n_quantiles()))
        below = gates.reshape(y, (rows, -1, 1)) - output
        return gates.sum(q * gates.relu(below) + (1.0 - q) * gates.relu(-below), axis=(1, 2))


@dataclass(frozen=True)
class Cosine(Formula):
    """1 - cos of the angle between the output and y; both taken as directions.

    [PyTorch: CosineEmbeddingLoss for y = 1; Keras: 1 + CosineSimilarity]. 1, with no gradient, for
    an output of zeros. A target of zeros has no direction: DataError.

    No length is learned: what `predict` returns has the direction of y and any length. Divide it by
    its norm, `np.linalg.norm(output, axis=1, keepdims=True)`, before it is compared with others.
    """

    name = "cosine"

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Finite numbers, no row all zeros."""
        target = number_target(Y, n_outputs, dtype)
        empty = ~target.array.any(axis=1)
        if empty.any():
            raise DataError(f"Y: row {int(empty.argmax())} is all 0; cosine needs a direction")
        return target

    def __call__(self, forward: Forward, y: Node) -> Node:
        """Half the squared distance of both at length 1: 1 - cos has no digits for small angles."""
        size = gates.sum(gates.square(forward.output), axis=1, keepdims=True)
        is_zero = size <= 0.0
        length = gates.sqrt(gates.where(is_zero, 1.0, size))
        apart = forward.output / length - _unit(y)
        half = 0.5 * gates.sum(gates.square(apart), axis=1)
        return gates.where(gates.reshape(is_zero, (rows,)), 1.0, half)


def _unit(y: Node) -> Node:
    """Rows brought to length 1, whatever their size."""
    scaled = y / gates.max(gates.abs(y), axis=1, keepdims=True)
    return scaled / gates.sqrt(gates.sum(gates.square(scaled), axis=1, keepdims=True))
