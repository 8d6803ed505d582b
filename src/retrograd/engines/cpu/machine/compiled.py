"""Machine code that is made once: it lies in memory already, or is kept on disk, or is made now."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.machine import cache, image
from retrograd.engines.cpu.machine.host import machine_of, made_for
from retrograd.engines.cpu.machine.target import Target

KIND = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
KEPT = 256  # programs whose code stays loaded

_COMPILED: OrderedDict[tuple[str, str], Code] = OrderedDict()
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # a lock held in a fork would never be released in the child
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


@dataclass(frozen=True, eq=False)
class Code:
    """A function in memory, which lives as long as this object: `call(memory, numbers)`.

    Calls are made without the interpreter's lock.
    """

    call: Any
    address: int
    _memory: Any


def load(code: bytes, symbol: str) -> Code:
    """The function of that name in object code, made callable."""
    placed = image.place(code, symbol)
    if placed is None:
        from retrograd.engines.cpu.machine import llvm  # takes 50 ms

        placed = llvm.place(code, symbol)
    address, memory = placed
    return Code(KIND(address), address, memory)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage in cycles: a module is some 100,000 objects that all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def compiled(key: str, symbol: str, target: Target, make: Callable[[], str]) -> Code:
    """The function `symbol` of the code of a key. `make()`: its module as LLVM's text."""
    key = f"{made_for(target)} {key}"
    with _LOCK:  # LLVM is handed one module at a time
        if (key, symbol) in _COMPILED:
            _COMPILED.move_to_end((key, symbol))
            return _COMPILED[key, symbol]
        kept = cache.read(key)
        if kept is None:
            from retrograd.engines.cpu.machine import llvm  # takes 50 ms

            machine = machine_of(target)
            with _uncollected():
                kept = llvm.assemble(llvm.optimize(make(), machine), machine)
            cache.write(key, kept)
        code = _COMPILED[key, symbol] = load(kept, symbol)
        if len(_COMPILED) > KEPT:
            _COMPILED.popitem(last=False)
        return code
