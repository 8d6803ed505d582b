"""erf, the error function."""

from __future__ import annotations

import numpy as np

from retrograd.engines.cpu.functions.exponential import expm1_inside
from retrograd.engines.cpu.lanes import Lanes, Value

_F, _D = np.dtype(np.float32), np.dtype(np.float64)

# erf(a) = -expm1(-(a + a P(a))) for 0 <= a <= 4 (6); relative error 2**-27.8, 2**-55.3
_ERF = {
    _F: (
        *(0.12837916612625122, 0.6366195678710938, 0.10277630388736725),
        *(-0.019147826358675957, -0.00016948796110227704, 0.0016756452387198806),
        *(-0.0006373362266458571, 0.00011885034473380074, -9.386300916958135e-06),
    ),
    _D: (
        *(0.12837916709551256, 0.6366197723675898, 0.10277260330135772),
        *(-0.01912844699381848, -0.0002091948468742924, 0.0016962076261642764),
        *(-0.0005901322449545415, 2.5903936846197047e-05, 6.442174191469077e-05),
        *(-2.957784710760419e-05, 3.172569465598551e-06, 3.1299384327457286e-06),
        *(-2.0346891018872005e-06, 5.6898656733256e-07, -1.0842532733070495e-08),
        *(-6.609690909314494e-08, 3.4706025204163135e-08, -1.080517206510536e-08),
        *(2.367000200176277e-09, -3.7707377557824266e-10, 4.313126831123481e-11),
        *(-3.3731859297013304e-12, 1.6191019756667844e-13, -3.60156381842708e-15),
    ),
}
_ERF_IS_ONE = {_F: 4.0, _D: 6.0}  # there, and above


def erf(v: Lanes, x: Value) -> Value:
    """2 / sqrt(pi) times the integral of e**-t**2 from 0 to x"""
    # -log(1 - erf a) is smooth for all a >= 0: nearly linear at first, then a**2 and a little.
    minus_a = v.max(v.const(-_ERF_IS_ONE[v.dtype]), v.neg(v.abs(x)))
    p = v.polynomial(minus_a, [(-1) ** k * c for k, c in enumerate(_ERF[v.dtype])])
    return v.copysign(expm1_inside(v, v.fma(minus_a, p, minus_a)), x)
