"""Native calls: how many batches go into one, and which threads share it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from retrograd.engines.cpu.run.arguments import Arguments
from retrograd.engines.cpu.run.autotune import SLICE, Autotuner
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
    they have the processors. What is measured then tells nothing about a call alone.
    """
    done, own, ahead = 0, object(), 1
    try:
        _RUNNING.add(own)
        while done < n_batches:
            if stop is not None and done > 0 and stop():
                break
            is_alone = len(_RUNNING) == 1
            if is_alone:
                turns, n_threads = autotuner.next(
                    n_batches - done, is_stoppable=stop is not None, is_cold=is_cold
                )
            else:
                turns, n_threads = min(n_batches - done, ahead), 1
            begin = time.perf_counter()
            _call(executable, copies, done, done + turns, n_threads)
            seconds = time.perf_counter() - begin
            if is_alone:
                autotuner.note(n_threads, turns, seconds, is_cold=is_cold)
            elif seconds < SLICE / 2:
                ahead *= 2
            is_cold = False
            done += turns
    finally:
        _RUNNING.discard(own)
    return done


_RUNNING: set[object] = set()  # one for each Python thread that runs batches; a child has none
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
