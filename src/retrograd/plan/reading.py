"""What a node reads of its inputs: the same entries, others or all; and where it reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retrograd.graph.node import Node
from retrograd.graph.shape import Size
from retrograd.plan.program import is_heavy, is_source, squeezed

PLACED = frozenset({"one_hot", "uniform"})
"""Gates whose entries are computed from where they are, and from no other entries."""

MOVING = frozenset(
    {"transpose", "pack_turned", "slice", "unslice", "concatenate", "take", "first_max", *PLACED}
)
"""Gates whose entries cannot be told from the same entries of their inputs alone."""

NARROW = 16  # columns of a narrow matrix, at most
LONG = 32  # its rows, at least
THIN = 8  # columns of which fewer fill vectors so badly
SHORT = 8  # that so many rows are enough

FEW_ROWS = 16  # one unit of what threads share out


def is_narrow(m: Size, n: Size) -> bool:
    """Whether a matrix (m, n) serves better transposed, as was measured with vectors of 16 lanes.

    Its columns fill vectors, and dot products with them are long enough that to add up lanes in the
    end does not count.
    """
    if not (isinstance(m, int) and isinstance(n, int)):
        return False
    least = SHORT if n < THIN else LONG
    return n <= NARROW and m >= least and m > n


def goes_by_entry(node: Node) -> bool:
    """Whether a gate acts on each entry, of inputs that it repeats to its shape."""
    name = node.gate.name
    return name in ("where", "cast") or (
        node.gate.promotes and not is_heavy(node) and name != "concatenate"
    )


def is_entrywise(node: Node, x: Node) -> bool:
    """Whether each entry of a light node needs only the same entry of its input."""
    return node.gate.name not in MOVING and squeezed(node.shape) == squeezed(x.shape)


def operand(product: Node, i: int) -> Node:
    """What a product reads in memory for an operand: a transposition is read through, if it can be.

    The first operand is read entry by entry; the second along its columns, which must be adjacent,
    or are rows for dot products.
    """
    x = product.inputs[i]
    if x.gate.name == "transpose" and is_swap(x):
        return x.inputs[0] if i == 0 or keeps_order(x) or is_of_dots(product) else x
    return x


def is_of_dots(product: Node) -> bool:
    """Whether a product of two matrices is made of dot products: rows by rows, of which few."""
    a, b = product.inputs
    is_rows_by_rows = b.gate.name == "transpose" and is_swap(b) and a.gate.name != "transpose"
    return product.ndim == 2 and is_rows_by_rows and is_narrow(*b.shape)


def has_few_rows(product: Node) -> bool:
    """Whether a product of two matrices has a known number of rows, one unit of shares or less."""
    if product.ndim != 2 or is_of_dots(product):
        return False
    m, n = product.shape
    return isinstance(m, int) and isinstance(n, int) and 1 < m <= FEW_ROWS and m < n


def is_swap(transpose: Node) -> bool:
    """Whether a transposition exchanges the last two axes only."""
    axes = transpose.params["axes"]
    n = len(axes)
    return tuple(axes) == (*range(n - 2), n - 1, n - 2)


def keeps_order(transpose: Node) -> bool:
    """Whether the axes longer than 1 stay in their order."""
    x = transpose.inputs[0]
    long = [axis for axis in transpose.params["axes"] if x.shape[axis] != 1]
    return long == sorted(long)


def reads(node: Node, stored: Mapping[Node, object]) -> dict[Node, bool]:
    """What the value of a stored or heavy node is computed from, as `leaves` tells it."""
    if node.gate.name == "matmul":
        return {operand(node, i): False for i in range(2)}
    if is_heavy(node):
        inner = dict.fromkeys(node.inputs)
        found = {x: False for x in inner if x in stored or is_heavy(x) or is_source(x)}
        rest = [x for x in inner if x not in found]
        return found | dict.fromkeys(leaves(rest, stored), False)
    return leaves([node], stored)


def leaves(roots: Iterable[Node], stored: Mapping[Node, object]) -> dict[Node, bool]:
    """What nodes are computed from: stored values, heavy nodes and sources.

    For each whether it is only used entry by entry: the root's entry needs the leaf's same entry.
    """
    found: dict[Node, bool] = {}
    seen: dict[Node, bool] = {}
    stack = [(node, True) for node in roots]
    while stack:
        node, is_same = stack.pop()
        if seen.get(node, True) is False or (node in seen and is_same):
            continue
        seen[node] = is_same
        for x in node.inputs:
            same = is_same and is_entrywise(node, x)
            if x in stored or is_heavy(x) or is_source(x):
                found[x] = same and found.get(x, True)
            else:
                stack.append((x, same))
    return found
