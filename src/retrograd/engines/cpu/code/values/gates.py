"""One line for each element-wise gate: the instructions that compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrograd.engines.cpu.code.builder.lanes import Lanes, Value
from retrograd.engines.cpu.code.functions.bfloat16 import as_bfloat16, round_bfloat16
from retrograd.engines.cpu.code.functions.error import erf, erfc
from retrograd.engines.cpu.code.functions.exponential import exp, expm1, sigmoid, softplus, tanh
from retrograd.engines.cpu.code.functions.floor import floor
from retrograd.engines.cpu.code.functions.logarithm import log, log1p
from retrograd.engines.cpu.code.functions.power import power
from retrograd.engines.cpu.code.functions.root import sqrt
from retrograd.engines.cpu.code.functions.trigonometric import cos, sin


def _relu(v: Lanes, x: Value) -> Value:
    # NaN passes, as in NumPy's maximum; -0 becomes 0.
    return v.select(v.le(x, v.const(0.0)), v.const(0.0), x)


def _sign(v: Lanes, x: Value) -> Value:
    one = v.copysign(v.const(1.0), x)
    return v.select(v.eq(x, v.const(0.0)), v.const(0.0), v.select(v.is_nan(x), x, one))


def _maximum(v: Lanes, x: Value, y: Value) -> Value:
    larger = v.select(v.lt(x, y), y, x)
    return v.select(v.is_nan(y), y, larger)


def _minimum(v: Lanes, x: Value, y: Value) -> Value:
    smaller = v.select(v.lt(y, x), y, x)
    return v.select(v.is_nan(y), y, smaller)


GATES: dict[str, Callable[..., Any]] = {
    "abs": Lanes.abs,
    "add": Lanes.add,
    "bfloat16": as_bfloat16,
    "cos": cos,
    "divide": Lanes.div,
    "equal": Lanes.eq,
    "erf": erf,
    "erfc": erfc,
    "exp": exp,
    "expm1": expm1,
    "floor": floor,
    "greater": lambda v, x, y: v.lt(y, x),
    "greater_equal": lambda v, x, y: v.le(y, x),
    "less": Lanes.lt,
    "less_equal": Lanes.le,
    "log": log,
    "log1p": log1p,
    "maximum": _maximum,
    "minimum": _minimum,
    "multiply": Lanes.mul,
    "negative": Lanes.neg,
    "not_equal": Lanes.ne,
    "power": power,
    "relu": _relu,
    "round_bfloat16": round_bfloat16,
    "sigmoid": sigmoid,
    "sign": _sign,
    "sin": sin,
    "softplus": softplus,
    "sqrt": sqrt,
    "square": lambda v, x: v.mul(x, x),
    "subtract": Lanes.sub,
    "tanh": tanh,
    "where": Lanes.select,
}
