"""Philox 4x32-10 on vectors of 64-bit integers, each of which holds a word in its lower 32 bits.

So the product of two words is one instruction, and its upper half one more. That instruction reads
the lower bits alone: what the upper ones hold does not matter, and nothing clears them.
"""

from __future__ import annotations

from collections.abc import Sequence

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value
from retrograd.gates.philox import MULTIPLIERS, ROUNDS, WEYL, WORD


def philox(v: Lanes, counter: Sequence[Value], key: Sequence[Value]) -> list[Value]:
    """The four words for a counter of four and a key of two; see `gates.philox`.

    `v` has the lanes of float64, and so integers of 64 bits.
    """
    a, b, c, d = counter
    first, second = key
    for i in range(ROUNDS):
        if i:
            first = v.int_add(first, v.int_const(WEYL[0]))
            second = v.int_add(second, v.int_const(WEYL[1]))
        p, q = _product(v, a, MULTIPLIERS[0]), _product(v, c, MULTIPLIERS[1])
        a, b = v.int_xor(v.int_xor(v.shift_right(q, 32), b), first), q
        c, d = v.int_xor(v.int_xor(v.shift_right(p, 32), d), second), p
    return [a, b, c, d]


def _product(v: Lanes, word: Value, factor: int) -> Value:
    """All 64 bits of the product of a word and a constant."""
    return v.int_mul(v.int_and(word, v.int_const(WORD)), v.int_const(factor))
