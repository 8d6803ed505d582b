"""AMX, the matrix unit of some x86-64 processors: eight tiles, and products of tiles.

A tile has 16 rows of 64 bytes: 16 float32 numbers each, or 16 words of two bfloat16 numbers.
[Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.]
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I8, Int, as_value
from retrograd.engines.cpu.code.builder.processor import intrinsic
from retrograd.engines.cpu.machine.target import AMX_TILE

TILES = 8
ROW = 4 * AMX_TILE  # bytes of a row,
BYTES = AMX_TILE * ROW  # and of a tile

# What LDTILECFG reads: which kind of configuration, then each tile's bytes a row, and its rows.
_CONFIGURATION = bytes([1, *[0] * 15, *[ROW, 0] * TILES, *[0] * 16, *[AMX_TILE] * TILES, *[0] * 8])


def begin(builder: ir.IRBuilder) -> None:
    """Give all tiles their full size. What is in them is lost."""
    module, name = builder.module, "tiles"
    data = module.globals.get(name)
    if data is None:
        kind = ir.ArrayType(I8, len(_CONFIGURATION))
        data = ir.GlobalVariable(module, kind, name)
        data.linkage, data.global_constant, data.align = "internal", True, 64
        data.initializer = ir.Constant(kind, bytearray(_CONFIGURATION))
    _call(builder, "ldtilecfg", data)


def end(builder: ir.IRBuilder) -> None:
    """Leave the tiles: what is in them need no longer be saved when threads change."""
    _call(builder, "tilerelease")


def zero(builder: ir.IRBuilder, tile: int) -> None:
    """Fill a tile with zeros."""
    _call(builder, "tilezero", I8(tile))


def load(builder: ir.IRBuilder, tile: int, place: Any, stride: Int) -> None:
    """Read a tile whose rows begin so many bytes one after another."""
    _call(builder, "tileloadd64", I8(tile), place, as_value(stride))


def store(builder: ir.IRBuilder, tile: int, place: Any, stride: Int) -> None:
    """Write a tile whose rows begin so many bytes one after another."""
    _call(builder, "tilestored64", I8(tile), place, as_value(stride))


def multiply(builder: ir.IRBuilder, total: int, a: int, b: int) -> None:
    """total[i, j] += sum over w of a[i, w] b[w, j]: of both numbers of the words, in float32."""
    _call(builder, "tdpbf16ps", I8(total), I8(a), I8(b))


def _call(builder: ir.IRBuilder, name: str, *operands: Any) -> None:
    intrinsic(builder, f"llvm.x86.{name}", ir.VoidType(), *operands)
