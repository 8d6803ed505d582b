"""Products with one column, where both operands are contiguous along k: a dot product a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrograd.engines.cpu.code.builder.integers import Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.loops.blocks import Matrix
from retrograd.engines.cpu.code.loops.reductions import FOLDS, across_lanes
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import HERE, At

HEIGHT = 4  # rows at once


def run_dots(
    body: Body,
    v: Lanes,
    operands: tuple[Matrix, Matrix],
    k: Int,
    part: Part,
    scratch: Any,
    finish: Callable[[Any, At, At], None],
) -> None:
    """The rows of a part, as many at a time as there are lanes, collected in `scratch`.

    Lanes lie along k and are added up in the end. `finish`: stores what follows from a vector of
    results, given the places of its row and column.
    """
    a, b = operands
    builder, integers, n = body.builder, body.integers, body.n
    whole = integers.mul(integers.div(k, n), n)
    item = v.dtype.itemsize

    def products(totals: list[Any], lines: list[Any], at: Int, count: Int | None) -> list[Any]:
        mask = None if count is None else body.mask(count)  # lanes beyond the end are zeros

        def vector(pointer: Any) -> Any:
            place = body.gep(pointer, v.scalar, at)
            if mask is None:
                return builder.load(place, align=item, typ=v.type)
            return body.masked("load", v.type, place, v.dtype, mask)

        y = vector(b.pointer)
        return [v.fma(vector(line), y, total) for line, total in zip(lines, totals, strict=True)]

    def sums(block: Any, row: Int, height: int) -> None:
        """Rows next to each other, of which none waits for another's sum."""
        places = [integers.add(block, integers.add(row, r)) for r in range(height)]
        lines = [body.gep(a.pointer, v.scalar, integers.mul(i, a.down)) for i in places]
        with loop(builder, 0, whole, n, [v.const(0.0)] * height) as turn:
            turn.carry(products(turn.values, lines, turn.i, None))
        totals = turn.values
        if not (isinstance(k, int) and k % n == 0):
            with loop(builder, whole, k, n, totals) as tail:
                tail.carry(products(tail.values, lines, tail.i, integers.sub(k, tail.i)))
            totals = tail.values
        for r, each in enumerate(totals):
            total = across_lanes(v, each, FOLDS["sum"])
            builder.store(total, body.gep(scratch, v.scalar, integers.add(row, r)), align=item)

    with loop(builder, part.low, part.high, n) as block:
        left = integers.min(integers.sub(part.high, block.i), n)
        together = integers.mul(integers.div(left, HEIGHT), HEIGHT)
        with loop(builder, 0, together, HEIGHT) as row:
            sums(block.i, row.i, HEIGHT)
        with loop(builder, together, left, 1) as row:
            sums(block.i, row.i, 1)
        value = builder.load(scratch, align=item, typ=v.type)
        body.forget()
        body.count = left
        finish(value, At(block.i, 1), HERE)
        body.count = None
