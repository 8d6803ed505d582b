"""Object code made callable without LLVM, whose import takes longer than a step whose code is kept.

For ELF of x86-64 on Linux: generated code refers to its own constants and functions, which may lie
in several object files, and to a few functions of the process. Other formats, and what else an
object may hold, are left to LLVM's own loader.

Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, chapter 4.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence

import numpy as np

from retrograd.arrays import Array

SECTION = np.dtype(
    [("name", "<u4"), ("kind", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"),
     ("size", "<u8"), ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry", "<u8")]
)  # fmt: skip
SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
     ("size", "<u8")]
)  # fmt: skip
RELOCATION = np.dtype([("offset", "<u8"), ("kind", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])

MAGIC = bytes([0x7F, *b"ELF", 2, 1])  # of 64 bits, the lowest byte first
X86_64 = 62
PROGBITS, SYMTAB, RELA = 1, 2, 4  # kinds of sections
WRITE, ALLOC = 1, 2  # flags of sections
UNDEFINED, RESERVED = 0, 0xFF00  # in place of a symbol's section
BINDING, LOCAL = 4, 0  # the upper bits of a symbol's info say who may refer to it
PC32, PLT32 = 2, 4  # kinds of relocations: how far it is from here to the symbol
FRAMES = ".eh_frame"  # describes the stack to those who unwind it, which nobody does here
JUMP = bytes([0xFF, 0x25, 0, 0, 0, 0])  # to the address that follows
STUB = 16  # bytes of a jump and its address


class _Unknown(Exception):
    """The object holds what is not known here."""


def place(objects: Sequence[bytes], symbol: str) -> tuple[int, mmap.mmap] | None:
    """Where the function of that name in object files lies in memory, and what keeps it there.

    None where LLVM must place it.
    """
    if sys.platform != "linux" or not all(_is_known(code) for code in objects):
        return None
    try:
        memory, entry = _linked([_Object(code) for code in objects], symbol)
    except _Unknown:
        return None
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    kinds = mmap.PROT_READ | mmap.PROT_EXEC
    if libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(len(memory)), kinds) != 0:
        return None
    return first + entry, memory


def _is_known(code: bytes) -> bool:
    return code.startswith(MAGIC) and _number(code, 18, 2) == X86_64


class _Object:
    """An object file: its sections, its symbols, and the names of both."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        table, n = _number(code, 40, 8), _number(code, 60, 2)
        self.sections = np.frombuffer(code, SECTION, n, table)
        self._names = self.content(_number(code, 62, 2))
        tables = np.flatnonzero(self.sections["kind"] == SYMTAB)
        if len(tables) != 1:
            raise _Unknown
        self.symbols = np.frombuffer(self.content(tables[0]), SYMBOL)
        self._words = self.content(self.sections[tables[0]]["link"])
        undefined = np.flatnonzero(self.symbols["section"] == UNDEFINED)[1:]  # the first is none
        self.needs = {i: self._name(i) for i in undefined.tolist()}  # symbols of others

    def content(self, i: int) -> bytes:
        """The bytes of a section."""
        start, size = int(self.sections[i]["offset"]), int(self.sections[i]["size"])
        return self.code[start : start + size]

    def relocations(self) -> list[tuple[int, Array]]:
        """Of each section that is loaded: what is to be filled in."""
        kept = set(self.loaded())
        return [
            (int(section["info"]), np.frombuffer(self.content(i), RELOCATION))
            for i, section in enumerate(self.sections)
            if section["kind"] == RELA and int(section["info"]) in kept
        ]

    def _name(self, i: int) -> str:
        return _text(self._words, self.symbols[i]["name"])

    def values(self, starts: Array) -> Array:
        """Where each symbol lies, if the sections start there; -1 for what is not in them."""
        here = self.symbols["section"].astype(np.int64)
        start = starts[np.where(here < RESERVED, here, UNDEFINED)]
        return np.where(start >= 0, start + self.symbols["value"].astype(np.int64), -1)

    def functions(self, values: Array) -> dict[str, int]:
        """What others may refer to, and where it lies."""
        named = (self.symbols["info"] >> BINDING != LOCAL) & (values >= 0)
        return {self._name(i): int(values[i]) for i in np.flatnonzero(named).tolist()}

    def loaded(self) -> list[int]:
        """The sections that lie in memory."""
        found = []
        for i, section in enumerate(self.sections):
            if not section["flags"] & ALLOC or _text(self._names, section["name"]) == FRAMES:
                continue
            if section["kind"] != PROGBITS or section["flags"] & WRITE:
                raise _Unknown
            found.append(i)
        return found


def _linked(objects: Sequence[_Object], symbol: str) -> tuple[mmap.mmap, int]:
    """The sections in memory, their references filled in; where the function begins."""
    end, layouts = 0, []
    for each in objects:
        starts = np.full(len(each.sections), -1, np.int64)
        for i in each.loaded():
            align = max(1, int(each.sections[i]["align"]))
            starts[i] = end = -(-end // align) * align
            end += int(each.sections[i]["size"])
        layouts.append(starts)
    placed = [each.values(starts) for each, starts in zip(objects, layouts, strict=True)]
    functions: dict[str, int] = {}
    for each, values in zip(objects, placed, strict=True):
        functions |= each.functions(values)
    first_stub = -(-end // STUB) * STUB
    outside = sorted({name for each in objects for name in each.needs.values()} - {*functions})
    functions |= {name: first_stub + STUB * i for i, name in enumerate(outside)}

    own = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, max(1, first_stub + STUB * len(outside)), own)
    for name in outside:
        memory[functions[name] : functions[name] + STUB] = (JUMP + _address(name)).ljust(STUB)
    for each, starts, values in zip(objects, layouts, placed, strict=True):
        values[[*each.needs]] = [functions[name] for name in each.needs.values()]
        _fill(memory, each, starts, values)
    return memory, functions[symbol]


def _fill(memory: mmap.mmap, object_: _Object, starts: Array, values: Array) -> None:
    """Copy an object's sections to where they start, and fill in how far its symbols are."""
    for i in object_.loaded():
        content = object_.content(i)
        memory[starts[i] : starts[i] + len(content)] = content
    bytes_ = np.frombuffer(memory, np.uint8)
    for section, relocations in object_.relocations():
        to = values[relocations["symbol"]]
        if not (np.isin(relocations["kind"], (PC32, PLT32)) & (to >= 0)).all():
            raise _Unknown
        at = starts[section] + relocations["offset"].astype(np.int64)
        distance = (to + relocations["addend"] - at).astype("<i4")
        bytes_[at[:, None] + np.arange(4)] = distance.view(np.uint8).reshape(-1, 4)


def _address(name: str) -> bytes:
    """Where a function of the process is."""
    try:
        function = getattr(ctypes.CDLL(None), name)
    except AttributeError:
        raise _Unknown from None
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0).to_bytes(8, "little")


def _number(code: bytes, start: int, size: int) -> int:
    return int.from_bytes(code[start : start + size], "little")


def _text(words: bytes, start: int) -> str:
    return words[start : words.index(b"\0", int(start))].decode()
