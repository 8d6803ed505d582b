"""How threads share out a program: what each runs a part of, and where they must wait for all.

Kernels along the rows are cut the same way, so one that needs only its own rows of what another
made need not wait. A kernel with static sizes is cut along its first axis, a product of few rows
along its columns; what cannot be cut the first thread runs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.engines.cpu.abi.cut import is_cut_across
from retrograd.engines.cpu.abi.table import Table
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size, has_rows
from retrograd.plan.program import ONE_BY_ONE, Kernel, squeezed
from retrograd.plan.reading import MOVING, PLACED, operand


@dataclass(frozen=True)
class Use:
    """A kernel's reading or writing of some memory.

    - `cut`: how the kernel's work is cut into parts; None where the first thread does it alone.
    - `is_own`: whether each thread keeps to its own part of the memory.
    """

    cut: object
    is_write: bool
    is_own: bool


def _clash(before: Use, now: Use) -> bool:
    """Whether a thread could see, or spoil, what another has not done with."""
    is_alone = before.cut is None and now.cut is None
    is_same_part = before.is_own and now.is_own and now.cut is not None and before.cut == now.cut
    return (before.is_write or now.is_write) and not is_alone and not is_same_part


class Sharing:
    """Follows what was read and written since the threads last waited for each other."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._since: dict[object, list[Use]] = {}

    def bounds(self, kernel: Kernel) -> Size | None:
        """The size that is cut into parts; None for a kernel that one thread runs."""
        short = squeezed(kernel.space)
        if not short:
            return None
        if kernel.heavy is None:
            return short[0]
        name = kernel.heavy.gate.name
        if name in ONE_BY_ONE:
            return None
        if is_cut_across(kernel):
            return short[1]
        if name == "matmul" and (squeezed(kernel.heavy.shape[:-2]) or kernel.heavy.shape[-2] == 1):
            return None
        return short[0]

    def write_rows(self, node: Node) -> None:
        """Note that each thread wrote its rows of an input."""
        use = Use(_cut(squeezed(node.shape)[0]), is_write=True, is_own=True)
        self._since.setdefault(self._table.memory(node), []).append(use)

    def needs_barrier(self, kernel: Kernel) -> bool:
        """Whether all threads must be done with what came before; notes the kernel."""
        size = self.bounds(kernel)
        cut = ("columns", size) if is_cut_across(kernel) else _cut(size)
        uses = [
            (self._table.memory(x), Use(cut, is_write=False, is_own=self._is_own(kernel, x, size)))
            for x in kernel.loads
        ]
        uses += [
            (self._table.memory(x), Use(cut, is_write=True, is_own=size is not None))
            for x in kernel.stores
        ]
        must = any(
            _clash(before, use) for memory, use in uses for before in self._since.get(memory, [])
        )
        if must:
            self._since.clear()
        for memory, use in uses:
            self._since.setdefault(memory, []).append(use)
        return must

    def _is_own(self, kernel: Kernel, x: Node, size: Size | None) -> bool:
        """Whether a thread reads only its own part of an array."""
        short = squeezed(x.shape)
        if kernel.heavy is not None and is_cut_across(kernel):  # all of A, its own columns of B
            return short == squeezed(kernel.space) and x is not operand(kernel.heavy, 0)
        if size is None or not short or short[0] != size:
            return False
        # Where rows meet rows, one row needs all the others.
        if any(has_rows(squeezed(node.shape)[1:]) for node in (*kernel.body, *kernel.loads)):
            return False
        read_through = () if kernel.heavy is None else kernel.heavy.inputs
        if any(
            node.gate.name in MOVING - PLACED
            and not (node.gate.name == "transpose" and node in read_through)
            for node in kernel.body
        ):
            return False
        if kernel.heavy is None:
            return len(short) == len(squeezed(kernel.space)) or isinstance(size, Rows)
        if kernel.heavy.gate.name == "matmul":
            if x is operand(kernel.heavy, 1):
                return False
            if x is operand(kernel.heavy, 0):
                return x is kernel.heavy.inputs[0] and isinstance(size, Rows)
            return short == squeezed(kernel.space) or isinstance(size, Rows)
        return isinstance(size, Rows) and has_rows(short[:1])


def _cut(size: Size | None) -> object:
    return "rows" if isinstance(size, Rows) else size
