"""The inside of a kernel: the values of nodes at an index, as instructions.

An index has for each axis an `At`: where it is, and whether the lanes of a vector step along it.
Nodes between what is loaded and what is stored are computed in registers, each once an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.gates import GATES
from retrograd.engines.cpu.indices import BOOL, I8, I64, Int, Integers, as_value
from retrograd.engines.cpu.lanes import Lanes
from retrograd.engines.cpu.layout import Layout
from retrograd.errors import GraphError
from retrograd.graph.node import CONSTANT, Node
from retrograd.graph.shape import Rows, Shape
from retrograd.plan.program import is_number, is_source, squeezed


class NeedsScalarsError(Exception):
    """Lanes cannot follow an index here: the kernel is made again, one number at a time."""


@dataclass(frozen=True)
class At:
    """A place along an axis; `step` is 1 where lanes lie along it, else 0."""

    base: Int
    step: int = 0

    @property
    def key(self) -> object:
        """What tells two places apart."""
        return (self.base if isinstance(self.base, int) else id(self.base)), self.step


Index = tuple[At, ...]
HERE = At(0)


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
    - `error`: where two numbers, the first not 0, are written if an index is out of range.
    - `heavy`: the value of the heavy gate, given by the kernel's loops.
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
    ) -> None:
        self.builder = builder
        self.integers = Integers(builder)
        self.places = places
        self.loads = frozenset(loads)
        self.rows = rows
        self.n = n
        self.has_fma = has_fma
        self.error = error
        self.prologue = builder.block  # what does not change over the loops is computed here
        self.flat: Int | None = None  # in a flat loop, the address that all arrays share
        self.count: Int | None = None  # lanes that count in a vector at the end of a row
        self.given: dict[Node, Operand] = {}
        self._numbers: dict[Node, Operand] = {}
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

    @contextmanager
    def in_prologue(self) -> Iterator[None]:
        """Append to the code before the loops."""
        here, before = self.builder.block, self.prologue
        self.builder.position_at_end(before)
        yield
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
        if name in MOVES:
            return MOVES[name](self, node, index)
        return self.elementwise(node, [self.input(node, x, index) for x in node.inputs])

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
        is_wide = any(operand.is_wide for operand in operands)
        values = [self.widen(operand).value if is_wide else operand.value for operand in operands]
        dtype = operands[-1].dtype
        return Operand(
            GATES[name](
                self.lanes(dtype if dtype.kind == "f" else np.float64, is_wide=is_wide), *values
            ),
            node.dtype,
            is_wide,
        )

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
        kind = self._kind(node.dtype, is_wide=is_wide)
        if is_wide and self._needs_mask(place):
            value = self.masked("load", kind, pointer, node.dtype, self.mask(self.count))
        else:
            value = self.builder.load(pointer, align=node.dtype.itemsize, typ=kind)
        if node.dtype.kind == "b":
            value = self.builder.trunc(value, self._kind(node.dtype, is_wide=is_wide, is_bit=True))
        return Operand(value, node.dtype, is_wide)

    def store(self, node: Node, index: Index, operand: Operand) -> None:
        """Write the entries of a node to memory."""
        place = self.places[node]
        pointer, is_wide = self._address(node, place, index)
        value = self.widen(operand).value if is_wide else operand.value
        if operand.is_wide and not is_wide:
            raise NeedsScalarsError
        if node.dtype.kind == "b":
            value = self.builder.zext(value, self._kind(node.dtype, is_wide=is_wide))
        if is_wide and self._needs_mask(place):
            self.masked("store", value.type, pointer, node.dtype, self.mask(self.count), value)
        else:
            self.builder.store(value, pointer, align=node.dtype.itemsize)

    def _kind(self, dtype: np.dtype[Any], *, is_wide: bool, is_bit: bool = False) -> ir.Type:
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


def memory_type(dtype: np.dtype[Any]) -> ir.Type:
    """What one entry of a dtype is in memory."""
    return {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": I64, "b1": I8}[
        f"{dtype.kind}{dtype.itemsize}"
    ]


def broadcast_index(index: Index, shape: Shape) -> Index:
    """The index of an input that is broadcast to its node: from the right, 0 along sizes of 1."""
    mine = index[len(index) - len(shape) :]
    return tuple(HERE if size == 1 else at for at, size in zip(mine, shape, strict=True))


def short_index(index: Index, shape: Shape) -> list[At]:
    """The places along the axes that are longer than 1."""
    return [at for at, size in zip(index, shape, strict=True) if size != 1]


def full_index(short: Sequence[At], shape: Shape) -> Index:
    """The index in a shape, from the places along its axes longer than 1."""
    places = iter(short)
    return tuple(HERE if size == 1 else next(places) for size in shape)


# Gates that only move entries: each finds the index of its input.


def _reshape(body: Body, node: Node, index: Index) -> Operand:
    x = node.inputs[0]
    short = short_index(index, node.shape)
    if squeezed(node.shape) == squeezed(x.shape):
        return body.value(x, full_index(short, x.shape))
    if any(at.step for at in short) and body.n > 1:
        raise NeedsScalarsError
    integers = body.integers
    flat: Int = 0
    for at, size in zip(index, node.shape, strict=True):
        number = body.rows if isinstance(size, Rows) else size
        flat = integers.add(integers.mul(flat, number), at.base)
    places: list[At] = []
    for size in reversed(x.shape):
        number = body.rows if isinstance(size, Rows) else size
        places.append(At(integers.mod(flat, number)) if size != 1 else HERE)
        flat = integers.div(flat, number) if size != 1 else flat
    return body.value(x, tuple(reversed(places)))


def _broadcast_to(body: Body, node: Node, index: Index) -> Operand:
    return body.input(node, node.inputs[0], index)


def _transpose(body: Body, node: Node, index: Index) -> Operand:
    axes = node.params["axes"]
    return body.value(node.inputs[0], tuple(index[axes.index(i)] for i in range(len(axes))))


def _slice(body: Body, node: Node, index: Index) -> Operand:
    axis, start, step = (node.params[key] for key in ("axis", "start", "step"))
    at = index[axis]
    if at.step and step != 1 and body.n > 1:
        raise NeedsScalarsError
    integers = body.integers
    base = integers.add(integers.mul(at.base, step), start)
    moved = (*index[:axis], At(base, at.step), *index[axis + 1 :])
    return body.value(node.inputs[0], moved)


def _scalar_place(body: Body, at: At) -> Any:
    if at.step and body.n > 1:
        raise NeedsScalarsError
    return as_value(at.base)


def _unslice(body: Body, node: Node, index: Index) -> Operand:
    axis, start, stop, step = (node.params[key] for key in ("axis", "start", "stop", "step"))
    b, i = body.builder, _scalar_place(body, index[axis])
    places = range(start, stop, step)
    zero = body.constant(0.0, node.dtype)
    if not places:
        return zero
    first, size = min(places), len(places)
    gone = b.sub(i, as_value(first))
    number = b.sdiv(gone, as_value(abs(step)))
    is_in = b.and_(
        b.and_(b.icmp_signed(">=", gone, as_value(0)), b.icmp_signed("<", number, as_value(size))),
        b.icmp_signed("==", b.srem(gone, as_value(abs(step))), as_value(0)),
    )
    back = b.sub(as_value(size - 1), number) if step < 0 else number
    at = At(b.select(is_in, back, as_value(0)))
    inner = body.value(node.inputs[0], (*index[:axis], at, *index[axis + 1 :]))
    if inner.is_wide:
        return Operand(b.select(is_in, inner.value, body.widen(zero).value), node.dtype, True)
    return Operand(b.select(is_in, inner.value, zero.value), node.dtype, False)


def _concatenate(body: Body, node: Node, index: Index) -> Operand:
    axis = node.params["axis"]
    b, i = body.builder, _scalar_place(body, index[axis])
    result: Operand | None = None
    start = 0
    for x in node.inputs:
        size: Any = x.shape[axis]
        if size:
            gone = b.sub(i, as_value(start))
            is_in = b.and_(
                b.icmp_signed(">=", gone, as_value(0)), b.icmp_signed("<", gone, as_value(size))
            )
            at = At(b.select(is_in, gone, as_value(0)))
            index_of_x = (*index[:axis], HERE if size == 1 else at, *index[axis + 1 :])
            inner = body.value(x, broadcast_index(index_of_x, x.shape))
            if result is None:
                result = inner
            else:
                is_wide = inner.is_wide or result.is_wide
                pair = [body.widen(o).value if is_wide else o.value for o in (inner, result)]
                result = Operand(b.select(is_in, *pair), node.dtype, is_wide)
        start += size
    assert result is not None
    return result


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


def _take(body: Body, node: Node, index: Index) -> Operand:
    x, indices = node.inputs
    axis = node.params["axis"]
    size: Any = x.shape[axis]
    number = body.rows if isinstance(size, Rows) else size
    mine = index[axis : axis + indices.ndim]
    found = body.value(indices, mine)
    if found.is_wide:
        raise NeedsScalarsError
    at, _ = legal_place(body, "take", found.value, number)
    place = HERE if size == 1 else at
    return body.value(x, (*index[:axis], place, *index[axis + indices.ndim :]))


def _one_hot(body: Body, node: Node, index: Index) -> Operand:
    label = body.value(node.inputs[0], index[:-1])
    place = body.along(index[-1])
    is_wide = label.is_wide or (index[-1].step == 1 and body.n > 1)
    b = body.builder
    if is_wide and not label.is_wide:
        # Small integers compare twice as many at a time; a label too large for them is no place.
        short = ir.VectorType(ir.IntType(32), body.n)
        fits = b.icmp_signed("==", b.sext(b.trunc(label.value, ir.IntType(32)), I64), label.value)
        small = b.trunc(b.select(fits, label.value, as_value(-1)), ir.IntType(32))
        is_it = b.icmp_signed("==", b.trunc(place, short), body.splat(small))
    elif is_wide:
        wide_place = place if index[-1].step else body.splat(place)
        is_it = b.icmp_signed("==", label.value, wide_place)
    else:
        is_it = b.icmp_signed("==", label.value, place)
    bit = Operand(is_it, np.dtype(np.bool_), is_wide)
    return Operand(_converted(body, bit, node.dtype), node.dtype, is_wide)


def _row_count(body: Body, node: Node, index: Index) -> Operand:
    lanes = body.lanes(node.dtype if node.dtype.kind == "f" else np.float64, is_wide=False)
    if node.dtype.kind != "f":
        return Operand(as_value(body.rows), node.dtype, False)
    return Operand(body.builder.sitofp(as_value(body.rows), lanes.type), node.dtype, False)


def _cast(body: Body, node: Node, index: Index) -> Operand:
    x = body.input(node, node.inputs[0], index)
    return Operand(_converted(body, x, node.dtype), node.dtype, x.is_wide)


def _converted(body: Body, x: Operand, dtype: np.dtype[Any]) -> Any:
    b, to = body.builder, body._kind(dtype, is_wide=x.is_wide, is_bit=True)
    if x.dtype == dtype:
        return x.value
    kinds = x.dtype.kind + dtype.kind
    if kinds == "ff":
        narrower = dtype.itemsize < x.dtype.itemsize
        return b.fptrunc(x.value, to) if narrower else b.fpext(x.value, to)
    if kinds == "bf":
        return b.uitofp(x.value, to)
    if kinds == "if":
        return b.sitofp(x.value, to)
    if kinds == "fi":
        return b.fptosi(x.value, to)
    if kinds == "bi":
        return b.zext(x.value, to)
    if kinds == "fb":
        return b.fcmp_unordered(
            "!=",
            x.value,
            ir.Constant(x.value.type, 0.0)
            if not x.is_wide or body.n == 1
            else ir.Constant(x.value.type, [ir.Constant(x.value.type.element, 0.0)] * body.n),
        )
    if kinds == "ib":
        return b.icmp_signed(
            "!=", x.value, ir.Constant(x.value.type, None if x.is_wide and body.n > 1 else 0)
        )
    raise GraphError(f"cast: the cpu engine cannot turn {x.dtype} into {dtype}")


MOVES: dict[str, Callable[[Body, Node, Index], Operand]] = {
    "broadcast_to": _broadcast_to,
    "cast": _cast,
    "concatenate": _concatenate,
    "one_hot": _one_hot,
    "reshape": _reshape,
    "row_count": _row_count,
    "slice": _slice,
    "take": _take,
    "transpose": _transpose,
    "unslice": _unslice,
}
