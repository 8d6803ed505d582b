"""Native calls: how many batches go into one, and which threads share it."""

from __future__ import annotations

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
    """Run batches until all have run or `stop` says so: how many did."""
    done = 0
    while done < n_batches:
        if stop is not None and done > 0 and stop():
            break
        turns, n_threads = autotuner.next(
            n_batches - done, is_stoppable=stop is not None, is_cold=is_cold
        )
        begin = time.perf_counter()
        _call(executable, copies, done, done + turns, n_threads)
        autotuner.note(n_threads, turns, time.perf_counter() - begin, is_cold=is_cold)
        is_cold = False
        done += turns
    return done


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
