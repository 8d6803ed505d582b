"""Mixed precision: the products of a step in bfloat16, all else as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from retrograd.gates import round_bfloat16, transpose
from retrograd.graph.node import Node, apply
from retrograd.graph.order import order
from retrograd.graph.step import Step


def in_bfloat16(step: Step) -> Step:
    """The step with both operands of every float32 product rounded to bfloat16.

    Sums stay in float32, and so do weights and optimizer: they are the master copies from which
    each product's operands are rounded anew   [Micikevicius et al. 2018; Kalamkar et al. 2019].
    """
    made: dict[Node, Node] = {}
    rounded: dict[Node, Node] = {}
    for node in order(step.results):
        inputs = tuple(made[x] for x in node.inputs)
        if node.gate.name == "matmul" and node.dtype == np.float32:
            made[node] = apply(node.gate, *(_rounded(x, rounded) for x in inputs))
        elif inputs == node.inputs:
            made[node] = node
        else:
            made[node] = apply(node.gate, *inputs, **node.params)

    def anew(nodes: Mapping[str, Node]) -> dict[str, Node]:
        return {name: made[node] for name, node in nodes.items()}

    return replace(step, outputs=anew(step.outputs), updates=anew(step.updates))


def _rounded(x: Node, rounded: dict[Node, Node]) -> Node:
    """An operand rounded: before it is transposed, so that it is rounded once for both."""
    if x.gate.name == "transpose":
        return transpose(_rounded(x.inputs[0], rounded), x.params["axes"])
    if x not in rounded:
        rounded[x] = round_bfloat16(x)
    return rounded[x]
