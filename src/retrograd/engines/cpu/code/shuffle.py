"""Generated code that shuffles orders with NumPy's own random numbers, one task a generator.

`shuffle(memory, numbers)`: `memory` points to a generator (NumPy's `bitgen_t`) and to orders, one
under the other; `numbers` are their length and how many there are. The first is shuffled where it
lies, each other is made of the one before.

Law: the orders are those of `RandomState.shuffle`, and so is the generator's state afterwards.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import (
    I32,
    I64,
    POINTER,
    Integers,
    as_value,
    loop,
    pointer_in,
    word,
)
from retrograd.engines.cpu.machine.target import Target

NEXT_32 = 2  # of `bitgen_t`: its state, and functions of it for the next 64 bits, 32 bits, ...

_NEXT = ir.FunctionType(I32, [POINTER])


def emit_shuffle(target: Target) -> ir.Module:
    """The module of `shuffle`."""
    module = ir.Module(name="shuffle", context=ir.Context())
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER]), "shuffle")
    builder, (memory, numbers) = ir.IRBuilder(function.append_basic_block()), function.args
    generator, orders = pointer_in(builder, memory, 0), pointer_in(builder, memory, 1)
    state, next_32 = (
        pointer_in(builder, generator, 0),
        pointer_in(builder, generator, NEXT_32, _NEXT),
    )
    n, n_orders = (builder.load(word(builder, numbers, i), typ=I64) for i in range(2))
    integers = Integers(builder)
    with loop(builder, 0, n_orders) as turn:
        order = word(builder, orders, integers.mul(turn.i, n))
        before = integers.mul(integers.max(integers.sub(turn.i, 1), 0), n)
        with loop(builder, 0, n) as each:
            row = builder.load(word(builder, orders, integers.add(before, each.i)), typ=I64)
            builder.store(row, word(builder, order, each.i))
        _shuffle(builder, order, integers.sub(n, 1), lambda: builder.call(next_32, [state]))
    builder.ret_void()
    return module


def _shuffle(builder: ir.IRBuilder, order: Any, last: Any, next_32: Any) -> None:
    """Exchange each entry, from the last to the second, with one that is not behind it.

    Which one, j <= i, is the next 32 bits, as many of them as i has, if they are not above i: else
    they are thrown away. Then i is exchanged with itself and has another turn, for whether they
    are is a branch that no processor foresees.
    """
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(I64)
    i.add_incoming(last, before)
    builder.cbranch(builder.icmp_signed(">", i, as_value(0)), body, done)
    builder.position_at_end(body)
    n_zeros = builder.ctlz(i, ir.Constant(ir.IntType(1), 1))
    mask = builder.lshr(as_value(-1), n_zeros)
    drawn = builder.and_(builder.zext(next_32(), I64), mask)
    is_taken = builder.icmp_unsigned("<=", drawn, i)
    j = builder.select(is_taken, drawn, i)
    at_i, at_j = word(builder, order, i), word(builder, order, j)
    mine, other = builder.load(at_i, typ=I64), builder.load(at_j, typ=I64)
    builder.store(other, at_i)
    builder.store(mine, at_j)
    i.add_incoming(builder.sub(i, builder.zext(is_taken, I64)), builder.block)
    builder.branch(head)
    builder.position_at_end(done)
