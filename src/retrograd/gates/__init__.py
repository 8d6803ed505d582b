"""The primitive gates, and the functions of nodes that apply them under their NumPy-like names."""

from retrograd.gates.arithmetic import add, divide, multiply, negative, sqrt, square, subtract
from retrograd.gates.compare import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    not_equal,
    where,
)
from retrograd.gates.cumulative import cumsum
from retrograd.gates.elementwise import cast
from retrograd.gates.error import erf, erfc
from retrograd.gates.exponential import (
    exp,
    expm1,
    log,
    log1p,
    power,
    sigmoid,
    softplus,
    tanh,
)
from retrograd.gates.kinks import abs, clip, maximum, minimum, relu, sign
from retrograd.gates.layout import broadcast_to, concatenate, reshape, transpose, zeros
from retrograd.gates.linear import matmul
from retrograd.gates.moments import center, standardize, variance
from retrograd.gates.random import bernoulli, normal, uniform
from retrograd.gates.ranking import top_k_mask
from retrograd.gates.reduce import (
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    row_count,
    softmax,
    sum,
    sum_to,
)
from retrograd.gates.rounding import floor, round_bfloat16
from retrograd.gates.select import one_hot, scatter_add, take
from retrograd.gates.trigonometric import cos, sin

__all__ = [
    "abs",
    "add",
    "bernoulli",
    "broadcast_to",
    "cast",
    "center",
    "clip",
    "concatenate",
    "cos",
    "cumsum",
    "divide",
    "equal",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "floor",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "normal",
    "not_equal",
    "one_hot",
    "power",
    "relu",
    "reshape",
    "round_bfloat16",
    "row_count",
    "scatter_add",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "standardize",
    "subtract",
    "sum",
    "sum_to",
    "take",
    "tanh",
    "top_k_mask",
    "transpose",
    "uniform",
    "variance",
    "where",
    "zeros",
]
