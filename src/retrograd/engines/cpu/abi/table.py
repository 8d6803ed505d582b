"""The table of pointers that generated code is handed: where each array of a program lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from retrograd.engines.cpu.abi.layout import HALF, Layout, Packed
from retrograd.engines.cpu.machine.target import AMX_ACROSS, AMX_TILE, Target
from retrograd.graph.node import CONSTANT, Node
from retrograd.plan.pack import BFLOAT16, PACKS
from retrograd.plan.program import Program, is_number, squeezed

SCRATCH = "scratch"  # memory that each thread has for itself


@dataclass(eq=False)
class Table:
    """Where each array of a program lies: its place in the table of pointers, and its layout.

    `direct` inputs are read where the caller has them, row after row, instead of being gathered.
    """

    program: Program
    target: Target
    is_direct: bool = False
    cells: dict[object, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("order", "error", "barrier", SCRATCH):
            self.cell(name)
        for name in self.program.inputs:
            self.cell(("data", name))
        for node in (*self.program.inputs.values(), *self.program.scalars.values()):
            self.cell(node)
        for node in (*self.program.state.values(), *self.arrays, *self.program.stored()):
            self.cell(self.memory(node))

    def cell(self, key: object) -> int:
        """The number of a pointer in the table."""
        return self.cells.setdefault(key, len(self.cells))

    @cached_property
    def arrays(self) -> list[Node]:
        """Constants and valued variables that lie in memory."""
        return [x for x in self.program.constants() if not (x.gate is CONSTANT and is_number(x))]

    def memory(self, node: Node) -> object:
        """What stands for the memory of a node: a slot, or the node whose memory it is."""
        node = self.program.in_place.get(node, node)
        slot = self.program.slots.get(node)
        return node if slot is None else ("slot", slot)

    @property
    def _unit(self) -> int:
        return self.target.bytes // 4

    def packed(self, node: Node) -> Packed | None:
        """The layout of a packed node's memory; None of another."""
        if node.gate not in PACKS:
            return None
        if self.target.has_amx:
            return Packed(node.shape, AMX_TILE, AMX_ACROSS, group=AMX_TILE)
        return Packed(node.shape, self._unit, self.target.tile[1])

    def layout(self, node: Node) -> Layout:
        """The layout of a node's memory, which is not packed."""
        if node.gate is BFLOAT16:
            return Layout(squeezed(node.shape), HALF, self._unit)
        is_dense = node in self.program.outputs.values() or (
            self.is_direct and is_given(self, node)
        )
        return Layout.of(node.shape, node.dtype, 1 if is_dense else self._unit)


def is_given(table: Table, node: Node) -> bool:
    """Whether a node is an array of the caller's, in NumPy's layout."""
    program = table.program
    return node in program.inputs.values() or node in program.state.values()
