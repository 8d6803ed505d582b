"""Every gate, applied to a batch: what an engine is compared with the reference on.

Each case takes the node `x` (rows, n), `y` of its shape and `label` (rows,), and returns outputs
that lead with rows, or have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import retrograd as rg
from retrograd.gates.layout import SLICE, UNSLICE
from retrograd.gates.reduce import FIRST_MAX
from retrograd.graph.node import Node, apply

Case = Callable[[Node, Node, Node], list[Node]]


def each(function: Callable[[Node], Node]) -> Case:
    """A gate of one operand: as it is, and where something goes on from it."""
    return lambda x, y, label: [function(x), function(x[:, 0])]


def both(function: Callable[[Node, Node], Node]) -> Case:
    """A gate of two operands: of one shape, of a row, of a column, of a number."""
    return lambda x, y, label: [
        function(x, y),
        function(x, rg.sum(y, axis=0)),
        function(y[:, :1], x),
        function(x, x.dtype.type(0.25)),
    ]


def positive(x: Node) -> Node:
    return 0.1 + rg.abs(x)


def from_the_end(label: Node) -> Node:
    """-1 for 0, -2 for 1, ...: gates compute floats only."""
    return rg.cast(-1.0 - rg.cast(label, "float64"), "int64")


def steps(x: Node) -> Node:
    """Values with many ties."""
    return rg.sign(x - 0.5) + rg.sign(x + 0.5)


def reduced(function: Any) -> Case:
    def case(x: Node, y: Node, label: Node) -> list[Node]:
        cube = rg.reshape(rg.concatenate([x, y], 1), (rg.rows, 2, x.shape[1]))
        axes = [1, 2, (1, 2), 0, (0, 2), None]
        return [
            function(x, 1),
            function(x, 0),
            function(x, 1, keepdims=True) * x,
            *(function(cube, axis) for axis in axes),
        ]

    return case


def normalised(function: Any) -> Case:
    return lambda x, y, label: [function(x, 1), function(40.0 * x, 0), function(x, (0, 1))]


def masks(x: Node, y: Node, label: Node) -> list[Node]:
    found = [apply(FIRST_MAX, steps(x), axes=axes) for axes in ((0,), (1,), (0, 1))]
    return [*found, rg.gradient(rg.sum(rg.max(steps(x), 1) * y[:, 0]), x)]


def products(x: Node, y: Node, label: Node) -> list[Node]:
    square = rg.tanh(x.T @ y)  # (n, n)
    cube = rg.reshape(rg.concatenate([x, y], 1), (rg.rows, 2, x.shape[1]))
    return [
        x @ square,
        x @ square.T + y,
        x @ square[:, 0],
        x.T @ y[:, 0],
        rg.sum(x @ y.T, 1),
        cube @ square,
        rg.transpose(cube, (0, 2, 1)) @ cube,
        cube @ square[0],
        square[0] @ square,
    ]


def taken(x: Node, y: Node, label: Node) -> list[Node]:
    table, columns = rg.sum(x, 0), np.array([0, -1, 0])
    return [
        rg.take(rg.concatenate([table, table, table]), label),
        rg.take(x, columns, 1),
        rg.take(label, from_the_end(rg.cast(rg.less(x[:, 0], 0.0), "int64"))),
        rg.sum(rg.take(rg.concatenate([x, y, x], 1).T, label), 0),
        rg.take(rg.constant(np.arange(6, dtype=x.dtype).reshape(3, 2)), from_the_end(label)),
    ]


def scattered(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    return [
        rg.scatter_add(x, label, 3),
        rg.scatter_add(x, from_the_end(label), 4),
        rg.scatter_add(x, np.arange(n) % 2, 2, 1),
    ]


def sliced(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    whole = (n - 1, -1, -1)
    pieces = [(0, n, 2), (n // 2, n, 1), (1, 1, 1), whole]
    return [apply(SLICE, x * 2.0, axis=1, start=a, stop=b, step=c) for a, b, c in pieces]


def unsliced(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    places = [(0, n, 1, n), (1, n + 1, 1, n + 3), (1, 2 * n, 2, 2 * n), (n - 1, -1, -1, n)]
    return [
        apply(UNSLICE, x * y, axis=1, start=a, stop=b, step=c, size=size)
        for a, b, c, size in places
    ]


def reshaped(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    pair = rg.concatenate([x, y], 1)
    return [
        rg.reshape(pair, (rg.rows, n, 2)),
        rg.reshape(pair, (rg.rows, 1, 2, 1, n)) * 2.0,
        rg.reshape(rg.reshape(pair, (rg.rows, n, 2)), (rg.rows, 2 * n)) + 1.0,
    ]


def transposed(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    cube = rg.reshape(rg.concatenate([x, y], 1), (rg.rows, 2, n))
    return [rg.transpose(cube, (0, 2, 1)), rg.sum(x.T * rg.row_count(x.dtype), 1), (x.T + y.T).T]


def casts(x: Node, y: Node, label: Node) -> list[Node]:
    whole = 3.0 * steps(x)
    kinds = ["float32", "float64", "int64", "bool"]
    return [
        *(rg.cast(whole, kind) for kind in kinds),
        *(rg.cast(label, kind) for kind in kinds),
        *(rg.cast(rg.less(x, y), kind) for kind in kinds),
    ]


def cumulated(x: Node, y: Node, label: Node) -> list[Node]:
    cube = rg.reshape(rg.concatenate([x, y], 1), (rg.rows, 2, x.shape[1]))
    cases = [(x * y, 1), (x, 0), (cube, 0), (cube, 1), (cube, 2), (x[:, 0], 0)]
    return [
        *(rg.cumsum(node, axis, reverse=back) for node, axis in cases for back in (False, True)),
        rg.gradient(rg.sum(rg.cumsum(x, 1) * y), x),
    ]


def drawn(x: Node, y: Node, label: Node) -> list[Node]:
    n: Any = x.shape[1]
    here: Any = {"seed": 5, "offset": rg.sum(rg.cast(label, "float64")), "dtype": x.dtype}
    u = rg.uniform(x.shape, **here)
    return [
        u,
        u * x + rg.uniform((n,), **here, stream=3),
        rg.where(rg.bernoulli(0.3, x.shape, **here), x, y),
        x @ (x.T @ y) + rg.uniform((rg.rows, n), **here, stream=1),
        rg.uniform((rg.rows,), **here) + x[:, 0],
        rg.sum(rg.uniform((rg.rows, 2, n), **here), 2),
        rg.uniform((rg.rows, n, 2), **here)[:, :, 1] * x,
        rg.transpose(rg.uniform((rg.rows, 2, n), **here), (0, 2, 1)) * 2.0,
        rg.sum(u, 0),
        rg.uniform((), **here) * x,
        rg.uniform((2, n), seed=2**62 + 1, offset=2**40 + 3, stream=2**32 - 1, dtype="float64"),
        rg.cast(rg.uniform(x.shape, seed=1, dtype="float32"), "float64"),
        rg.cast(rg.normal(x.shape, **here), x.dtype),
    ]


CASES: dict[str, Case] = {
    "abs": each(rg.abs),
    "add": both(rg.add),
    "broadcast_to": lambda x, y, label: [
        rg.broadcast_to(rg.sum(x, 0), x.shape),
        rg.broadcast_to(x[:, :1], x.shape) + y,
        rg.broadcast_to(rg.reshape(x, (rg.rows, 1, -1)), (rg.rows, 3, x.shape[1])),
    ],
    "cast": casts,
    "center": normalised(rg.center),
    "cos": each(lambda x: rg.cos(9.0 * x)),
    "cumsum": cumulated,
    "concatenate": lambda x, y, label: [
        rg.concatenate([x, y, x[:, :1]], 1),
        rg.concatenate([rg.sum(x, 0), rg.sum(y, 0)]),
        rg.concatenate([x[:, :0], x[:, :0]], 1),
    ],
    "divide": both(lambda x, y: x / positive(y)),
    "equal": both(lambda x, y: rg.equal(steps(x), steps(y))),
    "erf": each(lambda x: rg.erf(3.0 * x)),
    "erfc": each(lambda x: rg.erfc(4.0 * x)),
    "exp": each(rg.exp),
    "expm1": each(rg.expm1),
    "first_max": masks,
    "floor": each(lambda x: rg.floor(4.0 * steps(x) + x)),
    "greater": both(lambda x, y: rg.greater(steps(x), steps(y))),
    "greater_equal": both(lambda x, y: rg.greater_equal(steps(x), steps(y))),
    "less": both(lambda x, y: rg.less(steps(x), steps(y))),
    "less_equal": both(lambda x, y: rg.less_equal(steps(x), steps(y))),
    "log": each(lambda x: rg.log(positive(x))),
    "log1p": each(lambda x: rg.log1p(0.9 * x)),
    "log_softmax": normalised(rg.log_softmax),
    "logsumexp": reduced(rg.logsumexp),
    "matmul": products,
    "max": reduced(rg.max),
    "maximum": both(rg.maximum),
    "minimum": both(rg.minimum),
    "multiply": both(rg.multiply),
    "negative": each(rg.negative),
    "not_equal": both(lambda x, y: rg.not_equal(steps(x), steps(y))),
    "one_hot": lambda x, y, label: [
        rg.one_hot(label, 2, kind) for kind in ("float32", "float64", "int64", "bool")
    ],
    "power": both(lambda x, y: positive(x) ** y),
    "relu": each(rg.relu),
    "round_bfloat16": each(rg.round_bfloat16),
    "reshape": reshaped,
    "row_count": lambda x, y, label: [
        rg.row_count(), rg.row_count("float32") * x, rg.row_count("int64")
    ],
    "scatter_add": scattered,
    "sigmoid": each(lambda x: rg.sigmoid(20.0 * x)),
    "sign": each(rg.sign),
    "sin": each(lambda x: rg.sin(9.0 * x)),
    "slice": sliced,
    "softmax": normalised(rg.softmax),
    "softplus": each(lambda x: rg.softplus(20.0 * x)),
    "sqrt": each(lambda x: rg.sqrt(positive(x))),
    "square": each(rg.square),
    "subtract": both(rg.subtract),
    "sum": reduced(rg.sum),
    "take": taken,
    "tanh": each(lambda x: rg.tanh(3.0 * x)),
    "transpose": transposed,
    "uniform": drawn,
    "unslice": unsliced,
    "where": both(lambda x, y: rg.where(rg.less(steps(x), y), x, y)),
}  # fmt: skip
