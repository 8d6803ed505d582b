"""Native calls: how many batches go into one, and which threads share it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from retrograd.engines.cpu.run.arguments import Arguments
from retrograd.engines.cpu.run.autotune import SLICE, Autotuner
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.pool import ParallelCall, run_parallel

PIECES = 4  # of a copy's batches: threads that are not equally fast share few copies evenly, too
OF_PIECE = 16  # batches that a piece has at least


def run_batches(
    executable: Executable,
    arguments: Arguments,
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
            _call(executable, arguments, done, done + turns, n_threads)
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
    executable: Executable, arguments: Arguments, first: int, last: int, n_threads: int
) -> None:
    """A native call for a range of batches: each thread runs its part of them, or its copies."""
    code = executable.code
    if arguments.n_running > 1:
        n_threads = min(n_threads, arguments.n_running)
        n_pieces = 1 if n_threads == 1 else min(PIECES, max(1, (last - first) // OF_PIECE))
        every = arguments.job(first, last, n_pieces)
        run_parallel(code, [every] * n_threads, is_shared=True, later=arguments.n_running)
        return
    parts = arguments.parts(first, last, n_threads)
    if n_threads == 1:
        code.call(*parts[0])
        return
    ready = arguments.ready.get(parts)
    if ready is None:
        ready = arguments.ready[parts] = ParallelCall(code, [[part] for part in parts])
    ready.make()
