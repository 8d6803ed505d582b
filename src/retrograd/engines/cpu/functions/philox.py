"""Philox 4x32-10 on vectors of 64-bit integers, each of which holds a word of 32 bits.

So the product of two words is one instruction, from which both halves are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from retrograd.engines.cpu.lanes import Lanes, Value
from retrograd.gates.philox import MULTIPLIERS, ROUNDS, WEYL, WORD


def philox(v: Lanes, counter: Sequence[Value], key: Sequence[Value]) -> list[Value]:
    """The four words for a counter of four and a key of two; see `gates.philox`.

    `v` has the lanes of float64, and so integers of 64 bits.
    """
    a, b, c, d = counter
    first, second = key
    word = v.int_const(WORD)
    for i in range(ROUNDS):
        p, q = v.int_mul(v.int_const(MULTIPLIERS[0]), a), v.int_mul(v.int_const(MULTIPLIERS[1]), c)
        a = v.int_xor(v.int_xor(v.shift_right(q, 32), b), first)
        c = v.int_xor(v.int_xor(v.shift_right(p, 32), d), second)
        b, d = v.int_and(q, word), v.int_and(p, word)
        if i < ROUNDS - 1:
            first = v.int_and(v.int_add(first, v.int_const(WEYL[0])), word)
            second = v.int_and(v.int_add(second, v.int_const(WEYL[1])), word)
    return [a, b, c, d]
