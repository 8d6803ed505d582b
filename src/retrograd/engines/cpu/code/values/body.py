"""The inside of a kernel: the values of nodes at an index, as instructions.

Nodes between what is loaded and what is stored are computed in registers, each once an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.values.access import Access, Operand, Place
from retrograd.engines.cpu.code.values.gates import GATES
from retrograd.engines.cpu.code.values.index import HERE, Index, broadcast_index
from retrograd.errors import GraphError
from retrograd.graph.node import CONSTANT, Node
from retrograd.plan.program import is_number, is_source

FUSED: dict[str, Callable[..., Any]] = {
    "add": lambda v, a, b, x: v.fma(a, b, x),
    "subtract": lambda v, a, b, x: v.fma(v.neg(a), b, x),
}
"""Gates that take in a product: x + a b and x - a b, rounded once."""

LONG = ("power",)
"""Gates whose code for a single number is a function of its own, which a module has once."""


class Body(Access):
    """Computes nodes for one kernel. Beside what `Access` is made of:

    - `loads`: the nodes in memory that are read, not computed.
    - `moves`: the gates that only move entries, and how each finds its value.
    - `error`: where two numbers, the first not 0, are written if an index is out of range.
    - `given`: values at hand, such as the heavy gate's: the kernel's loops put them there.
    - `held`: for nodes that the kernel's loops keep elsewhere, how a value is found at an index.
    """

    def __init__(
        self,
        builder: ir.IRBuilder,
        places: Mapping[Node, Place],
        loads: Iterable[Node],
        rows: Any,
        n: int,
        *,
        has_fma: bool,
        error: Any,
        moves: Mapping[str, Move],
    ) -> None:
        super().__init__(builder, places, rows, n, has_fma=has_fma)
        self.loads = frozenset(loads)
        self.error = error
        self.moves = moves
        self.prologue = builder.block  # what does not change over the loops is computed here
        self._is_in_prologue = False
        self.given: dict[Node, Operand] = {}
        self.held: dict[Node, Callable[[Index], Operand]] = {}
        self._numbers: dict[Node, Operand] = {}
        self._wide: dict[int, Operand] = {}  # of the numbers, by identity: in every lane
        self._memo: dict[tuple[object, ...], Operand] = {}

    def forget(self) -> None:
        """Start another place in the code, where earlier values are not at hand."""
        self.forget_values()
        self.given.clear()

    def forget_values(self) -> None:
        """Start another turn of a loop: of earlier values only those given are at hand."""
        self._memo.clear()

    # Values.

    def value(self, node: Node, index: Index) -> Operand:
        """The value of a node at an index."""
        if node in self.given:
            return self.given[node]
        if is_number(node) and not self._is_given_inside(node):
            return self._number(node)
        key = (node, *(at.key for at in index), self._flat_key())
        if key not in self._memo:
            self._memo[key] = self._compute(node, index)
        return self._memo[key]

    def _flat_key(self) -> object:
        return None if self.flat is None else id(self.flat)

    def _is_given_inside(self, node: Node) -> bool:
        """Whether a number depends on the heavy value of this kernel."""
        if not self.given:
            return False
        stack, seen = [node], set()
        while stack:
            x = stack.pop()
            if x in self.given:
                return True
            if x not in seen and x not in self.loads:
                seen.add(x)
                stack.extend(x.inputs)
        return False

    def _number(self, node: Node) -> Operand:
        if node not in self._numbers:
            count, self.count = self.count, None
            flat, self.flat = self.flat, None
            with self.in_prologue():
                self._numbers[node] = self._compute(node, (HERE,) * node.ndim)
            self.count, self.flat = count, flat
        return self._numbers[node]

    def _is_before_loops(self, operand: Operand) -> bool:
        """Whether an operand is a number computed before the loops."""
        return any(operand is number for number in self._numbers.values())

    @contextmanager
    def in_prologue(self) -> Iterator[None]:
        """Append to the code before the loops."""
        if self._is_in_prologue:  # one number of the prologue needs another
            yield
            return
        here, before = self.builder.block, self.prologue
        self.builder.position_at_end(before)
        self._is_in_prologue = True
        yield
        self._is_in_prologue = False
        self.prologue = self.builder.block  # another one, where a branch was opened
        self.builder.position_at_end(self.prologue if here is before else here)

    def _compute(self, node: Node, index: Index) -> Operand:
        if node.gate is CONSTANT and is_number(node) and node.value is not None:
            return self.constant(node.value.item(), node.dtype)
        if node in self.held:
            return self.held[node](index)
        if node in self.loads:
            return self.load(node, index)
        if is_source(node):
            raise GraphError(f"{node!r} is not in memory")
        name = node.gate.name
        if name in self.moves:
            return self.moves[name](self, node, index)
        if name in FUSED and self._ends_in_product(node):
            x, y = node.inputs
            factors = y.inputs if y.gate.name == "multiply" else y.inputs * 2
            inner = broadcast_index(index, y.shape)
            operands = [*(self.input(y, z, inner) for z in factors), self.input(node, x, index)]
            return self._apply(FUSED[name], node, operands)
        return self.elementwise(node, [self.input(node, x, index) for x in node.inputs])

    def _ends_in_product(self, node: Node) -> bool:
        """Whether x + a b or x - a b is rounded once, as the product is computed here.

        In a difference one factor is a number, as in w - rate g: of E[x x] - m m, which may be 0,
        both terms are rounded alike.
        """
        y = node.inputs[1]
        return (
            y.gate.name in ("multiply", "square")
            and y.dtype.kind == "f"
            and not is_number(node)
            and not is_number(y)
            and y not in self.loads
            and y not in self.given
            and y not in self.held
            and (node.gate.name == "add" or any(is_number(factor) for factor in y.inputs))
        )

    def input(self, node: Node, x: Node, index: Index) -> Operand:
        """The value of an input, broadcast to its node."""
        return self.value(x, broadcast_index(index, x.shape))

    def elementwise(self, node: Node, operands: Sequence[Operand]) -> Operand:
        """A gate applied to the values of its inputs."""
        name = node.gate.name
        if name not in GATES:
            raise GraphError(f"the cpu engine does not know the gate {name}")
        if any(operand.dtype.kind == "c" for operand in operands) or node.dtype.kind == "c":
            raise GraphError(f"{name}: the cpu engine takes no complex numbers; use engine='numpy'")
        gate = GATES[name]
        if name in LONG:
            gate = partial(_called, name, gate)
        return self._apply(gate, node, operands)

    def _apply(self, gate: Callable[..., Any], node: Node, operands: Sequence[Operand]) -> Operand:
        is_wide = any(operand.is_wide for operand in operands)
        values = [self.widen(operand).value if is_wide else operand.value for operand in operands]
        dtype = operands[-1].dtype
        v = self.lanes(dtype if dtype.kind == "f" else np.float64, is_wide=is_wide)
        return Operand(gate(v, *values), node.dtype, is_wide)

    def widen(self, operand: Operand) -> Operand:
        """The operand in every lane; of a number computed before the loops, there."""
        if operand.is_wide or self.n == 1:
            return operand
        if id(operand) not in self._wide and self._is_before_loops(operand):
            with self.in_prologue():
                self._wide[id(operand)] = Operand(self.splat(operand.value), operand.dtype, True)
        if id(operand) in self._wide:
            return self._wide[id(operand)]
        return super().widen(operand)


def _called(name: str, gate: Callable[..., Any], v: Lanes, *operands: Any) -> Any:
    """A gate of numbers as a call; of vectors in place, as to keep registers over a call costs."""
    if v.n > 1:
        return gate(v, *operands)
    module, full = v.builder.module, f"{name}.{v.scalar}"
    function = module.globals.get(full)
    if function is None:
        kind = ir.FunctionType(v.scalar, [v.scalar] * len(operands))
        function = ir.Function(module, kind, full)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        inside = Lanes(builder, v.dtype, 1, has_fma=v.has_fma)
        builder.ret(gate(inside, *function.args))
    return v.builder.call(function, operands)


Move = Callable[[Body, Node, Index], Operand]
"""How a gate that only moves entries finds its value: that of an input, at another index."""
