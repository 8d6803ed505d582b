"""The thread pool of native calls: its workers live on between calls, in generated code.

To start a thread takes 0.3 ms, to wake one 0.1 ms, to give work to one that still spins takes a
microsecond. A call has its workers to itself: calls made at once, from several Python threads, have
different ones.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from retrograd.engines.cpu.abi.places import ACQUIRE, CONTROL, JOB, LOCK, RELEASE
from retrograd.engines.cpu.machine.compiled import Code, compiled
from retrograd.engines.cpu.machine.host import host
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.memory import address, allocate
from retrograd.errors import OptionError
from retrograd.graph.node import Array

LINE = 8  # integers of a cache line

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


def run_parallel(
    code: Code, jobs: Sequence[Job], *, is_shared: bool = False, later: int | None = None
) -> None:
    """Run the jobs at the same time, the first on this thread; return when all are done.

    A single native call hands out all: Ctrl-C, which arrives between two of Python's steps, finds
    none of them half started. `is_shared`: the jobs have equal tasks; each is done by whoever is
    free. `later`: each task goes on with the one so many places before it.
    """
    workers: list[_Worker] = []
    try:
        while len(workers) < len(jobs) - 1:
            workers.append(_idle_worker())
        pairs = [np.array(job, np.int64) for job in jobs]
        own = [len(mine) for mine in (pairs[:1] if is_shared else pairs)]
        counters = [allocate(LINE, np.dtype(np.int64)) for _ in own]
        done = [allocate(n, np.dtype(np.int64)) for n in own]
        places = [(address(a), address(b)) for a, b in zip(counters, done, strict=True)]
        words = [
            (code.address, n := len(mine), address(mine), *places[t % len(places)], later or n)
            for t, mine in enumerate(pairs)
        ]
        for worker, job in zip(workers, words[1:], strict=True):
            worker.control[JOB : JOB + len(job)] = job
        controls = [address(worker.control) for worker in workers]
        call = np.array([*words[0], len(workers), *controls], np.int64)
        _pool_code(host(), "dispatch").call(address(call), 0)
    finally:
        _IDLE.extend(workers)  # before the call and after it they wait, whatever was raised


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
        self.control = allocate(CONTROL, np.dtype(np.int64))
        self.control[LOCK] = lock
        for place, name in ((ACQUIRE, "acquire"), (RELEASE, "release")):
            function = getattr(python, f"PyThread_{name}_lock")
            self.control[place] = ctypes.cast(function, ctypes.c_void_p).value or 0
        threading.Thread(target=self._work, name="retrograd", daemon=True).start()

    def _work(self) -> None:
        # Never returns. A method, so that the thread keeps the block, into which it writes, when
        # nobody else does: Ctrl-C lost the worker, or the interpreter clears its modules.
        code = _pool_code(host(), "work")  # kept in this frame, as it runs to the end
        code.call(address(self.control), 0)


_IDLE: list[_Worker] = []
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_IDLE.clear)


def _idle_worker() -> _Worker:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Worker()
