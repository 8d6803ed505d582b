"""Layers that hold layers: what goes in is added to their result, or results stand side by side."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.errors import OptionError, ShapeError
from retrograd.graph.node import Node
from retrograd.nn.activations import Activation
from retrograd.nn.layer import Layer, LayerNodes, Training, place_name, require_chain, sizes_of


@dataclass(frozen=True)
class Join(Layer):
    """The base of layers that hold layers. The parameters of the second are W.2, b.2, ...

    A subclass has its layers in `branches`, and says how it joins their results.
    """

    branches: tuple[tuple[Layer, ...], ...]

    @property
    def parts(self) -> tuple[Layer, ...]:
        """All its layers, one branch after the other: they are numbered from 1."""
        return tuple(layer for branch in self.branches for layer in branch)

    @abstractmethod
    def joined(self, x: Node, results: Sequence[Node]) -> Node:
        """What comes out, from what goes in and the result of each branch."""

    @classmethod
    @abstractmethod
    def of(cls, branches: Sequence[Sequence[Layer]]) -> Self:
        """The join of these branches."""

    def with_parts(self, parts: Sequence[Layer]) -> Self:
        """The same with other layers, as many."""
        left = iter(parts)
        return self.of([[next(left) for _ in branch] for branch in self.branches])

    @property
    def functions(self) -> tuple[Activation, ...]:
        """The functions of all its layers."""
        return tuple(f for layer in self.parts for f in layer.functions)

    @property
    def noise(self) -> dict[str, float]:
        """The rates of its random layers."""
        return self._numbered({i: layer.noise for i, layer in self._numbers()})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of its layers."""
        return self._numbered({i: layer.shapes for i, layer in self._numbers()})

    @property
    def statistics(self) -> tuple[str, ...]:
        """Those of its layers."""
        return tuple(place_name(n, f".{i}") for i, x in self._numbers() for n in x.statistics)

    def kinds(self) -> set[type]:
        """Its own class and those of its layers."""
        return {type(self)}.union(*(layer.kinds() for layer in self.parts))

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of its layers' parameters, float64."""
        return self._numbered({i: layer.initial(rng) for i, layer in self._numbers()})

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """What comes out in predictions."""
        return self.nodes(x, parameters).z

    def nodes(self, x: Node, parameters: Mapping[str, Node]) -> LayerNodes:
        """What comes out in predictions, and the nodes of the layers inside."""
        return self._pass(x, parameters, None, "")

    def in_training(
        self, x: Node, parameters: Mapping[str, Node], training: Training, place: str
    ) -> LayerNodes:
        """What comes out while training, and the next values of statistics inside."""
        return self._pass(x, parameters, training, place)

    def to_json(self) -> dict[str, Any]:
        """The layers' choices, branch by branch, as strict JSON."""
        branches = [[layer.to_json() for layer in branch] for branch in self.branches]
        return {"kind": self.kind, "branches": branches}

    def _numbers(self) -> list[tuple[int, Layer]]:
        return list(enumerate(self.parts, start=1))

    def _numbered(self, found: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
        """What each layer has by name, under names that tell the layer too."""
        return {place_name(n, f".{i}"): x for i, own in found.items() for n, x in own.items()}

    def _pass(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None, place: str
    ) -> LayerNodes:
        results: list[Node] = []
        updates: dict[str, Node] = {}
        inside: list[LayerNodes] = []
        number = 0
        for branch in self.branches:
            a = x
            for layer in branch:
                number += 1
                own = {name: parameters[place_name(name, f".{number}")] for name in layer.shapes}
                if training is None:
                    made = layer.nodes(a, own)
                else:
                    made = layer.in_training(a, own, training, f"{place}.{number}")
                updates |= {place_name(n, f".{number}"): y for n, y in made.updates.items()}
                inside.append(made)
                a = made.a
            results.append(a)
        z = self.joined(x, results)
        return LayerNodes(z, z, updates, tuple(inside))


@dataclass(frozen=True, init=False)
class Residual(Join):
    """What goes in is added to the result of layers: a = x + f(x)   [He et al. 2016, eq. 1].

    In a network the parameters of its layers have two numbers: W2.1 are the weights of the first
    layer inside the network's second.

    Args:
        layers: a list of layers, one after the other, that gives out as many units as it takes.

    >>> block = rg.Residual([rg.LayerNorm(8), rg.Dense(8, 16, "relu"), rg.Dense(16, 8)])
    >>> list(rg.Network([rg.Dense(4, 8), block, rg.Dense(8, 1)]).parameters)[2:6]
    ['scale2.1', 'shift2.1', 'W2.2', 'b2.2']
    """

    kind: ClassVar[str] = "residual"

    def __init__(self, layers: Sequence[Layer]) -> None:
        object.__setattr__(self, "branches", _as_branches("Residual", [layers]))
        if not self.parts:
            raise OptionError("Residual: give at least one layer")
        sizes = self.sizes
        if sizes is not None and sizes[0] != sizes[1]:
            raise ShapeError(
                f"Residual: its layers take {sizes[0]} inputs and give {sizes[1]} units; "
                "to be added they must be equal"
            )

    @property
    def sizes(self) -> tuple[int, int] | None:
        """Those of its layers."""
        return sizes_of(self.branches[0])

    @classmethod
    def of(cls, branches: Sequence[Sequence[Layer]]) -> Self:
        """The join of one branch."""
        (layers,) = branches
        return cls(layers)

    def joined(self, x: Node, results: Sequence[Node]) -> Node:
        """The sum."""
        return x + results[0]


@dataclass(frozen=True, init=False)
class Concatenate(Join):
    """The results of several lists of layers side by side, each from the same input.

    ::

        z = [f1(x), f2(x), ...]   [Huang et al. 2017, eq. 2]

    An empty list hands on the input itself: Concatenate([], [rg.Dense(8, 4)]) gives its 8 units
    and 4 more. The layers are numbered through, one list after the other.

    Args:
        branches: lists of layers, at least two.

    >>> join = rg.Concatenate([], [rg.Dense(8, 4, "relu")])
    >>> join.sizes, join.shapes
    ((8, 12), {'W.1': (8, 4), 'b.1': (4,)})
    """

    kind: ClassVar[str] = "concatenate"

    def __init__(self, *branches: Sequence[Layer]) -> None:
        object.__setattr__(self, "branches", _as_branches("Concatenate", branches))
        if len(self.branches) < 2:
            raise OptionError("Concatenate: give at least two lists of layers")
        inputs = {sizes[0] for sizes in map(sizes_of, self.branches) if sizes is not None}
        if not inputs:
            raise ShapeError("Concatenate: none of its lists says how many inputs it takes")
        if len(inputs) > 1:
            found = " and ".join(map(str, sorted(inputs)))
            raise ShapeError(f"Concatenate: its lists take {found} inputs; they must take the same")

    @property
    def sizes(self) -> tuple[int, int]:
        """The inputs, and the units of all lists together."""
        found = [sizes_of(branch) for branch in self.branches]
        (n_inputs,) = {sizes[0] for sizes in found if sizes is not None}
        return n_inputs, sum(n_inputs if sizes is None else sizes[1] for sizes in found)

    @classmethod
    def of(cls, branches: Sequence[Sequence[Layer]]) -> Self:
        """The join of these branches."""
        return cls(*branches)

    def joined(self, x: Node, results: Sequence[Node]) -> Node:
        """The results side by side."""
        return gates.concatenate(results, axis=1)


def _as_branches(owner: str, branches: Any) -> tuple[tuple[Layer, ...], ...]:
    for branch in branches:
        if isinstance(branch, Layer) or not isinstance(branch, Sequence):
            raise OptionError(f"{owner}: give lists of layers, got {branch!r}")
        require_chain(owner, branch)
    return tuple(map(tuple, branches))
