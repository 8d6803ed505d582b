"""Layers: the sizes and choices of a layer as facts, and its formula in gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from retrograd.arrays import Array, require_integer
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.nn.activations import (
    Activation,
    activation_from_json,
    activation_to_json,
    find_activation,
    require_activation,
)
from retrograd.nn.initializers import find_initializer

AUTO = "auto"


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: z = x @ W + b, a = activation(z).

    Shapes: B rows, I fan_in, O fan_out: x (B, I), W (I, O), b (O,), z and a (B, O).

    Args:
        fan_in: I, at least 1.
        fan_out: O, the number of units, at least 1.
        activation: a name ("identity", "relu", "sigmoid", "tanh", "softplus", "softmax") or a
            Python function of nodes.
        bias: whether there is a b.
        initializer: of W: "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
            "lecun_uniform", "lecun_normal", "zeros"; "auto" is he_uniform for relu, else
            glorot_uniform. b starts at 0.

    >>> rg.Dense(4, 3, activation="tanh").shapes
    {'W': (4, 3), 'b': (3,)}
    """

    fan_in: int
    fan_out: int
    activation: Activation = "identity"
    bias: bool = True
    initializer: str = AUTO

    def __post_init__(self) -> None:
        for name in ("fan_in", "fan_out"):
            object.__setattr__(self, name, require_integer("Dense", name, getattr(self, name)))
        if not isinstance(self.bias, bool):
            raise OptionError(f"Dense: bias must be True or False, got {self.bias!r}")
        if self.initializer != AUTO:
            find_initializer(self.initializer)
        require_activation(self.activation, self.fan_out)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        weights: dict[str, tuple[int, ...]] = {"W": (self.fan_in, self.fan_out)}
        return weights | {"b": (self.fan_out,)} if self.bias else weights

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        name = self.initializer
        if name == AUTO:
            name = "he_uniform" if self.activation == "relu" else "glorot_uniform"
        values = {"W": find_initializer(name)(rng, self.fan_in, self.fan_out)}
        return values | {"b": np.zeros(self.fan_out)} if self.bias else values

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The pre-activation, x @ W + b."""
        z = x @ parameters["W"]
        return z + parameters["b"] if self.bias else z

    def a(self, z: Node) -> Node:
        """The activation of z."""
        return find_activation(self.activation)(z)

    def to_json(self) -> dict[str, Any]:
        """The layer's choices as strict JSON."""
        choices = {field.name: getattr(self, field.name) for field in fields(self)}
        return choices | {"activation": activation_to_json(self.activation, self.fan_out)}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**value, "activation": activation_from_json(value["activation"])})
