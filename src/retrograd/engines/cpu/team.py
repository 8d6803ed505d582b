"""Threads of one native call: they live as long as the call, and share its work.

None outlives a call, so there is none to lose in a fork, and none to find busy.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence


def available() -> int:
    """How many threads a call may have: RETROGRAD_THREADS, or the processors of this process."""
    named = os.environ.get("RETROGRAD_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def together(calls: Sequence[Callable[[], None]]) -> None:
    """Run the calls at the same time, the first on this thread; return when all are done.

    None begins before all threads are there: they wait for each other inside. None is left behind
    when Ctrl-C arrives: it would write into memory that nobody keeps any more.
    """
    if len(calls) == 1:
        calls[0]()
        return
    gate, are_all_here = threading.Event(), False

    def run(call: Callable[[], None]) -> None:
        gate.wait()
        if are_all_here:
            call()

    others = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls[1:]]
    try:
        for thread in others:
            thread.start()
        are_all_here = True
    finally:
        gate.set()
    try:
        calls[0]()
    finally:
        _join(others)


def _join(threads: Sequence[threading.Thread]) -> None:
    """Wait for threads to end, also when Ctrl-C arrives meanwhile; then it is passed on."""
    arrived: KeyboardInterrupt | None = None
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as interrupt:
                arrived = interrupt
    if arrived is not None:
        raise arrived
