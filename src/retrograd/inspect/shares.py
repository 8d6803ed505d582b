"""What comes back from each use of a value: its gradient is their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import CONSTANT, Node, apply, constant, variable
from retrograd.graph.shape import has_rows
from retrograd.run import evaluate


def shares(
    nodes: Sequence[Node], values: Mapping[Node, Any], gradients: Mapping[Node, Any]
) -> dict[tuple[Node, Node, int], Any]:
    """For each use of a node that has several, by (node, user, operand): its part of the gradient.

    `nodes`: a graph in order, with the values and gradients of a run. A use through which no
    gradient flows is left out.

    >>> x = rg.variable("x", 3.0)
    >>> f = x * x + x
    >>> t = rg.trace(f)
    >>> found = shares(t.nodes, *({n: of(n) for n in t.nodes} for of in (t.value, t.gradient)))
    >>> list(found.values()), t.gradient(x)
    ([3.0, 3.0, 1.0], 7.0)
    """
    n_uses = Counter(node for user in nodes for node in user.inputs)
    wanted: dict[tuple[Node, Node, int], Node] = {}
    for user in nodes:
        if user.dtype.kind != "f" or any(map(has_rows, user.params.values())):
            continue
        for operand, node in enumerate(user.inputs):
            if n_uses[node] < 2 or node.gate is CONSTANT or node.dtype.kind != "f":
                continue
            here = variable("here", values[node], dtype=node.dtype)
            inputs = [constant(values[x], dtype=x.dtype) for x in user.inputs]
            inputs[operand] = here
            again = apply(user.gate, *inputs, **user.params)
            seed = constant(gradients[user], dtype=user.dtype)
            wanted[node, user, operand] = gradient(again, here, seed=seed)
    return dict(zip(wanted, evaluate(list(wanted.values()), engine="numpy"), strict=True))
