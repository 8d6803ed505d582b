"""Fuse a graph into kernels: what is stored in memory, and what is computed on the way to it.

A product or a reduction opens a kernel; cheap element-wise nodes are computed where they are used;
what must be stored joins the kernel that makes its input, where both have the same space.

Law: `run(fuse(g)) == run(g)`: fusing decides where a value is computed, never how.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retrograd.graph.node import Node
from retrograd.graph.order import order
from retrograd.graph.shape import Shape, size_of
from retrograd.plan.by_row import chained, is_by_row, is_row_reduction
from retrograd.plan.pack import PACKS
from retrograd.plan.program import ONE_BY_ONE, is_heavy, is_number, is_source, squeezed
from retrograd.plan.reading import MOVING, is_entrywise, keeps_order, operand, reads

SHARED_COST = 12  # flops an entry: from here on a value used twice is stored, not computed twice
REPEATED_COST = 4  # the same for a value that is used along an axis that it does not have
NUMBER_COST = 8  # the same for a single number, which each kernel would compute once


@dataclass(eq=False)
class Group:
    """A kernel in the making. `before`: the groups that must have run, as bits of their numbers.

    `is_by_row`: see `Kernel`.
    """

    number: int
    heavy: Node | None
    space: Shape
    stores: list[Node] = field(default_factory=list)
    before: int = 0
    is_by_row: bool = False

    @property
    def keeps_lanes(self) -> bool:
        """Whether what is computed lies in lanes along its last axis, so that more can join.

        A reduction of the last axis gives one number at a time: only a single one goes on from it.
        """
        if self.heavy is None or self.heavy.gate.name == "matmul":
            return True
        if self.heavy.gate.name != "sum" and self.heavy.gate.name != "max":
            return False
        return not squeezed(self.space) or not reduces_last(self.heavy)


def reduces_last(heavy: Node) -> bool:
    """Whether a reduction runs over the last axis that is longer than 1."""
    x, axes = heavy.inputs[0], heavy.params["axes"]
    long = [axis for axis, size in enumerate(x.shape) if size != 1]
    return not long or long[-1] in axes


def is_awkward(node: Node) -> bool:
    """Whether a node moves entries along its last axis, so that lanes cannot follow.

    It gets a kernel of its own, where it costs no other kernel its lanes.
    """
    name, x = node.gate.name, node.inputs[0] if node.inputs else None
    if x is None or is_number(node) or name not in {*MOVING, "reshape"}:
        return False
    if name == "reshape":
        return squeezed(node.shape) != squeezed(x.shape)
    if name == "transpose":
        return not keeps_order(node)
    if name in ("concatenate", "unslice"):
        return True
    return name in ("slice", "take") and is_last(node.params["axis"], x.shape)


def is_last(axis: int, shape: Shape) -> bool:
    """Whether no longer axis than 1 comes after this one."""
    return not squeezed(shape[axis + 1 :])


def stored_nodes(nodes: Sequence[Node], results: Iterable[Node]) -> dict[Node, None]:
    """The light nodes whose values are written to memory, in order."""
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for x in dict.fromkeys(node.inputs):
            users[x].append(node)
    wanted = set(results)
    for node in nodes:
        if node.gate.name == "matmul":
            wanted.update(operand(node, i) for i in range(2))
        elif node.gate.name in ONE_BY_ONE:
            wanted.update(node.inputs)
    stored: dict[Node, None] = {}
    cost: dict[Node, float] = {}
    fed: set[Node] = set()  # computed entry by entry from a product that nothing else reads
    for node in nodes:
        if is_source(node) or is_heavy(node):
            continue
        if any(is_fed(node, x, users[x], fed) for x in node.inputs):
            fed.add(node)
        size = max(1, size_of(node.shape, 1))
        own = node.gate.flops(node, *node.inputs, n_rows=1) / size
        cost[node] = own + sum(cost.get(x, 0) for x in node.inputs if x not in stored)
        used = users[node]
        long = len(squeezed(node.shape))
        repeated = any(len(squeezed(user.shape)) > long for user in used)
        limit = NUMBER_COST if is_number(node) else REPEATED_COST if repeated else SHARED_COST
        is_shared = len(used) > 1 or repeated
        is_dear = is_shared and (cost[node] >= limit or node in fed)
        if node in wanted or is_awkward(node) or is_dear:
            stored[node] = None
    return stored


def is_fed(node: Node, x: Node, users: Sequence[Node], fed: set[Node]) -> bool:
    """Whether a node goes on entry by entry from a product, through values with one use each.

    Then storing it costs no more than storing the product: the bias is added once, not by each use.
    """
    is_last_use = len(users) == 1 and is_entrywise(node, x)
    return is_last_use and (x in fed or x.gate.name == "matmul")


def fuse(results: Iterable[Node]) -> list[Group]:
    """Groups of nodes that are computed in one loop nest each; `before` says what they wait for."""
    wanted = list(results)
    nodes = order(wanted)
    stored = stored_nodes(nodes, wanted)
    rows = chained(nodes)
    groups: list[Group] = []
    home: dict[Node, Group] = {}
    for node in nodes:
        if is_heavy(node):
            group = _open_rows(node, rows, groups, home, stored) or _open(groups, node, node.shape)
        elif node in stored:
            group = _join(node, groups, home, stored) or _open(groups, None, node.shape)
        else:
            continue
        group.stores.append(node)
        home[node] = group
        _wait(group, _makers(node, home, stored), groups)
    return groups


def _open(groups: list[Group], heavy: Node | None, space: Shape) -> Group:
    groups.append(Group(len(groups), heavy, space))
    return groups[-1]


def _open_rows(
    node: Node,
    rows: Container[Node],
    groups: list[Group],
    home: Mapping[Node, Group],
    stored: Mapping[Node, object],
) -> Group | None:
    """The group that goes row by row for a reduction: one that there is, or one for its chain.

    Such a one may be made of the map that its operand comes from.
    """
    if not is_row_reduction(node) or not is_by_row(node, squeezed(node.inputs[0].shape), stored):
        return None
    space = node.inputs[0].shape
    makers = _makers(node, home, stored)
    before = _before(makers)
    for group in reversed(groups):
        is_like = group.is_by_row and squeezed(group.space) == squeezed(space)
        if is_like and not before >> group.number & 1:
            return group
    if node not in rows:
        return None
    for group in makers:
        is_map = group.heavy is None and not group.is_by_row and not before >> group.number & 1
        if is_map and all(is_by_row(x, squeezed(space), stored) for x in group.stores):
            break
    else:
        group = _open(groups, None, space)
    group.space, group.is_by_row = space, True
    return group


def _before(makers: Iterable[Group]) -> int:
    """What runs before some groups, as bits of the numbers."""
    before = 0
    for maker in makers:
        before |= maker.before
    return before


def _makers(
    node: Node, home: Mapping[Node, Group], stored: Mapping[Node, object]
) -> dict[Group, bool]:
    """The groups that make what a node is computed from, and whether it needs the same entries."""
    makers: dict[Group, bool] = {}
    for leaf, is_same in reads(node, stored).items():
        if not is_source(leaf):
            makers[home[leaf]] = makers.get(home[leaf], True) and is_same
    return makers


def _join(
    node: Node, groups: list[Group], home: Mapping[Node, Group], stored: Mapping[Node, object]
) -> Group | None:
    """The group that a stored node can be computed in: one that makes its input, or any number's.

    It must not wait, through another group, for what this group makes. A packed node has a loop of
    its own.
    """
    if node.gate in PACKS:
        return None
    makers = _makers(node, home, stored)
    before = _before(makers)
    candidates = sorted((g for g in makers if makers[g] or g.is_by_row), key=lambda g: -g.number)
    if is_number(node):
        candidates += [g for g in groups if g not in makers and g.heavy is None]
    for group in candidates:
        space = squeezed(group.space)
        fits = group.keeps_lanes and space == squeezed(node.shape)
        if group.is_by_row:
            fits = is_by_row(node, space, stored)
        waits = before >> group.number & 1
        if fits and not waits:
            return group
    return None


def _wait(group: Group, makers: Iterable[Group], groups: list[Group]) -> None:
    """Note what a group waits for; those that wait for it wait for that too."""
    new = 0
    for maker in makers:
        if maker is not group:
            new |= maker.before | 1 << maker.number
    if not new & ~group.before:
        return
    group.before |= new
    for other in groups:
        if other.before >> group.number & 1:
            other.before |= group.before
