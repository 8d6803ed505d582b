"""The two ends of a network: inputs with names, each with its own columns, and heads with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Self

from retrograd import gates
from retrograd.arrays import require_integer
from retrograd.errors import OptionError, ShapeError, unknown_name
from retrograd.graph.node import Node
from retrograd.nn.activations import Activation
from retrograd.nn.joins import Join, as_branches, common_inputs
from retrograd.nn.layer import Layer, sizes_of

Outputs = Activation | Mapping[str, Activation]
"""What turns logits into predictions: one function, or one for each head by its name."""


@dataclass(frozen=True, init=False)
class Inputs(Join):
    """Inputs with names: the first layer of a network whose X is a dict of arrays.

    ::

        z = [f1(X["one"]), f2(X["other"]), ...]   [Keras: several Input layers, Concatenate]

    Each input has layers of its own, whose results stand side by side for the next layer. A number
    in place of layers says how many columns are handed on as they are. X may also be one array with
    the columns of all inputs, in this order. One layer object in several inputs has the same
    parameters there.

    Args:
        inputs: for each name a list of layers, the first of which says how many columns it takes,
            or that number.

    >>> ends = rg.Inputs({"image": [rg.Dense(64, 16, "relu")], "age": 1})
    >>> net = rg.Network([ends, rg.Dense(17, 1)])
    >>> net.predict({"image": np.zeros((5, 64)), "age": [31, 45, 60, 22, 38]}).shape
    (5, 1)
    """

    kind: ClassVar[str] = "inputs"
    names: tuple[str, ...]
    widths: tuple[int, ...]

    def __init__(self, inputs: Mapping[str, Sequence[Layer] | int]) -> None:
        given = _named("Inputs", inputs)
        layers = [x if isinstance(x, Sequence | Layer) else [] for x in given.values()]
        branches = as_branches("Inputs", layers)
        widths = [
            _width(name, x, sizes_of(branch))
            for (name, x), branch in zip(given.items(), branches, strict=True)
        ]
        for name, value in {"branches": branches, "names": given, "widths": widths}.items():
            object.__setattr__(self, name, tuple(value))

    @property
    def columns(self) -> dict[str, int]:
        """How many columns each input has."""
        return dict(zip(self.names, self.widths, strict=True))

    @property
    def sizes(self) -> tuple[int, int]:
        """The columns of all inputs, and the units of all their results."""
        found = zip(map(sizes_of, self.branches), self.widths, strict=True)
        return sum(self.widths), sum(n if sizes is None else sizes[1] for sizes, n in found)

    def to_json(self) -> dict[str, Any]:
        """The layers' choices, input by input, as strict JSON."""
        names, widths = list(self.names), list(self.widths)
        return {**super().to_json(), "names": names, "widths": widths}

    @classmethod
    def of(
        cls,
        branches: Sequence[Sequence[Layer]],
        names: Sequence[str] = (),
        widths: Sequence[int] = (),
    ) -> Self:
        """The inputs of these names; those without layers have these numbers of columns."""
        columns = zip(names, branches, widths, strict=True)
        return cls({name: branch or width for name, branch, width in columns})

    def taken(self, x: Node) -> list[Node]:
        """The columns of each input."""
        ends = accumulate(self.widths, initial=0)
        return [x[:, begin:end] for begin, end in pairwise(ends)]

    def joined(self, x: Node, results: Sequence[Node]) -> Node:
        """The results side by side."""
        return gates.concatenate(results, axis=1) if len(results) > 1 else results[0]


@dataclass(frozen=True, init=False)
class Heads(Join):
    """Outputs with names: the last layer of a network whose predictions are a dict of arrays.

    ::

        z = {"one": f1(x), "other": f2(x), ...}   [Caruana 1997, sec. 1; Keras: several outputs]

    Each head has layers of its own, all from the same x. What a head predicts is its entry of
    `output` of the network, what it is trained by its entry of `rg.Losses`. Its parameters are
    numbered through, as in `rg.Concatenate`.

    Args:
        heads: for each name a list of layers.

    >>> heads = rg.Heads({"price": [rg.Dense(8, 1)], "kind": [rg.Dense(8, 3)]})
    >>> net = rg.Network([rg.Dense(4, 8, "tanh"), heads], output={"kind": "softmax"})
    >>> {name: y.shape for name, y in net.predict(np.zeros((5, 4))).items()}
    {'price': (5, 1), 'kind': (5, 3)}
    """

    kind: ClassVar[str] = "heads"
    names: tuple[str, ...]

    def __init__(self, heads: Mapping[str, Sequence[Layer]]) -> None:
        given = _named("Heads", heads)
        object.__setattr__(self, "branches", as_branches("Heads", given.values()))
        object.__setattr__(self, "names", tuple(given))
        common_inputs("Heads", self.branches)

    @property
    def columns(self) -> dict[str, int]:
        """How many outputs each head has."""
        n = common_inputs("Heads", self.branches)
        found = map(sizes_of, self.branches)
        return {
            name: n if sizes is None else sizes[1]
            for name, sizes in zip(self.names, found, strict=True)
        }

    @property
    def sizes(self) -> tuple[int, int]:
        """The inputs, and the outputs of all heads together."""
        return common_inputs("Heads", self.branches), sum(self.columns.values())

    def to_json(self) -> dict[str, Any]:
        """The layers' choices, head by head, as strict JSON."""
        return {**super().to_json(), "names": list(self.names)}

    @classmethod
    def of(cls, branches: Sequence[Sequence[Layer]], names: Sequence[str] = ()) -> Self:
        """The heads of these names."""
        return cls(dict(zip(names, branches, strict=True)))

    def joined(self, x: Node, results: Sequence[Node]) -> Node:
        """The results side by side."""
        return gates.concatenate(results, axis=1) if len(results) > 1 else results[0]


def require_ends(layers: Sequence[Layer]) -> None:
    """Raise OptionError unless named inputs come first, and heads last, if there are any."""
    for number, layer in enumerate(layers, start=1):
        if isinstance(layer, Inputs) and number > 1:
            raise OptionError(f"network: rg.Inputs is layer {number}; it must be the first")
        if isinstance(layer, Heads) and number < len(layers):
            raise OptionError(
                f"network: rg.Heads is layer {number} of {len(layers)}; it must be the last"
            )
        if {Inputs, Heads} & set().union(*(part.kinds() for part in layer.parts)):
            raise OptionError(
                f"network: layer {number} holds an rg.Inputs or rg.Heads; these are the first "
                "and the last layer of a network, not inside another"
            )


def columns_of_inputs(layers: Sequence[Layer]) -> dict[str, int]:
    """The columns of each named input; none where X is one array."""
    return layers[0].columns if layers and isinstance(layers[0], Inputs) else {}


def takers(layers: Sequence[Layer], n_columns: int) -> list[tuple[range, Layer]]:
    """Which layer takes which columns of X: the first one, or the first of each named input's."""
    first = layers[0]
    if not isinstance(first, Inputs):
        return [(range(n_columns), first)]
    ends = pairwise(accumulate(first.widths, initial=0))
    pairs = zip(first.branches, ends, strict=True)
    return [(range(*own), [*branch, *layers[1:], first][0]) for branch, own in pairs]


def columns_of_heads(layers: Sequence[Layer]) -> dict[str, int]:
    """The outputs of each head; none where there is one output."""
    return layers[-1].columns if layers and isinstance(layers[-1], Heads) else {}


def outputs_of(heads: Mapping[str, int], output: Outputs) -> Outputs:
    """The output of a network with these heads: one for each, "identity" where none is given."""
    if not isinstance(output, Mapping):
        return dict.fromkeys(heads, output) if heads else output
    if not heads:
        raise OptionError(
            "network: output is a dict, but the last layer is no rg.Heads, whose names it would "
            f"have; give one function, got {output!r}"
        )
    for name in output:
        if name not in heads:
            raise unknown_name("head", name, heads)
    return {name: output.get(name, "identity") for name in heads}


def _named(owner: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise OptionError(f"{owner}: give a dict of names and layers, got {given!r}")
    for name in given:
        if not isinstance(name, str) or not name:
            raise OptionError(f"{owner}: a name is a word, got {name!r}")
    return dict(given)


def _width(name: str, given: Any, sizes: tuple[int, int] | None) -> int:
    """The columns of an input, from its number or its layers."""
    if not isinstance(given, Sequence):
        return require_integer("Inputs", name, given)
    if sizes is None:
        raise ShapeError(
            f"Inputs: the layers of {name!r} do not say how many columns they take; begin with "
            "one that does, such as rg.Dense, or give the number of columns alone"
        )
    return sizes[0]
