"""Generated code that lends a native call more threads: what they do, and what leads them.

A thread that helps has a mailbox, `MAILBOX` integers: a word that says what it does, its job, and a
lock of Python's to sleep on. It never goes back to Python between two jobs, nor needs the
interpreter's lock. A job is a function, the number of its tasks, pairs of pointers to call it with,
and where to find the number of the next task: threads that share this word share the tasks.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, I64, POINTER, as_value, loop
from retrograd.engines.cpu.code.builder.processor import pause
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.code.barrier import wait_for

AWAKE, BUSY, ASLEEP = range(3)  # what a thread does: wait for a job, run one, or sleep
SPINS = 40_000  # turns of waiting before it sleeps: to be woken takes longer than most waits

# Places in a mailbox: the word has a cache line to itself.
STATE, JOB, LOCK, ACQUIRE, RELEASE = 0, 16, 20, 21, 22
MAILBOX = 32
HELPERS, FIRST_HELPER = 4, 5  # of the leader, after its own job: how many help; their mailboxes

_TASK = ir.FunctionType(ir.VoidType(), [POINTER, POINTER])
_ACQUIRE = ir.FunctionType(I32, [POINTER, I32])
_RELEASE = ir.FunctionType(ir.VoidType(), [POINTER])


def emit_crew(target: Target) -> ir.Module:
    """`serve(mailbox, _)`, which never returns, and `lead(crew, _)`, which returns when all did."""
    module = ir.Module(name="crew", context=ir.Context())
    run = _run(module)
    _serve(module, run, target)
    _lead(module, run, target)
    return module


def _function(module: ir.Module, name: str) -> tuple[ir.IRBuilder, Any, ir.Function]:
    function = ir.Function(module, _TASK, name)
    return ir.IRBuilder(function.append_basic_block()), function.args[0], function


def _at(builder: ir.IRBuilder, words: Any, place: Any) -> Any:
    return builder.gep(words, [as_value(place)], source_etype=I64)


def _pointer(builder: ir.IRBuilder, words: Any, place: Any, kind: Any = None) -> Any:
    """A pointer from a place, to a function of this kind."""
    return builder.load(_at(builder, words, place), typ=ir.PointerType(kind) if kind else POINTER)


def _run(module: ir.Module) -> ir.Function:
    """Run a job: take the next task until there is none."""
    builder, job, function = _function(module, "run")
    function.linkage = "internal"
    task = _pointer(builder, job, 0, _TASK)
    number = builder.load(_at(builder, job, 1), typ=I64)
    pairs, counter = _pointer(builder, job, 2), _pointer(builder, job, 3)
    take, work, done = (function.append_basic_block(name) for name in ("take", "work", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    turn = builder.atomic_rmw("add", counter, as_value(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", turn, number), work, done)
    builder.position_at_end(work)
    here = builder.mul(turn, as_value(2))
    pair = [_pointer(builder, pairs, builder.add(here, as_value(i))) for i in range(2)]
    builder.call(task, pair)
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
    return function


def _serve(module: ir.Module, run: ir.Function, target: Target) -> None:
    builder, mailbox, function = _function(module, "serve")
    state = _at(builder, mailbox, STATE)
    start, wait, nap, sleep, work = (
        function.append_basic_block(name) for name in ("start", "wait", "nap", "sleep", "work")
    )
    builder.branch(start)
    builder.position_at_end(start)
    builder.branch(wait)

    builder.position_at_end(wait)
    turn = builder.phi(I64)
    turn.add_incoming(as_value(0), start)
    more = builder.add(turn, as_value(1))
    still = builder.append_basic_block("still")
    pause(builder, target)
    now = builder.load_atomic(state, "acquire", 8, typ=I64)
    builder.cbranch(builder.icmp_signed("==", now, as_value(BUSY)), work, still)
    builder.position_at_end(still)
    turn.add_incoming(more, still)
    builder.cbranch(builder.icmp_signed("<", more, as_value(SPINS)), wait, nap)

    builder.position_at_end(nap)
    found = builder.cmpxchg(state, as_value(AWAKE), as_value(ASLEEP), "acq_rel", "acquire")
    builder.cbranch(builder.extract_value(found, 1), sleep, work)
    builder.position_at_end(sleep)
    acquire = _pointer(builder, mailbox, ACQUIRE, _ACQUIRE)
    builder.call(acquire, [_pointer(builder, mailbox, LOCK), ir.Constant(I32, 1)])
    builder.branch(work)

    builder.position_at_end(work)
    builder.call(run, [_at(builder, mailbox, JOB), mailbox])
    builder.atomic_rmw("xchg", state, as_value(AWAKE), "release")
    builder.branch(start)


def _lead(module: ir.Module, run: ir.Function, target: Target) -> None:
    builder, crew, _ = _function(module, "lead")
    number = builder.load(_at(builder, crew, HELPERS), typ=I64)
    with loop(builder, 0, number) as turn:
        mailbox = _pointer(builder, crew, builder.add(turn.i, as_value(FIRST_HELPER)))
        state = _at(builder, mailbox, STATE)
        before = builder.atomic_rmw("xchg", state, as_value(BUSY), "acq_rel")
        with builder.if_then(builder.icmp_signed("==", before, as_value(ASLEEP))):
            release = _pointer(builder, mailbox, RELEASE, _RELEASE)
            builder.call(release, [_pointer(builder, mailbox, LOCK)])
    builder.call(run, [crew, crew])
    with loop(builder, 0, number) as turn:
        mailbox = _pointer(builder, crew, builder.add(turn.i, as_value(FIRST_HELPER)))
        state = _at(builder, mailbox, STATE)
        wait_for(builder, state, lambda now: builder.icmp_signed("!=", now, as_value(BUSY)), target)
    builder.ret_void()
