"""Integers of generated code: sizes, indices and addresses, folded while they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from llvmlite import ir

I64 = ir.IntType(64)
I32 = ir.IntType(32)
I16 = ir.IntType(16)
I8 = ir.IntType(8)
BOOL = ir.IntType(1)
POINTER = ir.PointerType()

Int = Any  # a Python int, or an i64 value of the code


@cache
def vector_of(scalar: ir.Type, n: int) -> ir.Type:
    """The type of a vector; of one number, the number's."""
    return ir.VectorType(scalar, n) if n > 1 else scalar


def as_value(i: Int) -> Any:
    """The integer as a value of the code."""
    return ir.Constant(I64, i) if isinstance(i, int) else i


class Integers:
    """Arithmetic that is done now where both operands are Python's, and in the code elsewhere.

    What was computed before in the same block of code is not computed again.
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder
        self._sums: dict[int, tuple[Any, Any, int]] = {}  # value = root + number, by identity
        self._block: Any = None
        self._known: dict[tuple[object, ...], tuple[Any, ...]] = {}

    def once(self, name: str, make: Callable[..., Any], *operands: Any) -> Any:
        """What `make(*operands)` appends to this block, an instruction of this name; once there."""
        if self._block is not self.builder.block:
            self._block = self.builder.block
            self._known.clear()
        key = (name, *(x if isinstance(x, int) else (id(x),) for x in operands))
        if key not in self._known:
            values = (as_value(x) for x in operands)
            self._known[key] = (make(*values), *operands)  # operands kept: their ids stay theirs
        return self._known[key][0]

    def parts(self, a: Int) -> tuple[Any, int]:
        """The value and the number that a is the sum of; None for no value."""
        if isinstance(a, int):
            return None, a
        _, root, number = self._sums.get(id(a), (a, a, 0))
        return root, number

    def add(self, a: Int, b: Int) -> Int:
        """a + b; numbers are added up first, so that sums that differ by one share the rest."""
        (x, m), (y, n) = self.parts(a), self.parts(b)
        if x is None or y is None:
            root = y if x is None else x
        else:
            root = self.once("add", self.builder.add, x, y)
        if root is None or m + n == 0:
            return m + n if root is None else root
        total = self.once("add", self.builder.add, root, m + n)
        self._sums[id(total)] = total, root, m + n
        return total

    def sub(self, a: Int, b: Int) -> Int:
        """a - b"""
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if isinstance(b, int) and b == 0 else self.once("sub", self.builder.sub, a, b)

    def mul(self, a: Int, b: Int) -> Int:
        """a * b"""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for x, y in ((a, b), (b, a)):
            if isinstance(x, int) and x in (0, 1):
                return y if x else 0
            root, number = self.parts(y)
            if isinstance(x, int) and number:
                return self.add(self.mul(root, x), number * x)
        return self.once("mul", self.builder.mul, a, b)

    def div(self, a: Int, b: Int) -> Int:
        """a // b, for a >= 0 and b > 0."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        if isinstance(b, int) and b & (b - 1) == 0:
            return self.builder.lshr(as_value(a), as_value(b.bit_length() - 1)) if b > 1 else a
        return self.builder.udiv(as_value(a), as_value(b))

    def mod(self, a: Int, b: Int) -> Int:
        """a % b, for a >= 0 and b > 0."""
        if isinstance(a, int) and isinstance(b, int):
            return a % b
        return self.builder.urem(as_value(a), as_value(b))

    def min(self, a: Int, b: Int) -> Int:
        """The smaller one."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        x, y = as_value(a), as_value(b)
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def max(self, a: Int, b: Int) -> Int:
        """The larger one."""
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        x, y = as_value(a), as_value(b)
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def round_up(self, a: Int, unit: int) -> Int:
        """The smallest multiple of `unit`, a power of two, that is not below a."""
        if isinstance(a, int):
            return -(-a // unit) * unit
        return self.builder.and_(self.builder.add(a, as_value(unit - 1)), as_value(-unit))

    def less(self, a: Int, b: Int) -> Any:
        """a < b, as a bit of the code."""
        return self.builder.icmp_signed("<", as_value(a), as_value(b))


class Loop:
    """A counted loop under construction, with values carried from turn to turn.

    Inside it `i` is the counter and `values` the carried values; `carry(values)` gives the next;
    after it `values` are the last.
    """

    def __init__(self, i: Int, values: list[Any]) -> None:
        self.i = i
        self.values = values
        self._next = list(values)

    def carry(self, values: Sequence[Any]) -> None:
        """The carried values of the next turn."""
        self._next = list(values)


@contextmanager
def loop(
    builder: ir.IRBuilder, start: Int, stop: Int, step: Int = 1, carried: Sequence[Any] = ()
) -> Iterator[Loop]:
    """Code for each i of start, start + step, ... below stop."""
    if all(isinstance(x, int) for x in (start, stop, step)) and 0 < stop - start <= step:
        once = Loop(start, list(carried))  # a single turn needs no loop
        yield once
        once.values = once._next
        return
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(I64)
    i.add_incoming(as_value(start), before)
    phis = [builder.phi(value.type) for value in carried]
    for phi, value in zip(phis, carried, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", i, as_value(stop)), body, done)
    builder.position_at_end(body)
    this = Loop(i, list(phis))
    yield this
    i.add_incoming(builder.add(i, as_value(step)), builder.block)
    for phi, value in zip(phis, this._next, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    this.values = list(phis)


def word(builder: ir.IRBuilder, words: Any, place: Int) -> Any:
    """Where an integer of a table of them lies."""
    return builder.gep(words, [as_value(place)], source_etype=I64)


def pointer_in(builder: ir.IRBuilder, words: Any, place: Int, kind: ir.Type | None = None) -> Any:
    """A pointer that a table holds, to a function of this kind."""
    typ = ir.PointerType(kind) if kind else POINTER
    return builder.load(word(builder, words, place), typ=typ)
