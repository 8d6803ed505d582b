"""A network without its numbers: its layers and output, its graphs, its form in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import ModelFileError
from retrograd.gates import concatenate
from retrograd.graph.node import Node, variable
from retrograd.graph.shape import rows
from retrograd.nn.activations import (
    Activation,
    activation_from_json,
    activation_to_json,
    find_activation,
)
from retrograd.nn.ends import columns_of_heads, columns_of_inputs
from retrograd.nn.kinds import layer_from_json
from retrograd.nn.layer import Layer, LayerNodes, Training, place_name
from retrograd.nn.layers import Dense
from retrograd.nn.noise import Noise
from retrograd.nn.sharing import aliases, shared_places, with_shared
from retrograd.nn.summary import Summary, line, name_of, total


@dataclass(frozen=True, eq=False)
class Forward:
    """A network's forward pass as nodes: each layer's, the logits, and the output.

    `updates`: the next value of each statistic, by the parameter's name; none in predictions.
    `heads`: each head's own logits and output, by name; those of the whole are theirs side by side.
    """

    layers: tuple[LayerNodes, ...]
    logits: Node
    output: Node
    updates: Mapping[str, Node] = field(default_factory=dict)
    heads: Mapping[str, Forward] = field(default_factory=dict)

    def of_head(self, head: str) -> Forward:
        """The pass to a head, "" being the one output of a network without."""
        return self.heads[head] if head else self


@dataclass(frozen=True)
class Head:
    """One output of a network: its number of columns, and what makes predictions of its logits."""

    n_outputs: int
    output: Activation


@dataclass(frozen=True)
class Architecture:
    """A network without its numbers: what its graphs are made from, to be compared and kept."""

    layers: tuple[Layer, ...]
    output: Activation | tuple[tuple[str, Activation], ...]  # of each head, where there are some
    dtype: np.dtype[Any]
    aliases: tuple[tuple[str, str], ...] = ()  # names of shared parameters, with their own

    @property
    def sizes(self) -> tuple[int, ...]:
        """The inputs, the units of each dense layer, and of each that changes their number."""
        found: list[int] = []
        for layer in self.layers:
            if layer.sizes is not None:
                n_inputs, n_units = layer.sizes
                found = found or [n_inputs]
                if isinstance(layer, Dense) or n_units != found[-1]:
                    found.append(n_units)
        return tuple(found)

    @property
    def n_inputs(self) -> int:
        """The number of columns of X."""
        return self.sizes[0]

    @property
    def n_outputs(self) -> int:
        """The number of columns of a prediction; of all heads together."""
        return self.sizes[-1]

    @property
    def inputs(self) -> dict[str, int]:
        """The columns of each named input; none where X is one array."""
        return columns_of_inputs(self.layers)

    @property
    def heads(self) -> dict[str, Head]:
        """The heads by name; none where there is one output."""
        if not isinstance(self.output, tuple):
            return {}
        columns = columns_of_heads(self.layers)
        return {name: Head(columns[name], output) for name, output in self.output}

    @property
    def outputs(self) -> dict[str, Head]:
        """The heads, or the one output under the name ""."""
        if isinstance(self.output, tuple):
            return self.heads
        return {"": Head(self.n_outputs, self.output)}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by name: W1, b1, W2, ..."""
        return self._named({number: layer.shapes for number, layer in self._numbers()})

    def initial(self, seed: int | None) -> dict[str, Array]:
        """Initial values of all parameters by name, float64; equal for equal seeds."""
        rng = np.random.default_rng(seed)
        return self._named({number: layer.initial(rng) for number, layer in self._numbers()})

    def variables(self) -> dict[str, Node]:
        """A variable for each parameter, by name, without a value."""
        return {
            name: variable(name, shape=shape, dtype=self.dtype)
            for name, shape in self.shapes.items()
        }

    def names_of(self, layer: Layer, place: str) -> dict[str, str]:
        """The names of the parameters of the layer at a place, by what the layer calls them."""
        own = {name: place_name(name, place) for name in layer.shapes}
        known = dict(self.aliases)
        return {name: known.get(full, full) for name, full in own.items()}

    def noise(self) -> Noise | None:
        """What the random layers draw from, as variables; None without such layers."""
        rates = {
            place_name(name, str(number)): rate
            for number, layer in self._numbers()
            for name, rate in layer.noise.items()
        }
        return Noise.of(rates) if rates else None

    @property
    def statistics(self) -> frozenset[str]:
        """The names of the parameters that follow the batches, as running means do."""
        return frozenset(
            place_name(name, str(number))
            for number, layer in self._numbers()
            for name in layer.statistics
        )

    def forward(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None = None
    ) -> Forward:
        """The forward pass from x (rows, n_inputs) with these nodes as parameters.

        `training`: what random layers draw from; without it the pass is that of predictions.
        """
        layers: list[LayerNodes] = []
        updates: dict[str, Node] = {}
        a = x
        for number, layer in self._numbers():
            names = self.names_of(layer, str(number))
            own = {name: parameters[full] for name, full in names.items()}
            if training is None:
                made = layer.nodes(a, own)
            else:
                made = layer.in_training(a, own, training, str(number))
            layers.append(made)
            updates |= {names[name]: node for name, node in made.updates.items()}
            a = made.a
        passed = tuple(layers)
        if not isinstance(self.output, tuple):
            return Forward(passed, a, find_activation(self.output)(a), updates)
        heads = {
            name: Forward(passed, z, find_activation(output)(z), updates)
            for (name, output), z in zip(self.output, passed[-1].results, strict=True)
        }
        outputs = [head.output for head in heads.values()]
        output = concatenate(outputs, axis=1) if len(outputs) > 1 else outputs[0]
        return Forward(passed, a, output, updates, heads)

    def summary(self) -> Summary:
        """What each layer gives out, holds and costs."""
        a = variable("X", shape=(rows, self.n_inputs), dtype=self.dtype)
        own, lines, left = self.variables(), [], self.variables()
        forward = self.forward(a, own)
        for (number, layer), nodes in zip(self._numbers(), forward.layers, strict=True):
            names = self.names_of(layer, str(number)).values()
            named = {name: left.pop(name) for name in names if name in left}  # each counts once
            functions = [name_of(f) for f in layer.functions if f != "identity"]
            kind = ", ".join([layer.kind.replace("_", " "), *functions])
            lines.append(line(str(number), kind, a, nodes.a, named, self.statistics))
            a = nodes.a
        for name, head in self.outputs.items():
            made = forward.of_head(name)
            title = f"output {name}".strip()
            lines.append(line(title, name_of(head.output), made.logits, made.output, {}))
        return Summary((*lines, total(lines, forward.output.shape)))

    def to_json(self) -> dict[str, Any]:
        """All but the aliases, which follow from the places of shared layers, as strict JSON."""
        outputs = {
            name: activation_to_json(head.output, head.n_outputs)
            for name, head in self.outputs.items()
        }
        output = outputs if self.heads else outputs[""]
        layers = [layer.to_json() for layer in self.layers]
        spec = {"layers": layers, "output": output, "dtype": str(self.dtype)}
        shared = shared_places(self.layers)
        return spec | {"shared": shared} if shared else spec

    @classmethod
    def from_json(cls, spec: Any) -> Self:
        """The inverse of `to_json`."""
        made = [layer_from_json(layer) for layer in spec["layers"]]
        layers = with_shared(made, spec.get("shared", {}))
        given, heads = spec["output"], columns_of_heads(layers)
        if heads:
            output = tuple((name, activation_from_json(given[name])) for name in heads)
            if len(given) > len(heads):
                raise ModelFileError(f"has outputs for {[*given]}, its heads are {[*heads]}")
        dtype, shared = np.dtype(spec["dtype"]), aliases(layers)
        return cls(tuple(layers), output if heads else activation_from_json(given), dtype, shared)

    def _numbers(self) -> list[tuple[int, Layer]]:
        return list(enumerate(self.layers, start=1))

    def _named(self, found: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
        """What each layer has by name, under the names of the network's parameters."""
        known = dict(self.aliases)
        return {
            full: value
            for number, own in found.items()
            for name, value in own.items()
            if (full := place_name(name, str(number))) not in known
        }
