"""Object code made callable without LLVM, whose import takes longer than a step whose code is kept.

For ELF on Linux: generated code refers to its own constants and functions, which may lie in several
object files, and to a few functions of the process. All of it lies in one piece here, so that no
distance is too large for an instruction, as it may be where LLVM's own loader places the sections
of 64-bit ARM. Other formats, and what else an object may hold, are left to that.

Sources: System V Application Binary Interface, AMD64 Architecture Processor Supplement, chapter 4;
ELF for the Arm 64-bit Architecture (AAELF64), section 5.7.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

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
PROGBITS, SYMTAB, RELA = 1, 2, 4  # kinds of sections
WRITE, ALLOC = 1, 2  # flags of sections
UNDEFINED, RESERVED = 0, 0xFF00  # in place of a symbol's section
BINDING, LOCAL = 4, 0  # the upper bits of a symbol's info say who may refer to it
FRAMES = ".eh_frame"  # describes the stack to those who unwind it, which nobody does here
STUB = 16  # bytes of a jump and its address
PAGE = 12  # bits of an address within 4 KB

Field = tuple[int, Callable[[Array, Array], Array]]
"""Which bits of a word of 32 are filled in, and with what: `f(to, at)`, both distances in bytes."""


def _distance(to: Array, at: Array) -> Array:
    return to - at


def _calls(to: Array, at: Array) -> Array:
    return (to - at) >> 2


def _pages(to: Array, at: Array) -> Array:
    pages = (to >> PAGE) - (at >> PAGE)
    return (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def _in_page(scale: int) -> Field:
    """The place in a page, in units of 2**scale bytes."""
    return 0xFFF << 10, lambda to, at: (to & 0xFFF) >> scale << 10


@dataclass(frozen=True)
class Family:
    """A family of processors, in words of ELF.

    - `number`: what an object file calls it.
    - `jump`: code that jumps to the address behind it.
    - `fields`: what the kinds of relocations fill in.
    """

    number: int
    jump: bytes
    fields: Mapping[int, Field]


X86_64 = Family(
    number=62,
    jump=bytes([0xFF, 0x25, 0, 0, 0, 0]),  # jmp *(%rip)
    fields=dict.fromkeys((2, 4), (0xFFFFFFFF, _distance)),  # PC32, PLT32
)
AARCH64 = Family(
    number=183,
    jump=bytes([0x50, 0, 0, 0x58, 0, 0x02, 0x1F, 0xD6]),  # ldr x16, .+8; br x16
    fields={
        261: (0xFFFFFFFF, _distance),  # PREL32
        275: (0x60FFFFE0, _pages),  # ADR_PREL_PG_HI21
        277: _in_page(0),  # ADD_ABS_LO12_NC
        278: _in_page(0),  # LDST8_ABS_LO12_NC,
        284: _in_page(1),  # LDST16,
        285: _in_page(2),  # LDST32,
        286: _in_page(3),  # LDST64,
        299: _in_page(4),  # LDST128
        282: (0x03FFFFFF, _calls),  # JUMP26
        283: (0x03FFFFFF, _calls),  # CALL26
    },
)
FAMILIES = {"x86_64": X86_64, "aarch64": AARCH64}


class _Unknown(Exception):
    """The object holds what is not known here."""


def place(objects: Sequence[bytes], symbol: str) -> tuple[int, mmap.mmap] | None:
    """Where the function of that name in object files lies in memory, and what keeps it there.

    None where LLVM must place it.
    """
    family = FAMILIES.get(platform.machine()) if sys.platform == "linux" else None
    if family is None or not all(_is_for(code, family) for code in objects):
        return None
    try:
        memory, entry = linked(objects, symbol, family)
        refresh = _refresh() if family is AARCH64 else None
    except _Unknown:
        return None
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if refresh is not None:
        refresh(ctypes.c_void_p(first), ctypes.c_void_p(first + len(memory)))
    libc = ctypes.CDLL(None, use_errno=True)
    kinds = mmap.PROT_READ | mmap.PROT_EXEC
    if libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(len(memory)), kinds) != 0:
        return None
    return first + entry, memory


@cache
def _refresh() -> Any:
    """What tells a processor that reads code by another cache than data of new code in memory."""
    try:
        refresh = ctypes.CDLL("libgcc_s.so.1").__clear_cache
    except (OSError, AttributeError):
        raise _Unknown from None
    refresh.restype = None
    return refresh


def _is_for(code: bytes, family: Family) -> bool:
    return code.startswith(MAGIC) and _number(code, 18, 2) == family.number


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


def linked(files: Sequence[bytes], symbol: str, family: Family) -> tuple[mmap.mmap, int]:
    """The sections in memory, their references filled in; where the function begins."""
    objects = [_Object(code) for code in files]
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
        memory[functions[name] : functions[name] + STUB] = (family.jump + _address(name)).ljust(
            STUB
        )
    for each, starts, values in zip(objects, layouts, placed, strict=True):
        values[[*each.needs]] = [functions[name] for name in each.needs.values()]
        _fill(memory, each, starts, values, family)
    return memory, functions[symbol]


def _fill(
    memory: mmap.mmap, object_: _Object, starts: Array, values: Array, family: Family
) -> None:
    """Copy an object's sections to where they start, and fill in how far its symbols are."""
    for i in object_.loaded():
        content = object_.content(i)
        memory[starts[i] : starts[i] + len(content)] = content
    bytes_ = np.frombuffer(memory, np.uint8)
    for section, relocations in object_.relocations():
        symbols = values[relocations["symbol"]]
        if (symbols < 0).any():
            raise _Unknown
        to = symbols + relocations["addend"]
        at = starts[section] + relocations["offset"].astype(np.int64)
        places, kinds = at[:, None] + np.arange(4), relocations["kind"]
        for kind in np.unique(kinds).tolist():
            if kind not in family.fields:
                raise _Unknown
            bits, found = family.fields[kind]
            some = kinds == kind
            words = bytes_[places[some]].view("<u4")[:, 0].astype(np.int64)
            filled = words & ~bits | found(to[some], at[some]) & bits
            bytes_[places[some]] = filled.astype("<u4").view(np.uint8).reshape(-1, 4)


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
