"""Steps as long as a parameter's own norm asks for: LAMB and Adafactor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retrograd.arrays import require_number
from retrograd.gates import greater, maximum, mean, minimum, sqrt, square, where
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape, size_of
from retrograd.optim.adam import Moments, averages
from retrograd.optim.base import Nodes, PerParameter, Rate, Slot, Update, divisor, require_rate
from retrograd.optim.lengths import norm


@dataclass(frozen=True)
class LAMB(Moments):
    """LAMB [You et al. 2020, algorithm 2], as in Optax: Adam's step, as long as W's norm says.

    ::

        m, v as in Adam
        step = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * W
        W = W - learning_rate * norm(W) / norm(step) * step      # without the ratio if one is 0

    Args:
        learning_rate: > 0, or a function of the step (from 0).
        beta1: in [0, 1). beta2: in [0, 1).
        epsilon: > 0.
        weight_decay: >= 0, decoupled from J.

    >>> rg.LAMB(0.01).epsilon
    1e-06
    """

    name = "lamb"

    epsilon: float = divisor(1e-6)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("LAMB", "weight_decay", self.weight_decay)

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        m, v = averages(g, slots, scalars)
        of_m, of_v = 1.0 / (1.0 - scalars["beta1"] ** t), 1.0 / (1.0 - scalars["beta2"] ** t)
        step = of_m * m / (sqrt(of_v * v) + scalars["epsilon"]) + scalars["weight_decay"] * w
        own, moved = norm(w), norm(step)
        is_either_0 = greater(own, 0.0), greater(moved, 0.0)
        ratio = where(is_either_0[0], where(is_either_0[1], own / moved, 1.0), 1.0)
        return w - scalars["learning_rate"] * ratio * step, {"m": m, "v": v}


@dataclass(frozen=True)
class Adafactor(PerParameter):
    """Adafactor [Shazeer & Stern 2018, algorithms 4 and 5], as in PyTorch: v of W in I + O numbers.

    ::

        beta2 = 1 - t**-power
        row = beta2 * row + (1 - beta2) * mean(g**2, over columns)
        column = beta2 * column + (1 - beta2) * mean(g**2, over rows)
        v = row * column / max(mean(row), epsilon1)
        step = g / sqrt(max(v, epsilon1**2))
        step = step / max(1, rms(step) / threshold)
        W = W - max(epsilon2, rms(W)) * min(learning_rate, 1 / sqrt(t)) * step

    A bias keeps its v whole. rms is the root of the mean square. With weight decay W is first
    multiplied by 1 - learning_rate * weight_decay.

    Args:
        learning_rate: > 0, or a function of the step (from 0): of steps relative to W.
        power: in (0, 1]: how fast beta2 nears 1.
        epsilon1: > 0; None is the distance from 1 to the next number.
        epsilon2: > 0: W counts as at least this large.
        threshold: > 0: rms of the longest step, before the rate.
        weight_decay: >= 0, decoupled from J.

    >>> rg.Adafactor().slots_of("W1", (30, 20))["row"].shape
    (30, 1)
    """

    name = "adafactor"

    learning_rate: Rate = 1e-2
    power: float = 0.8
    epsilon1: float | None = divisor(None)
    epsilon2: float = divisor(1e-3)
    threshold: float = 1.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_rate("Adafactor", self.learning_rate)
        require_number("Adafactor", "power", self.power, high=1.0, open_low=True, closed_high=True)
        if self.epsilon1 is not None:
            require_number("Adafactor", "epsilon1", self.epsilon1, open_low=True)
        require_number("Adafactor", "epsilon2", self.epsilon2, open_low=True)
        require_number("Adafactor", "threshold", self.threshold, open_low=True)
        require_number("Adafactor", "weight_decay", self.weight_decay)

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """`row` (I, 1) and `column` (1, O) of a matrix (I, O), else `v`."""
        if len(shape) < 2:
            return {"v": Slot(shape)}
        *stack, n_rows, n_columns = shape
        return {"row": Slot((*stack, n_rows, 1)), "column": Slot((*stack, 1, n_columns))}

    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """See the equations of the class."""
        epsilon1 = scalars.get("epsilon1", float(np.finfo(w.dtype).eps))
        fresh = t ** -scalars["power"]  # 1 - beta2
        squares = square(g)
        new = {}
        if w.ndim < 2:
            v = new["v"] = (1.0 - fresh) * slots["v"] + fresh * squares
        else:
            of_rows, of_columns = (mean(squares, axis=axis, keepdims=True) for axis in (-1, -2))
            row = new["row"] = (1.0 - fresh) * slots["row"] + fresh * of_rows
            column = new["column"] = (1.0 - fresh) * slots["column"] + fresh * of_columns
            v = row / maximum(mean(row, axis=-2, keepdims=True), epsilon1) * column
        step = g / sqrt(maximum(v, epsilon1 * epsilon1))
        root = math.sqrt(size_of(w.shape, 0))  # norm = root * rms
        rate = minimum(scalars["learning_rate"], t**-0.5)
        length = maximum(scalars["epsilon2"], norm(w) / root) * rate
        shortened = length / maximum(1.0, norm(step) / (root * scalars["threshold"]))
        kept = w * (1.0 - scalars["learning_rate"] * scalars["weight_decay"])
        return kept - shortened * step, new
