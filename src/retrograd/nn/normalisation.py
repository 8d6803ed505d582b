"""Layers that normalise: each row over its units, or each unit over the rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from retrograd import gates
from retrograd.arrays import Array, require_integer, require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.nn.layer import Layer, LayerNodes, Training, place_name


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Each row to mean 0 and variance 1 over its units, then scaled and shifted unit by unit.

    z = (x - mean) / sqrt(variance + epsilon) * scale + shift   [Ba, Kiros & Hinton 2016]

    Shapes: B rows, I units: x and z (B, I), scale (I,) of ones at first, shift (I,) of zeros.

    Args:
        units: I, at least 1.
        epsilon: at least 0, added to the variance.

    >>> rg.LayerNorm(3).shapes
    {'scale': (3,), 'shift': (3,)}
    """

    kind: ClassVar[str] = "layer_norm"
    units: int
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", require_integer("LayerNorm", "units", self.units))
        require_number("LayerNorm", "epsilon", self.epsilon)
        object.__setattr__(self, "epsilon", float(self.epsilon))

    @property
    def sizes(self) -> tuple[int, int]:
        """The units, twice."""
        return self.units, self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {"scale": (self.units,), "shift": (self.units,)}

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        return {"scale": np.ones(self.units), "shift": np.zeros(self.units)}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The normalised rows, scaled and shifted."""
        normal = gates.standardize(x, epsilon=self.epsilon)
        return normal * parameters["scale"] + parameters["shift"]


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each unit to mean 0 and variance 1 over the rows of a batch, then scaled and shifted.

    While training: z = (x - m) / sqrt(v + epsilon) * scale + shift, with the mean m and the
    variance v of the batch. Predictions and scores take running estimates of them, which each batch
    of B rows moves as in PyTorch   [Ioffe & Szegedy 2015]:

        mean = mean + momentum (m - mean)
        variance = variance + momentum (v B / (B - 1) - variance)

    A batch of one row has no variance, and leaves both as they are. Sample weights do not count
    here. The estimates stand among the parameters and are saved with them; gradients and penalties
    leave them alone, and solvers of full batches refuse the layer.

    Shapes: B rows, I units: x and z (B, I); scale and variance (I,) of ones at first, shift and
    mean (I,) of zeros.

    Args:
        units: I, at least 1.
        momentum: in (0, 1], the part of a batch in the estimates.
        epsilon: at least 0, added to the variance.

    >>> rg.BatchNorm(3).shapes
    {'scale': (3,), 'shift': (3,), 'mean': (3,), 'variance': (3,)}
    """

    kind: ClassVar[str] = "batch_norm"
    units: int
    momentum: float = 0.1
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", require_integer("BatchNorm", "units", self.units))
        require_number("BatchNorm", "momentum", self.momentum, open_low=True)
        if self.momentum > 1:
            raise OptionError(f"BatchNorm: momentum must be in (0, 1], got {self.momentum!r}")
        require_number("BatchNorm", "epsilon", self.epsilon)
        for name in ("momentum", "epsilon"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def sizes(self) -> tuple[int, int]:
        """The units, twice."""
        return self.units, self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, statistics last."""
        return dict.fromkeys(("scale", "shift", *self.statistics), (self.units,))

    @property
    def statistics(self) -> tuple[str, ...]:
        """The running estimates."""
        return ("mean", "variance")

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values of the parameters, float64."""
        ones = {"scale", "variance"}
        return {name: np.full(self.units, float(name in ones)) for name in self.shapes}

    def z(self, x: Node, parameters: Mapping[str, Node]) -> Node:
        """The rows normalised by the running estimates, scaled and shifted."""
        deviation = gates.sqrt(parameters["variance"] + self.epsilon)
        scale = parameters["scale"] / deviation
        return (x - parameters["mean"]) * scale + parameters["shift"]

    def in_training(
        self, x: Node, parameters: Mapping[str, Node], training: Training, place: str
    ) -> LayerNodes:
        """The rows normalised by their own mean and variance, and the next estimates.

        Where the estimates are frozen, the layer is as in predictions.
        """
        if any(place_name(name, place) in training.frozen for name in self.statistics):
            return self.nodes(x, parameters)
        normal = gates.standardize(x, axis=0, epsilon=self.epsilon)
        z = normal * parameters["scale"] + parameters["shift"]
        n = gates.row_count()
        unbiased = n / gates.maximum(n - 1.0, 1.0)
        part = gates.where(n > 1.0, self.momentum, 0.0)
        found = {"mean": gates.mean(x, 0), "variance": gates.variance(x, 0) * unbiased}
        old = {name: parameters[name] for name in found}
        return LayerNodes(z, z, {k: old[k] + part * (found[k] - old[k]) for k in found})
