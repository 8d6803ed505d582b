"""Gates that act on every element: arithmetic, comparisons, exponentials, activations.

Operands broadcast as in NumPy, and are brought to one floating dtype; sizes that do not fit raise
ShapeError. In the rules below `dy` is the propagated gradient, `y` the gate's output; a rule
returns one cotangent for each operand, and `gradient` sums it over what was broadcast.

Costs are per element: 1 for arithmetic, comparisons and selections; for a transcendental function
the operations of a vectorised evaluation (range reduction and a polynomial).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograd.errors import DtypeError
from retrograd.graph.node import (
    CONSTANT,
    OPERATORS,
    Array,
    Gate,
    Like,
    Node,
    apply,
    as_dtype,
    as_node,
    define,
    promote,
)
from retrograd.graph.shape import Shape, broadcast, size_of

EXP_FLOPS = 16  # reduction (4), polynomial of degree 6 to 11 (10), scaling (2)
LOG_FLOPS = 18
TANH_FLOPS = 20
POWER_FLOPS = EXP_FLOPS + LOG_FLOPS


def _same(*inputs: Node, **_: Any) -> tuple[Shape, np.dtype[Any]]:
    return broadcast(*(x.shape for x in inputs)), inputs[0].dtype


def _bool(*inputs: Node) -> tuple[Shape, np.dtype[Any]]:
    return broadcast(*(x.shape for x in inputs)), np.dtype(np.bool_)


def _gate(
    name: str,
    numpy: Callable[..., Array],
    vjp: Callable[..., tuple[Node | None, ...]] | None,
    *,
    flops: int = 1,
    is_analytic: bool = True,
    infer: Callable[..., tuple[Shape, np.dtype[Any]]] = _same,
) -> Gate:
    def cost(y: Node, *_: Node, n_rows: int) -> int:
        return flops * size_of(y.shape, n_rows)

    return define(Gate(name, numpy, infer, cost, vjp, is_analytic, promotes=True))


def _is_complex(x: Array) -> bool:
    return bool(x.dtype.kind == "c")


# Casting is written first: the other gates need it to bring operands to one dtype.


def _cast_numpy(x: Array, *, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    if out is None:
        return x.astype(dtype)
    np.copyto(out, x, casting="unsafe")
    return out


def _cast_infer(x: Node, *, dtype: np.dtype[Any]) -> tuple[Shape, np.dtype[Any]]:
    if x.dtype.kind == "c" and dtype.kind != "c":
        raise DtypeError(f"{x.dtype} to {dtype} would lose the imaginary part")
    return x.shape, dtype


CAST = define(
    Gate(
        "cast",
        _cast_numpy,
        _cast_infer,
        lambda *_, n_rows: 0,
        lambda dy, y, x, *, dtype: (cast(dy, x.dtype),),
    )
)


def cast(x: Like, dtype: object) -> Node:
    """The same values in another dtype: bool, int64, float32, float64, complex64 or complex128.

    Its gradient is cast back; through bool and int64 none passes. A float becomes an integer by
    dropping its fraction. Complex to real is a DtypeError.

    >>> rg.evaluate(rg.cast([1.5, -1.5], "int64"))
    array([ 1, -1])
    """
    node, target = as_node(x), as_dtype(dtype)
    return node if node.dtype == target else apply(CAST, node, dtype=target)


# Arithmetic.

ADD = _gate("add", np.add, lambda dy, y, a, b: (dy, dy))
SUBTRACT = _gate("subtract", np.subtract, lambda dy, y, a, b: (dy, -dy))
MULTIPLY = _gate("multiply", np.multiply, lambda dy, y, a, b: (dy * b, dy * a))
NEGATIVE = _gate("negative", np.negative, lambda dy, y, x: (-dy,))
# y**2 is its own gate: its gradient 2 x dy costs two operations, that of x * x costs three.
SQUARE = _gate("square", np.square, lambda dy, y, x: (2.0 * dy * x,))
SQRT = _gate("sqrt", np.sqrt, lambda dy, y, x: (dy / (2.0 * y),))


def _divide_vjp(dy: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    da = dy / b  # y = a / b     da = dy / b     db = -dy a / b**2 = -da y
    return da, -da * y


DIVIDE = _gate("divide", np.divide, _divide_vjp)


def _power_numpy(a: Array, b: Array, *, out: Array | None = None) -> Array:
    if not _is_complex(a):
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


POWER = _gate("power", _power_numpy, _power_vjp, flops=POWER_FLOPS)


def add(x: Like, y: Like) -> Node:
    """x + y.  Both operands get the propagated gradient.

    >>> rg.evaluate(rg.add(1.0, [2.0, 3.0]))
    array([3., 4.])
    """
    return apply(ADD, x, y)


def subtract(x: Like, y: Like) -> Node:
    """x - y.  d/dx = 1, d/dy = -1

    >>> rg.evaluate(rg.subtract([2.0, 3.0], 1.0))
    array([1., 2.])
    """
    return apply(SUBTRACT, x, y)


def multiply(x: Like, y: Like) -> Node:
    """x * y.  d/dx = y, d/dy = x

    >>> rg.evaluate(rg.multiply([2.0, 3.0], 4.0))
    array([ 8., 12.])
    """
    return apply(MULTIPLY, x, y)


def divide(x: Like, y: Like) -> Node:
    """x / y.  d/dx = 1/y, d/dy = -x/y**2

    >>> rg.evaluate(rg.divide([2.0, 3.0], 4.0))
    array([0.5 , 0.75])
    """
    return apply(DIVIDE, x, y)


def negative(x: Like) -> Node:
    """-x.  d/dx = -1

    >>> rg.evaluate(rg.negative([2.0, -3.0]))
    array([-2.,  3.])
    """
    return apply(NEGATIVE, x)


def square(x: Like) -> Node:
    """x**2.  d/dx = 2 x

    >>> rg.evaluate(rg.square([2.0, -3.0]))
    array([4., 9.])
    """
    return apply(SQUARE, x)


def sqrt(x: Like) -> Node:
    """The square root.  d/dx = 1 / (2 sqrt(x)); infinite at 0

    NaN for x < 0, as in NumPy.

    >>> rg.evaluate(rg.sqrt([4.0, 9.0]))
    array([2., 3.])
    """
    return apply(SQRT, x)


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


# Exponentials and logarithms. Where NumPy's complex definition loses digits, ours is written out:
# the complex step reads a derivative off the imaginary part at 16 digits, and needs the real part
# of what it passes through to be as good.


def _log1p_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not _is_complex(x):
        return np.log1p(x, out=out)
    # 1 + x drops the digits of a small x; |1 + x|**2 = 1 + (2 + a) a + b**2 keeps them.
    a, b = x.real, x.imag
    near = np.where(np.abs(a) < 0.5, a, 0)
    log_modulus = 0.5 * np.log1p((2 + near) * near + b * b)
    return np.where(np.abs(a) < 0.5, log_modulus + 1j * np.arctan2(b, 1 + a), np.log(1 + x))


def _sigmoid_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not _is_complex(x):
        e = np.exp(np.negative(x, out=out), out=out)  # infinite below -709: the result is 0
        return np.divide(1, np.add(e, 1, out=out), out=out)
    e = np.exp(np.where(x.real < 0, x, -x))
    return np.where(x.real < 0, e, 1) / (1 + e)


def _softplus_numpy(x: Array, *, out: Array | None = None) -> Array:
    if not _is_complex(x):
        return np.logaddexp(x, 0, out=out)
    return np.where(x.real < 0, 0, x) + _log1p_numpy(np.exp(np.where(x.real < 0, x, -x)))


EXP = _gate("exp", np.exp, lambda dy, y, x: (dy * y,), flops=EXP_FLOPS)
LOG = _gate("log", np.log, lambda dy, y, x: (dy / x,), flops=LOG_FLOPS)
LOG1P = _gate("log1p", _log1p_numpy, lambda dy, y, x: (dy / (1.0 + x),), flops=LOG_FLOPS)
EXPM1 = _gate("expm1", np.expm1, lambda dy, y, x: (dy * exp(x),), flops=EXP_FLOPS)
TANH = _gate("tanh", np.tanh, lambda dy, y, x: (dy * (1.0 - square(y)),), flops=TANH_FLOPS)
SIGMOID = _gate(
    "sigmoid",
    _sigmoid_numpy,
    lambda dy, y, x: (dy * y * (1.0 - y),),
    flops=EXP_FLOPS + 2,
)
SOFTPLUS = _gate(
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

    >>> rg.evaluate(rg.sigmoid([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return apply(SIGMOID, x)


def softplus(x: Like) -> Node:
    """log(1 + e**x), without overflow.  d/dx = sigmoid(x)

    >>> rg.evaluate(rg.softplus([-1e4, 0.0, 1e4])).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+04])
    """
    return apply(SOFTPLUS, x)


# Gates with a kink: not analytic. At the kink the first operand, or 0, gets its way.

ABS = _gate("abs", np.abs, lambda dy, y, x: (dy * sign(x),), is_analytic=False)
SIGN = _gate("sign", np.sign, None, is_analytic=False)
RELU = _gate(
    "relu",
    lambda x, *, out=None: np.maximum(x, 0, out=out),
    lambda dy, y, x: (where(y > 0.0, dy, 0.0),),
    is_analytic=False,
)


def _first(wins: Node, dy: Node) -> tuple[Node, Node]:
    return where(wins, dy, 0.0), where(wins, 0.0, dy)


MAXIMUM = _gate("maximum", np.maximum, lambda dy, y, a, b: _first(a >= b, dy), is_analytic=False)
MINIMUM = _gate("minimum", np.minimum, lambda dy, y, a, b: _first(a <= b, dy), is_analytic=False)


def abs(x: Like) -> Node:
    """|x|.  d/dx = sign(x), 0 at 0

    >>> rg.evaluate(rg.abs([-2.0, 0.0, 3.0]))
    array([2., 0., 3.])
    """
    return apply(ABS, x)


def sign(x: Like) -> Node:
    """-1, 0 or 1 by the sign of x.  Its gradient is 0.

    >>> rg.evaluate(rg.sign([-2.0, 0.0, 3.0]))
    array([-1.,  0.,  1.])
    """
    return apply(SIGN, x)


def relu(x: Like) -> Node:
    """max(x, 0).  d/dx = 1 where x > 0, else 0 (at 0 too, as in PyTorch and JAX)

    >>> rg.evaluate(rg.relu([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return apply(RELU, x)


def maximum(x: Like, y: Like) -> Node:
    """The larger of x and y, element by element.  The whole gradient goes to it; at a tie to x.

    >>> rg.evaluate(rg.maximum([1.0, 4.0], [3.0, 2.0]))
    array([3., 4.])
    """
    return apply(MAXIMUM, x, y)


def minimum(x: Like, y: Like) -> Node:
    """The smaller of x and y, element by element.  The whole gradient goes to it; at a tie to x.

    >>> rg.evaluate(rg.minimum([1.0, 4.0], [3.0, 2.0]))
    array([1., 2.])
    """
    return apply(MINIMUM, x, y)


def clip(x: Like, low: Like, high: Like) -> Node:
    """x held between low and high.  d/dx = 1 where low <= x <= high, else 0

    high where low > high, as in NumPy.

    >>> rg.evaluate(rg.clip([-2.0, 0.5, 3.0], 0.0, 1.0))
    array([0. , 0.5, 1. ])
    """
    return minimum(maximum(x, low), high)


# Comparisons give booleans and have no gradient.

EQUAL = _gate("equal", np.equal, None, is_analytic=False, infer=_bool)
NOT_EQUAL = _gate("not_equal", np.not_equal, None, is_analytic=False, infer=_bool)
LESS = _gate("less", np.less, None, is_analytic=False, infer=_bool)
LESS_EQUAL = _gate("less_equal", np.less_equal, None, is_analytic=False, infer=_bool)
GREATER = _gate("greater", np.greater, None, is_analytic=False, infer=_bool)
GREATER_EQUAL = _gate("greater_equal", np.greater_equal, None, is_analytic=False, infer=_bool)


def equal(x: Like, y: Like) -> Node:
    """Whether x and y are equal, element by element. (`==` between nodes is identity.)

    >>> rg.evaluate(rg.equal([1.0, 2.0], 2.0))
    array([False,  True])
    """
    return apply(EQUAL, x, y)


def not_equal(x: Like, y: Like) -> Node:
    """Whether x and y differ, element by element. (`!=` between nodes is identity.)

    >>> rg.evaluate(rg.not_equal([1.0, 2.0], 2.0))
    array([ True, False])
    """
    return apply(NOT_EQUAL, x, y)


def less(x: Like, y: Like) -> Node:
    """x < y, element by element.

    >>> rg.evaluate(rg.less([1.0, 2.0], 2.0))
    array([ True, False])
    """
    return apply(LESS, x, y)


def less_equal(x: Like, y: Like) -> Node:
    """x <= y, element by element.

    >>> rg.evaluate(rg.less_equal([1.0, 2.0], 1.0))
    array([ True, False])
    """
    return apply(LESS_EQUAL, x, y)


def greater(x: Like, y: Like) -> Node:
    """x > y, element by element.

    >>> rg.evaluate(rg.greater([1.0, 2.0], 1.0))
    array([False,  True])
    """
    return apply(GREATER, x, y)


def greater_equal(x: Like, y: Like) -> Node:
    """x >= y, element by element.

    >>> rg.evaluate(rg.greater_equal([1.0, 2.0], 2.0))
    array([False,  True])
    """
    return apply(GREATER_EQUAL, x, y)


def _where_numpy(condition: Array, a: Array, b: Array, *, out: Array | None = None) -> Array:
    if out is None:
        return np.where(condition, a, b)
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
    return out


def _where_infer(condition: Node, a: Node, b: Node) -> tuple[Shape, np.dtype[Any]]:
    if condition.dtype != np.bool_:
        raise DtypeError(f"the condition must be bool, it is {condition.dtype}; compare it first")
    return broadcast(condition.shape, a.shape, b.shape), np.result_type(a.dtype, b.dtype)


WHERE = define(
    Gate(
        "where",
        _where_numpy,
        _where_infer,
        lambda y, *_, n_rows: size_of(y.shape, n_rows),
        lambda dy, y, condition, a, b: (None, where(condition, dy, 0.0), where(condition, 0.0, dy)),
    )
)


def where(condition: Like, x: Like, y: Like) -> Node:
    """x where the condition holds, else y.  Each gets the gradient where it was chosen, else 0.

    `condition` is a bool node or array, as comparisons make; another dtype is a DtypeError.
    A NaN of the branch not chosen does not reach the value. It can reach the gradient, as in
    PyTorch and JAX: the branch gets 0, and 0 times an infinite local gradient is NaN. Guard the
    argument: `where(x > 0, log(where(x > 0, x, 1.0)), 0.0)`.

    >>> rg.evaluate(rg.where([True, False], [1.0, 2.0], 0.0))
    array([1., 0.])
    """
    chosen = as_node(condition)
    return apply(WHERE, chosen, *promote((x, y)))


OPERATORS |= {
    "cast": cast,
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "power": power,
    "negative": negative,
    "abs": abs,
    "less": less,
    "less_equal": less_equal,
    "greater": greater,
    "greater_equal": greater_equal,
}
