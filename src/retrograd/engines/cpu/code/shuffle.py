"""Generated code that shuffles orders with the numbers of NumPy's `RandomState`.

`shuffle(memory, numbers)`: `memory` points to a generator's state (see `Twister`) and to orders,
one under the other; `numbers` are their length and how many there are. The first is shuffled where
it lies, each other is made of the one before.

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
from retrograd.engines.cpu.code.twister import WORDS, Twister
from retrograd.engines.cpu.machine.target import Target


def emit_shuffle(target: Target) -> ir.Module:
    """The module of `shuffle`."""
    module = ir.Module(name="shuffle", context=ir.Context())
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER]), "shuffle")
    builder, (memory, numbers) = ir.IRBuilder(function.append_basic_block()), function.args
    state, orders = (pointer_in(builder, memory, i) for i in range(2))
    twister = Twister(builder, state)
    n, n_orders = (builder.load(word(builder, numbers, i), typ=I64) for i in range(2))
    integers = Integers(builder)
    drawn = builder.sext(builder.load(twister.place, typ=I32), I64)
    with loop(builder, 0, n_orders, carried=[drawn]) as turn:
        order = word(builder, orders, integers.mul(turn.i, n))
        before = integers.mul(integers.max(integers.sub(turn.i, 1), 0), n)
        with loop(builder, 0, n) as each:
            row = builder.load(word(builder, orders, integers.add(before, each.i)), typ=I64)
            builder.store(row, word(builder, order, each.i))
        turn.carry([_shuffle(builder, order, integers.sub(n, 1), twister, turn.values[0])])
    builder.store(builder.trunc(turn.values[0], I32), twister.place)
    builder.ret_void()
    return module


def _shuffle(builder: ir.IRBuilder, order: Any, last: Any, twister: Twister, drawn: Any) -> Any:
    """Exchange each entry, from the last to the second, with one that is not behind it.

    Which one, j <= i, is the next number, as many of its bits as i has, if they are not above i:
    else they are thrown away. Then i is exchanged with itself and has another turn, for whether
    they are is a branch that no processor foresees.

    `drawn`: how many of the numbers at hand are. Returns how many are in the end.
    """
    before = builder.block
    head, full, ready, body, done = (
        builder.append_basic_block(name) for name in ("head", "full", "ready", "body", "done")
    )
    builder.branch(head)
    # An i of another number of bits, or no number left: both are rare.
    builder.position_at_end(head)
    i, place = builder.phi(I64), builder.phi(I64)
    i.add_incoming(last, before)
    place.add_incoming(drawn, before)
    is_over = builder.icmp_signed("<=", i, as_value(0))
    enter = builder.append_basic_block("enter")
    builder.cbranch(is_over, done, enter)
    builder.position_at_end(enter)
    n_zeros = builder.ctlz(i, ir.Constant(ir.IntType(1), 1))
    mask = builder.lshr(as_value(-1), n_zeros)
    half = builder.lshr(mask, as_value(1))
    builder.cbranch(builder.icmp_signed("<", place, as_value(WORDS)), ready, full)
    builder.position_at_end(full)
    twister.refill()
    builder.branch(ready)
    builder.position_at_end(ready)
    first = builder.phi(I64)
    first.add_incoming(place, enter)
    first.add_incoming(as_value(0), full)
    builder.branch(body)

    builder.position_at_end(body)
    here, at = builder.phi(I64), builder.phi(I64)
    here.add_incoming(i, ready)
    at.add_incoming(first, ready)
    bits = builder.and_(builder.zext(twister.number(at), I64), mask)
    is_taken = builder.icmp_unsigned("<=", bits, here)
    j = builder.select(is_taken, bits, here)
    at_i, at_j = word(builder, order, here), word(builder, order, j)
    mine, other = builder.load(at_i, typ=I64), builder.load(at_j, typ=I64)
    builder.store(other, at_i)
    builder.store(mine, at_j)
    left, after = builder.sub(here, builder.zext(is_taken, I64)), builder.add(at, as_value(1))
    here.add_incoming(left, body)
    at.add_incoming(after, body)
    goes_on = builder.and_(
        builder.icmp_signed(">", left, half), builder.icmp_signed("<", after, as_value(WORDS))
    )
    builder.cbranch(goes_on, body, head)
    i.add_incoming(left, body)
    place.add_incoming(after, body)
    builder.position_at_end(done)
    return place
