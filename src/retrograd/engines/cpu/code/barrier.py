"""How threads wait for each other in generated code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, I64, POINTER, as_value
from retrograd.engines.cpu.code.builder.processor import pause
from retrograd.engines.cpu.machine.target import Target

SPINS = 4000  # turns of waiting before the processor is offered to others


def emit_barrier(
    builder: ir.IRBuilder, barrier: Any, thread: Any, threads: Any, target: Target
) -> None:
    """Wait until all threads have come here.

    The barrier is two integers on lines of their own: how many have come, and how often all have.
    """
    module = builder.module
    function = module.globals.get("barrier")
    if function is None:
        function = _barrier(module, target)
    with builder.if_then(builder.icmp_signed(">", threads, as_value(1))):
        builder.call(function, [barrier, threads])


def _barrier(module: ir.Module, target: Target) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I64]), "barrier")
    function.linkage = "internal"
    count, threads = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    turn = builder.gep(count, [as_value(16)], source_etype=I64)
    mine = builder.load_atomic(turn, "acquire", 8, typ=I64)
    before = builder.atomic_rmw("add", count, as_value(1), "acq_rel")
    is_last = builder.icmp_signed("==", builder.add(before, as_value(1)), threads)
    with builder.if_else(is_last) as (last, other):
        with last:
            builder.atomic_rmw("xchg", count, as_value(0), "monotonic")
            builder.atomic_rmw("add", turn, as_value(1), "release")
        with other:
            wait_for(builder, turn, lambda now: builder.icmp_signed("!=", now, mine), target)
    builder.ret_void()
    return function


def wait_for(
    builder: ir.IRBuilder, word: Any, is_over: Callable[[Any], Any], target: Target
) -> None:
    """Wait until what another thread writes into a word says so."""
    module, start = builder.module, builder.block
    wait, done = (builder.append_basic_block(name) for name in ("wait", "done"))
    builder.branch(wait)
    builder.position_at_end(wait)
    spins = builder.phi(I64)
    spins.add_incoming(as_value(0), start)
    pause(builder, target)
    now = builder.load_atomic(word, "acquire", 8, typ=I64)
    more = builder.add(spins, as_value(1))
    is_long = builder.icmp_signed(">", more, as_value(SPINS))
    with builder.if_then(is_long, likely=False):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        give_way = module.globals.get(name) or ir.Function(module, ir.FunctionType(I32, []), name)
        builder.call(give_way, [])
    spins.add_incoming(more, builder.block)
    builder.cbranch(is_over(now), done, wait)
    builder.position_at_end(done)
