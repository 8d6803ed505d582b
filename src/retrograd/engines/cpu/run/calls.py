"""Native calls: how many batches go into one, and which threads share it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from retrograd.engines.cpu.run.arguments import Arguments
from retrograd.engines.cpu.run.autotune import Autotuner
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.pool import run_parallel


def run_batches(
    executable: Executable,
    copies: Sequence[Arguments],
    autotuner: Autotuner,
    n_batches: int,
    stop: Callable[[], bool] | None,
    *,
    is_cold: bool,
) -> int:
    """Run batches until all have run or `stop` says so: how many did.

    Where several Python threads are here at once, each has its own thread and no other: together
    they have the processors.
    """
    done = 0
    _RUNNING.append(None)
    try:
        while done < n_batches:
            if stop is not None and done > 0 and stop():
                break
            turns, n_threads = autotuner.next(
                n_batches - done, is_stoppable=stop is not None, is_cold=is_cold
            )
            if len(_RUNNING) > 1:
                n_threads = 1
            begin = time.perf_counter()
            _call(executable, copies, done, done + turns, n_threads)
            autotuner.note(n_threads, turns, time.perf_counter() - begin, is_cold=is_cold)
            is_cold = False
            done += turns
    finally:
        _RUNNING.pop()
    return done


_RUNNING: list[None] = []  # one for each Python thread that runs batches; a child has none
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RUNNING.clear)


def _call(
    executable: Executable, copies: Sequence[Arguments], first: int, last: int, n_threads: int
) -> None:
    """A native call for a range of batches: each thread runs its part of them, or its copies."""
    code = executable.code
    if len(copies) > 1:
        every = [(copy.table, copy.parts(first, last, 1)[0]) for copy in copies]
        run_parallel(code, [every] * min(n_threads, len(copies)), is_shared=True)
    elif n_threads == 1:
        code.call(copies[0].table, copies[0].parts(first, last, 1)[0])
    else:
        parts = copies[0].parts(first, last, n_threads)
        run_parallel(code, [[(copies[0].table, part)] for part in parts])
