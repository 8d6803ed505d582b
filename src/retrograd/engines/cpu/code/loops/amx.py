"""Products of bfloat16 numbers by AMX: blocks of up to 32 x 32, in tiles of 16 x 16.

C[m, n] = sum over k of A[m, k] B[k, n]. B is packed (see `packing`), so many lines that they fill
tiles. A is copied once, strip after strip of 16 rows: tile after tile, with zeros beyond its last
column. So every row of C is added up in the same order, whatever else there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi import scratch
from retrograd.engines.cpu.code.builder import amx
from retrograd.engines.cpu.code.builder.integers import I8, I16, POINTER, Int, loop
from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.loops.blocks import Block, Matrix, Panel
from retrograd.engines.cpu.code.loops.packing import PackedPlace
from retrograd.engines.cpu.code.loops.pairs import words
from retrograd.engines.cpu.code.loops.tile import Tile
from retrograd.engines.cpu.code.loops.transpose import Lines, turn_block
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.machine.target import AMX_ACROSS, AMX_TILE

STRIPS = 2  # of A in a block; each times the panel's units of B is a tile of sums
FIRST_OF_A = STRIPS * AMX_ACROSS  # behind the sums
FIRST_OF_B = FIRST_OF_A + STRIPS
assert FIRST_OF_B + AMX_ACROSS <= amx.TILES
NUMBERS = 2 * AMX_TILE  # of a tile's row


@dataclass(frozen=True)
class AmxProduct:
    """The loops of one product, of a part of its rows.

    - `k`: numbers that are added up, `n`: columns of the result.
    - `scratch`: a thread's memory for its rows of A.
    """

    body: Body
    tile: Tile
    a: Matrix
    b: PackedPlace
    k: Int
    n: int
    scratch: Any

    def run(self, part: Part) -> None:
        """Strips stay at hand while some panels of B pass, as many as the second cache holds."""
        body, integers = self.body, self.body.integers
        strips = Strips(body, self.a, self.k, self._chunks, self.scratch, part)
        if isinstance(self.a.down, int) and self.a.down == 1:
            strips.turn()
        else:
            strips.copy()
        rows, height = integers.sub(part.high, part.low), STRIPS * AMX_TILE
        whole = integers.mul(integers.div(integers.round_up(rows, AMX_TILE), height), height)
        bands = [
            (Part(part.low, integers.add(part.low, whole)), STRIPS),
            (Part(integers.add(part.low, whole), part.high), 1),
        ]
        memory = self.tile.scratch(STRIPS * AMX_TILE * AMX_ACROSS * AMX_TILE // body.n)
        amx.begin(body.builder)
        for low, high, units in self.b.layout.panels():
            columns = self._columns(units)
            with loop(body.builder, low, high, columns) as some:
                stop = integers.min(integers.add(some.i, columns), high)
                for band, n_strips in bands:
                    with (
                        loop(body.builder, band.low, band.high, n_strips * AMX_TILE) as row,
                        loop(body.builder, some.i, stop, units * AMX_TILE) as column,
                    ):
                        rows = integers.min(integers.sub(part.high, row.i), n_strips * AMX_TILE)
                        self._add_up(strips, row.i, n_strips, column.i, units)
                        self._store_sums(memory, n_strips, units)
                        self._finish(memory, row.i, rows, column.i, units)
        amx.end(body.builder)

    @property
    def _chunks(self) -> Int:
        """How many tiles there are along k."""
        depth = self.b.layout.depth(self.body.rows, self.body.integers)
        return self.body.integers.div(depth, AMX_TILE)

    def _columns(self, units: int) -> Int:
        """How many columns stay at hand, whole panels of so many units."""
        integers, wide = self.body.integers, units * AMX_TILE
        of_panel = integers.mul(self._chunks, units * amx.BYTES)
        panels = integers.div(scratch.PANELS, integers.max(of_panel, 1))
        return integers.mul(integers.max(panels, 1), wide)

    def _add_up(self, strips: Strips, row: Int, n_strips: int, column: Int, units: int) -> None:
        """The sums of a block, in the first tiles."""
        body, builder, integers = self.body, self.body.builder, self.body.integers
        for total in range(n_strips * units):
            amx.zero(builder, total)
        depth = integers.mul(self._chunks, AMX_TILE)
        panel = body.gep(self.b.pointer, I8, integers.mul(integers.mul(column, depth), 4))
        lines = [strips.place(integers.add(row, s * AMX_TILE)) for s in range(n_strips)]
        with loop(builder, 0, self._chunks) as turn:
            at = integers.mul(turn.i, amx.BYTES)
            for s, line in enumerate(lines):
                place = body.gep(line, I8, at)
                amx.load(builder, FIRST_OF_A + s, place, amx.ROW)
            for u in range(units):
                start = integers.add(integers.mul(at, units), amx.ROW * u)
                place = body.gep(panel, I8, start)
                amx.load(builder, FIRST_OF_B + u, place, amx.ROW * units)
                for s in range(n_strips):
                    amx.multiply(builder, s * units + u, FIRST_OF_A + s, FIRST_OF_B + u)

    def _store_sums(self, memory: Any, n_strips: int, units: int) -> None:
        """Write the sums of a block row by row."""
        for s in range(n_strips):
            for u in range(units):
                start = amx.ROW * (s * AMX_TILE * units + u)
                place = self.body.gep(memory, I8, start)
                amx.store(self.body.builder, s * units + u, place, amx.ROW * units)

    def _finish(self, memory: Any, row: Int, rows: Int, column: Int, units: int) -> None:
        """Store what follows from a block: row by row, or vector by vector of fewer lanes."""
        body, integers, wide = self.body, self.body.integers, units * AMX_TILE
        width = units if body.n == AMX_TILE else 1
        end = integers.min(integers.add(column, wide), integers.round_up(self.n, body.n))
        with loop(body.builder, column, end, width * body.n) as turn:
            panel = Panel(column, end, width, self.n)
            first = body.gep(memory, self.tile.v.scalar, integers.sub(turn.i, column))
            block = Block(row, STRIPS * AMX_TILE, turn.i, panel)
            self.tile.store_kept(first, wide, block, rows)


@dataclass(frozen=True)
class Strips:
    """A thread's rows of A, copied: strips of 16 rows, each as many tiles as `chunks` says."""

    body: Body
    a: Matrix
    k: Int
    chunks: Int
    scratch: Any
    part: Part

    def place(self, row: Int, chunk: Int = 0) -> Any:
        """Where a tile lies, of the strip that begins at a row."""
        integers = self.body.integers
        before = integers.mul(integers.sub(row, self.part.low), self.chunks)
        start = integers.add(integers.mul(before, amx.ROW), integers.mul(chunk, amx.BYTES))
        return self.body.gep(self.scratch, I8, start)

    def copy(self) -> None:
        """Copy rows of words that lie side by side; of a number left over the other half is 0."""
        body, builder, integers, v = self.body, self.body.builder, self.body.integers, self._v
        assert isinstance(self.k, int)
        whole, left = divmod(self.k, NUMBERS)
        bits = [min(16 * max(left - 2 * w, 0), 32) for w in range(AMX_TILE)]
        mask = ir.Constant(v.int_type, [(1 << n) - 1 for n in bits])
        with loop(builder, self.part.low, self.part.high, AMX_TILE) as strip:
            to = self.place(strip.i)
            rows = integers.min(integers.sub(self.part.high, strip.i), AMX_TILE)
            with loop(builder, 0, rows) as row:
                start = integers.mul(integers.add(strip.i, row.i), self.a.down)
                from_ = body.gep(self.a.pointer, I16, start)
                with loop(builder, 0, whole) as chunk:
                    self._store(to, chunk.i, row.i, self._load(from_, chunk.i))
                if left:
                    rest = v.int_and(v.as_bits(self._load(from_, whole)), mask)
                    self._store(to, whole, row.i, v.from_bits(rest))

    def turn(self) -> None:
        """Copy rows that lie column by column: 32 columns at once, turned in registers."""
        body, builder, integers, v = self.body, self.body.builder, self.body.integers, self._v
        with body.in_prologue():
            block = builder.alloca(ir.ArrayType(v.type, AMX_TILE))
            block.align, block.type = 64, POINTER
        pairs, whole = integers.div(self.k, 2), integers.div(self.k, NUMBERS)
        with loop(builder, 0, self.chunks) as chunk:
            first = integers.mul(chunk.i, AMX_TILE)
            is_whole = integers.less(chunk.i, whole)
            n_pairs = integers.min(integers.sub(pairs, first), AMX_TILE)
            with loop(builder, self.part.low, self.part.high, AMX_TILE) as strip:
                with builder.if_then(builder.not_(is_whole), likely=False):
                    for w in range(AMX_TILE):
                        self._store(block, 0, w, v.const(0.0))
                    last = integers.mul(pairs, 2)
                    with builder.if_then(integers.less(last, self.k)):
                        alone = words(v, [self._column(last, strip.i)])
                        self._store(block, 0, n_pairs, alone)
                with loop(builder, 0, n_pairs) as pair:
                    column = integers.mul(integers.add(first, pair.i), 2)
                    both = [self._column(integers.add(column, i), strip.i) for i in range(2)]
                    self._store(block, 0, pair.i, words(v, both))
                lines = Lines(block, AMX_TILE, AMX_TILE)
                turn_block(v, lines, Lines(self.place(strip.i, chunk.i), AMX_TILE, AMX_TILE))

    def _column(self, column: Int, row: Int) -> Any:
        """Where a column of A lies from a row on."""
        integers = self.body.integers
        return self.body.gep(
            self.a.pointer, I16, integers.add(integers.mul(column, self.a.right), row)
        )

    @property
    def _v(self) -> Lanes:
        """A tile's row, as a vector of words."""
        return Lanes(self.body.builder, np.float32, AMX_TILE)

    def _load(self, row: Any, chunk: Int) -> Any:
        place = self.body.gep(row, I16, self.body.integers.mul(chunk, NUMBERS))
        return self.body.builder.load(place, align=2, typ=self._v.type)

    def _store(self, strip: Any, chunk: Int, row: Int, value: Any) -> None:
        integers = self.body.integers
        start = integers.add(integers.mul(chunk, amx.BYTES), integers.mul(row, amx.ROW))
        self.body.builder.store(value, self.body.gep(strip, I8, start), align=64)
