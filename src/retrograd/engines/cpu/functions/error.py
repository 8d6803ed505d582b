"""erf, the error function."""

from __future__ import annotations

import numpy as np

from retrograd.engines.cpu.functions.exponential import expm1
from retrograd.engines.cpu.lanes import Lanes, Value

_F, _D = np.dtype(np.float32), np.dtype(np.float64)

# erf(a) = -expm1(-a (1.125 + P(a))) for 0 <= a <= 4 (6); relative error 2**-27.8, 2**-55.3
_ERF = {
    _F: (
        *(0.0033791717141866684, 0.6366193890571594, 0.10277778655290604),
        *(-0.019153034314513206, -0.00016017774760257453, 0.0016665284056216478),
        *(-0.0006324057467281818, 0.00011747459939215332, -9.232284355675802e-06),
    ),
    _D: (
        *(0.0033791670955125495, 0.6366197723675909, 0.10277260330132049),
        *(-0.019128446993223594, -0.0002091948523893071, 0.0016962076591230746),
        *(-0.0005901323806088313, 2.5904339160317613e-05, 6.442085392027639e-05),
        *(-2.9576353449681716e-05, 3.1706211669424606e-06, 3.1319341764851643e-06),
        *(-2.036308581054316e-06, 5.700331056548856e-07, -1.1382209242602213e-08),
        *(-6.587510131936686e-08, 3.4633719200303914e-08, -1.0786649123636836e-08),
        *(2.363326938934773e-09, -3.7652292899176654e-10, 4.3071060995466564e-11),
        *(-3.3686748272409243e-12, 1.6170373658087013e-13, -3.597228271753271e-15),
    ),
}
_ERF_IS_ONE = {_F: 4.0, _D: 6.0}  # there, and above


def erf(v: Lanes, x: Value) -> Value:
    """2 / sqrt(pi) times the integral of e**-t**2 from 0 to x"""
    # -log(1 - erf a) is smooth for all a >= 0: nearly linear at first, then a**2 and a little.
    a = v.min(v.const(_ERF_IS_ONE[v.dtype]), v.abs(x))
    rest = v.mul(a, v.polynomial(a, _ERF[v.dtype]))
    exponent = v.fma(a, v.const(-1.125), v.neg(rest))
    return v.copysign(expm1(v, exponent), x)
