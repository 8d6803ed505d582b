"""How the entries of an array lie in memory: row by row, the last axis padded to whole vectors.

Packed matrices lie otherwise (see `plan.pack`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from retrograd.graph.node import Array
from retrograd.graph.shape import Rows, Shape, with_rows
from retrograd.plan.program import squeezed

PAGE_STRIDE = 512  # bytes: rows this far apart fall into few sets of the first cache


class Arithmetic(Protocol):
    """What sizes are computed with: Python's integers, or those of generated code."""

    def add(self, a: Any, b: Any) -> Any:
        """a + b"""

    def mul(self, a: Any, b: Any) -> Any:
        """a * b"""

    def div(self, a: Any, b: Any) -> Any:
        """a // b, for a >= 0 and b > 0."""

    def round_up(self, a: Any, unit: int) -> Any:
        """The smallest multiple of `unit` that is not below a."""


class Now:
    """The arithmetic of Python's integers."""

    def add(self, a: int, b: int) -> int:
        """a + b"""
        return a + b

    def mul(self, a: int, b: int) -> int:
        """a * b"""
        return a * b

    def div(self, a: int, b: int) -> int:
        """a // b"""
        return a // b

    def round_up(self, a: int, unit: int) -> int:
        """The smallest multiple of `unit` that is not below a."""
        return -(-a // unit) * unit


@dataclass(frozen=True)
class Layout:
    """An array of a shape (sizes of 1 left out), each row of its last axis at a multiple of `unit`.

    - `unit`: entries; 1 for a dense array, as NumPy has it. Padding holds numbers of no meaning.
    - A last axis shorter than half a unit is dense too: padding would be most of it.
    """

    shape: Shape
    dtype: np.dtype[Any]
    unit: int

    @classmethod
    def of(cls, shape: Shape, dtype: np.dtype[Any], unit: int) -> Layout:
        """The layout of a shape, padded where its last axis is long enough."""
        short = squeezed(shape)
        last = short[-1] if short else 1
        is_narrow = len(short) > 1 and not isinstance(last, Rows) and 2 * last < unit
        return cls(short, dtype, 1 if is_narrow else unit)

    @property
    def is_padded(self) -> bool:
        """Whether whole vectors may be read and written at the end of a row."""
        return self.unit > 1

    def strides(self, rows: Any, integers: Arithmetic) -> list[Any]:
        """Entries from one index of an axis to the next."""
        if not self.shape:
            return []
        result: list[Any] = [1]
        for place, size in enumerate(reversed(self.shape[1:])):
            number = rows if isinstance(size, Rows) else size
            if place == 0 and self.is_padded:
                number = self._padded(number, integers)
            result.append(integers.mul(number, result[-1]))
        return result[::-1]

    def _padded(self, size: Any, integers: Arithmetic) -> Any:
        padded = integers.round_up(size, self.unit)
        if isinstance(padded, int) and padded * self.dtype.itemsize % PAGE_STRIDE == 0:
            padded += self.unit
        return padded

    def entries(self, rows: int) -> int:
        """How many entries to allocate, with a vector to spare at the end."""
        if not self.shape:
            return max(1, self.unit)
        first = rows if isinstance(self.shape[0], Rows) else self.shape[0]
        return int(first) * int(self.strides(rows, Now())[0]) + 2 * self.unit

    def view(self, memory: Array, shape: Shape, rows: int) -> Array:
        """The array of this layout in memory, in its full shape."""
        steps = self.steps(shape, rows)
        return np.lib.stride_tricks.as_strided(memory, with_rows(shape, rows), steps)

    def steps(self, shape: Shape, rows: int) -> tuple[int, ...]:
        """Bytes from one index of an axis of the full shape to the next."""
        strides, item = iter(self.strides(rows, Now())), self.dtype.itemsize
        return tuple(item * next(strides) if size != 1 else 0 for size in shape)


HALF = np.dtype(np.uint16)
"""What holds a bfloat16 number."""

WORD = np.dtype(np.float32)
"""What holds two of them."""


@dataclass(frozen=True)
class Packed:
    """A matrix of bfloat16 numbers, as products read it that go in pairs: in panels of columns.

    A panel is as wide as the blocks of a product are, whole units of columns. It lies line after
    line; a word of a line is two numbers that follow each other down a column, the first in its
    lower half. Where there is an odd number of rows, the last has a zero beside it; lines of zeros
    follow, up to a whole `group`.

    - `unit`: columns, at most so many `units` in a panel.
    """

    shape: Shape
    unit: int
    units: int
    group: int = 1

    dtype: ClassVar[np.dtype[Any]] = WORD
    is_padded: ClassVar[bool] = True

    def depth(self, rows: Any, integers: Arithmetic) -> Any:
        """The lines of a panel."""
        n = self.shape[0]
        pairs = pairs_in(rows if isinstance(n, Rows) else n, integers)
        return integers.round_up(pairs, self.group)

    def panels(self) -> Iterator[tuple[int, int, int]]:
        """Ranges of columns, and of each how many units wide its panels are."""
        n = self.shape[1]
        assert isinstance(n, int)
        return panels_of(0, -(-n // self.unit), self.unit, self.units)

    def entries(self, rows: int) -> int:
        """How many words to allocate."""
        return int(self.depth(rows, Now())) * max(high for _, high, _ in self.panels())


def panels_of(start: int, n_units: int, unit: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Columns from `start` on as panels of `most` units or fewer, all much the same.

    Ranges of columns, and of each how many units wide its panels are.
    """
    width, n_wider = divmod(n_units, max(1, -(-n_units // most)))
    split, end = start + n_wider * (width + 1) * unit, start + n_units * unit
    for low, high, units in ((start, split, width + 1), (split, end, width)):
        if low < high:
            yield low, high, units


def pairs_in(k: Any, integers: Arithmetic) -> Any:
    """How many pairs k numbers make: an odd last one has a zero beside it."""
    return integers.div(integers.add(k, 1), 2)
