"""Gates that only move or convert entries: each asks for its input at another index."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I64, Int, as_value
from retrograd.engines.cpu.code.values.access import NeedsScalarsError, Operand
from retrograd.engines.cpu.code.values.body import Body, Move
from retrograd.engines.cpu.code.values.bounds import legal_place
from retrograd.engines.cpu.code.values.index import (
    HERE,
    At,
    Index,
    broadcast_index,
    full_index,
    short_index,
)
from retrograd.engines.cpu.code.values.random import draw
from retrograd.errors import GraphError
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows
from retrograd.plan.program import squeezed


def _reshape(body: Body, node: Node, index: Index) -> Operand:
    x = node.inputs[0]
    short = short_index(index, node.shape)
    if squeezed(node.shape) == squeezed(x.shape):
        return body.value(x, full_index(short, x.shape))
    if any(at.step for at in short) and body.n > 1:
        raise NeedsScalarsError
    integers = body.integers
    flat: Int = 0
    for at, size in zip(index, node.shape, strict=True):
        number = body.rows if isinstance(size, Rows) else size
        flat = integers.add(integers.mul(flat, number), at.base)
    places: list[At] = []
    for size in reversed(x.shape):
        number = body.rows if isinstance(size, Rows) else size
        places.append(At(integers.mod(flat, number)) if size != 1 else HERE)
        flat = integers.div(flat, number) if size != 1 else flat
    return body.value(x, tuple(reversed(places)))


def _broadcast_to(body: Body, node: Node, index: Index) -> Operand:
    return body.input(node, node.inputs[0], index)


def _transpose(body: Body, node: Node, index: Index) -> Operand:
    axes = node.params["axes"]
    return body.value(node.inputs[0], tuple(index[axes.index(i)] for i in range(len(axes))))


def _slice(body: Body, node: Node, index: Index) -> Operand:
    axis, start, step = (node.params[key] for key in ("axis", "start", "step"))
    at = index[axis]
    if at.step and step != 1 and body.n > 1:
        raise NeedsScalarsError
    integers = body.integers
    base = integers.add(integers.mul(at.base, step), start)
    moved = (*index[:axis], At(base, at.step), *index[axis + 1 :])
    return body.value(node.inputs[0], moved)


def _scalar_place(body: Body, at: At) -> Any:
    if at.step and body.n > 1:
        raise NeedsScalarsError
    return as_value(at.base)


def _unslice(body: Body, node: Node, index: Index) -> Operand:
    axis, start, stop, step = (node.params[key] for key in ("axis", "start", "stop", "step"))
    b, i = body.builder, _scalar_place(body, index[axis])
    places = range(start, stop, step)
    zero = body.constant(0.0, node.dtype)
    if not places:
        return zero
    first, size = min(places), len(places)
    gone = b.sub(i, as_value(first))
    number = b.sdiv(gone, as_value(abs(step)))
    is_in = b.and_(
        b.and_(b.icmp_signed(">=", gone, as_value(0)), b.icmp_signed("<", number, as_value(size))),
        b.icmp_signed("==", b.srem(gone, as_value(abs(step))), as_value(0)),
    )
    back = b.sub(as_value(size - 1), number) if step < 0 else number
    at = At(b.select(is_in, back, as_value(0)))
    inner = body.value(node.inputs[0], (*index[:axis], at, *index[axis + 1 :]))
    if inner.is_wide:
        return Operand(b.select(is_in, inner.value, body.widen(zero).value), node.dtype, True)
    return Operand(b.select(is_in, inner.value, zero.value), node.dtype, False)


def _concatenate(body: Body, node: Node, index: Index) -> Operand:
    axis = node.params["axis"]
    b, i = body.builder, _scalar_place(body, index[axis])
    result: Operand | None = None
    start = 0
    for x in node.inputs:
        size: Any = x.shape[axis]
        if size:
            gone = b.sub(i, as_value(start))
            is_in = b.and_(
                b.icmp_signed(">=", gone, as_value(0)), b.icmp_signed("<", gone, as_value(size))
            )
            at = At(b.select(is_in, gone, as_value(0)))
            index_of_x = (*index[:axis], HERE if size == 1 else at, *index[axis + 1 :])
            inner = body.value(x, broadcast_index(index_of_x, x.shape))
            if result is None:
                result = inner
            else:
                is_wide = inner.is_wide or result.is_wide
                pair = [body.widen(o).value if is_wide else o.value for o in (inner, result)]
                result = Operand(b.select(is_in, *pair), node.dtype, is_wide)
        start += size
    assert result is not None
    return result


def _take(body: Body, node: Node, index: Index) -> Operand:
    x, indices = node.inputs
    axis = node.params["axis"]
    size: Any = x.shape[axis]
    number = body.rows if isinstance(size, Rows) else size
    mine = index[axis : axis + indices.ndim]
    found = body.value(indices, mine)
    if found.is_wide:
        raise NeedsScalarsError
    at, _ = legal_place(body, "take", found.value, number)
    place = HERE if size == 1 else at
    return body.value(x, (*index[:axis], place, *index[axis + indices.ndim :]))


def _one_hot(body: Body, node: Node, index: Index) -> Operand:
    label = body.value(node.inputs[0], index[:-1])
    place = body.along(index[-1])
    is_wide = label.is_wide or (index[-1].step == 1 and body.n > 1)
    b = body.builder
    if is_wide and not label.is_wide:
        # Small integers compare twice as many at a time; a label too large for them is no place.
        short = ir.VectorType(ir.IntType(32), body.n)
        fits = b.icmp_signed("==", b.sext(b.trunc(label.value, ir.IntType(32)), I64), label.value)
        small = b.trunc(b.select(fits, label.value, as_value(-1)), ir.IntType(32))
        is_it = b.icmp_signed("==", b.trunc(place, short), body.splat(small))
    elif is_wide and not index[-1].step:
        short = ir.VectorType(ir.IntType(32), body.n)
        numbers = b.trunc(label.value, short)
        fits = b.icmp_signed("==", b.sext(numbers, label.value.type), label.value)
        small = b.select(fits, numbers, ir.Constant(short, [-1] * body.n))
        is_it = b.icmp_signed("==", small, body.splat(b.trunc(place, ir.IntType(32))))
    elif is_wide:
        is_it = b.icmp_signed("==", label.value, place)
    else:
        is_it = b.icmp_signed("==", label.value, place)
    bit = Operand(is_it, np.dtype(np.bool_), is_wide)
    return Operand(_converted(body, bit, node.dtype), node.dtype, is_wide)


def _row_count(body: Body, node: Node, index: Index) -> Operand:
    lanes = body.lanes(node.dtype if node.dtype.kind == "f" else np.float64, is_wide=False)
    if node.dtype.kind != "f":
        return Operand(as_value(body.rows), node.dtype, False)
    return Operand(body.builder.sitofp(as_value(body.rows), lanes.type), node.dtype, False)


def _cast(body: Body, node: Node, index: Index) -> Operand:
    x = body.input(node, node.inputs[0], index)
    return Operand(_converted(body, x, node.dtype), node.dtype, x.is_wide)


def _converted(body: Body, x: Operand, dtype: np.dtype[Any]) -> Any:
    b, to = body.builder, body.kind_of(dtype, is_wide=x.is_wide, is_bit=True)
    if x.dtype == dtype:
        return x.value
    kinds = x.dtype.kind + dtype.kind
    if kinds == "ff":
        narrower = dtype.itemsize < x.dtype.itemsize
        return b.fptrunc(x.value, to) if narrower else b.fpext(x.value, to)
    if kinds == "bf":
        lanes = body.lanes(dtype, is_wide=x.is_wide)
        return lanes.select(x.value, lanes.const(1.0), lanes.const(0.0))
    if kinds == "if":
        return b.sitofp(x.value, to)
    if kinds == "fi":
        return b.fptosi(x.value, to)
    if kinds == "bi":
        return b.zext(x.value, to)
    if kinds == "fb":
        return b.fcmp_unordered(
            "!=",
            x.value,
            ir.Constant(x.value.type, 0.0)
            if not x.is_wide or body.n == 1
            else ir.Constant(x.value.type, [ir.Constant(x.value.type.element, 0.0)] * body.n),
        )
    if kinds == "ib":
        return b.icmp_signed(
            "!=", x.value, ir.Constant(x.value.type, None if x.is_wide and body.n > 1 else 0)
        )
    raise GraphError(f"cast: the cpu engine cannot turn {x.dtype} into {dtype}")


MOVES: dict[str, Move] = {
    "broadcast_to": _broadcast_to,
    "cast": _cast,
    "concatenate": _concatenate,
    "one_hot": _one_hot,
    "reshape": _reshape,
    "row_count": _row_count,
    "slice": _slice,
    "take": _take,
    "transpose": _transpose,
    "uniform": draw,
    "unslice": _unslice,
}
