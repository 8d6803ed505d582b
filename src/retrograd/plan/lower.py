"""Lower a graph to the gates that kernels are made of: softmax becomes max, exp, sum, quotient.

A reduction of axes with one entry is no reduction: the loss of a single output is one map.

Law: `run(lower(g)) == run(g)` for every graph, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from retrograd.gates import abs as abs_
from retrograd.gates import exp, less, log, max, mean, reshape, sum, where
from retrograd.graph.node import CONSTANT, Node, again
from retrograd.graph.order import order
from retrograd.plan.program import is_number
from retrograd.plan.reading import operand

Axes = tuple[int, ...]


def lower(outputs: Iterable[Node]) -> list[Node]:
    """The outputs, computed by primitive gates only."""
    wanted = list(outputs)
    made: dict[Node, Node] = {}
    for node in order(wanted):
        inputs = tuple([made[x] for x in node.inputs])
        rule = LOWERED.get(node.gate.name)
        if rule is not None:
            made[node] = rule(node, *inputs, **node.params)
        elif inputs == node.inputs:
            made[node] = node
        else:
            made[node] = again(node, inputs)
    return [made[node] for node in wanted]


def _shift(x: Node, axes: Axes) -> Node:
    """The largest entry, which keeps exp from overflowing; 0 where it is not finite."""
    largest = max(x, axes, keepdims=True)
    return where(less(abs_(largest), math.inf), largest, 0.0)


def _softmax(_: Node, x: Node, *, axes: Axes) -> Node:
    e = exp(x - _shift(x, axes))
    return e * (1.0 / sum(e, axes, keepdims=True))


def _log_softmax(_: Node, x: Node, *, axes: Axes) -> Node:
    shifted = x - _shift(x, axes)
    return shifted - log(sum(exp(shifted), axes, keepdims=True))


def _exp(node: Node, x: Node) -> Node:
    if node.inputs[0].gate.name != "log_softmax":
        return node if (x,) == node.inputs else again(node, (x,))
    shifted, log_total = x.inputs  # a softmax, whose exponentials are at hand
    return exp(shifted) * (1.0 / log_total.inputs[0])


def _logsumexp(node: Node, x: Node, *, axes: Axes, keepdims: bool) -> Node:
    shift = _shift(x, axes)
    return reshape(log(sum(exp(x - shift), axes, keepdims=True)) + shift, node.shape)


def _center(_: Node, x: Node, *, axes: Axes) -> Node:
    d = x - mean(x, axes, keepdims=True)
    return d - mean(d, axes, keepdims=True)


def _matmul(node: Node, x: Node, w: Node) -> Node:
    made = node if (x, w) == node.inputs else again(node, (x, w))
    # A constant of one entry is part of the code: there is no memory where a product could read it.
    read = [operand(made, 0), operand(made, 1)]
    is_scaling = any(a.gate is CONSTANT and is_number(a) for a in read)
    return x * w if is_scaling else made


def _reduction(node: Node, x: Node, *, axes: Axes, keepdims: bool) -> Node:
    if all(x.shape[axis] == 1 for axis in axes):
        return reshape(x, node.shape)
    return node if (x,) == node.inputs else again(node, (x,))


LOWERED: dict[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "center": _center,
    "exp": _exp,
    "matmul": _matmul,
    "sum": _reduction,
    "max": _reduction,
}
