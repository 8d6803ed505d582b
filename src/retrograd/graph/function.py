"""A function of nodes as data: the gates it applies, so that it can be stored and called again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.errors import GraphError, unknown_name
from retrograd.graph.node import CONSTANT, GATES, VARIABLE, Node, apply, as_dtype, constant
from retrograd.graph.order import order
from retrograd.graph.shape import Rows, rows

ROWS_TEXT = "rows"


@dataclass(frozen=True)
class GateFunction:
    """A function of nodes, as the list of gates that it applies.

    `steps` holds for each value `{"gate", "inputs", "params"}`, where inputs are numbers of earlier
    values and the arguments come first; a constant has `{"constant", "dtype"}`. `result` is the
    number of the value returned. All of it is plain JSON.

    Law: `GateFunction.trace(f, x)(x)` computes what `f(x)` computes.
    """

    n_inputs: int
    steps: tuple[Mapping[str, Any], ...]
    result: int

    @classmethod
    def trace(cls, function: Callable[..., Node], *inputs: Node) -> GateFunction:
        """The gates that `function` applies to these variables."""
        result = function(*inputs)
        if not isinstance(result, Node):
            raise GraphError(f"a function of nodes must return a node, got {result!r}")
        number = {node: i for i, node in enumerate(inputs)}
        steps: list[Mapping[str, Any]] = []
        for node in order([result]):
            if node in number:
                continue
            number[node] = len(inputs) + len(steps)
            steps.append(_to_json(node, number))
        return cls(len(inputs), tuple(steps), number[result])

    @classmethod
    def from_json(cls, value: Any) -> GateFunction:
        """The function that `to_json` wrote. Raises GraphError if it is not one."""
        try:
            return cls(int(value["n_inputs"]), tuple(value["steps"]), int(value["result"]))
        except (KeyError, TypeError, ValueError) as error:
            raise GraphError(f"not a function of gates: {error!r}") from None

    def to_json(self) -> dict[str, Any]:
        """The function as plain JSON."""
        steps = [dict(step) for step in self.steps]
        return {"n_inputs": self.n_inputs, "steps": steps, "result": self.result}

    def __call__(self, *inputs: Node) -> Node:
        """Apply the gates to other nodes."""
        values = list(inputs)
        for step in self.steps:
            if "constant" in step:
                values.append(constant(step["constant"], dtype=step["dtype"]))
                continue
            if step["gate"] not in GATES:
                raise unknown_name("gate", step["gate"], GATES)
            params = {key: _from_json(value) for key, value in step["params"].items()}
            gate = GATES[step["gate"]]
            values.append(apply(gate, *(values[i] for i in step["inputs"]), **params))
        return values[self.result]


def _to_json(node: Node, number: Mapping[Node, int]) -> Mapping[str, Any]:
    if node.gate is VARIABLE:
        raise GraphError(
            f"the function uses the variable {node.name!r}; only its arguments and constants "
            "can be stored"
        )
    if node.gate is CONSTANT and node.value is not None:
        return {"constant": node.value.tolist(), "dtype": str(node.dtype)}
    return {
        "gate": node.gate.name,
        "inputs": [number[x] for x in node.inputs],
        "params": {key: _param(value) for key, value in node.params.items()},
    }


def _param(value: Any) -> Any:
    if isinstance(value, Rows):
        return ROWS_TEXT
    if isinstance(value, np.dtype):
        return {"dtype": str(value)}
    return [_param(entry) for entry in value] if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    if value == ROWS_TEXT:
        return rows
    if isinstance(value, dict):
        return as_dtype(value["dtype"])
    return tuple(_from_json(entry) for entry in value) if isinstance(value, list) else value
