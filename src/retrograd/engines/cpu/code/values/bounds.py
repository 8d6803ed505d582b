"""Indices that are read from data: each is checked, and one that is out of range is noted."""

from __future__ import annotations

from typing import Any

from retrograd.engines.cpu.abi.places import PICKING
from retrograd.engines.cpu.code.builder.integers import I64, Int, as_value
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import At


def legal_place(body: Body, gate: str, index: Any, size: Int) -> tuple[At, Any]:
    """The place that an index of a gate names, and whether there is none.

    Then the place is 0, and the error tells the gate, the size and the index.
    """
    b = body.builder
    negative = b.icmp_signed("<", index, as_value(0))
    i = b.select(negative, b.add(index, as_value(size)), index)
    is_out = b.or_(b.icmp_signed("<", i, as_value(0)), b.icmp_signed(">=", i, as_value(size)))
    code = body.integers.add(body.integers.mul(size, len(PICKING)), PICKING.index(gate) + 1)
    second = body.gep(body.error, I64, 1)
    with b.if_then(is_out, likely=False):
        b.store(as_value(code), body.error)
        b.store(index, second)
    return At(b.select(is_out, as_value(0), i)), is_out
