"""Philox 4x32-10: random bits as a function of a counter and a key [Salmon et al. 2011]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrograd.graph.node import Array

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85  # added to the key from round to round
WORD = 0xFFFFFFFF


def round_keys(key: tuple[int, int]) -> list[tuple[int, int]]:
    """The key of each round."""
    first, second = key
    return [((first + i * WEYL[0]) & WORD, (second + i * WEYL[1]) & WORD) for i in range(ROUNDS)]


def philox(counter: Sequence[Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """The four words of random bits for a counter of four words and a key of two.

    A word is a number below 2**32; those of a counter are uint64 arrays that broadcast.

    >>> zero = np.zeros((), np.uint64)
    >>> [hex(word) for word in philox([zero] * 4, (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    m, n = map(np.uint64, MULTIPLIERS)
    low, high = np.uint64(WORD), np.uint64(32)
    for first, second in round_keys(key):
        p, q = m * a, n * c
        a = (q >> high) ^ b ^ np.uint64(first)
        c = (p >> high) ^ d ^ np.uint64(second)
        b, d = q & low, p & low
    return a, b, c, d
