"""One sweep forward and back on the reference engine, all of it kept; what each use gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import CONSTANT, Node, apply, constant, variable
from retrograd.graph.order import order
from retrograd.graph.shape import has_rows
from retrograd.run import evaluate

Kept = Mapping[Node, Any]


def sweep(
    output: Node, values: Mapping[Node, ArrayLike] | None = None
) -> tuple[tuple[Node, ...], Kept, Kept]:
    """The nodes that a scalar needs, inputs first, the value of each, and its gradient in each.

    `values`: for variables, in place of their own. Zeros where no gradient arrives.
    """
    nodes = order([output])
    floating = [node for node in nodes if node.dtype.kind == "f"]
    found = evaluate([*nodes, *gradient(output, floating)], values, engine="numpy")
    kept = dict(zip(nodes, found, strict=False))
    # No gradient flows into indices and conditions.
    gradients = {node: np.zeros(np.shape(value))[()] for node, value in kept.items()}
    gradients |= dict(zip(floating, found[len(nodes) :], strict=True))
    return tuple(nodes), kept, gradients


def shares(
    nodes: Sequence[Node], values: Kept, gradients: Kept
) -> dict[tuple[Node, Node, int], Any]:
    """For each use of a node that has several, by (node, user, operand): its part of the gradient.

    `nodes`: a graph in order, with the values and gradients of a run. A use through which no
    gradient flows is left out.

    >>> x = rg.variable("x", 3.0)
    >>> f = x * x + x
    >>> nodes, values, gradients = sweep(f)
    >>> list(shares(nodes, values, gradients).values()), gradients[x]
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
