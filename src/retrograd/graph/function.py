"""A function of nodes as data: the gates it applies, so that it can be stored and called again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.errors import GraphError, OptionError, RetrogradError, unknown_name
from retrograd.graph.node import CONSTANT, GATES, VARIABLE, Node, apply, as_dtype, constant
from retrograd.graph.order import order
from retrograd.graph.shape import Rows, rows

ROWS_TEXT = "rows"


def call(function: Callable[..., Node], *inputs: Node, what: str) -> Node:
    """What a user's function of nodes returns; `what` is what an error calls the function.

    Raises OptionError where it does not take them, does not return a node of floats, or hands a
    node to NumPy.
    """
    try:
        result = function(*inputs)
    except RetrogradError:
        raise
    except TypeError as error:
        if "__array_ufunc__" in str(error):
            raise OptionError(
                f"{what} calls a function of NumPy; write it with rg's (rg.exp, not np.exp)"
            ) from error
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # from within the function
        few = f"{len(inputs)} node{'s' if len(inputs) > 1 else ''}"
        raise OptionError(f"{what} is called with {few}: {error}") from error
    if not isinstance(result, Node):
        raise OptionError(
            f"{what} must return a node, it returned {type(result).__name__}; "
            "write it with rg's functions (rg.where, not np.where)"
        )
    if result.dtype.kind != "f":
        raise OptionError(f"{what} must return floats, it returned {result.dtype}")
    return result


@dataclass(frozen=True, repr=False)
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
        result = call(function, *inputs, what="the function")
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
            function = cls(int(value["n_inputs"]), tuple(value["steps"]), int(value["result"]))
            for place, step in enumerate(function.steps, start=function.n_inputs):
                _require_step(step, place)
            if not 0 <= function.result < function.n_inputs + len(function.steps):
                raise ValueError(f"there is no value {function.result}")
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, RetrogradError):
                raise
            raise GraphError(f"not a function of gates: {error!r}") from None
        return function

    def to_json(self) -> dict[str, Any]:
        """The function as plain JSON."""
        steps = [dict(step) for step in self.steps]
        return {"n_inputs": self.n_inputs, "steps": steps, "result": self.result}

    def __call__(self, *inputs: Node) -> Node:
        """Apply the gates to other nodes."""
        if len(inputs) != self.n_inputs:
            raise GraphError(f"{self!r} takes {self.n_inputs} nodes, got {len(inputs)}")
        values = list(inputs)
        for step in self.steps:
            if "constant" in step:
                values.append(constant(_numbers(step["constant"]), dtype=step["dtype"]))
                continue
            params = {key: _from_json(value) for key, value in step["params"].items()}
            gate = GATES[step["gate"]]
            values.append(apply(gate, *(values[i] for i in step["inputs"]), **params))
        return values[self.result]

    def __hash__(self) -> int:
        return hash((self.n_inputs, len(self.steps), self.result))  # gates hold dictionaries

    def __repr__(self) -> str:
        return f"<function of {len(self.steps)} gates>"


def _require_step(step: Mapping[str, Any], place: int) -> None:
    """Raise an error unless a step is complete and uses only values before its own."""
    if "constant" in step:
        as_dtype(step["dtype"])
        return
    if step["gate"] not in GATES:
        raise unknown_name("gate", step["gate"], GATES)
    dict(step["params"])
    for i in step["inputs"]:
        if not isinstance(i, int) or not 0 <= i < place:
            raise ValueError(f"there is no value {i!r} before value {place}")


def _to_json(node: Node, number: Mapping[Node, int]) -> Mapping[str, Any]:
    if node.gate is VARIABLE:
        raise GraphError(
            f"the function uses the variable {node.name!r}; only its arguments and constants "
            "can be stored"
        )
    if node.gate is CONSTANT and node.value is not None:
        return {"constant": _plain(node.value.tolist()), "dtype": str(node.dtype)}
    return {
        "gate": node.gate.name,
        "inputs": [number[x] for x in node.inputs],
        "params": {key: _param(value) for key, value in node.params.items()},
    }


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: NaN and the infinities as text."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return float(value) if isinstance(value, str) else value


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
