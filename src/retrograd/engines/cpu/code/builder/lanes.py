"""A small typed builder over llvmlite.ir: arithmetic on vectors of one floating dtype.

A `Lanes` says once which dtype and how many numbers a vector has; its methods append instructions
and return their values. One lane is a plain number: the same code makes the scalar version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

Value = Any  # an llvmlite.ir value

_FLOATS = {np.dtype(np.float32): ir.FloatType(), np.dtype(np.float64): ir.DoubleType()}


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
        self.type = self._wide(self.scalar)
        self.int_type = self._wide(ir.IntType(self.bits))
        self.mask_type = self._wide(ir.IntType(1))

    def _wide(self, scalar: ir.Type) -> ir.Type:
        return ir.VectorType(scalar, self.n) if self.n > 1 else scalar

    # Constants.

    def const(self, number: float) -> Value:
        """A number in every lane, rounded to the dtype."""
        value = float(self.dtype.type(number))
        return self._all(self.type, ir.Constant(self.scalar, value))

    def int_const(self, number: int) -> Value:
        """An integer of the dtype's width in every lane; taken modulo 2**bits."""
        half = 1 << (self.bits - 1)
        wrapped = (number + half) % (1 << self.bits) - half
        return self._all(self.int_type, ir.Constant(ir.IntType(self.bits), wrapped))

    def _all(self, kind: ir.Type, one: ir.Constant) -> Value:
        return ir.Constant(kind, [one] * self.n) if self.n > 1 else one

    def splat(self, scalar: Value) -> Value:
        """A scalar value in every lane."""
        if self.n == 1:
            return scalar
        b = self.builder
        empty = ir.Constant(self.type, ir.Undefined)
        first = b.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.n), None)
        return b.shuffle_vector(first, empty, zeros)

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
