"""Kernels that go row by row: as many rows at a time as there are lanes, one column after another.

Each lane has a row of its own. What its columns are read from, and what is kept of them, lies in
tiles (see `RowTile`) in a thread's scratch memory. A few rows that are left over, or the only one
of a batch, go one by one, with lanes along the columns.

A row is added up in an order that depends on the number of its columns alone: not on how many lanes
there are, on which rows come together, or on the thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, Int, loop
from retrograd.engines.cpu.code.loops.axes import Part, chunks
from retrograd.engines.cpu.code.loops.reductions import FOLDS
from retrograd.engines.cpu.code.loops.tiles import RowTile, tiles_of
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, Index, full_index
from retrograd.graph.node import Node
from retrograd.plan.by_row import Sweep, in_tiles, read_columns, sweeps
from retrograd.plan.program import Kernel, squeezed

FEW = 3  # rows: so many that are left over go one by one
PARTS = 4  # every fourth column of a row is added up on its own, or the sum would wait for itself


def run_by_row(body: Body, kernel: Kernel, part: Part, scratch: Any) -> None:
    """All that a kernel over rows stores, for the rows of a part."""
    b, n, integers = body.builder, body.n, body.integers
    tiles = tiles_of(body, in_tiles(kernel), _columns(kernel), scratch)
    stop = part.high
    if n > 1:
        left = integers.mod(integers.sub(part.high, part.low), n)
        stop = b.select(integers.less(FEW, left), stop, integers.sub(stop, left))
    with loop(b, part.low, stop, n) as turn:
        # The last rows once more with some before them, where there are enough: a whole block.
        row = integers.max(part.low, integers.min(turn.i, integers.sub(stop, n)))
        _rows(body, kernel, row, integers.min(integers.sub(stop, row), n), tiles)
    if n > 1:
        with loop(b, stop, part.high) as turn:
            _row(body, kernel, turn.i, tiles)


def _rows(body: Body, kernel: Kernel, row: Int, count: Int, tiles: Mapping[Node, RowTile]) -> None:
    """As many rows as there are lanes, or as there are: a row in each lane."""
    here, columns, thin = At(row, 1), _columns(kernel), _thin(kernel)
    body.forget()
    for node in kernel.loads:
        if squeezed(node.shape) == (columns,) and node.dtype.kind == "f":
            body.held[node] = partial(_in_all_lanes, body, node)
    for node in read_columns(kernel):
        tiles[node].fill(row, count)
        body.held[node] = tiles[node].value
    body.count = count
    for sweep in sweeps(kernel):
        _look_ahead(body, sweep, here)
        folds = [(body.lanes(x.dtype), FOLDS[x.gate.name]) for x in sweep.reductions]
        parts = _parts(columns)
        starts = [v.const(fold.start) for v, fold in folds for _ in range(parts)]
        with loop(body.builder, 0, columns, 1, starts) as turn:
            values = _values(body, sweep, [here, At(turn.i)], tiles)
            following = []
            for i, ((v, fold), x) in enumerate(zip(folds, values, strict=True)):
                first, *rest = turn.values[i * parts : (i + 1) * parts]
                following += [*rest, fold.combine(v, first, x.value)]  # its turn comes last again
            turn.carry(following)
        for i, ((v, fold), node) in enumerate(zip(folds, sweep.reductions, strict=True)):
            sums = turn.values[i * parts : (i + 1) * parts]
            turned = -columns % parts
            sums = [*sums[turned:], *sums[:turned]]
            while len(sums) > 1:
                half = len(sums) // 2
                pairs = zip(sums[:half], sums[half:], strict=True)
                sums = [fold.combine(v, x, y) for x, y in pairs]
            body.given[node] = Operand(sums[0], node.dtype, body.n > 1)
        _hold(body, sweep, tiles)
    for node in thin:
        index = full_index([here], node.shape)
        body.store(node, index, body.value(node, index))
    body.count = None
    for node in kernel.stores:
        if node not in thin:
            tiles[node].spill(row, count)
    body.held.clear()


def _row(body: Body, kernel: Kernel, row: Int, tiles: Mapping[Node, RowTile]) -> None:
    """A single row: its columns in the lanes, what they add up to in every lane."""
    here = At(row)
    body.forget()
    for sweep in sweeps(kernel):
        _look_ahead(body, sweep, here)
        for chunk in chunks(body, _columns(kernel), None):
            with chunk as at:
                values = _values(body, sweep, [here, at], tiles)
                for node, x in zip(sweep.reductions, values, strict=True):
                    tiles[node].store(at, x)
                for node in sweep.kept:
                    if node in kernel.stores:
                        index = full_index([here, at], node.shape)
                        body.store(node, index, body.value(node, index))
        for node in sweep.reductions:
            total = tiles[node].folded(FOLDS[node.gate.name], _parts(_columns(kernel)))
            body.given[node] = body.widen(Operand(total, node.dtype, False))
        _hold(body, sweep, tiles)
    for node in _thin(kernel):
        index = full_index([here], node.shape)
        value = body.value(node, index).value
        first = body.builder.extract_element(value, ir.Constant(I32, 0))
        body.store(node, index, Operand(first, node.dtype, False))
    body.held.clear()


def _look_ahead(body: Body, sweep: Sweep, here: At) -> None:
    """Compute what a loop needs of a row, or of several in lanes: in every lane, as in a column."""
    for node in sweep.ahead:
        body.given[node] = body.widen(body.value(node, full_index([here], node.shape)))


def _values(
    body: Body, sweep: Sweep, place: Sequence[At], tiles: Mapping[Node, RowTile]
) -> list[Operand]:
    """What a loop reduces, at a place; what it keeps goes to tiles."""
    body.forget_values()
    for node in sweep.kept:
        tiles[node].store(place[1], _wide(body, node, place))
    return [_wide(body, node.inputs[0], place) for node in sweep.reductions]


def _wide(body: Body, node: Node, place: Sequence[At]) -> Operand:
    return body.widen(body.value(node, full_index(place, node.shape)))


def _in_all_lanes(body: Body, node: Node, index: Index) -> Operand:
    """A number of the column, which goes on as a vector, as where lanes lie along the columns."""
    return body.widen(body.load(node, index))


def _hold(body: Body, sweep: Sweep, tiles: Mapping[Node, RowTile]) -> None:
    """What a loop kept is read from tiles from now on."""
    body.forget_values()
    body.held.update({node: tiles[node].value for node in sweep.kept})


def _thin(kernel: Kernel) -> list[Node]:
    """What is stored of one number a row."""
    return [x for x in kernel.stores if squeezed(x.shape) != squeezed(kernel.space)]


def _columns(kernel: Kernel) -> int:
    columns = squeezed(kernel.space)[1]
    assert isinstance(columns, int)
    return columns


def _parts(columns: int) -> int:
    return PARTS if columns > PARTS else 1
