"""The inside of a kernel: the values of nodes at an index, as instructions.

Nodes between what is loaded and what is stored are computed in registers, each once an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.values.gates import GATES
from retrograd.engines.cpu.code.values.index import HERE, At, Index, broadcast_index
from retrograd.engines.cpu.code.builder.integers import BOOL, I8, I64, Int, Integers, as_value
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.values.layout import Layout
from retrograd.errors import GraphError
from retrograd.graph.node import CONSTANT, Node
from retrograd.plan.program import is_number, is_source

FUSED: dict[str, Callable[..., Any]] = {
    "add": lambda v, a, b, x: v.fma(a, b, x),
    "subtract": lambda v, a, b, x: v.fma(v.neg(a), b, x),
}
"""Gates that take in a product: x + a b and x - a b, rounded once."""


class NeedsScalarsError(Exception):
    """Lanes cannot follow an index here: the kernel is made again, one number at a time."""


@dataclass(frozen=True)
class Place:
    """Where a node's value lies: a pointer, and the layout there."""

    pointer: Any
    layout: Layout


@dataclass(frozen=True)
class Operand:
    """A value in registers: numbers of one dtype, one or as many as there are lanes."""

    value: Any
    dtype: np.dtype[Any]
    is_wide: bool


class Body:
    """Computes nodes for one kernel.

    - `places`: of the nodes in memory; `loads`: those of them that are read, not computed.
    - `rows`: the number of rows. `n`: lanes of a vector.
    - `has_fma`: whether the processor multiplies and adds at once.
    - `moves`: the gates that only move entries, and how each finds its value.
    - `error`: where two numbers, the first not 0, are written if an index is out of range.
    - `given`: values at hand, such as the heavy gate's: the kernel's loops put them there.
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
        self.builder = builder
        self.integers = Integers(builder)
        self.places = places
        self.loads = frozenset(loads)
        self.rows = rows
        self.n = n
        self.has_fma = has_fma
        self.error = error
        self.moves = moves
        self.prologue = builder.block  # what does not change over the loops is computed here
        self._is_in_prologue = False
        self.flat: Int | None = None  # in a flat loop, the address that all arrays share
        self.count: Int | None = None  # lanes that count in a vector at the end of a row
        self.given: dict[Node, Operand] = {}
        self._numbers: dict[Node, Operand] = {}
        self._wide: dict[int, Operand] = {}  # of the numbers, by identity: in every lane
        self._memo: dict[tuple[object, ...], Operand] = {}

    def lanes(self, dtype: Any, *, is_wide: bool = True) -> Lanes:
        """The builder of vectors of a dtype, or of plain numbers."""
        return Lanes(self.builder, dtype, self.n if is_wide else 1, has_fma=self.has_fma)

    def forget(self) -> None:
        """Start another place in the code, where earlier values are not at hand."""
        self._memo.clear()
        self.given.clear()

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
        return self._apply(GATES[name], node, operands)

    def _apply(self, gate: Callable[..., Any], node: Node, operands: Sequence[Operand]) -> Operand:
        is_wide = any(operand.is_wide for operand in operands)
        values = [self.widen(operand).value if is_wide else operand.value for operand in operands]
        dtype = operands[-1].dtype
        v = self.lanes(dtype if dtype.kind == "f" else np.float64, is_wide=is_wide)
        return Operand(gate(v, *values), node.dtype, is_wide)

    def constant(self, number: Any, dtype: np.dtype[Any]) -> Operand:
        """A number known now."""
        if dtype.kind == "b":
            return Operand(ir.Constant(BOOL, int(number)), dtype, False)
        if dtype.kind == "i":
            return Operand(ir.Constant(I64, int(number)), dtype, False)
        return Operand(self.lanes(dtype, is_wide=False).const(number), dtype, False)

    def widen(self, operand: Operand) -> Operand:
        """The operand in every lane."""
        if operand.is_wide or self.n == 1:
            return operand
        if id(operand) not in self._wide and self._is_before_loops(operand):
            with self.in_prologue():
                self._wide[id(operand)] = Operand(self.splat(operand.value), operand.dtype, True)
        if id(operand) in self._wide:
            return self._wide[id(operand)]
        return Operand(self.splat(operand.value), operand.dtype, True)

    def splat(self, scalar: Any) -> Any:
        """Any scalar value in every lane."""
        kind = ir.VectorType(scalar.type, self.n)
        if isinstance(scalar, ir.Constant):
            return ir.Constant(kind, [scalar] * self.n)
        empty = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.n), None)
        return self.builder.shuffle_vector(first, empty, zeros)

    def along(self, at: At) -> Any:
        """The index along an axis as i64: one number, or one for each lane."""
        base = as_value(at.base)
        if not at.step or self.n == 1:
            return base
        steps = ir.Constant(ir.VectorType(I64, self.n), [at.step * i for i in range(self.n)])
        return self.builder.add(self.splat(base), steps)

    # Memory.

    def load(self, node: Node, index: Index) -> Operand:
        """The entries of a node in memory."""
        place = self.places[node]
        pointer, is_wide = self._address(node, place, index)
        kind = self.kind_of(node.dtype, is_wide=is_wide)
        if is_wide and self._needs_mask(place):
            value = self.masked("load", kind, pointer, node.dtype, self.mask(self.count))
        else:
            value = self.builder.load(pointer, align=node.dtype.itemsize, typ=kind)
        if node.dtype.kind == "b":
            value = self.builder.trunc(
                value, self.kind_of(node.dtype, is_wide=is_wide, is_bit=True)
            )
        return Operand(value, node.dtype, is_wide)

    def store(self, node: Node, index: Index, operand: Operand) -> None:
        """Write the entries of a node to memory."""
        place = self.places[node]
        pointer, is_wide = self._address(node, place, index)
        value = self.widen(operand).value if is_wide else operand.value
        if operand.is_wide and not is_wide:
            raise NeedsScalarsError
        if node.dtype.kind == "b":
            value = self.builder.zext(value, self.kind_of(node.dtype, is_wide=is_wide))
        if is_wide and self._needs_mask(place):
            self.masked("store", value.type, pointer, node.dtype, self.mask(self.count), value)
        else:
            self.builder.store(value, pointer, align=node.dtype.itemsize)

    def kind_of(self, dtype: np.dtype[Any], *, is_wide: bool, is_bit: bool = False) -> ir.Type:
        """The type of values of a dtype: as they are in memory, or with bits for booleans."""
        if dtype.kind == "f":
            return self.lanes(dtype, is_wide=is_wide).type
        if dtype.kind == "c":
            raise GraphError("the cpu engine takes no complex numbers; use engine='numpy'")
        scalar = I64 if dtype.kind == "i" else BOOL if is_bit else I8
        return ir.VectorType(scalar, self.n) if is_wide and self.n > 1 else scalar

    def _needs_mask(self, place: Place) -> bool:
        return self.count is not None and not place.layout.is_padded

    def mask(self, count: Int) -> Any:
        """Which lanes are among the first `count`."""
        if isinstance(count, int):
            bits = [ir.Constant(BOOL, int(i < count)) for i in range(self.n)]
            return ir.Constant(ir.VectorType(BOOL, self.n), bits) if self.n > 1 else bits[0]
        numbers = ir.Constant(ir.VectorType(I64, self.n), list(range(self.n)))
        return self.builder.icmp_signed("<", numbers, self.splat(as_value(count)))

    def masked(
        self,
        what: str,
        kind: ir.Type,
        pointer: Any,
        dtype: np.dtype[Any],
        mask: Any,
        value: Any = None,
    ) -> Any:
        """Load or store a vector where the mask is set; what is not loaded is 0."""
        letter = "f" if dtype.kind == "f" else "i"
        bits = 8 * dtype.itemsize
        name = f"llvm.masked.{what}.v{self.n}{letter}{bits}.p0"
        module = self.builder.module
        function = module.globals.get(name)
        operands = (
            [value, pointer, mask] if what == "store" else [pointer, mask, ir.Constant(kind, None)]
        )
        if function is None:
            returns = ir.VoidType() if what == "store" else kind
            signature = ir.FunctionType(returns, [operand.type for operand in operands])
            function = ir.Function(module, signature, name)
        return self.builder.call(function, operands)

    def _address(self, node: Node, place: Place, index: Index) -> tuple[Any, bool]:
        """A pointer to the first entry, and whether the lanes read on from it."""
        item = memory_type(node.dtype)
        if self.flat is not None and not is_number(node):
            return self.gep(place.pointer, item, self.flat), self.n > 1
        strides = place.layout.strides(self.rows, self.integers)
        long = [at for at, size in zip(index, node.shape, strict=True) if size != 1]
        offset: Int = 0
        step: Int = 0
        for at, stride in zip(long, strides, strict=True):
            offset = self.integers.add(offset, self.integers.mul(at.base, stride))
            if at.step:
                step = stride
        if self.n > 1 and not (isinstance(step, int) and step in (0, 1)):
            raise NeedsScalarsError
        return self.gep(place.pointer, item, offset), self.n > 1 and step == 1

    def gep(self, pointer: Any, item: ir.Type, offset: Int) -> Any:
        """The pointer moved by a number of items."""
        if isinstance(offset, int) and offset == 0:
            return pointer
        return self.builder.gep(pointer, [as_value(offset)], inbounds=True, source_etype=item)


Move = Callable[[Body, Node, Index], Operand]
"""How a gate that only moves entries finds its value: that of an input, at another index."""


def memory_type(dtype: np.dtype[Any]) -> ir.Type:
    """What one entry of a dtype is in memory."""
    return {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": I64, "b1": I8}[
        f"{dtype.kind}{dtype.itemsize}"
    ]


PICKING = ("take", "scatter_add")


def legal_place(body: Body, gate: str, index: Any, size: Int) -> tuple[At, Any]:
    """The place that an index of a gate names, and whether there is none.

    Then the place is 0, and the error tells the gate, the size and the index.
    """
    b = body.builder
    negative = b.icmp_signed("<", index, as_value(0))
    i = b.select(negative, b.add(index, as_value(size)), index)
    is_out = b.or_(b.icmp_signed("<", i, as_value(0)), b.icmp_signed(">=", i, as_value(size)))
    code = body.integers.add(body.integers.mul(size, len(PICKING)), PICKING.index(gate) + 1)
    second = body.gep(body.error, I64, 1)
    with b.if_then(is_out, likely=False):
        b.store(as_value(code), body.error)
        b.store(index, second)
    return At(b.select(is_out, as_value(0), i)), is_out
