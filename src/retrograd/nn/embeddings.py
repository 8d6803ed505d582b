"""Layers that spread inputs out: numbers as waves or in bins, categories as vectors to learn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from retrograd import gates
from retrograd.arrays import Array, as_matrix, require_integer, require_number
from retrograd.errors import OptionError, ShapeError
from retrograd.graph.node import Node, constant
from retrograd.nn.layer import Layer


@dataclass(frozen=True)
class Select(Layer):
    """Some of the columns, in this order: what the first layer of a list in a Concatenate takes.

    ::

        z = x[:, columns]   [NumPy: take, along axis 1]

    Args:
        n_inputs: of how many columns, at least 1.
        columns: from 0 to n_inputs - 1, at least one.

    >>> rg.Select(5, [0, 3]).sizes
    (5, 2)
    """

    kind: ClassVar[str] = "select"
    n_inputs: int
    columns: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_inputs", require_integer("Select", "n_inputs", self.n_inputs))
        if isinstance(self.columns, str) or not isinstance(self.columns, Sequence | np.ndarray):
            raise OptionError(f"Select: columns is a list of numbers, got {self.columns!r}")
        found = tuple(require_integer("Select", "a column", x, low=0) for x in self.columns)
        if not found or max(found) >= self.n_inputs:
            raise ShapeError(
                f"Select: give at least one column from 0 to {self.n_inputs - 1}, got {found}"
            )
        object.__setattr__(self, "columns", found)

    @property
    def sizes(self) -> tuple[int, int]:
        """All columns, and those that are taken."""
        return self.n_inputs, len(self.columns)

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The columns."""
        return gates.take(x, np.array(self.columns), axis=1)

    def to_json(self) -> dict[str, Any]:
        """The choices as strict JSON."""
        return {"kind": self.kind, "n_inputs": self.n_inputs, "columns": list(self.columns)}


@dataclass(frozen=True)
class Embedding(Layer):
    """A vector to learn for each category: z = W[x], as a dense layer of one-hot rows would give.

    ::

        z = W[x]   [Bengio et al. 2003, sec. 2: the matrix C]

    It takes one column of numbers 0, 1, ..., n_categories - 1 (a fraction is cut off); others are a
    DataError. `rg.Select` takes the column out of several.

    Shapes: B rows, N categories, O units: x (B, 1), W (N, O), normal with variance 1 at first as in
    PyTorch, z (B, O).

    Args:
        n_categories: N, at least 1.
        units: O, at least 1.

    >>> net = rg.Network([rg.Embedding(7, 3), rg.Dense(3, 1)])
    >>> net.predict([[0], [6]]).shape
    (2, 1)
    """

    kind: ClassVar[str] = "embedding"
    n_categories: int
    units: int

    def __post_init__(self) -> None:
        for name in ("n_categories", "units"):
            object.__setattr__(self, name, require_integer("Embedding", name, getattr(self, name)))

    @property
    def sizes(self) -> tuple[int, int]:
        """One column, and O."""
        return 1, self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {"W": (self.n_categories, self.units)}

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {"W": rng.normal(size=(self.n_categories, self.units))}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The vectors of the categories."""
        return gates.take(parameters["W"], gates.cast(x[:, 0], np.int64))


@dataclass(frozen=True)
class Periodic(Layer):
    """Each number as waves with frequencies to learn   [Gorishniy, Rubachev & Babenko 2022].

    ::

        v = 2 pi frequency x;  z = (sin(v), cos(v))

    Shapes: B rows, I inputs, K frequencies: x (B, I), frequency (I, K), normal with deviation
    `scale` at first, z (B, 2 I K): all sines, input by input, then all cosines.

    Args:
        n_inputs: I, at least 1.
        n_frequencies: K of each input, at least 1.
        scale: above 0, the choice that counts most: about 0.01 to 10 for standardised inputs.

    >>> net = rg.Network([rg.Periodic(4, 8), rg.Dense(64, 32, "relu"), rg.Dense(32, 1)])
    >>> net.parameters["frequency1"].shape
    (4, 8)
    """

    kind: ClassVar[str] = "periodic"
    n_inputs: int
    n_frequencies: int
    scale: float = 0.1

    def __post_init__(self) -> None:
        for name in ("n_inputs", "n_frequencies"):
            object.__setattr__(self, name, require_integer("Periodic", name, getattr(self, name)))
        require_number("Periodic", "scale", self.scale, open_low=True)
        object.__setattr__(self, "scale", float(self.scale))

    @property
    def sizes(self) -> tuple[int, int]:
        """I, and 2 I K."""
        return self.n_inputs, 2 * self.n_inputs * self.n_frequencies

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {"frequency": (self.n_inputs, self.n_frequencies)}

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {"frequency": rng.normal(0.0, self.scale, (self.n_inputs, self.n_frequencies))}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The sines and cosines."""
        frequency = gates.reshape(parameters["frequency"], (self.n_inputs * self.n_frequencies,))
        each = gates.take(x, np.arange(self.n_inputs).repeat(self.n_frequencies), axis=1)
        v = each * (frequency * math.tau)
        return gates.concatenate([gates.sin(v), gates.cos(v)], axis=1)


@dataclass(frozen=True)
class PiecewiseLinear(Layer):
    """Each number by how far it fills each of its bins   [Gorishniy, Rubachev & Babenko 2022].

    For a bin from a to b: 0 below it, 1 above it, (x - a) / (b - a) in it. The first bin goes on
    below its a and the last one above its b, so that no number is lost.

    Args:
        edges: for each input the edges of its bins: at least two numbers, rising.

    >>> layer = rg.PiecewiseLinear([[0.0, 1.0, 3.0]])
    >>> rg.evaluate(layer.z(rg.constant([[0.5], [2.0], [4.0], [-1.0]]), {}))
    array([[ 0.5,  0. ],
           [ 1. ,  0.5],
           [ 1. ,  1.5],
           [-1. ,  0. ]])
    """

    kind: ClassVar[str] = "piecewise_linear"
    edges: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        try:
            found = tuple(tuple(float(edge) for edge in own) for own in self.edges)
        except (TypeError, ValueError):
            raise OptionError(
                f"PiecewiseLinear: edges is a list of numbers for each input, got {self.edges!r}"
            ) from None
        for number, own in enumerate(found):
            widths = np.diff(own)
            if not len(widths) or not (np.isfinite(own).all() and (widths > 0).all()):
                raise OptionError(
                    f"PiecewiseLinear: input {number} needs at least two finite edges that rise, "
                    f"got {own}"
                )
        if not found:
            raise OptionError("PiecewiseLinear: give the edges of at least one input")
        object.__setattr__(self, "edges", found)

    @classmethod
    def of_quantiles(cls, X: ArrayLike, *, bins: int = 8) -> Self:
        """Bins with about as many of the rows X (n, I) in each; fewer where numbers repeat.

        Raises DataError for an X that is not finite, and OptionError for a constant column.

        >>> rg.PiecewiseLinear.of_quantiles([[0.0], [1.0], [2.0], [3.0], [4.0]], bins=2).edges
        ((0.0, 2.0, 4.0),)
        """
        require_integer("PiecewiseLinear", "bins", bins)
        x = as_matrix(X, "X", dtype=np.float64)
        edges = np.quantile(x, np.linspace(0.0, 1.0, bins + 1), axis=0)
        return cls([np.unique(own).tolist() for own in edges.T])

    @property
    def sizes(self) -> tuple[int, int]:
        """The inputs, and all their bins."""
        return len(self.edges), sum(len(own) - 1 for own in self.edges)

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """How far each bin is filled."""
        start = np.concatenate([own[:-1] for own in self.edges])
        width = np.concatenate([np.diff(own) for own in self.edges])
        counts = [len(own) - 1 for own in self.edges]
        last = np.cumsum(counts) - 1
        low, high = np.zeros(len(start)), np.ones(len(start))
        low[last - counts + 1], high[last] = -math.inf, math.inf

        def row(values: Array) -> Node:
            return constant(values.astype(x.dtype))

        each = gates.take(x, np.arange(len(counts)).repeat(counts), axis=1)
        filled = (each - row(start)) * row(1.0 / width)
        return gates.minimum(gates.maximum(filled, row(low)), row(high))

    def to_json(self) -> dict[str, Any]:
        """The edges as strict JSON."""
        return {"kind": self.kind, "edges": [list(own) for own in self.edges]}
