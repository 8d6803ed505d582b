"""Kernels that go one number at a time: first_max, scatter_add and cumsum.

One thread runs such a kernel alone. Their inputs lie in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.engines.cpu.code.builder.integers import Int, as_value, loop
from retrograd.engines.cpu.code.loops.axes import (
    Part,
    fold_over,
    index_in,
    inner_loops,
    nest,
    number,
)
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.bounds import legal_place
from retrograd.engines.cpu.code.values.index import At, Index, broadcast_index, full_index
from retrograd.plan.program import Kernel


def run_first_max(body: Body, kernel: Kernel, part: Part) -> None:
    """A mask of the first largest entry over axes."""
    heavy = kernel.heavy
    assert heavy is not None
    x, axes = heavy.inputs[0], heavy.params["axes"]
    b = body.builder
    long = [axis for axis, size in enumerate(x.shape) if size != 1]
    kept = [axis for axis in long if axis not in axes]
    gone = [axis for axis in long if axis in axes]
    v = body.lanes(x.dtype, is_wide=False)
    bounds = Part(0, number(body, x.shape[kept[0]])) if kept else part
    with nest(body, [x.shape[a] for a in kept], bounds) as outer:
        places = dict(zip(kept, outer, strict=True))

        def flat(here: dict[int, At]) -> Any:
            total: Int = 0
            for axis in gone:
                total = body.integers.add(
                    body.integers.mul(total, number(body, x.shape[axis])), here[axis].base
                )
            return as_value(total)

        def better(here: dict[int, At], best: list[Any]) -> list[Any]:
            value = body.value(x, index_in(x, {**places, **here})).value
            is_first = b.icmp_signed("<", best[1], as_value(0))
            is_more = b.or_(
                v.lt(best[0], value), b.and_(v.is_nan(value), b.not_(v.is_nan(best[0])))
            )
            wins = b.or_(is_first, is_more)
            return [v.select(wins, value, best[0]), b.select(wins, flat(here), best[1])]

        found = fold_over(body, x, gone, {}, [v.const(-np.inf), as_value(-1)], better)

        def mark(here: dict[int, At], _: list[Any]) -> list[Any]:
            is_it = b.icmp_signed("==", flat(here), found[1])
            index = index_in(x, {**places, **here})
            body.given[heavy] = Operand(is_it, heavy.dtype, False)
            body.store(heavy, index, body.given[heavy])
            body.given.clear()
            return []

        fold_over(body, x, gone, {}, [], mark)


def run_scatter_add(body: Body, kernel: Kernel, part: Part) -> None:
    """Zeros, to which entries are added at indices."""
    heavy = kernel.heavy
    assert heavy is not None
    x, indices = heavy.inputs
    axis = heavy.params["axis"]
    b, integers = body.builder, body.integers
    v = body.lanes(x.dtype, is_wide=False)
    place = body.places[heavy]
    strides = dict(
        zip([a for a, s in enumerate(heavy.shape) if s != 1],
            place.layout.strides(body.rows, integers), strict=True)
    )  # fmt: skip

    def pointer(index: Index) -> Any:
        offset: Int = 0
        for a, at in enumerate(index):
            offset = integers.add(offset, integers.mul(at.base, strides.get(a, 0)))
        return body.gep(place.pointer, v.scalar, offset)

    with inner_loops(body, [s for s in heavy.shape if s != 1]) as all_of_it:
        b.store(v.const(0.0), pointer(full_index(all_of_it, heavy.shape)))
    size = number(body, heavy.shape[axis])
    with inner_loops(body, [s for s in x.shape if s != 1]) as short:
        body.forget()
        index = full_index(short, x.shape)
        found = body.value(
            indices, broadcast_index(index[axis : axis + indices.ndim], indices.shape)
        )
        at, is_out = legal_place(body, "scatter_add", found.value, size)
        where = pointer((*index[:axis], at, *index[axis + indices.ndim :]))
        value = body.value(x, index).value
        old = b.load(where, typ=v.type)
        b.store(v.add(old, b.select(is_out, v.const(0.0), value)), where)


def run_cumsum(body: Body, kernel: Kernel, part: Part) -> None:
    """The sums of all entries up to each one; along the other axes entry by entry."""
    heavy = kernel.heavy
    assert heavy is not None
    x, axis, is_reverse = heavy.inputs[0], heavy.params["axis"], heavy.params["reverse"]
    others = [a for a, size in enumerate(x.shape) if size != 1 and a != axis]
    v, size, integers = (
        body.lanes(x.dtype, is_wide=False),
        number(body, x.shape[axis]),
        body.integers,
    )
    with inner_loops(body, [x.shape[a] for a in others]) as rest:
        places = dict(zip(others, rest, strict=True))
        with loop(body.builder, 0, size, 1, [v.const(0.0)]) as turn:
            body.forget()
            at = integers.sub(integers.sub(size, 1), turn.i) if is_reverse else turn.i
            index = index_in(x, places if x.shape[axis] == 1 else {**places, axis: At(at)})
            total = v.add(turn.values[0], body.value(x, index).value)
            body.store(heavy, index, Operand(total, heavy.dtype, False))
            turn.carry([total])
