"""Rounding to fewer digits: the numbers that a product in bfloat16 sees."""

from __future__ import annotations

import numpy as np

from retrograd.gates.elementwise import elementwise
from retrograd.graph.node import Array, Like, Node, apply


def _round_numpy(x: Array, *, out: Array | None = None) -> Array:
    result = np.empty(x.shape, x.dtype) if out is None else out
    single = np.ascontiguousarray(x, np.float32)
    bits = single.view(np.uint32)
    # Add just under half of what is cut off, and one more where the last digit kept is odd.
    rounded = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    np.copyto(result, np.where(np.isnan(single), single, rounded.view(np.float32)).reshape(x.shape))
    return result


ROUND_BFLOAT16 = elementwise("round_bfloat16", _round_numpy, None, flops=4, is_analytic=False)


def round_bfloat16(x: Like) -> Node:
    """The nearest bfloat16 (8 binary digits, ties to even), as a number of x's own dtype.

    [IEEE 754-2019, sec. 4.3.1]. A float64 is first rounded to float32, and what is too large
    becomes infinite. Constant almost everywhere, so its gradient is 0: it belongs into a finished
    step, as `rg.train` puts it with `precision="bfloat16"`, not into a loss.

    >>> rg.evaluate(rg.round_bfloat16([1.0, 1.001, 1.005]))
    array([1.       , 1.       , 1.0078125])
    """
    return apply(ROUND_BFLOAT16, x)


FLOOR = elementwise("floor", np.floor, None, is_analytic=False)


def floor(x: Like) -> Node:
    """The largest whole number that is not above x.  Its gradient is 0.

    >>> rg.evaluate(rg.floor([-1.5, 2.0, 2.5]))
    array([-2.,  2.,  2.])
    """
    return apply(FLOOR, x)
