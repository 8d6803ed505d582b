"""Which gate has a wrong derivative: each gate of a graph is checked by itself at its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DataError
from retrograd.gates import sum as total
from retrograd.graph.node import Node, apply, constant, variable
from retrograd.graph.shape import with_rows

ENTRIES = 6  # of each operand

Check = Callable[[Node, Sequence[Node]], bool]
"""Whether the gradient of a scalar with respect to variables is right at their values."""


def wrong_gates(
    nodes: Iterable[Node], values: Mapping[Node, Array], n_rows: int, check: Check
) -> tuple[str, ...]:
    """The names of the gates whose derivative is wrong, in the order of the graph.

    A gate is checked alone, with its operands as variables: what is wrong elsewhere does not show.
    Where some entries of each tell of none, all are moved at once, along a random direction: a rule
    that is wrong for few values shows too, though kinks may hide it.
    """
    nodes = [node for node in nodes if _can_be_checked(node)]
    for some in (_entries, _direction):
        found: dict[str, None] = {}
        for node in nodes:
            if node.gate.name in found:
                continue
            operands, moved = some([values[x] for x in node.inputs])
            params: dict[str, Any] = {k: with_rows(v, n_rows) for k, v in node.params.items()}
            y = apply(node.gate, *operands, **params)
            weights = np.random.default_rng(0).normal(size=with_rows(y.shape, n_rows))
            try:
                is_right = check(total(y * weights), moved)
            except DataError:  # it lies at kinks alone, or is not finite: nothing is known
                continue
            if not is_right:
                found[node.gate.name] = None
        if found:
            return tuple(found)
    return ()


Operands = tuple[list[Node], list[Node]]
"""The operands of a gate, and the variables that move them."""


def _entries(values: Sequence[Array]) -> Operands:
    operands = [
        variable(f"x{i}", x) if x.dtype.kind == "f" else constant(x, dtype=x.dtype)
        for i, x in enumerate(values)
    ]
    return operands, [x for x in operands if x.name]


def _direction(values: Sequence[Array]) -> Operands:
    t, rng = variable("t", 0.0), np.random.default_rng(1)
    operands = [
        x + t * rng.normal(size=x.shape) if x.dtype.kind == "f" else constant(x, dtype=x.dtype)
        for x in values
    ]
    return operands, [t]


def _can_be_checked(node: Node) -> bool:
    is_real = all(x.dtype.kind != "c" for x in node.inputs)
    has_floats = any(x.dtype.kind == "f" for x in node.inputs)
    return is_real and has_floats and node.dtype.kind == "f" and node.gate.vjp is not None
