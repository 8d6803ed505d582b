"""The program: kernels in order, and what each reads, computes and stores."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from retrograd.graph.node import CONSTANT, VARIABLE, Node
from retrograd.graph.shape import Shape

ONE_BY_ONE = frozenset({"first_max", "scatter_add", "cumsum"})
"""Gates whose kernel goes through entries of its inputs in memory one at a time, in one thread."""

HEAVY = frozenset({"matmul", "sum", "max", *ONE_BY_ONE})
"""Gates that need a loop of their own; all others are computed where they are used."""


def is_heavy(node: Node) -> bool:
    """Whether a node is what a kernel is made around."""
    return node.gate.name in HEAVY


def is_source(node: Node) -> bool:
    """Whether a node is given: a variable or a constant."""
    return node.gate is VARIABLE or node.gate is CONSTANT


def squeezed(shape: Shape) -> Shape:
    """The shape without its sizes of 1, which no loop runs over and no memory shows."""
    return tuple([size for size in shape if size != 1]) if 1 in shape else shape


def is_number(node: Node) -> bool:
    """Whether a node has one entry, whatever the number of rows."""
    return not squeezed(node.shape)


@dataclass(frozen=True, eq=False)
class Kernel:
    """One loop nest: an optional heavy gate, and the nodes that are computed and stored with it.

    - `heavy`: the product or reduction in the middle; None for a map.
    - `space`: the shape of what is computed.
    - `stores`: nodes of that space whose values are written to memory.
    - `loads`: nodes that are read from memory: sources, and what earlier kernels stored.
    - `body`: every node that is computed, in order; the last of each chain is stored.
    - `is_by_row`: whether it goes row by row instead (see `plan.by_row`): around any number of
      reductions of a row's columns, storing values of a row's columns and single numbers of a row.

    All between loads and stores is computed in registers.
    """

    heavy: Node | None
    space: Shape
    stores: tuple[Node, ...]
    loads: tuple[Node, ...]
    body: tuple[Node, ...]
    is_by_row: bool = False


@dataclass(frozen=True, eq=False)
class Program:
    """What an engine runs for one batch: kernels in order.

    - `outputs`, `updates`: by name, the node whose value is returned, or becomes the next state.
    - `in_place`: for the node of an update, the state variable whose memory it is written to.
    - `slots`: for each other stored node that is no output, the number of its place in memory;
      nodes that are not alive at the same time share one.
    """

    kernels: tuple[Kernel, ...]
    inputs: Mapping[str, Node]
    scalars: Mapping[str, Node]
    state: Mapping[str, Node]
    outputs: Mapping[str, Node]
    updates: Mapping[str, Node]
    in_place: Mapping[Node, Node]
    slots: Mapping[Node, int]

    def stored(self) -> Iterator[Node]:
        """The nodes that kernels write, in order."""
        for kernel in self.kernels:
            yield from kernel.stores

    def constants(self) -> list[Node]:
        """The arrays that are part of the program: constants, and values of variables."""
        given = {*self.inputs.values(), *self.scalars.values(), *self.state.values()}
        loads = dict.fromkeys(x for kernel in self.kernels for x in kernel.loads if is_source(x))
        return [x for x in loads if x not in given]


def bodies(stores: Iterable[Node], loads: Container[Node]) -> list[Node]:
    """All nodes computed on the way from what is loaded to what is stored, in order."""
    found: dict[int, Node] = {}
    stack = list(stores)
    while stack:
        node = stack.pop()
        if node.id in found or node in loads or is_source(node):
            continue
        found[node.id] = node
        stack.extend(node.inputs)
    return [found[i] for i in sorted(found)]


def signature(program: Program) -> str:
    """A text that two programs share if and only if the same code runs both."""
    number: dict[Node, int] = {}
    computed = {node for kernel in program.kernels for node in kernel.body}
    lines = []

    def name(node: Node) -> str:
        if node not in number:
            # What a product reads transposed is no node of any kernel.
            of = "" if is_source(node) or node in computed else f" of {name(node.inputs[0])}"
            number[node] = len(number)
            value = ""
            if of:
                lines.append(f"{number[node]} {node.gate.name}{of}")
            if node.gate is CONSTANT and is_number(node) and node.value is not None:
                value = node.value.tobytes().hex()
            if is_source(node):
                kind = "constant" if value else "array"
                lines.append(f"{number[node]} {kind} {value} {node.shape} {node.dtype.str}")
        return str(number[node])

    given = (program.inputs, program.scalars, program.state)
    lines += [" ".join([name(node) for node in group.values()]) for group in given]
    for kernel in program.kernels:
        for node in kernel.body:
            inputs = " ".join(map(name, node.inputs))
            params = sorted(node.params.items())
            lines.append(f"{node.gate.name} {inputs} {params} {node.shape} {node.dtype.str}")
            name(node)
        stores = [(name(x), program.slots.get(x, "")) for x in kernel.stores]
        lines.append(f"kernel {kernel.space} {stores} {' '.join(map(name, kernel.loads))}")
    lines.append(" ".join(map(name, program.outputs.values())))
    lines += [f"{name(new)} in place of {name(old)}" for new, old in program.in_place.items()]
    return "\n".join(lines)
