"""Loops over axes: whole, by a thread's part, and by vectors along the last.

A kernel's first axis runs from `low` to `high`, the part of one thread, of a product of few rows
its second; the others run whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.code.builder.integers import Int, loop
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import HERE, At, Index, full_index
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, Size
from retrograd.plan.program import Kernel

AT_ONCE = 8  # sums that keep a processor busy, where each waits for itself


@dataclass(frozen=True)
class Part:
    """The part of the axis that is cut, a kernel's first one or its columns: low <= i < high."""

    low: Any
    high: Any


@contextmanager
def nest(body: Body, sizes: Sequence[Size], part: Part) -> Iterator[list[At]]:
    """Loops over some axes, the first of them over the part."""
    if not sizes:
        yield []
        return
    with loop(body.builder, part.low, part.high) as turn, inner_loops(body, sizes[1:]) as rest:
        yield [At(turn.i), *rest]


@contextmanager
def inner_loops(body: Body, sizes: Sequence[Size]) -> Iterator[list[At]]:
    """Loops over whole axes."""
    if not sizes:
        yield []
        return
    with (
        loop(body.builder, 0, number(body, sizes[0])) as turn,
        inner_loops(body, sizes[1:]) as rest,
    ):
        yield [At(turn.i), *rest]


def number(body: Body, size: Size) -> Int:
    """A size as an integer of the code."""
    return body.rows if isinstance(size, Rows) else size


def chunks(body: Body, size: Size, part: Part | None) -> Iterator[Any]:
    """Vectors along the last axis: the whole ones, then the one that is not full.

    Where every array is padded the last one may be worked on whole.
    """
    start: Int = 0 if part is None else part.low
    stop: Int = number(body, size) if part is None else part.high
    n = body.n
    if n == 1:
        yield chunk_loop(body, start, stop)
        return
    if isinstance(start, int) and isinstance(stop, int):
        whole = start + (stop - start) // n * n
        if whole > start:
            yield chunk_loop(body, start, whole)
        if whole < stop:
            yield _tail(body, whole, stop - whole)
        return
    integers = body.integers
    whole = integers.add(start, integers.mul(integers.div(integers.sub(stop, start), n), n))
    yield chunk_loop(body, start, whole)
    yield last_chunk(body, whole, stop)


@contextmanager
def chunk_loop(body: Body, start: Int, stop: Int) -> Iterator[At]:
    """Whole vectors."""
    with loop(body.builder, start, stop, body.n) as turn:
        yield At(turn.i, 1)


@contextmanager
def _tail(body: Body, start: Int, count: Int) -> Iterator[At]:
    body.count = count
    yield At(start, 1)
    body.count = None


@contextmanager
def last_chunk(body: Body, start: Int, stop: Int) -> Iterator[At]:
    """What is left, less than a vector."""
    with loop(body.builder, start, stop, body.n) as turn:  # no turn, or one
        body.count = body.integers.sub(stop, turn.i)
        yield At(turn.i, 1)
        body.count = None


def fold_over(
    body: Body,
    x: Node,
    axes: list[int],
    here: dict[int, At],
    values: list[Any],
    turn: Callable[[dict[int, At], list[Any]], list[Any]],
) -> list[Any]:
    """Carry values through loops over some axes."""
    if not axes:
        body.forget()
        return turn(here, values)
    with loop(body.builder, 0, number(body, x.shape[axes[0]]), 1, values) as one:
        inside = fold_over(body, x, axes[1:], {**here, axes[0]: At(one.i)}, one.values, turn)
        one.carry(inside)
    return one.values


def index_in(x: Node, places: Mapping[int, At]) -> Index:
    """The index in a node of places along some of its axes, 0 along the others."""
    return tuple(places.get(axis, HERE) for axis in range(x.ndim))


def store_all(body: Body, kernel: Kernel, short: Sequence[At]) -> None:
    """Store every result of a kernel at an index of its axes longer than 1."""
    values = []
    for node in kernel.stores:
        index = full_index(short, node.shape)
        values.append((node, index, body.value(node, index)))
    for node, index, value in values:  # after all is read: a store may overwrite what was loaded
        body.store(node, index, value)
