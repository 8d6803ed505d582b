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
    """
    found: dict[str, None] = {}
    for node in nodes:
        if node.gate.name in found or not _can_be_checked(node):
            continue
        operands = [
            variable(f"x{i}", values[x])
            if x.dtype.kind == "f"
            else constant(values[x], dtype=x.dtype)
            for i, x in enumerate(node.inputs)
        ]
        params: dict[str, Any] = {k: with_rows(v, n_rows) for k, v in node.params.items()}
        y = apply(node.gate, *operands, **params)
        weights = np.random.default_rng(0).normal(size=with_rows(y.shape, n_rows))
        try:
            is_right = check(total(y * weights), [x for x in operands if x.name])
        except DataError:  # it lies at kinks alone, or is not finite: nothing is known
            continue
        if not is_right:
            found[node.gate.name] = None
    return tuple(found)


def _can_be_checked(node: Node) -> bool:
    is_real = all(x.dtype.kind != "c" for x in node.inputs)
    has_floats = any(x.dtype.kind == "f" for x in node.inputs)
    return is_real and has_floats and node.dtype.kind == "f" and node.gate.vjp is not None
