"""What a layer is: sizes and choices as facts, its formula in gates, its nodes in a pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from retrograd.arrays import Array
from retrograd.graph.node import Node
from retrograd.nn.activations import Activation
from retrograd.nn.noise import Noise


@dataclass(frozen=True, eq=False)
class LayerNodes:
    """The nodes of one layer: z and a, (rows, O); `updates`: of its statistics, while training."""

    z: Node
    a: Node
    updates: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Training:
    """What a pass of training has and one of predictions has not.

    - `noise`: what random layers draw from.
    - `frozen`: the names of parameters that stay as they are.
    """

    noise: Noise | None = None
    frozen: frozenset[str] = frozenset()


class Layer(ABC):
    """The base of layers: frozen dataclasses of their choices. `kind`: its name in model files."""

    kind: ClassVar[str]

    @property
    def sizes(self) -> tuple[int, int] | None:
        """Entries of a row that goes in, and of one that comes out; None where any number may."""
        return None

    @property
    def functions(self) -> tuple[Activation, ...]:
        """The functions among its choices: names, or a user's own."""
        return ()

    @property
    def noise(self) -> float | None:
        """The rate of its noise while training; None where it has none."""
        return None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {}

    @property
    def statistics(self) -> tuple[str, ...]:
        """Those of `shapes` that follow the batches of training; no gradient moves them."""
        return ()

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {}

    @abstractmethod
    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The pre-activation."""

    def a(self, z: Node) -> Node:
        """The activation of z."""
        return z

    def nodes(self, x: Node, parameters: Mapping[str, Node]) -> LayerNodes:
        """The layer in predictions."""
        z = self.z(x, parameters)
        return LayerNodes(z, self.a(z))

    def in_training(
        self, x: Node, parameters: Mapping[str, Node], training: Training, number: int
    ) -> LayerNodes:
        """The layer of this number while training: other where it is random or looks at a batch."""
        return self.nodes(x, parameters)

    def to_json(self) -> dict[str, Any]:
        """The layer's choices as strict JSON."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]  # of a dataclass
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The inverse of `to_json`."""
        return cls(**{name: choice for name, choice in value.items() if name != "kind"})
