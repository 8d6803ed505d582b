"""The gate `uniform`: numbers made from where they stand, in the lanes of any kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, Int, as_value
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.functions.philox import philox
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, Index
from retrograd.graph.node import Node


def draw(body: Body, node: Node, index: Index) -> Operand:
    """The numbers at an index: the bits of `gates.random`."""
    seed, offset = (body.input(node, x, index).value for x in node.inputs)
    integers, n_axes = body.integers, int(node.params["is_by_row"])
    row = index[0] if n_axes else At(0)
    row = At(integers.add(offset, row.base), row.step)
    column = _column(body, node, index, n_axes)
    is_wide = body.n > 1 and bool(row.step or column.step)
    v = body.lanes(np.float64, is_wide=is_wide)

    def in_lanes(number: Any, bits: int) -> Any:
        """The bits of a number from this one on, in every lane."""
        moved = v.builder.lshr(number, as_value(bits))
        return body.splat(moved) if is_wide else moved

    def word(at: At, bits: int) -> Any:
        return v.shift_right(body.along(at), bits) if at.step else in_lanes(as_value(at.base), bits)

    counter = [word(row, 0), word(row, 32), word(column, 0), v.int_const(node.params["stream"])]
    words = philox(v, counter, [in_lanes(seed, bits) for bits in (0, 32)])
    half = 2 * node.params["half"]
    fraction = _as_fraction(body.lanes(node.dtype, is_wide=is_wide), *words[half : half + 2])
    return Operand(fraction, node.dtype, is_wide)


def _column(body: Body, node: Node, index: Index, n_axes: int) -> At:
    """The number of an entry within its row; the step from lane to lane."""
    integers, step = body.integers, 0
    flat: Int = 0
    for at, size in zip(index[n_axes:], node.shape[n_axes:], strict=True):
        assert isinstance(size, int)
        flat = integers.add(integers.mul(flat, size), at.base)
        step = step * size + at.step
    return At(flat, step)


def _as_fraction(to: Lanes, first: Any, second: Any) -> Any:
    """Exact numbers in [0, 1), as `gates.random` makes them of two words."""
    if to.dtype == np.float32:
        return to.mul(_upper(to, first, 24), to.const(2.0**-24))
    high, low = _upper(to, first, 27), _upper(to, second, 26)
    return to.mul(to.add(to.mul(high, to.const(2.0**26)), low), to.const(2.0**-53))


def _upper(to: Lanes, word: Any, bits: int) -> Any:
    """The upper bits of a word as a whole number.

    Of 32 bits, which every processor converts in lanes; of 64 not every one does.
    """
    kind = I32 if to.n == 1 else ir.VectorType(I32, to.n)
    b, places = to.builder, ir.Constant(I32, 32 - bits)
    places = places if to.n == 1 else ir.Constant(kind, [places] * to.n)
    return b.sitofp(b.lshr(b.trunc(word, kind), places), to.type)
