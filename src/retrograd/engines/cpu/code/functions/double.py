"""Numbers as unevaluated sums of two, high + low: what rounding has lost is kept [Dekker 1971]."""

from __future__ import annotations

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value


def two_sum(v: Lanes, x: Value, y: Value) -> tuple[Value, Value]:
    """x + y and what rounding lost of it [Knuth 1969]."""
    s = v.add(x, y)
    y_part = v.sub(s, x)
    return s, v.add(v.sub(x, v.sub(s, y_part)), v.sub(y, y_part))


def ordered_sum(v: Lanes, x: Value, y: Value) -> tuple[Value, Value]:
    """x + y and what rounding lost of it, for |x| >= |y| or x = 0."""
    s = v.add(x, y)
    return s, v.add(v.sub(x, s), y)


def product(v: Lanes, x: Value, y: Value) -> tuple[Value, Value]:
    """x y and what rounding lost of it."""
    p = v.mul(x, y)
    if v.has_fma:
        return p, v.fma(x, y, v.neg(p))
    (a, b), (c, d) = _halves(v, x), _halves(v, y)
    low = v.add(v.add(v.sub(v.mul(a, c), p), v.mul(a, d)), v.mul(b, c))
    return p, v.add(low, v.mul(b, d))


def _halves(v: Lanes, x: Value) -> tuple[Value, Value]:
    """x as the sum of two numbers of half as many digits."""
    upper = v.int_const(-(1 << (v.mantissa // 2 + 1)))
    high = v.from_bits(v.int_and(v.as_bits(x), upper))
    return high, v.sub(x, high)


def fused(v: Lanes, x: Value, y: Value, z: Value) -> Value:
    """x y + z as if rounded once, on processors without such an instruction too."""
    if v.has_fma:
        return v.fma(x, y, z)
    p, p_low = product(v, x, y)
    s, s_low = two_sum(v, p, z)
    # Subtracted, since -0 - 0 is -0, and -0 + 0 is not.
    return v.sub(s, v.sub(v.const(0), v.add(p_low, s_low)))
