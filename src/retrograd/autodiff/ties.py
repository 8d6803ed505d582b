"""Whether a graph stands at a kink: a value at exactly the place where a gate's slope jumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from retrograd.graph.node import Array, Node

NEAR = 1e-7  # beside the size of the operands: as near as the smallest steps of a check


def _same(a: Array, b: Array) -> bool:
    """Whether an entry of a is that of b, or next to it."""
    scale = np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    return bool((np.abs(a - b) <= NEAR * scale).any())


def _at_zero(x: Array) -> bool:
    return _same(x, np.zeros(()))


# Where the slope of a gate jumps. Of others that are not analytic nothing is known: perhaps.
KINKS: Mapping[str, Callable[..., bool]] = {
    "abs": _at_zero,
    "equal": _same,
    "greater": _same,
    "greater_equal": _same,
    "less": _same,
    "less_equal": _same,
    "maximum": _same,
    "minimum": _same,
    "not_equal": _same,
    "relu": _at_zero,
    "sign": _at_zero,
}


def is_at_kink(node: Node, operands: list[Array]) -> bool:
    """Whether the node's gate has a kink at these values of its operands, or may have one."""
    if node.gate.is_analytic:
        return False
    return node.gate.name not in KINKS or KINKS[node.gate.name](*operands)
