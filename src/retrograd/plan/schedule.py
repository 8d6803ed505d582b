"""Put kernels in order, and give what they store a place in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from retrograd.gates.layout import RESHAPE
from retrograd.graph.node import Node, again, apply
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step
from retrograd.graph.structure import Structure
from retrograd.plan.fuse import Group, fuse
from retrograd.plan.lower import lower
from retrograd.plan.pack import STORED, pack
from retrograd.plan.program import Kernel, Program, bodies, is_source, squeezed
from retrograd.plan.reading import operand, reads
from retrograd.plan.share import share
from retrograd.plan.turn import Named, turn
from retrograd.plan.verify import verify


def plan(step: Step, *, packs: bool = False) -> Program:
    """The program of a step.

    Law: running the program equals walking the graph, up to rounding, for every graph.
    """
    return plan_of(step.structure, packs=packs)


def plan_of(graph: Structure, *, turns: bool = True, packs: bool = False) -> Program:
    """The program that computes the outputs and updates of a graph.

    `turns`: whether narrow state matrices lie transposed (see `plan.turn`). `packs`: whether
    products of bfloat16 numbers have packed operands (see `plan.pack`).
    """
    lowered = lower([*graph.outputs.values(), *graph.updates.values()])
    outputs: Named = dict(zip(graph.outputs, lowered, strict=False))
    updates: Named = dict(zip(graph.updates, lowered[len(outputs) :], strict=True))
    state: Named = graph.state
    if turns:
        outputs, updates, state = turn(outputs, updates, state)
    wanted = [*outputs.values(), *updates.values()]
    results = distinct(merged(pack(wanted) if packs else wanted))
    made = dict(zip(outputs, results, strict=False))
    new = dict(zip(updates, results[len(made) :], strict=True))
    groups = fuse(results)
    in_place = settle(groups, {state[name]: node for name, node in new.items()})
    kernels = _kernels(arrange(groups), {*results, *in_place})
    slots = place(kernels, {*made.values(), *in_place})
    return verify(Program(kernels, graph.inputs, graph.scalars, state, made, new, in_place, slots))


def merged(outputs: Iterable[Node]) -> list[Node]:
    """The outputs with common sub-expressions made one (see `share`)."""
    wanted = list(outputs)
    made: dict[Node, Node] = {}
    for node, first in share(order(wanted)).items():
        if first is not node:
            made[node] = made[first]
            continue
        inputs = tuple([made[x] for x in node.inputs])
        made[node] = node if inputs == node.inputs else again(node, inputs)
    return [made[node] for node in wanted]


def distinct(results: Sequence[Node]) -> list[Node]:
    """The results, each a node of its own that is computed: copies where they are not."""
    seen: set[Node] = set()
    new = []
    for node in results:
        mine = copy(node) if is_source(node) or node in seen else node
        seen.add(mine)
        new.append(mine)
    return new


def copy(node: Node) -> Node:
    """A node of the same value."""
    return apply(RESHAPE, node, shape=node.shape)


def settle(groups: list[Group], updates: Mapping[Node, Node]) -> dict[Node, Node]:
    """Let each update write its state variable in place, after all that read the old value.

    Where that cannot be, as in an exchange of two variables, the new value waits in a place of its
    own, and is copied when all is done.
    """
    home = {node: group for group in groups for node in group.stores}
    stored = dict.fromkeys(home)
    readers: dict[Node, dict[Group, bool]] = {variable: {} for variable in updates}
    for group in groups:
        for leaf, is_same in _all_reads(group, stored).items():
            if leaf in readers:
                readers[leaf][group] = is_same
    in_place: dict[Node, Node] = {}
    late: list[tuple[Node, Node]] = []
    for variable, node in updates.items():
        mine = home[node]
        is_safe = readers[variable].get(mine, True)
        others = [g for g in readers[variable] if g is not mine]
        if is_safe and not any(g.before >> mine.number & 1 for g in others):
            _after(mine, others, groups)
            in_place[node] = variable
        else:
            late.append((variable, node))
    every = list(groups)
    for variable, node in late:
        group = Group(len(groups), None, node.shape, [copy(node)])
        groups.append(group)
        _after(group, every, groups)
        in_place[group.stores[0]] = variable
    return in_place


def _all_reads(group: Group, stored: Mapping[Node, object]) -> dict[Node, bool]:
    found: dict[Node, bool] = {}
    for node in group.stores:
        for leaf, is_same in reads(node, stored).items():
            found[leaf] = found.get(leaf, True) and is_same
    return found


def _after(group: Group, others: Iterable[Group], groups: list[Group]) -> None:
    for other in others:
        group.before |= other.before | 1 << other.number
    for waiting in groups:
        if waiting.before >> group.number & 1:
            waiting.before |= group.before


def arrange(groups: Sequence[Group]) -> list[Group]:
    """The groups in an order in which each comes after what it waits for.

    What runs along the rows comes as soon as it can, the rest after it: threads that share out the
    rows need not wait for each other within either. What is made of the state alone (such as
    transposed weights) comes where the rows need some of it, and then all of it: one wait is
    enough, and a processor works on it while the last sums of the rows are on their way.
    """
    left, done, early, result = list(groups), 0, 0, list[Group]()
    is_early = False
    while left:
        ready = [g for g in left if not g.before & ~done]
        along = [g for g in ready if _is_along_rows(g)]
        of_state = [g for g in ready if not g.before & ~early and not _is_along_rows(g)]
        is_early = bool(of_state) and (is_early or not along)
        chosen = (of_state if is_early else along or ready)[0]
        left.remove(chosen)
        done |= 1 << chosen.number
        early |= (1 << chosen.number) if is_early else 0
        result.append(chosen)
    return result


def _is_along_rows(group: Group) -> bool:
    """Whether the first axis of a group is the rows."""
    return has_rows(squeezed(group.space)[:1])


def _kernels(groups: Sequence[Group], results: set[Node]) -> tuple[Kernel, ...]:
    """Kernels of the groups; what only its own kernel reads is not stored."""
    home = {node: group for group in groups for node in group.stores}
    wanted: set[Node] = set(results)
    for group in groups:
        if not group.stores:
            continue
        for leaf in _all_reads(group, home):
            if leaf in home and home[leaf] is not group:
                wanted.add(leaf)
    kernels = []
    for group in groups:
        stores = tuple(n for n in group.stores if n in wanted)
        outside = home.keys() - group.stores
        body = bodies(stores, outside)
        loads: dict[Node, None] = {}
        for node in body:
            inputs = (
                [operand(node, i) for i in range(2)]
                if node.gate.name == "matmul"
                else list(node.inputs)
            )
            loads.update((x, None) for x in inputs if x in outside or is_source(x))
        if stores:
            inner = tuple(n for n in body if n not in loads)
            made = (group.heavy, group.space, stores, tuple(loads), inner, group.is_by_row)
            kernels.append(Kernel(*made))
    return tuple(kernels)


def place(kernels: Sequence[Kernel], elsewhere: set[Node]) -> dict[Node, int]:
    """A numbered slot for each stored node that lives only within the step.

    A slot is used again when the node in it is read no more, by one of as many dimensions with rows
    in the same place, whose size is then much the same, and that lies there in the same way.
    """
    last = {x: i for i, kernel in enumerate(kernels) for x in kernel.loads}
    slots: dict[Node, int] = {}
    free: dict[object, list[int]] = {}
    kinds: list[object] = []
    for i, kernel in enumerate(kernels):
        for node in kernel.stores:
            if node in elsewhere:
                continue
            kind = squeezed(node.shape), node.dtype, node.gate if node.gate in STORED else None
            spare = free.setdefault(kind, [])
            if spare:
                slots[node] = spare.pop()
            else:
                slots[node] = len(kinds)
                kinds.append(kind)
        for node, end in last.items():
            if end == i and node in slots:
                free.setdefault(kinds[slots[node]], []).append(slots[node])
    return slots
