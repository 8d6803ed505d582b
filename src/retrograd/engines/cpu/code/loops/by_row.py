"""Kernels that go row by row: as many rows at a time as there are lanes, one column after another.

Each lane adds up a row of its own, in order: no bit depends on how many lanes there are, on which
rows come together, or on the thread. What a row's columns are read from, and what is kept of them,
lies in tiles (see `Tile`) in a thread's scratch memory.
"""

from __future__ import annotations

from typing import Any

from retrograd.engines.cpu.code.builder.integers import Int, loop
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.loops.reductions import FOLDS
from retrograd.engines.cpu.code.loops.tiles import Tile, tiles_of
from retrograd.engines.cpu.code.values.access import Operand
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At, full_index
from retrograd.graph.node import Node
from retrograd.plan.by_row import Sweep, read_columns, sweeps
from retrograd.plan.program import Kernel, squeezed


def run_by_row(body: Body, kernel: Kernel, part: Part, scratch: Any) -> None:
    """All that a kernel over rows stores, for the rows of a part."""
    loops, read = sweeps(kernel), read_columns(kernel)
    columns: Any = squeezed(kernel.space)[1]
    tiles = tiles_of(body, [*read, *(x for sweep in loops for x in sweep.kept)], columns, scratch)
    with loop(body.builder, part.low, part.high, body.n) as turn:
        body.forget()
        here = At(turn.i, 1)
        count = body.integers.min(body.integers.sub(part.high, turn.i), body.n)
        for node in read:
            tiles[node].fill(turn.i, count)
        body.held = {node: tiles[node].value for node in read}
        body.count = count
        for sweep in loops:
            _sweep(body, sweep, here, columns, tiles)
        values = []
        for node in kernel.stores:
            if node not in tiles:
                index = full_index([here], node.shape)
                values.append((node, index, body.value(node, index)))
        for value in values:
            body.store(*value)
        body.count = None
        for node in kernel.stores:
            if node in tiles:
                tiles[node].spill(turn.i, count)
        body.held = {}


def _sweep(body: Body, sweep: Sweep, here: At, columns: Int, tiles: dict[Node, Tile]) -> None:
    """One loop over the columns of some rows."""
    for node in sweep.ahead:
        body.given[node] = body.value(node, full_index([here], node.shape))
    folds = [(x, body.lanes(x.dtype), FOLDS[x.gate.name]) for x in sweep.reductions]
    starts = [v.const(fold.start) for _, v, fold in folds]
    with loop(body.builder, 0, columns, 1, starts) as turn:
        body.forget_values()
        place = [here, At(turn.i)]
        for node in sweep.kept:
            tiles[node].store(turn.i, body.widen(body.value(node, full_index(place, node.shape))))
        totals = []
        for (node, v, fold), total in zip(folds, turn.values, strict=True):
            x = node.inputs[0]
            value = body.widen(body.value(x, full_index(place, x.shape)))
            totals.append(fold.combine(v, total, value.value))
        turn.carry(totals)
    body.forget_values()
    body.held |= {node: tiles[node].value for node in sweep.kept}
    for (node, _, _), total in zip(folds, turn.values, strict=True):
        body.given[node] = Operand(total, node.dtype, body.n > 1)
