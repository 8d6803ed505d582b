"""Two kinds of work at once: one makes things in Python, the other goes on with them outside it."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

T, R = TypeVar("T"), TypeVar("R")

SWITCH = 1e-4  # seconds that a thread waits for the interpreter's lock before it asks for it


def overlapped(work: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """`work` on each thing, in order: another thread begins while the next ones are made.

    In the end this one helps. What `things` or `work` raises is raised here, and nobody goes on.
    """
    todo: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
    done: dict[int, R] = {}
    raised: list[BaseException] = []

    def work_off() -> None:
        while not raised and (task := todo.get()) is not None:
            number, thing = task
            done[number] = work(thing)

    def aside() -> None:
        try:
            work_off()
        except BaseException as error:  # raised again by the thread that waits
            raised.append(error)

    other = threading.Thread(target=aside, name="retrograd code", daemon=True)
    with _alert():
        other.start()
        try:
            for task in enumerate(things):
                todo.put(task)
            for _ in range(2):
                todo.put(None)
            work_off()
        except BaseException as error:
            raised.append(error)
            todo.put(None)
        other.join()
    if raised:
        raise raised[0]
    return [done[i] for i in range(len(done))]


@contextmanager
def _alert() -> Iterator[None]:
    """Threads of Python take turns often, and nobody looks for garbage in cycles.

    A module is some 10,000 objects that all stay. Whoever comes back from LLVM needs the
    interpreter only to go on with the next.
    """
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(min(SWITCH, interval))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()
