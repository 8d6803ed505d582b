"""Two kinds of work at once: one makes things in Python, the other goes on with them outside it."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")

SWITCH = 1e-4  # seconds that a thread waits for the interpreter before it asks for it


def overlapped(work: Callable[[Thing], Made], things: Iterable[Thing]) -> list[Made]:
    """`work` on each thing, in order: another thread begins while the next ones are made.

    When all are made this one helps. What `things` or `work` raises is raised here.
    """
    tasks: list[tuple[int, Thing]] = []
    todo: SimpleQueue[tuple[int, Thing] | None] = SimpleQueue()
    done: dict[int, Made] = {}
    is_over = threading.Event()

    def work_off() -> None:
        while not is_over.is_set() and (task := todo.get()) is not None:
            number, thing = task
            done[number] = work(thing)

    def aside() -> None:
        with suppress(Exception):  # what fails is tried again below, where it is raised
            work_off()

    other = threading.Thread(target=aside, name="retrograd code", daemon=True)
    with _alert():
        try:
            with suppress(RuntimeError):  # there may be no more threads: this one does it all
                other.start()
            for task in enumerate(things):
                tasks.append(task)
                todo.put(task)
            for _ in range(2):
                todo.put(None)
            work_off()
        except BaseException:
            is_over.set()
            todo.put(None)
            raise
        finally:
            if other.ident is not None:
                other.join()
        return [done[number] if number in done else work(thing) for number, thing in tasks]


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
