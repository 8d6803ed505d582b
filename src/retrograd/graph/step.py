"""The step: named outputs, and the next value of every state variable, as one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from retrograd.errors import GraphError
from retrograd.graph.node import VARIABLE, Node, describe
from retrograd.graph.order import order, variables
from retrograd.graph.shape import has_rows, show
from retrograd.graph.structure import Structure


@dataclass(frozen=True, eq=False)
class Step:
    """What an engine runs for one batch.

    - `inputs`: variables whose leading size is `rows`, fed a batch of the data at a time, by name.
    - `scalars`: 0-d variables that get a number at each step (a learning rate), by name.
    - `state`: variables that live from step to step (weights, velocities), by name.
    - `outputs`: what to return of each step, by name.
    - `updates`: the next value of state variables, by name, computed from those before the step.
    """

    inputs: Mapping[str, Node]
    state: Mapping[str, Node]
    outputs: Mapping[str, Node]
    scalars: Mapping[str, Node] = field(default_factory=dict)
    updates: Mapping[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {**self.inputs, **self.scalars, **self.state}
        if len(known) < len(self.inputs) + len(self.scalars) + len(self.state):
            raise GraphError("step: one name stands for two of inputs, scalars and state")
        for name, node in known.items():
            if node.gate is not VARIABLE:
                raise GraphError(f"step: {name} must be a variable, it is {describe(node)}")
        for name, node in self.inputs.items():
            if not has_rows(node.shape[:1]):
                raise GraphError(
                    f"step: input {name} must lead with rows, it is {show(node.shape)}"
                )
        for name, node in self.outputs.items():
            if has_rows(node.shape[1:]):
                raise GraphError(
                    f"step: output {name} may have rows only in front, it is {show(node.shape)}"
                )
        for name, node in self.scalars.items():
            if node.shape:
                raise GraphError(f"step: scalar {name} must be 0-d, it is {show(node.shape)}")
        given = set(known.values())
        for node in variables(self.results):
            if node not in given and node.value is None:
                raise GraphError(f"step: {node!r} is not an input, a scalar or state")
        for name, node in self.updates.items():
            old = self.state.get(name)
            if old is None:
                raise GraphError(f"step: update of {name}, which is not state")
            if (node.shape, node.dtype) != (old.shape, old.dtype):
                raise GraphError(f"step: the next value of {name} is {node!r}, it was {old!r}")

    @property
    def results(self) -> list[Node]:
        """All that the step computes: outputs, then updates."""
        return [*self.outputs.values(), *self.updates.values()]

    @property
    def named(self) -> dict[str, Node]:
        """The results by name: an output's own, W' for the next value of W."""
        return {**self.outputs, **{f"{name}'": node for name, node in self.updates.items()}}

    @cached_property
    def structure(self) -> Structure:
        """What the step computes, to compare it with another by."""
        return Structure(self.inputs, self.state, self.outputs, self.scalars, self.updates)

    def order(self) -> list[Node]:
        """The nodes of the step in order of evaluation."""
        return order(self.results)
