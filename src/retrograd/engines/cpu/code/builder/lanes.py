"""A small typed builder over llvmlite.ir: arithmetic on vectors of one floating dtype.

A `Lanes` says once which dtype and how many numbers a vector has; its methods append instructions
and return their values. One lane is a plain number: the same code makes the scalar version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import BOOL, I32, vector_of

Value = Any  # an llvmlite.ir value

_FLOATS = {np.dtype(np.float32): ir.FloatType(), np.dtype(np.float64): ir.DoubleType()}


class _Same(ir.Constant):  # type: ignore[misc]  # llvmlite has no types
    """A constant vector of one number in every lane, written as that one."""

    def __init__(self, one: ir.Constant, n: int) -> None:
        self.type, self.constant = vector_of(one.type, n), one

    def _get_reference(self) -> str:
        return f"splat ({self.constant})"


def same(one: ir.Constant, n: int) -> ir.Constant:
    """A constant in every lane."""
    return _Same(one, n) if n > 1 else one


def spread(builder: ir.IRBuilder, scalar: Value, n: int) -> Value:
    """Any scalar value in every lane."""
    if n == 1:
        return scalar
    if isinstance(scalar, ir.Constant):
        return same(scalar, n)
    empty, first, everywhere = _spreading(scalar.type, n)
    return builder.shuffle_vector(builder.insert_element(empty, scalar, first), empty, everywhere)


@cache
def _spreading(scalar: ir.Type, n: int) -> tuple[ir.Constant, ...]:
    empty = ir.Constant(vector_of(scalar, n), ir.Undefined)
    return empty, ir.Constant(I32, 0), ir.Constant(vector_of(I32, n), None)


@cache
def _constant(scalar: ir.Type, n: int, number: float | int, sign: float) -> ir.Constant:
    """A number in every lane; the sign tells -0 from 0."""
    return same(ir.Constant(scalar, number), n)


class Lanes:
    """Vectors of `n` numbers of a floating dtype, built at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, dtype: Any, n: int, *, has_fma: bool = True) -> None:
        self.builder = builder
        self.dtype = np.dtype(dtype)
        self.n = n
        self.has_fma = has_fma
        self.bits = 8 * self.dtype.itemsize
        self.mantissa = int(np.finfo(self.dtype).nmant)  # bits
        self.bias = int(np.finfo(self.dtype).maxexp) - 1  # of the exponent
        self.scalar = _FLOATS[self.dtype]
        self.type = vector_of(self.scalar, n)
        self.int_type = vector_of(ir.IntType(self.bits), n)
        self.mask_type = vector_of(BOOL, n)

    # Constants.

    def const(self, number: float) -> Value:
        """A number in every lane, rounded to the dtype."""
        value = float(self.dtype.type(number))
        return _constant(self.scalar, self.n, value, math.copysign(1.0, value))

    def int_const(self, number: int) -> Value:
        """An integer of the dtype's width in every lane; taken modulo 2**bits."""
        half = 1 << (self.bits - 1)
        wrapped = (number + half) % (1 << self.bits) - half
        return _constant(ir.IntType(self.bits), self.n, wrapped, 0.0)

    def splat(self, scalar: Value) -> Value:
        """A scalar value in every lane."""
        return spread(self.builder, scalar, self.n)

    # Arithmetic.

    def add(self, x: Value, y: Value) -> Value:
        """x + y"""
        return self.builder.fadd(x, y)

    def sub(self, x: Value, y: Value) -> Value:
        """x - y"""
        return self.builder.fsub(x, y)

    def mul(self, x: Value, y: Value) -> Value:
        """x * y"""
        return self.builder.fmul(x, y)

    def div(self, x: Value, y: Value) -> Value:
        """x / y"""
        return self.builder.fdiv(x, y)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x * y + z: rounded once where the processor has the instruction, else twice."""
        if not self.has_fma:
            return self.add(self.mul(x, y), z)
        return self.call("fma", x, y, z)

    def neg(self, x: Value) -> Value:
        """-x"""
        return self.builder.fneg(x)

    def abs(self, x: Value) -> Value:
        """|x|"""
        return self.call("fabs", x)

    def sqrt(self, x: Value) -> Value:
        """The correctly rounded square root; NaN for x < 0."""
        return self.call("sqrt", x)

    def copysign(self, x: Value, sign: Value) -> Value:
        """|x| with the sign of another."""
        return self.call("copysign", x, sign)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """c[0] + c[1] x + c[2] x**2 + ..., by Horner's rule."""
        result = self.const(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            result = self.fma(result, x, self.const(c))
        return result

    def call(self, name: str, *operands: Value) -> Value:
        """One of LLVM's intrinsics on operands of this type, as `llvm.fabs`."""
        kind = f"v{self.n}f{self.bits}" if self.n > 1 else f"f{self.bits}"
        module = self.builder.module
        full = f"llvm.{name}.{kind}"
        function = module.globals.get(full)
        if function is None:
            signature = ir.FunctionType(self.type, [self.type] * len(operands))
            function = ir.Function(module, signature, full)
        return self.builder.call(function, operands)

    # Comparison and choice. A comparison with NaN is false, but `ne` and `is_nan` are true.

    def lt(self, x: Value, y: Value) -> Value:
        """x < y"""
        return self.builder.fcmp_ordered("<", x, y)

    def le(self, x: Value, y: Value) -> Value:
        """x <= y"""
        return self.builder.fcmp_ordered("<=", x, y)

    def eq(self, x: Value, y: Value) -> Value:
        """x == y"""
        return self.builder.fcmp_ordered("==", x, y)

    def ne(self, x: Value, y: Value) -> Value:
        """x != y"""
        return self.builder.fcmp_unordered("!=", x, y)

    def is_nan(self, x: Value) -> Value:
        """Whether x is NaN."""
        return self.builder.fcmp_unordered("uno", x, x)

    def select(self, mask: Value, x: Value, y: Value) -> Value:
        """x where the mask is set, else y."""
        return self.builder.select(mask, x, y)

    # Integers of the same width: the bits of a number, and arithmetic on exponents.

    def as_bits(self, x: Value) -> Value:
        """The bits of x as an integer."""
        return self.builder.bitcast(x, self.int_type)

    def from_bits(self, i: Value) -> Value:
        """The number that has these bits."""
        return self.builder.bitcast(i, self.type)

    def int_add(self, i: Value, j: Value) -> Value:
        """i + j, modulo 2**bits"""
        return self.builder.add(i, j)

    def int_sub(self, i: Value, j: Value) -> Value:
        """i - j, modulo 2**bits"""
        return self.builder.sub(i, j)

    def int_mul(self, i: Value, j: Value) -> Value:
        """i * j, modulo 2**bits"""
        return self.builder.mul(i, j)

    def int_and(self, i: Value, j: Value) -> Value:
        """The bits set in both; of masks, where both hold."""
        return self.builder.and_(i, j)

    def int_or(self, i: Value, j: Value) -> Value:
        """The bits set in either; of masks, where one holds."""
        return self.builder.or_(i, j)

    def int_xor(self, i: Value, j: Value) -> Value:
        """The bits set in one only; of masks, where one alone holds."""
        return self.builder.xor(i, j)

    def int_ne(self, i: Value, j: Value) -> Value:
        """i != j"""
        return self.builder.icmp_unsigned("!=", i, j)

    def shift_left(self, i: Value, places: int) -> Value:
        """i * 2**places, modulo 2**bits"""
        return self.builder.shl(i, self.int_const(places))

    def shift_right(self, i: Value, places: int) -> Value:
        """The bits of i moved down; zeros come in from above."""
        return self.builder.lshr(i, self.int_const(places))

    # The lesser and the greater. Where either is NaN the second is returned: bounds come first.

    def min(self, x: Value, y: Value) -> Value:
        """x if x < y, else y"""
        return self.select(self.lt(x, y), x, y)

    def max(self, x: Value, y: Value) -> Value:
        """x if x > y, else y"""
        return self.select(self.lt(y, x), x, y)
