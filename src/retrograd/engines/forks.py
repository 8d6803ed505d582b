"""What a fork's child renews: a lock that another thread held would stay locked for ever."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something with a lock, or with work that another thread may not have ended."""

    def renew(self) -> None:
        """Go on in a child, which has none of its parent's other threads."""


_LIVE: WeakSet[Renewable] = WeakSet()


def renew_in_children(thing: Renewable) -> None:
    """Call `thing.renew()` in the child of every fork, as long as the thing lives."""
    _LIVE.add(thing)


def _renew_all() -> None:
    for thing in list(_LIVE):
        thing.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
