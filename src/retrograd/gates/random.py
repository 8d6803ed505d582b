"""Random gates: numbers that are a function of a seed and of where they stand, and of nothing else.

An entry is made from the random bits of a counter: its row, its column and a number of its gate.
So it does not matter in how many batches or by how many threads rows are worked on, and the engines
agree: `uniform` and `bernoulli` to the bit, `normal` within a few units in the last place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.errors import DtypeError, OptionError, ShapeError
from retrograd.gates.arithmetic import sqrt
from retrograd.gates.compare import less
from retrograd.gates.elementwise import cast
from retrograd.gates.exponential import log
from retrograd.gates.philox import WORD, philox
from retrograd.gates.trigonometric import cos
from retrograd.graph.node import (
    FLOATS,
    Array,
    Gate,
    Like,
    Node,
    apply,
    as_dtype,
    constant,
    define,
)
from retrograd.graph.shape import as_shape, has_rows, rows, show, size_of

UNIFORM_FLOPS = 100  # 10 rounds of 2 products and 6 other operations, the rest is conversion


def _uniform_numpy(
    seed: Array,
    offset: Array,
    *,
    shape: tuple[int, ...],
    is_by_row: bool,
    stream: int,
    half: int,
    dtype: np.dtype[Any],
    out: Array | None = None,
) -> Array:
    n_rows = shape[0] if is_by_row else 1
    n_columns = math.prod(shape[is_by_row:])
    row = (np.asarray(offset, np.int64) + np.arange(n_rows)[:, None]).view(np.uint64)
    column = np.arange(n_columns, dtype=np.uint64)
    key = int(seed) & WORD, int(seed) >> 32 & WORD
    counter = row & np.uint64(WORD), row >> np.uint64(32), column, np.asarray(stream, np.uint64)
    words = philox(counter, key)[2 * half : 2 * half + 2]
    result = np.empty(shape, dtype) if out is None else out
    result[...] = _as_fraction(words, dtype).reshape(shape)
    return result


def _as_fraction(words: tuple[Array, ...], dtype: np.dtype[Any]) -> Array:
    """Numbers in [0, 1) from the first 24 of 32 random bits, or from 53 of 64: each is exact."""
    first, second = words
    if dtype.itemsize == np.float32().itemsize:
        return (first >> np.uint64(8)) * 2.0**-24
    return ((first >> np.uint64(5)) * 2.0**26 + (second >> np.uint64(6))) * 2.0**-53


UNIFORM = define(
    Gate(
        "uniform",
        _uniform_numpy,
        lambda seed, offset, *, shape, is_by_row, stream, half, dtype: (shape, dtype),
        lambda y, *_, n_rows: UNIFORM_FLOPS * size_of(y.shape, n_rows),
    )
)


def uniform(
    shape: object,
    *,
    seed: Like,
    offset: Like = 0,
    stream: int = 0,
    dtype: object = np.float64,
) -> Node:
    """Independent numbers, evenly spread over [0, 1): multiples of 2**-24, in float64 of 2**-53.

    Entry (i, j) is made from the random bits of Philox 4x32-10 for the key `seed` and the counter
    (offset + i, j, stream)   [Salmon et al. 2011]. i is the row of the batch, j counts the entries
    of a row; where the shape has no `rows`, i is 0 and j counts all entries.

    Args:
        shape: of the result; may lead with `rows`.
        seed: a whole number from 0 to 2**63 - 1, or a node: a scalar of the step.
        offset: the number of rows that came before this batch, or a node: then batches do not
            repeat, and cutting one in two changes nothing.
        stream: which of several random gates of one graph this is, from 0 to 2**32 - 1. Gates of
            one stream give the same numbers.
        dtype: float32 or float64.

    Raises OptionError, DtypeError or ShapeError for what is not so.

    >>> u = rg.uniform((2, 3), seed=1)
    >>> rg.evaluate(u).round(3)
    array([[0.89 , 0.027, 0.903],
           [0.539, 0.731, 0.905]])
    >>> x = rg.variable("x", shape=(rg.rows, 2))
    >>> y = x + rg.uniform(x.shape, seed=1, offset=1)
    >>> rg.evaluate(y, {x: np.zeros((1, 2))}).round(3)
    array([[0.672, 0.232]])
    """
    return _draw("uniform", shape, seed, offset, stream, dtype, half=0)


def bernoulli(
    p: Like,
    shape: object,
    *,
    seed: Like,
    offset: Like = 0,
    stream: int = 0,
    dtype: object = np.float64,
) -> Node:
    """Independent booleans, each true with probability p: uniform < p   [Salmon et al. 2011].

    `p` in [0, 1], a number or a node that broadcasts to the shape. The others: see `uniform`, which
    draws in `dtype`, so that p is met to 2**-24, in float64 to 2**-53.

    >>> rg.evaluate(rg.bernoulli(0.5, (6,), seed=1))
    array([False,  True, False, False, False, False])
    """
    if not isinstance(p, Node):
        given = np.asarray(p)
        if given.dtype.kind not in "biuf" or not np.all((given >= 0) & (given <= 1)):
            raise OptionError(f"bernoulli: p is a probability, from 0 to 1, got {p!r}")
    return less(_draw("bernoulli", shape, seed, offset, stream, dtype, half=0), p)


def normal(
    shape: object,
    *,
    seed: Like,
    offset: Like = 0,
    stream: int = 0,
    dtype: object = np.float64,
) -> Node:
    """Independent numbers of the normal distribution with mean 0 and variance 1.

    sqrt(-2 log(1 - u)) cos(2 pi v) of two uniform numbers u, v   [Box & Muller 1958]. At most 5.8
    in magnitude in float32, 8.6 in float64. The arguments: see `uniform`.

    >>> rg.evaluate(rg.normal((2, 3), seed=1)).round(3)
    array([[-1.805,  0.04 ,  0.052],
           [ 1.109, -1.138, -2.168]])
    """
    u, v = (_draw("normal", shape, seed, offset, stream, dtype, half=half) for half in range(2))
    return sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * math.pi * v)


def _draw(
    gate: str,
    shape: object,
    seed: Like,
    offset: Like,
    stream: int,
    dtype: object,
    *,
    half: int,
) -> Node:
    """The gate; `half` says which two of the four words of a counter it takes."""
    sizes, kind = as_shape(shape), as_dtype(dtype)
    if has_rows(sizes[1:]):
        raise ShapeError(f"{gate}: rows may only lead a shape, got {show(sizes)}")
    if kind not in FLOATS:
        raise DtypeError(f"{gate}: draws float32 or float64, not {kind}")
    if not isinstance(stream, int | np.integer) or not 0 <= stream <= WORD:
        raise OptionError(f"{gate}: stream is an integer from 0 to 2**32 - 1, got {stream!r}")
    return apply(
        UNIFORM,
        _whole(gate, "seed", seed),
        _whole(gate, "offset", offset),
        shape=sizes,
        is_by_row=sizes[:1] == (rows,),
        stream=int(stream),
        half=half,
        dtype=kind,
    )


def _whole(gate: str, name: str, value: Any) -> Node:
    """A whole number from 0, as an int64 node."""
    if isinstance(value, Node):
        node = cast(value, np.int64)
        if node.shape:
            raise ShapeError(f"{gate}: {name} is one number, got {show(node.shape)}")
        return node
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or not 0 <= value < 2**63:
        raise OptionError(f"{gate}: {name} is an integer from 0 to 2**63 - 1, got {value!r}")
    return constant(value, dtype=np.int64)
