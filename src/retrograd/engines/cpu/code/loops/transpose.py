"""Transposition of a matrix: square blocks of vectors, turned within registers.

A block of n rows is read in pieces of 16 bytes, p entries: piece l of a vector comes from row
i + l p. What is left is to turn p by p entries within each piece, which every processor does at
once for all pieces of a vector; to move entries between pieces would take twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import (
    I32,
    I64,
    POINTER,
    Int,
    Integers,
    as_value,
    loop,
    vector_of,
)
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import intrinsic
from retrograd.engines.cpu.code.loops.axes import number
from retrograd.engines.cpu.code.values.body import Body
from retrograd.plan.program import Kernel, squeezed

PIECE = 16  # bytes that the processor's shuffles of neighbouring entries keep to


@dataclass(frozen=True)
class Lines:
    """Where rows lie in memory: the first, the entries from one to the next, and how many."""

    pointer: Any
    stride: Int
    count: Int


def is_transposition(body: Body, kernel: Kernel) -> bool:
    """Whether a map does nothing but exchange the two axes of a matrix that lies in memory."""
    node = kernel.stores[0]
    return (
        body.n > 1
        and len(kernel.stores) == 1
        and node.gate.name == "transpose"
        and node.dtype.kind == "f"
        and len(squeezed(node.shape)) == 2
        and squeezed(node.shape) == squeezed(node.inputs[0].shape)[::-1]
        and node.inputs[0] in kernel.loads
        and all(body.places[x].layout.is_padded for x in (node, node.inputs[0]))
    )


def run_transposition(body: Body, kernel: Kernel, low: Any, high: Any) -> None:
    """y[i, j] = x[j, i] for rows i of y from low to high."""
    node = kernel.stores[0]
    x = node.inputs[0]
    v, integers = body.lanes(node.dtype), body.integers
    of_x, of_y = (body.places[a].layout.strides(body.rows, integers)[0] for a in (x, node))
    rows, columns = (number(body, size) for size in squeezed(node.shape))
    for each_row, of_rows in _blocks(body, rows, low, high):
        with each_row as i:
            for each_column, of_columns in _blocks(body, columns, 0, columns):
                with each_column as j:
                    at_x = integers.add(integers.mul(j, of_x), i)
                    at_y = integers.add(integers.mul(i, of_y), j)
                    source = body.gep(body.places[x].pointer, v.scalar, at_x)
                    to = body.gep(body.places[node].pointer, v.scalar, at_y)
                    turn_block(v, Lines(source, of_x, of_columns(j)), Lines(to, of_y, of_rows(i)))


Blocks = tuple[AbstractContextManager[Int], Callable[[Int], Int]]


def _blocks(body: Body, size: Int, low: Int, high: Int) -> Iterator[Blocks]:
    """Loops over blocks of an axis from low to high, and how many entries the one from i on has.

    A part begins with a whole block, and ends with one or with the axis.
    """
    n, integers = body.n, body.integers

    @contextmanager
    def turns(start: Int, stop: Int) -> Iterator[Int]:
        with loop(body.builder, start, stop, n) as turn:
            yield turn.i

    if not isinstance(size, int):
        yield turns(low, high), lambda i: integers.min(integers.sub(high, i), n)
        return
    whole = size // n * n
    if whole:
        yield turns(low, integers.min(high, whole)), lambda i: n
    if whole < size:
        yield turns(integers.max(low, whole), high), lambda i: size - whole


def turn_block(v: Lanes, source: Lines, to: Lines) -> None:
    """Turn a block of n rows, as wide as a vector, in registers: y[j, i] = x[i, j].

    Both have at most n rows. It is a function of its own, made once in a module for as many rows as
    are known, or for any number: then beyond the last row of x its last is read again, and beyond
    the last of y nothing is written.
    """
    known = [line.count if isinstance(line.count, int) else None for line in (source, to)]
    name = "_".join(
        ["turn", f"{v.n}", f"f{v.bits}", *("n" if k is None else f"{k}" for k in known)]
    )
    function = v.builder.module.globals.get(name)
    if function is None:
        kinds = [POINTER, I64, I64] * 2
        function = ir.Function(v.builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        _define_turn(v, function, *known)
    operands = [as_value(x) for y in (source, to) for x in (y.pointer, y.stride, y.count)]
    v.builder.call(function, operands)


def _define_turn(
    v: Lanes, function: ir.Function, n_rows: int | None, n_columns: int | None
) -> None:
    """`n_rows`: of x, `n_columns`: its columns, the rows of y; None where any number may come."""
    b = ir.IRBuilder(function.append_basic_block())
    v, integers, item = Lanes(b, v.dtype, v.n), Integers(b), v.bits // 8
    x, of_x, rows, y, of_y, columns = function.args
    size = min(PIECE // item, v.n)  # of a piece
    n_pieces, zero = -(-(n_columns or v.n) // size), as_value(0)
    piece_type, nothing = vector_of(v.scalar, size), v.const(0.0)
    vectors = [[nothing] * size for _ in range(n_pieces)]
    for i in range(n_rows or v.n):
        for own, start in zip(vectors, range(0, n_pieces * size, size), strict=True):
            pointer = b.gep(x, [as_value(start)], source_etype=v.scalar)
            piece = b.load(pointer, align=item, typ=piece_type)
            own[i % size] = _with_piece(v, own[i % size], piece, i // size * size)
        step = of_x if n_rows else b.select(integers.less(i + 1, rows), of_x, zero)
        x = b.gep(x, [step], source_etype=v.scalar)
    turned = [vector for own in vectors for vector in _turned(v, own)][: n_columns or v.n]
    # From the last on: what is too many is written where a row of y comes later.
    y = b.gep(y, [b.mul(integers.sub(columns, 1), of_y)], source_etype=v.scalar)
    up = b.neg(of_y)
    for i, vector in reversed([*enumerate(turned)]):
        b.store(vector, y, align=item)
        step = up if n_columns else b.select(integers.less(i, columns), up, zero)
        y = b.gep(y, [step], source_etype=v.scalar)
    b.ret_void()


def _with_piece(v: Lanes, vector: Any, piece: Any, lane: int) -> Any:
    """A vector whose entries from a lane on are those of a piece."""
    if piece.type == v.type:
        return piece
    name = f"llvm.vector.insert.v{v.n}f{v.bits}.v{piece.type.count}f{v.bits}"
    return intrinsic(v.builder, name, v.type, vector, piece, as_value(lane))


def _turned(v: Lanes, vectors: list[Any]) -> list[Any]:
    """The columns of the square in each piece of as many vectors, from its rows.

    Interleaving row i with row i + p/2, log2(p) times over, is a transposition: each pass moves one
    bit of the row's number into the lane's.
    """
    p = len(vectors)
    half = p // 2
    picks = [
        ir.Constant(
            vector_of(I32, v.n),
            [
                ir.Constant(I32, piece + start + i // 2 + (v.n if i % 2 else 0))
                for piece in range(0, v.n, p)
                for i in range(p)
            ],
        )
        for start in (0, half)
    ]
    for _ in range(p.bit_length() - 1):
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [v.builder.shuffle_vector(x, y, pick) for x, y in pairs for pick in picks]
    return vectors
