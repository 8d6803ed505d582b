"""What a layer is: sizes and choices as facts, its formula in gates, its nodes in a pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from retrograd.arguments import Choices
from retrograd.arrays import Array
from retrograd.errors import OptionError, ShapeError
from retrograd.graph.node import Node
from retrograd.nn.activations import Activation
from retrograd.nn.noise import Noise


@dataclass(frozen=True, eq=False)
class LayerNodes:
    """The nodes of one layer: z and a, (rows, O); `updates`: of its statistics, while training.

    `inside`: those of the layers that it holds.
    """

    z: Node
    a: Node
    updates: Mapping[str, Node] = field(default_factory=dict)
    inside: tuple[LayerNodes, ...] = ()


@dataclass(frozen=True, eq=False)
class Training:
    """What a pass of training has and one of predictions has not.

    - `noise`: what random layers draw from.
    - `frozen`: the names of parameters that stay as they are.
    """

    noise: Noise | None = None
    frozen: frozenset[str] = frozenset()


class Layer(Choices, ABC):
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
    def parts(self) -> tuple[Layer, ...]:
        """The layers that it holds."""
        return ()

    def with_parts(self, parts: Sequence[Layer]) -> Self:
        """The same with other layers inside, as many."""
        return self

    def kinds(self) -> set[type]:
        """The classes that its graph is made by: its own and those of its parts."""
        return {type(self)}

    @property
    def noise(self) -> dict[str, float]:
        """The rate of its noise while training, under the name "": none where it is not random."""
        return {}

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
        self, x: Node, parameters: Mapping[str, Node], training: Training, place: str
    ) -> LayerNodes:
        """The layer while training: other where it is random or looks at a batch.

        `place`: its number in the network, "2"; "2.1" for the first that the second layer holds.
        """
        return self.nodes(x, parameters)

    def to_json(self) -> dict[str, Any]:
        """The layer's choices as strict JSON."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]  # of a dataclass
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The inverse of `to_json`."""
        return cls(**{name: choice for name, choice in value.items() if name != "kind"})


def place_name(name: str, place: str) -> str:
    """The name of what a layer calls `name`, seen from outside: with the layer's place.

    >>> place_name("W", "2"), place_name("W", ".1"), place_name("W.1", "2")
    ('W2', 'W.1', 'W2.1')
    """
    head, dot, inside = name.partition(".")
    return f"{head}{place}{dot}{inside}"


def sizes_of(layers: Sequence[Layer]) -> tuple[int, int] | None:
    """Entries that go into the first of layers in a row, and out of the last; None for any."""
    sized = [layer.sizes for layer in layers if layer.sizes is not None]
    return (sized[0][0], sized[-1][1]) if sized else None


def require_chain(owner: str, layers: Sequence[Layer]) -> None:
    """Raise an error unless these are layers, each taking as many inputs as come out before it."""
    for layer in layers:
        if not isinstance(layer, Layer):
            raise OptionError(
                f"{owner}: a layer is an rg.Dense, rg.Dropout or one of the others, got {layer!r}"
            )
    sized = [(number, x.sizes) for number, x in enumerate(layers, start=1) if x.sizes is not None]
    for (before, (_, n_units)), (after, (n_inputs, _)) in pairwise(sized):
        if n_units != n_inputs:
            raise ShapeError(
                f"{owner}: layer {before} has {n_units} units, "
                f"layer {after} takes {n_inputs} inputs; they must be equal"
            )
