"""Threads of one native call. Between calls they wait, each on a lock of its own.

To wake a thread takes a tenth of the time that it takes to start one. A call has its threads to
itself: calls made at once, from several Python threads, have different ones.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

Call = Callable[[], None]


def available() -> int:
    """How many threads a call may have: RETROGRAD_THREADS, or the processors of this process."""
    named = os.environ.get("RETROGRAD_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Helper:
    """A thread that runs one call at a time. `is_idle`: whether the last one has ended."""

    def __init__(self) -> None:
        self.is_idle = True
        self._call: Call | None = None
        self._error: BaseException | None = None
        self._go = self._is_done = _locked()
        threading.Thread(target=self._serve, name="retrograd", daemon=True).start()

    def prepare(self, call: Call) -> Call:
        """What starts this call: it must be called, and then waited for."""
        self.is_idle, self._call, self._is_done = False, call, _locked()
        return self._go.release

    def wait(self) -> BaseException | None:
        """Wait for the end of the call: what it raised. After Ctrl-C one may wait again."""
        while not self.is_idle:
            self._is_done.acquire()
        error, self._error = self._error, None
        return error

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            call, self._call = self._call, None
            assert call is not None
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # told by whoever waits
                self._error = error
            del call  # it keeps arrays alive
            is_done = self._is_done
            self.is_idle = True
            is_done.release()


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


_FREE: list[_Helper] = []
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_FREE.clear)


def together(calls: Sequence[Call]) -> None:
    """Run the calls at the same time, the first on this thread; return when all are done.

    They wait for each other inside: once one runs, all must. So when Ctrl-C arrives meanwhile, it
    is passed on after all have ended, and no thread is left behind that writes into memory which
    nobody keeps any more.
    """
    first: Call | None
    first, *rest = calls
    helpers = [_free_helper() for _ in rest]
    starts = [helper.prepare(call) for helper, call in zip(helpers, rest, strict=True)]
    arrived: BaseException | None = None
    while starts or first is not None:
        # Python looks for Ctrl-C after a call, not between a change of a name and the call.
        try:
            while starts:
                start, *starts = starts
                start()
            call, first = first, None
            if call is not None:
                call()
        except BaseException as error:  # noqa: BLE001  # passed on below
            arrived = arrived or error
    for helper in helpers:
        arrived = _wait(helper) or arrived
        _FREE.append(helper)
    if arrived is not None:
        raise arrived


def _free_helper() -> _Helper:
    try:
        return _FREE.pop()
    except IndexError:
        return _Helper()


def _wait(helper: _Helper) -> BaseException | None:
    """Wait for a helper, also when Ctrl-C arrives meanwhile: what it raised, or what arrived."""
    arrived: BaseException | None = None
    while True:
        try:
            return helper.wait() or arrived
        except KeyboardInterrupt as interrupt:
            arrived = interrupt
