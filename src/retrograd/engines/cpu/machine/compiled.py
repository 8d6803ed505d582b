"""Machine code that is made once: it lies in memory already, or is kept on disk, or is made now."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.machine import cache, image
from retrograd.engines.cpu.machine.host import machine_of, made_for
from retrograd.engines.cpu.machine.target import Target

KIND = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
KEPT = 256  # programs whose code stays loaded
SIZE = 8  # bytes of the size of an object file

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


def load(objects: list[bytes], symbol: str) -> Code:
    """The function of that name in object files, which may call each other, made callable."""
    placed = image.place(objects, symbol)
    if placed is None:
        from retrograd.engines.cpu.machine import llvm  # takes 50 ms

        placed = llvm.place(objects, symbol)
    address, memory = placed
    return Code(KIND(address), address, memory)


def _packed(objects: Iterable[bytes]) -> bytes:
    """Object files in a row, each after its size."""
    return b"".join(len(code).to_bytes(SIZE, "little") + code for code in objects)


def _unpacked(entry: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(entry):
        end = start + SIZE + int.from_bytes(entry[start : start + SIZE], "little")
        yield entry[start + SIZE : end]
        start = end


def compiled(key: str, symbol: str, target: Target, make: Callable[[], Iterable[str]]) -> Code:
    """The function `symbol` of the code of a key. `make()`: its modules as LLVM's text."""
    key = f"{made_for(target)} {key}"
    with _LOCK:  # LLVM is handed one module at a time
        if (key, symbol) in _COMPILED:
            _COMPILED.move_to_end((key, symbol))
            return _COMPILED[key, symbol]
        kept = cache.read(key)
        if kept is None:
            from retrograd.engines.cpu.machine import llvm  # takes 50 ms

            kept = _packed(llvm.assembled(make(), machine_of(target)))
            cache.write(key, kept)
        code = _COMPILED[key, symbol] = load([*_unpacked(kept)], symbol)
        if len(_COMPILED) > KEPT:
            _COMPILED.popitem(last=False)
        return code
