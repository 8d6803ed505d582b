"""Products with one column, where both operands are contiguous along k: a dot product a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrograd.engines.cpu.body import Body
from retrograd.engines.cpu.index import HERE, At
from retrograd.engines.cpu.indices import Int, loop
from retrograd.engines.cpu.lanes import Lanes
from retrograd.engines.cpu.loops import FOLDS, Part, across_lanes
from retrograd.engines.cpu.tile import Matrix


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

    def product(total: Any, line: Any, at: Int, count: Int | None) -> Any:
        places = [body.gep(pointer, v.scalar, at) for pointer in (line, b.pointer)]
        if count is None:
            x, y = (builder.load(place, align=item, typ=v.type) for place in places)
        else:
            mask = body.mask(count)  # lanes beyond the end are zeros
            x, y = (body.masked("load", v.type, place, v.dtype, mask) for place in places)
        return v.fma(x, y, total)

    with loop(builder, part.low, part.high, n) as block:
        left = integers.min(integers.sub(part.high, block.i), n)
        with loop(builder, 0, left, 1) as row:
            place = integers.mul(integers.add(block.i, row.i), a.down)
            line = body.gep(a.pointer, v.scalar, place)
            with loop(builder, 0, whole, n, [v.const(0.0)]) as turn:
                turn.carry([product(turn.values[0], line, turn.i, None)])
            totals = turn.values
            if not (isinstance(k, int) and k % n == 0):
                with loop(builder, whole, k, n, totals) as tail:
                    tail.carry([product(tail.values[0], line, tail.i, integers.sub(k, tail.i))])
                totals = tail.values
            total = across_lanes(body, v, totals[0], FOLDS["sum"])
            builder.store(total, body.gep(scratch, v.scalar, row.i), align=item)
        value = builder.load(scratch, align=item, typ=v.type)
        body.forget()
        body.count = left
        finish(value, At(block.i, 1), HERE)
        body.count = None
