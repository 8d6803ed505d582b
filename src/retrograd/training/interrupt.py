"""Ctrl-C during training: stop at the end of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """A context in which Ctrl-C sets a flag; a second Ctrl-C raises KeyboardInterrupt as usual.

    Calling it tells whether Ctrl-C was pressed. Signals reach only the main thread, so elsewhere
    the context does nothing and the flag stays down. Leaving it brings the old handler back.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._previous: Any = None

    def __call__(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._pressed

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        # Another program's own handler is left alone.
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
