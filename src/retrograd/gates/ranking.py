"""Which entries are among the largest, found by counting."""

from __future__ import annotations

import numpy as np

from retrograd.arrays import require_number
from retrograd.errors import ShapeError
from retrograd.gates.compare import greater, greater_equal, less, where
from retrograd.gates.elementwise import cast
from retrograd.gates.layout import reshape
from retrograd.gates.reduce import along, sum
from retrograd.graph.node import Like, Node, constant
from retrograd.graph.shape import Rows


def top_k_mask(x: Like, k: Like, axis: int = -1) -> Node:
    """Whether an entry is among the k largest along an axis; at a tie the first ones are.

    [PyTorch: topk, as a mask]. An entry is, if fewer than k others beat it: counted, n**2
    comparisons for n entries, without a sort. Without gradient; `where(top_k_mask(x, k), x, 0.0)`
    passes it to the entries chosen. All are chosen if there are no more than k. NaN is beaten by
    none.

    Args:
        x: the values; the axis must have a size, not `rows`.
        k: how many, at least 0; a node where it is known only when the graph runs.
        axis: along which; the last by default.

    >>> rg.evaluate(rg.top_k_mask([3.0, 1.0, 4.0, 4.0, 5.0], 2))
    array([False, False,  True, False,  True])
    """
    if not isinstance(k, Node):
        require_number("top_k_mask", "k", k)
    node, place = along("top_k_mask", x, axis)
    size = node.shape[place]
    if isinstance(size, Rows):
        raise ShapeError(f"top_k_mask: axis {axis} has size `rows`; the largest rows have no mask")
    # Entry i lies along the axis, its rivals j along a new one after it.
    before, after = node.shape[:place], node.shape[place + 1 :]
    mine = reshape(node, (*before, size, 1, *after))
    rival = reshape(node, (*before, 1, size, *after))
    ones = (1,) * len(after)
    is_before = np.arange(size) < np.arange(size)[:, None]  # j < i: at a tie j beats i
    comes_first = constant(is_before.reshape(size, size, *ones))
    ties = cast(greater_equal(rival, mine), node.dtype)
    wins = cast(greater(rival, mine), node.dtype)
    return less(sum(where(comes_first, ties, wins), place + 1), k)
