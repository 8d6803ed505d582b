"""Operands of products of bfloat16 numbers lie in memory as a processor reads them that takes two.

It multiplies two at a time that follow each other along a row of the first operand, and down a
column of the second. Rounded numbers have two bytes each, so those of a row are beside each other;
a second operand is packed (see the engine's layout): once, where each thread would have to copy it.

Law: `run(pack(g)) == run(g)`, up to the order of sums. (Denormal numbers, which these products take
for 0, are 0 already when they are stored.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from retrograd.gates import transpose
from retrograd.gates.rounding import ROUND_BFLOAT16
from retrograd.graph.node import Gate, Node, again, apply
from retrograd.graph.order import order
from retrograd.plan.reading import has_few_rows, is_of_dots, operand


def _free(*_: Any, n_rows: int) -> int:
    return 0


BFLOAT16 = replace(ROUND_BFLOAT16, name="bfloat16")
"""Rounding to a number that has two bytes in memory; products in pairs read it, and `PACK`."""

PACK = Gate("pack", lambda x, *, out=None: x, lambda x: (x.shape, x.dtype), _free, is_view=True)
"""The same entries, packed; only products in pairs read it."""

PACK_TURNED = Gate(
    "pack_turned",
    lambda x, *, out=None: x.T,
    lambda x: (x.shape[::-1], x.dtype),
    _free,
    is_view=True,
)
"""The transposed matrix, packed."""

PACKS = frozenset({PACK, PACK_TURNED})

STORED = PACKS | {BFLOAT16}
"""Gates whose results lie in memory in a way of their own."""


def pack(outputs: Iterable[Node]) -> list[Node]:
    """The outputs, with such operands for all products that go in pairs."""
    wanted = list(outputs)
    made: dict[Node, Node] = {}
    for node in order(wanted):
        inputs = tuple([made[x] for x in node.inputs])
        new = node if inputs == node.inputs else again(node, inputs)
        if goes_in_pairs(new):
            a, b = new.inputs
            new = again(new, (_narrow(a), _packed(b)))
        made[node] = new
    return [made[node] for node in wanted]


def goes_in_pairs(node: Node) -> bool:
    """Whether a node is a product of two matrices of bfloat16 numbers, float32 in value.

    The second must have a known number of columns, and what is added up along must be known too, or
    be the rows of a batch that lie down both operands. Where the result has few rows (or columns:
    dot products) there would be more to pack than to multiply.
    """
    if node.gate.name != "matmul" or node.ndim != 2 or node.dtype != np.float32:
        return False
    (m, n), k = node.shape, node.inputs[0].shape[1]
    is_turned = operand(node, 0) is not node.inputs[0]
    return (
        isinstance(n, int)
        and (isinstance(k, int) or (isinstance(m, int) and is_turned))
        and 1 not in (m, n, k)
        and not is_of_dots(node)
        and not has_few_rows(node)
        and all(map(_is_rounded, node.inputs))
    )


def _is_rounded(x: Node) -> bool:
    """Whether a node's entries are bfloat16 numbers."""
    while x.gate.name == "transpose":
        x = x.inputs[0]
    return x.gate.name == "round_bfloat16"


def _narrow(x: Node) -> Node:
    """The same numbers in two bytes each."""
    if x.gate.name == "transpose":
        return transpose(_narrow(x.inputs[0]), x.params["axes"])
    return apply(BFLOAT16, x.inputs[0])


def _packed(x: Node) -> Node:
    """The same numbers, packed, and turned if they were transposed (twice is not at all)."""
    if x.gate.name != "transpose":
        return apply(PACK, _narrow(x))
    inner = _packed(x.inputs[0])
    return apply(PACK_TURNED if inner.gate is PACK else PACK, *inner.inputs)
