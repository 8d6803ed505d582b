"""Whether a graph stands at a kink: a value at exactly the place where a gate's slope jumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from retrograd.graph.node import Array, Node

NEAR = 1e-7  # beside the size of the operands: as near as the smallest steps of a check


def _from_zero(x: Array) -> Array:
    return x


# How far the operands are from where the slope of a gate jumps. Of others that are not analytic
# nothing is known: perhaps they are there.
KINKS: Mapping[str, Callable[..., Array]] = {
    "abs": _from_zero,
    "equal": np.subtract,
    "greater": np.subtract,
    "greater_equal": np.subtract,
    "less": np.subtract,
    "less_equal": np.subtract,
    "maximum": np.subtract,
    "minimum": np.subtract,
    "not_equal": np.subtract,
    "relu": _from_zero,
    "sign": _from_zero,
}


def leaves_kink(node: Node, here: Sequence[Array], there: Sequence[Array]) -> bool:
    """Whether an operand that stands at the kink of the node's gate moves from here to there.

    Of a gate whose kinks are not known, whether any operand moves.
    """
    if node.gate.is_analytic:
        return False
    if node.gate.name not in KINKS:
        return any(bool((a != b).any()) for a, b in zip(here, there, strict=True))
    if any(x.dtype.kind != "f" for x in here):
        return False
    distance = KINKS[node.gate.name]
    before, after = distance(*here), distance(*there)
    sizes = [np.maximum(1.0, np.abs(x)) for x in here]
    scale = np.maximum(*sizes) if len(sizes) > 1 else sizes[0]
    return bool(((np.abs(before) <= NEAR * scale) & (after != before)).any())
