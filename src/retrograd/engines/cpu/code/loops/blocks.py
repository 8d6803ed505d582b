"""Operands of a product in memory, and the blocks in which its result is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrograd.engines.cpu.code.builder.integers import Int
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.values.body import Body


@dataclass(frozen=True)
class Matrix:
    """An operand in memory: entry (i, j) lies at `pointer + i * down + j * right`."""

    pointer: Any
    down: Int
    right: Int
    is_padded: bool

    @property
    def T(self) -> Matrix:
        """The same memory with rows and columns exchanged."""
        return Matrix(self.pointer, self.right, self.down, self.is_padded)

    def vectors(
        self, body: Body, v: Lanes, line: Any, masks: Sequence[Any] | None, width: int
    ) -> list[Any]:
        """Vectors side by side from a place on."""
        found = []
        for w in range(width):
            pointer = body.gep(line, v.scalar, w * body.n)
            if masks is not None:
                found.append(body.masked("load", v.type, pointer, v.dtype, masks[w]))
            else:
                found.append(body.builder.load(pointer, align=v.dtype.itemsize, typ=v.type))
        return found


@dataclass(frozen=True)
class Panel:
    """Columns of blocks: from `low` to before `high`, each `width` vectors; all end at `end`."""

    low: Int
    high: Int
    width: int
    end: Int

    def masks(self, body: Body, b: Matrix, j: Int) -> list[Any] | None:
        """Which lanes of the vectors from column j on are columns of B; None where it is padded."""
        if b.is_padded or body.n == 1:
            return None
        integers = body.integers
        left = integers.sub(self.end, j)
        return [body.mask(integers.sub(left, w * body.n)) for w in range(self.width)]


@dataclass(frozen=True)
class Block:
    """A block of the result: rows from i on, and columns from j on, as wide as its panel."""

    i: Int
    height: int
    j: Int
    panel: Panel
