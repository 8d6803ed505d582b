"""Rows of the data, copied as the order names them into the layout of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi.layout import Layout
from retrograd.engines.cpu.code.builder.integers import (
    I8,
    I64,
    Int,
    Integers,
    as_value,
    loop,
)
from retrograd.engines.cpu.code.builder.processor import ask_for
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.values.access import memory_type
from retrograd.graph.node import Node
from retrograd.graph.shape import with_rows

AHEAD = 4  # rows: about as many as are copied while memory answers


def gather(
    builder: ir.IRBuilder,
    node: Node,
    layout: Layout,
    part: Part,
    *,
    order: Any,
    named: Any,
    source: Any,
    stride: Any,
    to: Any,
    n: int,
) -> None:
    """Copy the rows that the order names, one under the other, into the layout of the batch.

    - `part`: of the batch, the rows to copy. `order`: a pointer to the first number of the batch, and
      `named` how many follow there, those of later batches too.
    - `source`: a pointer to the data, whose rows lie `stride` bytes apart. `to`: one to the batch.
    - `n`: entries copied at a time.
    """
    integers = Integers(builder)
    item = memory_type(node.dtype)
    down = layout.strides(None, integers)[0] if len(layout.shape) > 1 else 1

    def line(row: Int) -> Any:
        number = builder.load(builder.gep(order, [as_value(row)], source_etype=I64), typ=I64)
        return builder.gep(source, [builder.mul(number, stride)], source_etype=I8)

    last = integers.sub(named, 1)
    with loop(builder, part.low, part.high) as row:
        later = line(integers.min(integers.add(row.i, AHEAD), last))
        base = builder.gep(to, [as_value(integers.mul(row.i, down))], source_etype=item)
        _copy_row(builder, node, layout, line(row.i), base, n, later)


def _copy_row(
    builder: ir.IRBuilder, node: Node, layout: Layout, source: Any, to: Any, n: int, later: Any
) -> None:
    """Copy one row, which lies without gaps: whole vectors, then the entries left over.

    `later`: a pointer to a row whose turn comes soon, which is asked for meanwhile.
    """
    integers = Integers(builder)
    item, sizes = memory_type(node.dtype), with_rows(layout.shape[1:], 1)
    width = sizes[-1] if sizes else 1
    down = layout.strides(None, integers)[-2] if len(sizes) > 1 else 0
    with loop(builder, 0, int(np.prod(sizes[:-1], dtype=np.int64))) as each:
        left = builder.gep(source, [as_value(integers.mul(each.i, width))], source_etype=item)
        right = builder.gep(to, [as_value(integers.mul(each.i, down))], source_etype=item)
        whole = width // n * n
        for step, low, high in ((n, 0, whole), (1, whole, width)):
            if low == high:
                continue
            kind = ir.VectorType(item, step) if step > 1 else item
            with loop(builder, low, high, step) as at:
                at_source = builder.gep(left, [as_value(at.i)], source_etype=item)
                if step > 1:
                    entry = integers.add(integers.mul(each.i, width), at.i)
                    ask_for(builder, builder.gep(later, [as_value(entry)], source_etype=item))
                value = builder.load(at_source, typ=kind, align=1)
                place = builder.gep(right, [as_value(at.i)], source_etype=item)
                builder.store(value, place, align=node.dtype.itemsize)
