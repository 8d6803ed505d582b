"""Layers: the sizes and choices of a layer as facts, and its formula in gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from retrograd import gates
from retrograd.arrays import Array, require_flag, require_integer, require_number
from retrograd.graph.node import Node
from retrograd.nn.activations import (
    Activation,
    activation_from_json,
    activation_to_json,
    find_activation,
    require_activation,
)
from retrograd.nn.initializers import (
    InitializerChoice,
    find_initializer,
    initializer_from_json,
    initializer_to_json,
    require_of_biases,
)
from retrograd.nn.layer import Layer, LayerNodes, Training
from retrograd.nn.noise import Noise

AUTO = "auto"


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer: z = x @ W + b, a = activation(z).

    [Rumelhart, Hinton & Williams 1986, eq. 1 and 2]; the units as in L1.1.

    Shapes: B rows, I fan_in, O fan_out: x (B, I), W (I, O), b (O,), z and a (B, O).

    Args:
        fan_in: I, at least 1.
        fan_out: O, the number of units, at least 1.
        activation: a Python function of nodes, or the name of one: "celu", "elu", "exp", "gelu",
            "gelu_tanh", "hard_sigmoid", "hard_swish", "hard_tanh", "identity", "leaky_relu",
            "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign",
            "tanh".
        bias: whether there is a b.
        initializer: of W: an object of `rg.initializers`, or a name: "glorot", "he", "lecun" or
            "fan_in" with "_uniform", "_normal" or "_truncated_normal"; "orthogonal",
            "truncated_normal", "normal", "uniform", "zeros", "ones". "auto" is he_uniform for
            relu (by name or as `rg.relu`), else glorot_uniform.
        bias_initializer: of b: the same, but for "orthogonal" and "auto". "fan_in_uniform" for
            both is PyTorch's default.

    >>> rg.Dense(4, 3, activation="tanh").shapes
    {'W': (4, 3), 'b': (3,)}
    """

    kind: ClassVar[str] = "dense"
    fan_in: int
    fan_out: int
    activation: Activation = "identity"
    bias: bool = True
    initializer: InitializerChoice = AUTO
    bias_initializer: InitializerChoice = "zeros"

    def __post_init__(self) -> None:
        for name in ("fan_in", "fan_out"):
            object.__setattr__(self, name, require_integer("Dense", name, getattr(self, name)))
        require_flag("Dense", "bias", self.bias)
        if not _is_auto(self.initializer):
            find_initializer(self.initializer)
        require_of_biases(self.bias_initializer)
        require_activation(self.activation, self.fan_out)

    @property
    def sizes(self) -> tuple[int, int]:
        """I and O."""
        return self.fan_in, self.fan_out

    @property
    def functions(self) -> tuple[Activation, ...]:
        """The activation."""
        return (self.activation,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        weights: dict[str, tuple[int, ...]] = {"W": (self.fan_in, self.fan_out)}
        return weights | {"b": (self.fan_out,)} if self.bias else weights

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        chosen = self.initializer
        if _is_auto(chosen):
            is_relu = find_activation(self.activation) is gates.relu
            chosen = "he_uniform" if is_relu else "glorot_uniform"
        sizes = self.fan_in, self.fan_out
        values = {"W": find_initializer(chosen)(rng, *sizes)}
        if self.bias:
            values["b"] = find_initializer(self.bias_initializer)(rng, *sizes, (self.fan_out,))
        return values

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The pre-activation, x @ W + b."""
        z = x @ parameters["W"]
        return z + parameters["b"] if self.bias else z

    def a(self, z: Node) -> Node:
        """The activation of z."""
        return find_activation(self.activation)(z)

    def to_json(self) -> dict[str, Any]:
        """The layer's choices as strict JSON, without the kind: what has none is dense."""
        choices = {field.name: getattr(self, field.name) for field in fields(self)}
        return choices | {
            "activation": activation_to_json(self.activation, self.fan_out),
            "initializer": initializer_to_json(self.initializer),
            "bias_initializer": initializer_to_json(self.bias_initializer),
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The inverse of `to_json`."""
        made = {
            name: initializer_from_json(choice)
            for name, choice in value.items()
            if name.endswith("initializer")
        }
        activation = activation_from_json(value["activation"])
        return cls(**{**value, **made, "activation": activation})


def _is_auto(initializer: InitializerChoice) -> bool:
    return isinstance(initializer, str) and initializer == AUTO


@dataclass(frozen=True)
class Dropout(Layer):
    """While training, each entry is 0 with probability `rate`, else 1 / (1 - rate) as large.

    So its expectation is the entry itself, as which it passes in predictions and scores
    [Srivastava et al. 2014, sec. 10]. What is dropped depends on the seed of `rg.train`, and not on
    engine, threads or batch size: an entry of an epoch has one fate.

    Args:
        rate: in [0, 1); a run-time number: another one compiles nothing.

    >>> net = rg.Network([rg.Dense(4, 20, "relu"), rg.Dropout(0.5), rg.Dense(20, 1)])
    """

    kind: ClassVar[str] = "dropout"
    rate: float

    def __post_init__(self) -> None:
        require_number("Dropout", "rate", self.rate, high=1.0)
        object.__setattr__(self, "rate", float(self.rate))

    @property
    def noise(self) -> dict[str, float]:
        """The rate."""
        return {"": self.rate}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """What goes in."""
        return x

    def in_training(
        self, x: Node, parameters: Mapping[str, Node], training: Training, place: str
    ) -> LayerNodes:
        """The entries that are kept, enlarged, and zeros."""
        assert training.noise is not None
        return LayerNodes(x, self.noisy(x, training.noise, place))

    def noisy(self, a: Node, noise: Noise, place: str) -> Node:
        """The entries that are kept, enlarged, and zeros, as the layer of this place draws."""
        kept = 1.0 - noise.rates[place]
        key: Any = {"seed": noise.seed, "offset": noise.seen, "stream": noise.streams[place]}
        is_kept = gates.bernoulli(kept, a.shape, **key, dtype=a.dtype)
        return gates.where(is_kept, a * (1.0 / kept), 0.0)
