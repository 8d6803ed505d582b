"""Exponentials, logarithms and powers of every element, and the activations made of them.

Where NumPy's complex definition loses digits, ours is written out: the complex step reads a
derivative off the imaginary part at 16 digits, and needs the real part of what it passes through
to be as good.
"""

from __future__ import annotations

import numpy as np

from retrograd.gates.arithmetic import sqrt, square
from retrograd.gates.compare import equal, where
from retrograd.gates.elementwise import elementwise, is_complex
from retrograd.graph.node import CONSTANT, OPERATORS, Array, Like, Node, apply, as_node

EXP_FLOPS = 16  # reduction (4), polynomial of degree 6 to 11 (10), scaling (2)
LOG_FLOPS = 18
TANH_FLOPS = 20
POWER_FLOPS = EXP_FLOPS + LOG_FLOPS


def _log1p_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not is_complex(x):
        return np.log1p(x, out=out)
    # 1 + x drops the digits of a small x; |1 + x|**2 = 1 + (2 + a) a + b**2 keeps them.
    a, b = x.real, x.imag
    near = np.where(np.abs(a) < 0.5, a, 0)
    log_modulus = 0.5 * np.log1p((2 + near) * near + b * b)
    return np.where(np.abs(a) < 0.5, log_modulus + 1j * np.arctan2(b, 1 + a), np.log(1 + x))


def _sigmoid_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not is_complex(x):
        e = np.exp(np.negative(x, out=out), out=out)  # infinite below -709: the result is 0
        return np.divide(1, np.add(e, 1, out=out), out=out)
    e = np.exp(np.where(x.real < 0, x, -x))
    return np.where(x.real < 0, e, 1) / (1 + e)


def _softplus_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not is_complex(x):
        return np.logaddexp(x, 0, out=out)
    return np.where(x.real < 0, 0, x) + _log1p_numpy(np.exp(np.where(x.real < 0, x, -x)))


EXP = elementwise("exp", np.exp, lambda dy, y, x: (dy * y,), flops=EXP_FLOPS)
LOG = elementwise("log", np.log, lambda dy, y, x: (dy / x,), flops=LOG_FLOPS)
LOG1P = elementwise("log1p", _log1p_numpy, lambda dy, y, x: (dy / (1.0 + x),), flops=LOG_FLOPS)
EXPM1 = elementwise("expm1", np.expm1, lambda dy, y, x: (dy * exp(x),), flops=EXP_FLOPS)
TANH = elementwise("tanh", np.tanh, lambda dy, y, x: (dy * (1.0 - square(y)),), flops=TANH_FLOPS)
SIGMOID = elementwise(
    "sigmoid",
    _sigmoid_numpy,
    lambda dy, y, x: (dy * y * (1.0 - y),),
    flops=EXP_FLOPS + 2,
)
SOFTPLUS = elementwise(
    "softplus",
    _softplus_numpy,
    lambda dy, y, x: (dy * sigmoid(x),),
    flops=EXP_FLOPS + LOG_FLOPS + 1,
)


def exp(x: Like) -> Node:
    """e**x.  d/dx = e**x

    >>> rg.evaluate(rg.exp([0.0, 1.0])).round(4)
    array([1.    , 2.7183])
    """
    return apply(EXP, x)


def log(x: Like) -> Node:
    """The natural logarithm.  d/dx = 1/x

    -inf at 0 and NaN for x < 0, as in NumPy.

    >>> rg.evaluate(rg.log([1.0, 2.0])).round(4)
    array([0.    , 0.6931])
    """
    return apply(LOG, x)


def log1p(x: Like) -> Node:
    """log(1 + x), accurate for small x.  d/dx = 1/(1 + x)

    >>> rg.evaluate(rg.log1p([0.0, 1e-20]))
    array([0.e+00, 1.e-20])
    """
    return apply(LOG1P, x)


def expm1(x: Like) -> Node:
    """e**x - 1, accurate for small x.  d/dx = e**x

    >>> rg.evaluate(rg.expm1([0.0, 1e-20]))
    array([0.e+00, 1.e-20])
    """
    return apply(EXPM1, x)


def tanh(x: Like) -> Node:
    """The hyperbolic tangent.  d/dx = 1 - tanh(x)**2

    >>> rg.evaluate(rg.tanh([0.0, 1.0])).round(4)
    array([0.    , 0.7616])
    """
    return apply(TANH, x)


def sigmoid(x: Like) -> Node:
    """1 / (1 + e**-x), without overflow.  d/dx = sigmoid(x) (1 - sigmoid(x))

    [Bishop 2006, eq. 4.59 and 4.88]

    >>> rg.evaluate(rg.sigmoid([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return apply(SIGMOID, x)


def softplus(x: Like) -> Node:
    """log(1 + e**x), without overflow.  d/dx = sigmoid(x)   [Dugas et al. 2001]

    >>> rg.evaluate(rg.softplus([-1e4, 0.0, 1e4])).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+04])
    """
    return apply(SOFTPLUS, x)


# Powers.


def _power_numpy(a: Array, b: Array, *, out: Array | None = None) -> Array:
    if not is_complex(a):
        return np.power(a, b, out=out)
    # exp(b log a) loses digits where b log a is large, and (-2)**200 gets an imaginary part:
    # take the modulus of a real power, and turn by pi b first where a lies left of 0.
    left = a.real < 0
    m = np.where(left, -a, a)
    r, angle = np.abs(m), np.arctan2(m.imag, m.real)
    log_r = np.log(np.where(r > 0, r, 1))
    modulus = np.power(r, b.real) * np.exp(-b.imag * angle)
    turned = modulus * np.exp(1j * (b.real * angle + b.imag * log_r))
    half_turns = np.where(a.imag < 0, -1, 1) * b
    is_even, is_odd = (b == 2 * np.rint(b.real / 2)), (b - 1 == 2 * np.rint((b.real - 1) / 2))
    turn = np.where(is_even, 1, np.where(is_odd, -1, np.exp(1j * np.pi * half_turns)))
    return np.where(left, turn, 1) * turned


def _power_vjp(dy: Node, y: Node, a: Node, b: Node) -> tuple[Node | None, Node | None]:
    # y = a**b     da = dy b a**(b-1)     db = dy y log(a)
    if b.gate is CONSTANT and b.value is not None and b.shape == ():
        exponent = b.value.item()
        if exponent == 0:
            return None, None
        return dy * (exponent * power(a, exponent - 1.0)), None
    # At a = 0 these would be 0 * 0**-1 for b = 0, and 0**b log(0): NaN, where the limits are 0.
    is_zero = equal(a, 0.0)
    base = where(is_zero, where(equal(b, 0.0), 1.0, a), a)
    argument = where(is_zero, where(b >= 0.0, 1.0, a), a)
    return dy * (b * power(base, b - 1.0)), dy * (y * log(argument))


POWER = elementwise("power", _power_numpy, _power_vjp, flops=POWER_FLOPS)


def power(x: Like, y: Like) -> Node:
    """x**y.  d/dx = y x**(y-1), d/dy = x**y log(x)

    Exponents -1, 0.5, 1 and 2 written as numbers become 1/x, sqrt, x itself and `square`.
    Where y is 0 the gradient in x is 0; where x is 0 and y is not negative the gradient in y is 0.

    >>> rg.evaluate(rg.power([4.0, 9.0], 1.5))
    array([ 8., 27.])
    """
    if isinstance(y, int | float) and not isinstance(x, int | float):
        x = as_node(x)
        if y == 2:
            return square(x)
        if y == 1 and x.dtype.kind in "fc":
            return x
        if y == 0.5:
            return sqrt(x)
        if y == -1:
            return 1.0 / x
    return apply(POWER, x, y)


OPERATORS["power"] = power
