"""Transposition of a matrix: square blocks of vectors, turned within registers."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import (
    I32,
    I64,
    POINTER,
    Int,
    Integers,
    as_value,
    loop,
)
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.values.body import Body
from retrograd.graph.shape import Size
from retrograd.plan.program import Kernel, squeezed

Rows = tuple[Any, Int]
"""Where rows lie in memory: a pointer to the first, and the entries from one to the next."""


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
    """y[i, j] = x[j, i] for rows i of y from low to high, block by block.

    The last block along a row overlaps the one before. Where x has too few rows for a block, they
    are copied first; where there are more rows in a block than of y, those of y are copied from it.
    """
    node = kernel.stores[0]
    x = node.inputs[0]
    n, b, integers = body.n, body.builder, body.integers
    v = body.lanes(node.dtype)
    of_x, of_y = (body.places[a].layout.strides(body.rows, integers)[0] for a in (x, node))
    columns = _size(body, squeezed(node.shape)[1])
    is_narrow = integers.less(columns, n)
    with body.in_prologue():
        spare, block = room(v), room(v)
    with loop(b, low, high, n) as down, loop(b, 0, columns, n) as across:
        last = integers.max(0, integers.sub(columns, n))
        first, rows = integers.min(across.i, last), integers.sub(high, down.i)
        offset = integers.add(integers.mul(first, of_x), down.i)
        source = body.gep(body.places[x].pointer, v.scalar, offset)
        offset = integers.add(integers.mul(down.i, of_y), first)
        to = body.gep(body.places[node].pointer, v.scalar, offset)
        is_last = integers.less(rows, n)
        with b.if_then(is_narrow):
            _copy(v, (source, of_x), (spare, n), columns)
        of_source = b.select(is_narrow, as_value(n), as_value(of_x))
        of_block = b.select(is_last, as_value(n), as_value(of_y))
        source = b.select(is_narrow, spare, source)
        turn_block(v, (source, of_source), (b.select(is_last, block, to), of_block))
        with b.if_then(is_last):
            _copy(v, (block, n), (to, of_y), rows)


def room(v: Lanes) -> Any:
    """Memory on the stack for a block of as many vectors as there are lanes."""
    block = v.builder.alloca(ir.ArrayType(v.type, v.n))
    block.type = POINTER
    return block


def _copy(v: Lanes, source: Rows, to: Rows, count: Int) -> None:
    """A vector of each of so many rows."""
    with loop(v.builder, 0, count) as turn:
        v.builder.store(_load(v, source, turn.i), _row(v, to, turn.i), align=v.bits // 8)


def _row(v: Lanes, rows: Rows, i: Int) -> Any:
    pointer, stride = rows
    offset = as_value(Integers(v.builder).mul(i, stride))
    return v.builder.gep(pointer, [offset], inbounds=True, source_etype=v.scalar)


def _load(v: Lanes, rows: Rows, i: Int) -> Any:
    return v.builder.load(_row(v, rows, i), align=v.bits // 8, typ=v.type)


def _size(body: Body, size: Size) -> Int:
    return size if isinstance(size, int) else body.rows


def turn_block(v: Lanes, source: Rows, to: Rows) -> None:
    """Turn a block of as many rows and columns as there are lanes: y[j, i] = x[i, j].

    It is a function of its own, made once in a module: shuffles take LLVM long.
    """
    name = f"turn_{v.n}_f{v.bits}"
    function = v.builder.module.globals.get(name)
    if function is None:
        kinds = [POINTER, I64, POINTER, I64]
        function = ir.Function(v.builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        of_x, of_y = (tuple(function.args[i : i + 2]) for i in (0, 2))
        _turn(Lanes(builder, v.dtype, v.n), of_x, of_y)
        builder.ret_void()
    v.builder.call(function, [source[0], as_value(source[1]), to[0], as_value(to[1])])


def _turn(v: Lanes, x: Rows, y: Rows) -> None:
    """Interleaving row i with row i + n/2, log2(n) times over, is a transposition.

    Each time moves one bit of the row's number into the lane's. Two times are one pass through
    memory, in which rows i, i + n/4, ... become rows 4 i, 4 i + 1, ...; an odd one comes last.
    """
    n, b, integers = v.n, v.builder, Integers(v.builder)
    block = room(v), n
    times, source = n.bit_length() - 1, x
    while times:
        some = 4 if times > 1 else 2
        times -= some // 2
        to = block if times else y
        with loop(b, 0, n // some) as turn:
            places = [integers.add(turn.i, k * (n // some)) for k in range(some)]
            found = [_load(v, source, i) for i in places]
            for k, vector in enumerate(turned(b, found)):
                place = integers.add(integers.mul(turn.i, some), k)
                b.store(vector, _row(v, to, place), align=v.bits // 8)
        source = to


def turned(b: ir.IRBuilder, vectors: list[Any]) -> list[Any]:
    """Vectors interleaved, the first half with the second, as often as turns a square of them."""
    n, half = vectors[0].type.count, len(vectors) // 2
    picks = [
        ir.Constant(
            ir.VectorType(I32, n),
            [ir.Constant(I32, start + i // 2 + (n if i % 2 else 0)) for i in range(n)],
        )
        for start in (0, n // 2)
    ]
    for _ in range(len(vectors).bit_length() - 1):
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [b.shuffle_vector(x, y, pick) for x, y in pairs for pick in picks]
    return vectors
