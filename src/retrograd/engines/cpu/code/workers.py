"""Generated code of a thread pool: what its workers do, and how a call hands out its jobs.

A worker thread has a control block, `CONTROL` integers: its state, its job, and a lock of Python's
to park on. It never goes back to Python between two jobs, nor needs the interpreter's lock. A job
is a function, the number of its tasks, pairs of pointers to call it with, and where to find the
number of the next task: threads that share this counter share the tasks. They are taken in order;
one that goes on with an earlier one, so many places before it, waits until that is done.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.abi.places import (
    ACQUIRE,
    DONE,
    FIRST_WORKER,
    FUNCTION,
    JOB,
    LATER,
    LOCK,
    NEXT,
    PAIRS,
    PARKED,
    RELEASE,
    RUNNING,
    SPINNING,
    STATE,
    TASKS,
    WORKERS,
)
from retrograd.engines.cpu.code.barrier import wait_for
from retrograd.engines.cpu.code.builder.integers import (
    I32,
    I64,
    POINTER,
    as_value,
    loop,
    pointer_in,
    word,
)
from retrograd.engines.cpu.code.builder.processor import clock, pause, ticks_in
from retrograd.engines.cpu.machine.target import Target

AWAKE = 2e-3  # seconds that it waits before it parks: what Python does between two calls of a fit

_TASK = ir.FunctionType(ir.VoidType(), [POINTER, POINTER])
_ACQUIRE = ir.FunctionType(I32, [POINTER, I32])
_RELEASE = ir.FunctionType(ir.VoidType(), [POINTER])


def emit_pool(target: Target) -> ir.Module:
    """`work(control, _)`, which never returns, and `dispatch(call, _)`, back when all are done."""
    module = ir.Module(name="pool", context=ir.Context())
    run = _run(module, target)
    _work(module, run, target)
    _dispatch(module, run, target)
    return module


def _function(module: ir.Module, name: str) -> tuple[ir.IRBuilder, Any, ir.Function]:
    function = ir.Function(module, _TASK, name)
    return ir.IRBuilder(function.append_basic_block()), function.args[0], function


def _run(module: ir.Module, target: Target) -> ir.Function:
    """Run a job: take the next task until there is none."""
    builder, job, function = _function(module, "run")
    function.linkage = "internal"
    task = pointer_in(builder, job, FUNCTION, _TASK)
    number, later = (builder.load(word(builder, job, i), typ=I64) for i in (TASKS, LATER))
    pairs, counter, done_tasks = (pointer_in(builder, job, i) for i in (PAIRS, NEXT, DONE))
    take, work, done = (function.append_basic_block(name) for name in ("take", "work", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    turn = builder.atomic_rmw("add", counter, as_value(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", turn, number), work, done)
    builder.position_at_end(work)
    here = builder.mul(turn, as_value(2))
    pair = [pointer_in(builder, pairs, builder.add(here, as_value(i))) for i in range(2)]
    before = builder.sub(turn, later)
    with builder.if_then(builder.icmp_signed(">=", before, as_value(0))):
        flag = word(builder, done_tasks, before)
        wait_for(builder, flag, lambda now: builder.icmp_signed("!=", now, as_value(0)), target)
    builder.call(task, pair)
    builder.atomic_rmw("xchg", word(builder, done_tasks, turn), as_value(1), "release")
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
    return function


def _work(module: ir.Module, run: ir.Function, target: Target) -> None:
    """A worker: spin for a job, park where none comes, run it, and spin again."""
    builder, control, function = _function(module, "work")
    state = word(builder, control, STATE)
    start, wait, park, sleep, work = (
        function.append_basic_block(name) for name in ("start", "wait", "park", "sleep", "work")
    )
    builder.branch(start)
    builder.position_at_end(start)
    begin, most = clock(builder, target), ticks_in(builder, target, AWAKE)
    builder.branch(wait)

    builder.position_at_end(wait)
    still = builder.append_basic_block("still")
    pause(builder, target)
    now = builder.load_atomic(state, "acquire", 8, typ=I64)
    builder.cbranch(builder.icmp_signed("==", now, as_value(RUNNING)), work, still)
    builder.position_at_end(still)
    waited = builder.sub(clock(builder, target), begin)
    builder.cbranch(builder.icmp_unsigned("<", waited, most), wait, park)

    builder.position_at_end(park)
    found = builder.cmpxchg(state, as_value(SPINNING), as_value(PARKED), "acq_rel", "acquire")
    builder.cbranch(builder.extract_value(found, 1), sleep, work)
    builder.position_at_end(sleep)
    acquire = pointer_in(builder, control, ACQUIRE, _ACQUIRE)
    builder.call(acquire, [pointer_in(builder, control, LOCK), ir.Constant(I32, 1)])
    builder.branch(work)

    builder.position_at_end(work)
    builder.call(run, [word(builder, control, JOB), control])
    builder.atomic_rmw("xchg", state, as_value(SPINNING), "release")
    builder.branch(start)


def _dispatch(module: ir.Module, run: ir.Function, target: Target) -> None:
    """A call: set all workers running, run a job of its own, and wait for theirs."""
    builder, call, _ = _function(module, "dispatch")
    number = builder.load(word(builder, call, WORKERS), typ=I64)
    with loop(builder, 0, number) as turn:
        control = pointer_in(builder, call, builder.add(turn.i, as_value(FIRST_WORKER)))
        state = word(builder, control, STATE)
        before = builder.atomic_rmw("xchg", state, as_value(RUNNING), "acq_rel")
        with builder.if_then(builder.icmp_signed("==", before, as_value(PARKED))):
            release = pointer_in(builder, control, RELEASE, _RELEASE)
            builder.call(release, [pointer_in(builder, control, LOCK)])
    builder.call(run, [call, call])
    with loop(builder, 0, number) as turn:
        control = pointer_in(builder, call, builder.add(turn.i, as_value(FIRST_WORKER)))
        state = word(builder, control, STATE)
        wait_for(
            builder, state, lambda now: builder.icmp_signed("!=", now, as_value(RUNNING)), target
        )
    builder.ret_void()
