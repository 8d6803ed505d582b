"""Euclidean norms of arrays and of gradients."""

from __future__ import annotations

from retrograd.gates import sqrt, square
from retrograd.gates import sum as total
from retrograd.graph.node import Node, constant
from retrograd.optim.base import Nodes


def norm(x: Node) -> Node:
    """The Euclidean norm of all entries."""
    return sqrt(total(square(x)))


def joint_norm(gradients: Nodes) -> Node:
    """The Euclidean norm of all gradients together."""
    squares: Node = constant(0.0)
    for g in gradients.values():
        squares = squares + total(square(g))
    return sqrt(squares)
