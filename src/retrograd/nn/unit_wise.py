"""Layers that act on each unit by itself: a scale to learn, a slope to learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from retrograd.arrays import Array, require_integer, require_number
from retrograd.graph.node import Node
from retrograd.nn.layer import Layer
from retrograd.nn.nonlinearities import prelu


@dataclass(frozen=True)
class Scale(Layer):
    """Each unit times a number to learn: z = x * scale.

    In front of a network it learns which inputs count [Holzmüller, Grinsztajn & Steinwart 2024];
    after another layer, how large each unit should be.

    Shapes: B rows, I units: x and z (B, I), scale (I,).

    Args:
        units: I, at least 1.
        initial_scale: the scale at first.

    >>> rg.Scale(3).shapes
    {'scale': (3,)}
    """

    kind: ClassVar[str] = "scale"
    units: int
    initial_scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", require_integer("Scale", "units", self.units))
        _require_finite(self, "initial_scale")

    @property
    def sizes(self) -> tuple[int, int]:
        """The units, twice."""
        return self.units, self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {"scale": (self.units,)}

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {"scale": np.full(self.units, self.initial_scale)}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The units scaled."""
        return x * parameters["scale"]


@dataclass(frozen=True)
class PReLU(Layer):
    """An activation with a slope to learn: z for z > 0, else slope z   [He et al. 2015, eq. 1].

    It stands after a dense layer without an activation of its own.

    Shapes: B rows, I units: z and a (B, I), slope (I,) or (1,).

    Args:
        units: I for a slope of each unit; 1, as in PyTorch, for one that all units share.
        initial_slope: the slope at first.

    >>> net = rg.Network([rg.Dense(4, 20), rg.PReLU(20), rg.Dense(20, 1)])
    >>> net.parameters["slope2"].shape
    (20,)
    """

    kind: ClassVar[str] = "prelu"
    units: int = 1
    initial_slope: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", require_integer("PReLU", "units", self.units))
        _require_finite(self, "initial_slope")

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The units, twice; a shared slope takes any number of them."""
        return None if self.units == 1 else (self.units, self.units)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {"slope": (self.units,)}

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {"slope": np.full(self.units, self.initial_slope)}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """What goes in, bent."""
        return prelu(x, parameters["slope"])


def _require_finite(layer: Layer, name: str) -> None:
    value = getattr(layer, name)
    require_number(type(layer).__name__, name, value, low=-math.inf, open_low=True)
    object.__setattr__(layer, name, float(value))
