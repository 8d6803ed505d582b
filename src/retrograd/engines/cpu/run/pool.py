"""The thread pool of native calls: its workers live on between calls, in generated code.

To start a thread takes 0.3 ms, to wake one 0.1 ms, to give work to one that still spins takes a
microsecond. A call has its workers to itself: calls made at once, from several Python threads, have
different ones. Where there are processors enough, none of them is woken on that of the thread which
makes the call: Linux may do so though others are idle, and then the two take turns, for
milliseconds at a time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import accumulate

import numpy as np

from retrograd.engines.cpu.abi.places import (
    ACQUIRE,
    CONTROL,
    FIRST_WORKER,
    JOB,
    LOCK,
    PARKED,
    RELEASE,
    STATE,
    WORKERS,
)
from retrograd.engines.cpu.machine.compiled import Code, compiled
from retrograd.engines.cpu.machine.host import host
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.memory import address, zeros
from retrograd.errors import OptionError
from retrograd.graph.node import Array

LINE = 8  # integers of a cache line
INTEGER = np.dtype(np.int64)

Job = Sequence[tuple[int, int]] | Array
"""The pairs of addresses that a thread calls a function with, task by task."""


def available() -> int:
    """How many threads a call may have: RETROGRAD_THREADS, or the processors of this process.

    In a process of a pool (multiprocessing, concurrent.futures, joblib) it is 1: the others have
    the rest. joblib says how many each may have, in OMP_NUM_THREADS.

    Raises OptionError where the variable is no positive integer.
    """
    named = os.environ.get("RETROGRAD_THREADS", "").strip()
    if named:
        if not (named.isascii() and named.isdigit() and int(named) > 0):
            raise OptionError(
                f"the environment variable RETROGRAD_THREADS must be a positive integer "
                f"(or unset, for all processors), got {named!r}"
            )
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1  # on Linux it reads a file
    # A process of a pool has loaded the module; others need not.
    pools = sys.modules.get("multiprocessing.process")
    if pools is None or pools.parent_process() is None:
        return processors
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(max(int(given), 1), processors) if given.isdigit() else 1


class ParallelCall:
    """A call of a function by several threads at once, made ready: it may be made many times.

    Each thread has a job; the first is that of the thread which makes the call. `is_shared`: the
    jobs have as many tasks, of which each is done by whoever is free, as its own job has it.
    `later`: each task goes on with the one so many places before it.
    """

    def __init__(
        self, code: Code, jobs: Sequence[Job], *, is_shared: bool = False, later: int | None = None
    ) -> None:
        self._code = code  # which is kept as long as it may be called
        # One piece of memory: the call itself; the number of the next task and which are done, of
        # each job or of all together, on lines of their own; and the tasks of each.
        head, sizes = FIRST_WORKER + len(jobs) - 1, [len(job) for job in jobs]
        counters = [_lines(head)]
        for n in sizes[:1] if is_shared else sizes:
            counters.append(counters[-1] + LINE + _lines(n))
        tasks = [counters[-1] + 2 * n for n in accumulate(sizes, initial=0)]
        memory = zeros(tasks[-1], INTEGER)
        self._begun = memory[counters[0] : counters[-1]]
        self._start, words = address(memory), []
        for t, job in enumerate(jobs):
            memory[tasks[t] : tasks[t + 1]] = np.array(job, np.int64).ravel()
            counter = counters[0 if is_shared else t]
            places = (tasks[t], counter, counter + LINE)
            where = (self._start + memory.itemsize * place for place in places)
            words.append((code.address, sizes[t], *where, later or sizes[t]))
        memory[:WORKERS], memory[WORKERS] = words[0], len(jobs) - 1
        self._workers = memory[FIRST_WORKER:head]
        self._jobs = np.array(words[1:], np.int64)

    def make(self) -> None:
        """Run the jobs at the same time; return when all are done.

        A single native call hands out all: Ctrl-C, which arrives between two of Python's steps,
        finds none of them half started.
        """
        self._begun[:] = 0
        workers: list[_Worker] = []
        try:
            for place, job in enumerate(self._jobs):
                workers.append(_idle_worker())
                workers[-1].control[JOB : JOB + WORKERS] = job
                self._workers[place] = workers[-1].address
            if any(worker.sleeps() for worker in workers):
                _spread(workers)
            _pool_code(host(), "dispatch").call(self._start, 0)
        finally:
            _IDLE.extend(workers)  # before the call and after it they wait, whatever was raised


def run_parallel(
    code: Code, jobs: Sequence[Job], *, is_shared: bool = False, later: int | None = None
) -> None:
    """Make a `ParallelCall` once."""
    ParallelCall(code, jobs, is_shared=is_shared, later=later).make()


def _lines(n: int) -> int:
    """So many integers, in whole cache lines."""
    return -(-n // LINE) * LINE


@lru_cache
def _pool_code(target: Target, symbol: str) -> Code:
    """The code of workers, "work", or of calls, "dispatch" (see `emit_pool`)."""

    def make() -> list[str]:
        from retrograd.engines.cpu.code.workers import emit_pool  # needs LLVM

        return [str(emit_pool(target))]

    return compiled("pool", symbol, target, make)


class _Worker:
    """A thread that waits for jobs, and its control block."""

    def __init__(self) -> None:
        python = ctypes.pythonapi
        python.PyThread_allocate_lock.restype = ctypes.c_void_p
        lock = python.PyThread_allocate_lock()
        python.PyThread_acquire_lock(ctypes.c_void_p(lock), 1)
        self.control = zeros(CONTROL, INTEGER)
        self.address = address(self.control)
        self.control[LOCK] = lock
        for place, name in ((ACQUIRE, "acquire"), (RELEASE, "release")):
            function = getattr(python, f"PyThread_{name}_lock")
            self.control[place] = ctypes.cast(function, ctypes.c_void_p).value or 0
        self.is_placed = False
        self.thread = threading.Thread(target=self._work, name="retrograd", daemon=True)
        self.thread.start()

    def sleeps(self) -> bool:
        """Whether it is yet to be told, or woken, to run."""
        return not self.is_placed or int(self.control[STATE]) == PARKED

    def _work(self) -> None:
        # Never returns. A method, so that the thread keeps the block, into which it writes, when
        # nobody else does: Ctrl-C lost the worker, or the interpreter clears its modules.
        code = _pool_code(host(), "work")  # kept in this frame, as it runs to the end
        code.call(self.address, 0)


_IDLE: list[_Worker] = []
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_IDLE.clear)


def _idle_worker() -> _Worker:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Worker()


def _spread(workers: Sequence[_Worker]) -> None:
    """Let workers run where this thread does not, each on processors of its own."""
    for worker in workers:
        worker.is_placed = True
    this = _processor()
    if this is None:
        return
    with suppress(OSError):  # the processors that are allowed may change meanwhile
        free, n = sorted(os.sched_getaffinity(0) - {this()}), len(workers)
        for i, worker in enumerate(workers if len(free) >= n else ()):
            if worker.thread.native_id is not None:
                os.sched_setaffinity(worker.thread.native_id, free[i::n])


@cache
def _processor() -> Callable[[], int] | None:
    """What tells the number of the processor that this thread runs on; None where none does."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)
