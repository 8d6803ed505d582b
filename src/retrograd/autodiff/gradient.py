"""Reverse-mode differentiation: append the backward sweep to a graph.

Every gate has a rule that turns the propagated gradient of its output into one for each input
(propagated times local gradient). The sweep visits the nodes from the output back, each once, so it
costs a small multiple of the forward pass whatever the number of inputs [Griewank & Walther 2008,
sec. 3.3; Rumelhart, Hinton & Williams 1986].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from retrograd.errors import DtypeError, GraphError, ShapeError
from retrograd.gates import broadcast_to, cast, sum_to, zeros
from retrograd.graph.node import Like, Node, as_node, constant, describe
from retrograd.graph.order import dependents, order
from retrograd.graph.shape import show


@overload
def gradient(output: Node, wrt: Node, *, seed: Like | None = None) -> Node: ...
@overload
def gradient(output: Node, wrt: Sequence[Node], *, seed: Like | None = None) -> list[Node]: ...


def gradient(
    output: Node, wrt: Node | Sequence[Node], *, seed: Like | None = None
) -> Node | list[Node]:
    """The derivative of `output` with respect to each node of `wrt`, as nodes   [Linnainmaa 1976].

    Args:
        output: a scalar node, unless a seed is given.
        wrt: a node or several: variables, or any values in between.
        seed: the gradient that arrives at `output`, of its shape; 1 for a scalar. With a seed v
            the result is the vector-Jacobian product v . d(output)/d(wrt).

    Returns:
        A node for each of `wrt`, of its shape and dtype: a list if `wrt` is a sequence. They are
        ordinary nodes: evaluate them, or differentiate them again. Zeros where `output` does not
        depend on a node.

    At a tie `max` and `maximum` send the whole gradient to the first largest input; relu'(0) = 0.

    Raises ShapeError for an output that is not a scalar without a seed, DtypeError for a node that
    is not float32 or float64.

    >>> x = rg.variable("x", [1.0, 2.0, 3.0])
    >>> dx = rg.gradient(rg.sum(x**3), x)
    >>> rg.evaluate([dx, rg.gradient(rg.sum(dx), x)])
    [array([ 3., 12., 27.]), array([ 6., 12., 18.])]
    """
    if isinstance(wrt, Node):
        return _sweep(output, [wrt], seed)[0]
    if not isinstance(wrt, Iterable):
        raise GraphError(f"gradient: wrt is a node or a list of nodes, got {wrt!r}")
    return _sweep(output, list(wrt), seed)


def _sweep(output: Node, wrt: list[Node], seed: Like | None) -> list[Node]:
    _require_differentiable(output, wrt)
    nodes = order([output])
    reached, wanted = dependents(nodes, wrt), set(wrt)
    cotangents: dict[Node, Node] = {output: _seed(output, seed)}
    for node in reversed(nodes):
        if node not in reached or node not in cotangents or not node.inputs:
            continue
        dy = cotangents[node] if node in wanted else cotangents.pop(node)
        for x, dx in zip(node.inputs, _local(node, dy), strict=True):
            if dx is None or x not in reached or x.dtype.kind != "f":
                continue
            arriving = cast(sum_to(dx, x.shape), x.dtype)
            # Where a value feeds several consumers, what comes back is summed.
            cotangents[x] = cotangents[x] + arriving if x in cotangents else arriving
    return [cotangents[x] if x in cotangents else zeros(x.shape, x.dtype) for x in wrt]


def _local(node: Node, dy: Node) -> tuple[Node | None, ...]:
    if node.gate.vjp is None:
        return (None,) * len(node.inputs)
    return node.gate.vjp(dy, node, *node.inputs, **node.params)


def _seed(output: Node, seed: Like | None) -> Node:
    if seed is None:
        if output.shape:
            raise ShapeError(
                f"gradient: {describe(output)} is not a scalar; "
                "reduce it (rg.sum, rg.mean) or give a seed of its shape"
            )
        return constant(1.0, dtype=output.dtype)
    node = as_node(seed)
    if node.shape != output.shape:
        raise ShapeError(
            f"gradient: the seed has shape {show(node.shape)}, the output {show(output.shape)}"
        )
    return broadcast_to(cast(node, output.dtype), output.shape)


def _require_differentiable(output: Node, wrt: list[Node]) -> None:
    for what, node in [("the output", output), *(("a node of wrt", x) for x in wrt)]:
        if not isinstance(node, Node):
            raise GraphError(f"gradient: {what} must be a node, got {type(node).__name__}")
        if node.dtype.kind != "f":
            raise DtypeError(f"gradient: {what} must be float32 or float64, {node!r} is not")
