"""Sums and maxima over axes: each lane its own column, or a share of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi.cut import UNIT
from retrograd.engines.cpu.code.builder.integers import Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import (
    AT_ONCE,
    Part,
    chunk_loop,
    fold_over,
    index_in,
    last_chunk,
    nest,
    number,
    store_all,
)
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.gates import GATES
from retrograd.engines.cpu.code.values.index import At
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel

GROUP = 4  # vectors that are worked on at once where a sum would wait for itself


@dataclass(frozen=True)
class Fold:
    """How a reduction goes: from which number, by which operation."""

    start: float
    combine: Callable[[Lanes, Any, Any], Any]


FOLDS = {"sum": Fold(0.0, Lanes.add), "max": Fold(-np.inf, GATES["maximum"])}


def run_reduce(body: Body, kernel: Kernel, part: Part) -> None:
    """A sum or maximum over axes, and what is computed from it entry by entry."""
    heavy = kernel.heavy
    assert heavy is not None
    x, axes = heavy.inputs[0], heavy.params["axes"]
    long = [axis for axis, size in enumerate(x.shape) if size != 1]
    kept = [axis for axis in long if axis not in axes]
    gone = [axis for axis in long if axis in axes]
    last = long[-1] if long else None
    with nest(body, [x.shape[a] for a in kept if a != last], part) as outer:
        places = dict(zip([a for a in kept if a != last], outer, strict=True))
        if last is not None and last in kept:
            bounds = part if kept == [last] else None
            _columns(body, kernel, x, places, gone, last, bounds)
        else:
            _across(body, kernel, x, places, gone)


def _finish(body: Body, kernel: Kernel, value: Operand, short: Sequence[At]) -> None:
    """Store the heavy value and what goes on from it."""
    assert kernel.heavy is not None
    body.forget()
    body.given[kernel.heavy] = value
    store_all(body, kernel, short)
    body.given.clear()


def _columns(
    body: Body,
    kernel: Kernel,
    x: Node,
    places: dict[int, At],
    gone: Sequence[int],
    last: int,
    part: Part | None,
) -> None:
    """The last axis stays: lanes lie along it, and each adds up its own column.

    In several parts, row by row to another one: as many as few vectors leave the processor idle.
    """
    assert kernel.heavy is not None
    fold = FOLDS[kernel.heavy.gate.name]
    outer = [places[axis] for axis in sorted(places)]
    n_parts = _n_parts(body, x.shape[last], [x.shape[axis] for axis in gone])
    for group in _groups(body, x.shape[last], part):
        with group as vectors:
            v = body.lanes(x.dtype)
            start = [v.const(fold.start)] * len(vectors)

            def turn(
                here: dict[int, At], sums: list[Any], vectors: Any = vectors, v: Lanes = v
            ) -> list[Any]:
                new = []
                for (at, count), total in zip(vectors, sums, strict=True):
                    body.count = count
                    value = body.value(x, index_in(x, {**places, **here, last: at}))
                    new.append(fold.combine(v, total, body.widen(value).value))
                    body.count = None
                return new

            totals = _in_parts(body, x, gone, start * n_parts, len(vectors), turn)
            while len(totals) > len(vectors):
                half = len(totals) // 2
                pairs = zip(totals[:half], totals[half:], strict=True)
                totals = [fold.combine(v, a, b) for a, b in pairs]
            for (at, count), total in zip(vectors, totals, strict=True):
                body.count = count
                _finish(body, kernel, Operand(total, x.dtype, body.n > 1), [*outer, at])
                body.count = None


def _n_parts(body: Body, across: Size, down: Sequence[Size]) -> int:
    """How many parts columns are added up in, a power of two: the same whoever adds them up."""
    if not down:
        return 1
    vectors = GROUP if isinstance(across, Rows) else min(GROUP, -(-across // body.n))
    wanted = AT_ONCE // (1 << (vectors - 1).bit_length())
    shortest = wanted if isinstance(down[-1], Rows) else down[-1] // 2
    return 1 << (max(1, min(wanted, shortest)).bit_length() - 1)


def _in_parts(
    body: Body,
    x: Node,
    gone: Sequence[int],
    totals: list[Any],
    width: int,
    turn: Callable[[dict[int, At], list[Any]], list[Any]],
) -> list[Any]:
    """Carry totals through loops over axes: those of the first part, `width` of them, the next's.

    What is left over where the last axis does not divide by the parts goes to the first.
    """
    n_parts, integers = len(totals) // width, body.integers
    if n_parts == 1:
        return fold_over(body, x, list(gone), {}, totals, turn)
    size = number(body, x.shape[gone[-1]])
    whole = integers.mul(integers.div(size, n_parts), n_parts)

    def along(here: dict[int, At], totals: list[Any]) -> list[Any]:
        with loop(body.builder, 0, whole, n_parts, totals) as some:
            new = []
            for q in range(n_parts):
                at, part = At(integers.add(some.i, q)), some.values[q * width : (q + 1) * width]
                body.forget()
                new += turn({**here, gone[-1]: at}, part)
            some.carry(new)
        with loop(body.builder, whole, size, 1, some.values[:width]) as one:
            body.forget()
            one.carry(turn({**here, gone[-1]: At(one.i)}, one.values))
        return [*one.values, *some.values[width:]]

    return fold_over(body, x, list(gone[:-1]), {}, totals, along)


def _groups(body: Body, size: Size, part: Part | None) -> Iterator[Any]:
    """Several vectors at once along the last axis, then one at a time, then what is left."""
    if part is not None and isinstance(size, int) and size <= UNIT:  # a thread has all, or none
        with body.builder.if_then(body.integers.less(part.low, part.high)):
            yield from _groups(body, size, None)
        return
    start: Int = 0 if part is None else part.low
    stop: Int = number(body, size) if part is None else part.high
    n, integers = body.n, body.integers

    def end(low: Int, unit: int) -> Int:
        """Where those of this size end that are full."""
        if isinstance(size, int) and size < unit:
            return low
        return integers.add(low, integers.mul(integers.div(integers.sub(stop, low), unit), unit))

    many = end(start, n * GROUP)
    if many is not start:
        yield _group_loop(body, start, many)
    whole = end(many, n)
    if isinstance(whole, int) and isinstance(many, int) and isinstance(stop, int):
        rest: list[tuple[At, Int | None]] = [(At(j, 1), None) for j in range(many, whole, n)]
        if whole < stop:
            rest.append((At(whole, 1), stop - whole))
        if rest:
            yield _fixed(rest)
        return
    if whole is not many:
        yield _single(body, chunk_loop(body, many, whole))
    if not (isinstance(size, int) and size % n == 0):  # parts begin at whole vectors
        yield _single(body, last_chunk(body, whole, stop))


@contextmanager
def _group_loop(body: Body, start: Int, stop: Int) -> Iterator[list[tuple[At, Int | None]]]:
    with loop(body.builder, start, stop, body.n * GROUP) as turn:
        yield [(At(body.integers.add(turn.i, i * body.n), 1), None) for i in range(GROUP)]


@contextmanager
def _fixed(vectors: list[tuple[At, Int | None]]) -> Iterator[list[tuple[At, Int | None]]]:
    yield vectors


@contextmanager
def _single(body: Body, chunk: Any) -> Iterator[list[tuple[At, Int | None]]]:
    with chunk as at:
        yield [(at, body.count)]


def _across(
    body: Body, kernel: Kernel, x: Node, places: dict[int, At], gone: Sequence[int]
) -> None:
    """The last axis is reduced: each lane adds up its share, and in the end all are added up."""
    assert kernel.heavy is not None
    fold = FOLDS[kernel.heavy.gate.name]
    v = body.lanes(x.dtype)
    outer = [places[axis] for axis in sorted(places)]
    if not gone:
        body.forget()
        value = body.value(x, index_in(x, places))
        _finish(body, kernel, value, outer)
        return
    inner = gone[-1]

    def row(here: dict[int, At], sums: list[Any]) -> list[Any]:
        return _along_row(body, x, inner, {**places, **here}, sums, fold, v)

    size = x.shape[inner]
    many = isinstance(size, Rows) or size >= GROUP * body.n
    start = [v.const(fold.start)] * (GROUP if many and body.n > 1 else 1)
    totals = fold_over(body, x, list(gone[:-1]), {}, start, row)
    while len(totals) > 1:  # in pairs, so that no sum waits for all others
        totals = [fold.combine(v, a, b) for a, b in zip(totals[::2], totals[1::2], strict=True)]
    _finish(body, kernel, Operand(across_lanes(v, totals[0], fold), x.dtype, False), outer)


def _along_row(
    body: Body, x: Node, axis: int, places: dict[int, At], sums: list[Any], fold: Fold, v: Lanes
) -> list[Any]:
    n, integers = body.n, body.integers
    size = number(body, x.shape[axis])

    def add(total: Any, start: Int, count: Int | None) -> Any:
        body.forget()
        body.count = count
        value = body.widen(body.value(x, index_in(x, {**places, axis: At(start, 1)}))).value
        if count is not None:
            value = v.select(body.mask(count), value, v.const(fold.start))
        body.count = None
        return fold.combine(v, total, value)

    if n == 1:
        with loop(body.builder, 0, size, 1, sums) as turn:
            turn.carry([add(turn.values[0], turn.i, None)])
        return turn.values
    done: Int = 0
    if len(sums) > 1:
        wide = n * len(sums)
        done = integers.mul(integers.div(size, wide), wide)
        with loop(body.builder, 0, done, wide, sums) as turn:
            turn.carry(
                [add(s, integers.add(turn.i, i * n), None) for i, s in enumerate(turn.values)]
            )
        sums = turn.values
    first, rest = sums[0], sums[1:]
    whole = integers.mul(integers.div(size, n), n)
    if isinstance(size, int) and isinstance(done, int):
        for j in range(done, int(whole), n):
            first = add(first, j, None)
        if whole < size:
            first = add(first, whole, size - int(whole))
        return [first, *rest]
    with loop(body.builder, done, whole, n, [first]) as turn:
        turn.carry([add(turn.values[0], turn.i, None)])
    with loop(body.builder, whole, size, n, turn.values) as tail:
        tail.carry([add(tail.values[0], tail.i, integers.sub(size, tail.i))])
    return [tail.values[0], *rest]


def across_lanes(v: Lanes, value: Any, fold: Fold) -> Any:
    """The lanes of a vector folded into one number: halves upon each other, in a fixed tree."""
    b, n = v.builder, v.n
    while n > 1:
        n //= 2
        picks = [
            ir.Constant(
                ir.VectorType(ir.IntType(32), n),
                [ir.Constant(ir.IntType(32), i + k) for i in range(n)],
            )
            for k in (0, n)
        ]
        low, high = (b.shuffle_vector(value, value, pick) for pick in picks)
        half = Lanes(b, v.dtype, n, has_fma=v.has_fma)
        if n == 1:
            zero = ir.Constant(ir.IntType(32), 0)
            low, high = b.extract_element(low, zero), b.extract_element(high, zero)
        value = fold.combine(half, low, high)
    return value
