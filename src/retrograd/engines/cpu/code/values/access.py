"""Values in registers and in memory: loaded, stored and spread over lanes, as instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi.layout import HALF, Layout
from retrograd.engines.cpu.code.builder.integers import (
    BOOL,
    I8,
    I16,
    I64,
    Int,
    Integers,
    as_value,
    vector_of,
)
from retrograd.engines.cpu.code.builder.lanes import Lanes, spread
from retrograd.engines.cpu.code.functions.bfloat16 import as_half, from_half
from retrograd.engines.cpu.code.values.index import At, Index
from retrograd.errors import GraphError
from retrograd.graph.node import Node
from retrograd.plan.program import is_number


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


class Access:
    """Reads and writes the entries of nodes, one at a time or as many as there are lanes.

    - `places`: of the nodes in memory.
    - `rows`: the number of rows. `n`: lanes of a vector.
    - `has_fma`: whether the processor multiplies and adds at once.
    """

    def __init__(
        self,
        builder: ir.IRBuilder,
        places: Mapping[Node, Place],
        rows: Any,
        n: int,
        *,
        has_fma: bool,
    ) -> None:
        self.builder = builder
        self.integers = Integers(builder)
        self.places = places
        self.rows = rows
        self.n = n
        self.has_fma = has_fma
        self._lanes: dict[tuple[Any, bool], Lanes] = {}
        self.flat: Int | None = None  # in a flat loop, the address that all arrays share
        self.count: Int | None = None  # lanes that count in a vector at the end of a row

    def lanes(self, dtype: Any, *, is_wide: bool = True) -> Lanes:
        """The builder of vectors of a dtype, or of plain numbers."""
        key = dtype, is_wide
        if key not in self._lanes:
            n = self.n if is_wide else 1
            self._lanes[key] = Lanes(self.builder, dtype, n, has_fma=self.has_fma)
        return self._lanes[key]

    # Registers.

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
        return spread(self.builder, scalar, self.n)

    def along(self, at: At) -> Any:
        """The index along an axis as i64: one number, or one for each lane."""
        base = as_value(at.base)
        if not at.step or self.n == 1:
            return base
        steps = ir.Constant(vector_of(I64, self.n), [at.step * i for i in range(self.n)])
        return self.builder.add(self.splat(base), steps)

    # Memory.

    def load(self, node: Node, index: Index) -> Operand:
        """The entries of a node in memory."""
        place = self.places[node]
        pointer, is_wide = self._address(node, place, index)
        dtype = place.layout.dtype
        kind = self.kind_of(dtype, is_wide=is_wide)
        if is_wide and self._needs_mask(place):
            value = self.masked("load", kind, pointer, dtype, self.mask(self.count))
        else:
            value = self.builder.load(pointer, align=dtype.itemsize, typ=kind)
        if dtype.kind == "b":
            value = self.builder.trunc(value, self.kind_of(dtype, is_wide=is_wide, is_bit=True))
        elif dtype == HALF:
            value = from_half(self.lanes(node.dtype, is_wide=is_wide), value)
        return Operand(value, node.dtype, is_wide)

    def store(self, node: Node, index: Index, operand: Operand) -> None:
        """Write the entries of a node to memory."""
        place = self.places[node]
        pointer, is_wide = self._address(node, place, index)
        value = self.widen(operand).value if is_wide else operand.value
        if operand.is_wide and not is_wide:
            raise NeedsScalarsError
        dtype = place.layout.dtype
        if dtype.kind == "b":
            value = self.builder.zext(value, self.kind_of(dtype, is_wide=is_wide))
        elif dtype == HALF:
            value = as_half(self.lanes(node.dtype, is_wide=is_wide), value)
        if is_wide and self._needs_mask(place):
            self.masked("store", value.type, pointer, dtype, self.mask(self.count), value)
        else:
            self.builder.store(value, pointer, align=dtype.itemsize)

    def kind_of(self, dtype: np.dtype[Any], *, is_wide: bool, is_bit: bool = False) -> ir.Type:
        """The type of values of a dtype: as they are in memory, or with bits for booleans."""
        if dtype.kind == "f":
            return self.lanes(dtype, is_wide=is_wide).type
        if dtype.kind == "c":
            raise GraphError("the cpu engine takes no complex numbers; use engine='numpy'")
        scalar = memory_type(dtype) if dtype.kind in "iu" else BOOL if is_bit else I8
        return vector_of(scalar, self.n if is_wide else 1)

    def _needs_mask(self, place: Place) -> bool:
        return self.count is not None and not place.layout.is_padded

    def mask(self, count: Int) -> Any:
        """Which lanes are among the first `count`."""
        if isinstance(count, int):
            bits = [ir.Constant(BOOL, int(i < count)) for i in range(self.n)]
            return ir.Constant(vector_of(BOOL, self.n), bits) if self.n > 1 else bits[0]
        lanes = [*range(self.n)]
        numbers = ir.Constant(vector_of(I64, self.n), lanes if self.n > 1 else 0)
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
        item = memory_type(place.layout.dtype)
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

        def moved(pointer: Any, offset: Any) -> Any:
            return self.builder.gep(pointer, [offset], source_etype=item)

        for part in self.integers.parts(offset):
            if part is not None and not (isinstance(part, int) and part == 0):
                pointer = self.integers.once(f"gep {item}", moved, pointer, part)
        return pointer


def memory_type(dtype: np.dtype[Any]) -> ir.Type:
    """What one entry of a dtype is in memory."""
    return {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": I64, "b1": I8, "u2": I16}[
        f"{dtype.kind}{dtype.itemsize}"
    ]
