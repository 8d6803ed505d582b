"""Ctrl-C during training: stop at the end of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """A context in which Ctrl-C sets a flag; a second Ctrl-C raises KeyboardInterrupt as usual.

    Calling it tells whether Ctrl-C was pressed. Signals reach only the main thread, so elsewhere
    the context does nothing and the flag stays down. Leaving it brings the old handler back. Inside
    another one it tells what that one knows.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._previous: Any = None
        self._around: Interrupt | None = None

    def __call__(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._pressed or (self._around is not None and self._around())

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        handler = signal.getsignal(signal.SIGINT)
        owner = getattr(handler, "__self__", None)
        if isinstance(owner, Interrupt):
            self._around = owner
        elif handler is signal.default_int_handler:  # another program's own is left alone
            self._previous = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
