"""floor, the largest whole number that is not above x."""

from __future__ import annotations

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value


def floor(v: Lanes, x: Value) -> Value:
    """The largest whole number that is not above x: exact.

    By arithmetic alone: not every processor has an instruction for it.
    """
    # Adding 2**23 (2**52) leaves no place for a fraction; larger numbers have none.
    shift = v.const(2.0**v.mantissa)
    a = v.abs(x)
    nearest = v.copysign(v.sub(v.add(a, shift), shift), x)
    below = v.select(v.lt(x, nearest), v.sub(nearest, v.const(1)), nearest)
    return v.select(v.lt(a, shift), below, x)
