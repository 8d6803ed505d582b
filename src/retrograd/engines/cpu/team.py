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
    """Run the calls at the same time, the first on this thread; return when all are done."""
    others = [threading.Thread(target=call, daemon=True) for call in calls[1:]]
    for thread in others:
        thread.start()
    calls[0]()
    for thread in others:
        thread.join()
