"""Kernels that go row by row: reductions over few columns, one after another, and maps between.

A row needs nothing of another row. What its reductions share is computed once, and only what other
kernels read goes to memory.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from retrograd.graph.node import Node
from retrograd.graph.shape import Shape, has_rows, size_of
from retrograd.plan.pack import STORED
from retrograd.plan.program import Kernel, is_heavy, is_source, squeezed
from retrograd.plan.reading import MOVING, PLACED

LONGEST = 128  # columns: longer rows fill vectors of their own
KEPT_COST = 4  # flops an entry: from here on what two sweeps need is kept, not computed twice


def is_row_reduction(node: Node) -> bool:
    """Whether a node is a sum or maximum of the columns of each row, which are few."""
    if node.gate.name not in ("sum", "max"):
        return False
    space = squeezed(node.inputs[0].shape)
    is_short = len(space) == 2 and isinstance(space[1], int) and 1 < space[1] <= LONGEST
    return is_short and has_rows(space[:1]) and squeezed(node.shape) == space[:1]


def chained(nodes: Sequence[Node]) -> set[Node]:
    """The reductions of rows that need another one of the same rows, or that another one needs.

    A single one alone gains nothing from a kernel over rows.
    """
    found: set[Node] = set()
    below: dict[Node, frozenset[Node]] = {}  # reductions that a value is computed from, row by row
    nothing = frozenset[Node]()
    for node in nodes:
        reached = nothing.union(*(below.get(x, nothing) for x in node.inputs))
        if is_row_reduction(node):
            space = squeezed(node.inputs[0].shape)
            before = [x for x in reached if squeezed(x.inputs[0].shape) == space]
            found.update([*before, node] if before else [])
            below[node] = frozenset([node])
        elif reached and not is_heavy(node) and node.gate.name not in MOVING:
            below[node] = reached
    return found


def is_by_row(node: Node, space: Shape, stored: Container[Node]) -> bool:
    """Whether each row of a value of this space needs only that row of what it is computed from.

    `stored`: what lies in memory, besides heavy nodes and sources.
    """
    if squeezed(node.shape) not in (space, space[:1]) or node.gate in STORED:
        return False
    stack, seen = [node], {node}
    while stack:
        x = stack.pop()
        short = squeezed(x.shape)
        if short in ((), space[1:]):  # the same for all rows
            continue
        is_given = x is not node and (x in stored or is_heavy(x) or is_source(x))
        if short not in (space, space[:1]) or (not is_given and x.gate.name in MOVING - PLACED):
            return False
        if short == space and x.dtype.kind != "f" and (is_given or x is node):
            return False
        new = [] if is_given else [y for y in x.inputs if y not in seen]
        seen.update(new)
        stack.extend(new)
    return True


@dataclass(frozen=True, eq=False)
class Sweep:
    """One loop over the columns of a row.

    - `ahead`: values of one number a row that it needs, computed before it.
    - `kept`: values of its own columns that are stored, or that later sweeps need, in order.
    - `reductions`: what it adds up, or finds the largest of.
    """

    ahead: list[Node]
    kept: list[Node]
    reductions: list[Node]


def read_columns(kernel: Kernel) -> list[Node]:
    """What a kernel reads of a row's columns."""
    return [x for x in kernel.loads if squeezed(x.shape) == squeezed(kernel.space)]


def in_tiles(kernel: Kernel) -> list[Node]:
    """What needs memory while some rows are worked on: columns, read or kept or to be reduced."""
    kept = [x for sweep in sweeps(kernel) for x in (*sweep.kept, *sweep.reductions)]
    return [*read_columns(kernel), *kept]


def sweeps(kernel: Kernel) -> list[Sweep]:
    """The loops over columns: each needs of the row what those before it have reduced."""
    space, loads = squeezed(kernel.space), kernel.loads
    heavy = [node for node in kernel.body if is_heavy(node)]
    level: dict[Node, int] = {}  # the first sweep in which a value can be had
    for node in kernel.body:
        least = max((level.get(x, 0) for x in node.inputs), default=0)
        level[node] = least + (node in heavy)
    needs, kept = _needs(kernel, level)
    thin = [x for x in (*loads, *kernel.body) if squeezed(x.shape) == space[:1] and x not in heavy]
    result: list[Sweep] = []
    given: set[Node] = set()
    for i in range(max(level[node] + (node not in heavy) for node in (*kept, *heavy))):
        ahead = [x for x in thin if i in needs.get(x, ()) and x not in given]
        given.update(ahead)
        here = [x for x in kept if level[x] == i]
        result.append(Sweep(ahead, here, [x for x in heavy if level[x] == i + 1]))
    return result


def _is_worth(node: Node, n_sweeps: int, cost: float) -> bool:
    """Whether a value of this cost an entry is better kept than computed in each sweep."""
    return n_sweeps > 1 and cost >= KEPT_COST and node.dtype.kind == "f"


def _needs(kernel: Kernel, level: dict[Node, int]) -> tuple[dict[Node, set[int]], list[Node]]:
    """For each value the sweeps that need it; and which values of columns are kept."""
    space = squeezed(kernel.space)
    cost: dict[Node, float] = {}
    for node in kernel.body:
        if squeezed(node.shape) == space and not is_heavy(node):
            own = node.gate.flops(node, *node.inputs, n_rows=1) / size_of(node.shape, 1)
            cost[node] = own + sum(cost.get(x, 0) for x in node.inputs)
    needs: dict[Node, set[int]] = {}
    kept: list[Node] = []
    for node in reversed(kernel.body):
        mine = needs.setdefault(node, set())
        if is_heavy(node):
            mine = {level[node] - 1}
        elif node in cost and (node in kernel.stores or _is_worth(node, len(mine), cost[node])):
            kept.append(node)
            mine = needs[node] = {level[node]}
        for x in node.inputs:
            needs.setdefault(x, set()).update(mine)
    return needs, kept[::-1]
