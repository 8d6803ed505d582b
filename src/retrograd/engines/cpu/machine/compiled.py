"""Machine code that is made once: it is loaded already, or kept on disk, or made now."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from retrograd.engines.cpu.machine import cache
from retrograd.engines.cpu.machine.llvm import Code, assemble, load, machine, optimize
from retrograd.engines.cpu.machine.target import Target

KEPT = 256  # programs whose code stays loaded

_COMPILED: OrderedDict[tuple[str, str], Code] = OrderedDict()
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # a lock held in a fork would never be released in the child
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


def compiled(key: str, symbol: str, target: Target, make: Callable[[], Any]) -> Code:
    """The function `symbol` of the code of a key. `make()`: its module in LLVM's language."""
    key = f"{machine(target)} {key}"
    with _LOCK:  # LLVM is handed one module at a time
        if (key, symbol) in _COMPILED:
            _COMPILED.move_to_end((key, symbol))
            return _COMPILED[key, symbol]
        kept = cache.read(key)
        if kept is None:
            kept = assemble(optimize(str(make()), target), target)
            cache.write(key, kept)
        code = _COMPILED[key, symbol] = load(kept, symbol)
        if len(_COMPILED) > KEPT:
            _COMPILED.popitem(last=False)
        return code
