"""Transposition of a matrix: square blocks of vectors, turned within registers."""

from __future__ import annotations

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
)
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.values.body import Body
from retrograd.graph.shape import Size
from retrograd.plan.program import Kernel, squeezed


@dataclass(frozen=True)
class Rows:
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
    """y[i, j] = x[j, i] for rows i of y from low to high, a block of n by n at a time.

    The last block along a row overlaps the one before it. Where x has no n rows, or how many is not
    known yet, a function turns blocks: beyond the last row of x it reads the last again.
    """
    node = kernel.stores[0]
    x = node.inputs[0]
    n, b, integers = body.n, body.builder, body.integers
    v, item = body.lanes(node.dtype), node.dtype.itemsize
    of_x, of_y = (body.places[a].layout.strides(body.rows, integers)[0] for a in (x, node))
    rows, columns = (_size(body, size) for size in squeezed(node.shape))

    def places(down: Int, across: Int) -> list[Any]:
        first = [(x, across, of_x, down), (node, down, of_y, across)]
        offsets = [integers.add(integers.mul(i, of), j) for _, i, of, j in first]
        return [
            body.gep(body.places[a].pointer, v.scalar, offset)
            for (a, *_), offset in zip(first, offsets, strict=True)
        ]

    def turn(down: Int, across: Int, count: int) -> None:
        source, to = places(down, integers.min(across, columns - n))
        found = [body.gep(source, v.scalar, integers.mul(r, of_x)) for r in range(n)]
        vectors = turned(b, [b.load(p, align=item, typ=v.type) for p in found])
        for r, vector in enumerate(vectors[:count]):
            b.store(vector, body.gep(to, v.scalar, integers.mul(r, of_y)), align=item)

    if isinstance(rows, int) and isinstance(columns, int) and columns >= n:
        whole = rows // n * n
        if whole:
            with (
                loop(b, low, integers.min(high, whole), n) as down,
                loop(b, 0, columns, n) as across,
            ):
                turn(down.i, across.i, n)
        if whole < rows:
            with b.if_then(integers.less(whole, high)), loop(b, 0, columns, n) as across:
                turn(whole, across.i, rows - whole)
        return
    with loop(b, low, high, n) as down, loop(b, 0, columns, n) as across:
        source, to = places(down.i, across.i)
        of_block = integers.min(integers.sub(columns, across.i), n)
        of_column = integers.min(integers.sub(high, down.i), n)
        turn_block(v, Rows(source, of_x, of_block), Rows(to, of_y, of_column))


def _size(body: Body, size: Size) -> Int:
    return size if isinstance(size, int) else body.rows


def turn_block(v: Lanes, source: Rows, to: Rows) -> None:
    """Turn a block of n rows, as wide as a vector, in registers: y[j, i] = x[i, j].

    Beyond the last row of x its last is read again, beyond the last of y nothing is written. It is
    a function of its own, made once in a module: shuffles take LLVM long.
    """
    name = f"turn_{v.n}_f{v.bits}"
    function = v.builder.module.globals.get(name)
    if function is None:
        kinds = [POINTER, I64, I64] * 2
        function = ir.Function(v.builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        _define_turn(v, function)
    operands = [as_value(x) for y in (source, to) for x in (y.pointer, y.stride, y.count)]
    v.builder.call(function, operands)


def _define_turn(v: Lanes, function: ir.Function) -> None:
    b = ir.IRBuilder(function.append_basic_block())
    integers, item = Integers(b), v.bits // 8
    x, of_x, rows, y, of_y, columns = function.args
    zero = as_value(0)
    vectors = []
    for i in range(v.n):
        vectors.append(b.load(x, align=item, typ=v.type))
        step = b.select(integers.less(i + 1, rows), of_x, zero)
        x = b.gep(x, [step], source_etype=v.scalar)
    # From the last on: what is too many is written where a row of y comes later.
    y = b.gep(y, [b.mul(integers.sub(columns, 1), of_y)], source_etype=v.scalar)
    for i, vector in reversed([*enumerate(turned(b, vectors))]):
        b.store(vector, y, align=item)
        step = b.select(integers.less(i, columns), b.neg(of_y), zero)
        y = b.gep(y, [step], source_etype=v.scalar)
    b.ret_void()


def turned(b: ir.IRBuilder, vectors: list[Any]) -> list[Any]:
    """The columns of a square block, from its rows.

    Interleaving row i with row i + n/2, log2(n) times over, is a transposition: each pass moves one
    bit of the row's number into the lane's.
    """
    n = len(vectors)
    half = n // 2
    picks = [
        ir.Constant(
            ir.VectorType(I32, n),
            [ir.Constant(I32, start + i // 2 + (n if i % 2 else 0)) for i in range(n)],
        )
        for start in (0, half)
    ]
    for _ in range(n.bit_length() - 1):
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [b.shuffle_vector(x, y, pick) for x, y in pairs for pick in picks]
    return vectors
