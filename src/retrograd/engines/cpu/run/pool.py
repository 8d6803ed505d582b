"""Threads of native calls: they live on between calls, in generated code (see `crew`).

To start a thread takes 0.3 ms, to wake one 0.1 ms, to give work to one that still waits for the
next call takes a microsecond. A call has its threads to itself: calls made at once, from several
Python threads, have different ones.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence

import numpy as np

from retrograd.engines.cpu.code.workers import ACQUIRE, JOB, LOCK, MAILBOX, RELEASE
from retrograd.engines.cpu.machine.llvm import Code, host
from retrograd.engines.cpu.run.memory import address, allocate, crew_code
from retrograd.errors import OptionError

LINE = 8  # integers of a cache line

Job = Sequence[tuple[int, int]]
"""The pairs of addresses that a thread calls a function with, task by task."""


def available() -> int:
    """How many threads a call may have: RETROGRAD_THREADS, or the processors of this process.

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
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def together(code: Code, jobs: Sequence[Job], *, is_shared: bool = False) -> None:
    """Run the jobs at the same time, the first on this thread; return when all are done.

    A single native call leads all: Ctrl-C, which arrives between two of Python's steps, finds none
    of them half started. `is_shared`: the jobs have equal tasks; each is done by whoever is free.
    """
    helpers: list[_Helper] = []
    try:
        while len(helpers) < len(jobs) - 1:
            helpers.append(_free_helper())
        pairs = [np.array(job, np.int64) for job in jobs]
        counters = [allocate(LINE, np.dtype(np.int64)) for _ in ([jobs[0]] if is_shared else jobs)]
        words = [
            (code.address, len(mine), address(mine), address(counters[t % len(counters)]))
            for t, mine in enumerate(pairs)
        ]
        for helper, job in zip(helpers, words[1:], strict=True):
            helper.mailbox[JOB : JOB + len(job)] = job
        mailboxes = [address(helper.mailbox) for helper in helpers]
        crew = np.array([*words[0], len(helpers), *mailboxes], np.int64)
        crew_code(host(), "lead").call(address(crew), 0)
    finally:
        _FREE.extend(helpers)  # before the call and after it they wait, whatever was raised


class _Helper:
    """A thread that waits for jobs, and its mailbox."""

    def __init__(self) -> None:
        python = ctypes.pythonapi
        python.PyThread_allocate_lock.restype = ctypes.c_void_p
        lock = python.PyThread_allocate_lock()
        python.PyThread_acquire_lock(ctypes.c_void_p(lock), 1)
        self.mailbox = allocate(MAILBOX, np.dtype(np.int64))
        self.mailbox[LOCK] = lock
        for place, name in ((ACQUIRE, "acquire"), (RELEASE, "release")):
            function = getattr(python, f"PyThread_{name}_lock")
            self.mailbox[place] = ctypes.cast(function, ctypes.c_void_p).value or 0
        threading.Thread(target=self._serve, name="retrograd", daemon=True).start()

    def _serve(self) -> None:
        # Never returns. A method, so that the thread keeps the mailbox, into which it writes, when
        # nobody else does: Ctrl-C lost the helper, or the interpreter clears its modules.
        crew_code(host(), "serve").call(address(self.mailbox), 0)


_FREE: list[_Helper] = []
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_FREE.clear)


def _free_helper() -> _Helper:
    try:
        return _FREE.pop()
    except IndexError:
        return _Helper()
