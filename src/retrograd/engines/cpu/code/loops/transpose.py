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
    vector_of,
)
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import number
from retrograd.engines.cpu.code.values.body import Body
from retrograd.plan.program import Kernel, squeezed

AT_ONCE = 32  # instructions that move lanes


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
    """y[i, j] = x[j, i] for rows i of y from low to high.

    A block of n by n is read as n vectors and written as n vectors. Beyond the last row of x its
    last row is read again; what lies beyond the last of y goes to a place that nobody reads.
    """
    node = kernel.stores[0]
    x = node.inputs[0]
    n, b, integers = body.n, body.builder, body.integers
    v = body.lanes(node.dtype)
    of_x, of_y = (body.places[a].layout.strides(body.rows, integers)[0] for a in (x, node))
    rows, columns = (number(body, size) for size in squeezed(node.shape))
    with body.in_prologue():
        nowhere = b.alloca(v.type)
        nowhere.type = POINTER
    with loop(b, low, high, n) as down, loop(b, 0, columns, n) as across:
        start = integers.add(integers.mul(across.i, of_x), down.i)
        first = body.gep(body.places[x].pointer, v.scalar, start)
        left = integers.sub(columns, across.i)
        vectors = []
        for r in range(n):
            row = _least(body, r, left, columns)
            pointer = body.gep(first, v.scalar, integers.mul(row, of_x))
            vectors.append(b.load(pointer, align=node.dtype.itemsize, typ=v.type))
        start = integers.add(integers.mul(down.i, of_y), across.i)
        first = body.gep(body.places[node].pointer, v.scalar, start)
        left = integers.sub(high, down.i)
        for r, vector in enumerate(turned(b, vectors)):
            pointer = body.gep(first, v.scalar, integers.mul(r, of_y))
            if not (isinstance(rows, int) and rows % n == 0):
                pointer = b.select(integers.less(r, left), pointer, nowhere)
            b.store(vector, pointer, align=node.dtype.itemsize)


def _least(body: Body, r: int, left: Int, columns: Int) -> Int:
    """Row r of a block, or the last one where fewer are left."""
    if r == 0 or (isinstance(columns, int) and columns % body.n == 0):
        return r
    return body.integers.min(r, body.integers.sub(left, 1))


def turn_block(v: Lanes, source: Lines, to: Lines) -> None:
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
    bit of the row's number into the lane's. Of many rows the passes are a loop, whose rows stay in
    registers: to choose instructions for all at once takes LLVM many times longer.
    """
    n = len(vectors)
    half = n // 2
    picks = [
        ir.Constant(
            vector_of(I32, n),
            [ir.Constant(I32, start + i // 2 + (n if i % 2 else 0)) for i in range(n)],
        )
        for start in (0, half)
    ]
    passes = n.bit_length() - 1
    together = passes if passes * n <= AT_ONCE else 2
    with loop(b, 0, passes, together, vectors) as turn:
        new = turn.values
        for _ in range(together):
            pairs = zip(new[:half], new[half:], strict=True)
            new = [b.shuffle_vector(x, y, pick) for x, y in pairs for pick in picks]
        turn.carry(new)
    return turn.values
