"""What a picture shows, before anything has a place: boxes, and wires from one to others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retrograd.graph.node import CONSTANT, VARIABLE, Node
from retrograd.graph.order import order
from retrograd.graph.shape import show
from retrograd.graph.text import label

GATE, VALUE, NUMBER, LAYER = "gate", "value", "number", "layer"

SYMBOLS = {
    "add": "+",
    "divide": "÷",
    "greater": ">",
    "greater_equal": "≥",
    "less": "<",
    "less_equal": "≤",
    "matmul": "@",
    "maximum": "max",
    "minimum": "min",
    "multiply": "×",
    "negative": "−",
    "power": "^",
    "square": "x²",
    "sqrt": "√",
    "subtract": "−",
    "sum": "Σ",
}
EITHER_WAY = {"add", "multiply", "maximum", "minimum", "equal", "not_equal"}

Lines = tuple[str, ...]
Arrays = Mapping[Node, ArrayLike]
Shares = Mapping[tuple[Node, Node, int], ArrayLike]
"""What comes back to a node (first) from one use of it: by the user (second) and the operand."""


@dataclass(frozen=True)
class Part:
    """A line inside the box of a layer: a parameter with its value and gradient, where known."""

    name: str
    value: str = ""
    gradient: str = ""


@dataclass(frozen=True)
class Box:
    """One shape of a picture: a gate, a variable, a constant, or a layer with what it holds.

    `is_ordered`: whether it matters which of its inputs is the first: it is then drawn uppermost.
    `is_tall`: whether values and gradients of its parts stand below their names, not beside them.
    `hint`: more, in a sentence.
    """

    kind: str
    title: str
    hint: str = ""
    is_ordered: bool = False
    is_tall: bool = False
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class End:
    """Where a wire leads: a box, as its operand of this number; `share`: what comes back there."""

    box: int
    operand: int = 0
    share: str = ""


@dataclass(frozen=True)
class Wire:
    """A value on its way from the box that makes it to those that use it, none for an output."""

    source: int
    ends: tuple[End, ...]
    value: Lines = ()
    gradient: Lines = ()


@dataclass(frozen=True)
class Scene:
    """Boxes and wires, of a picture with a title; wires name boxes by their number."""

    title: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


# What no XML document may hold: control characters, halves of surrogate pairs.
_NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(text: str) -> str:
    r"""A text as it can stand in a file: a sign that cannot becomes U+FFFD.

    >>> written("price in \u20ac"), written("a\x07b") == "a\ufffdb"
    ('price in €', True)
    """
    return _NO_TEXT.sub("\ufffd", text)


def number(value: float, digits: int = 4) -> str:
    """A number in a few digits.

    >>> number(44.0), number(-0.123456), number(1.5e-9)
    ('44', '−0.1235', '1.5e−9')
    """
    text = f"{value + 0.0:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")
    return text.replace("-", "−")


def lines(value: ArrayLike, *, with_shape: bool = True, digits: int = 4) -> Lines:
    """A value in a line or two: a number; of an array the shape and the range of its entries.

    >>> lines(0.25), lines([[1.0, -2.0, 0.5]])
    (('0.25',), ('(1, 3)', '−2 to 1'))
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return (number(float(array), digits),)
    shape = (show(array.shape),) if with_shape else ()
    if array.size == 0:
        return (*shape, "empty")
    n_broken = array.size - np.count_nonzero(np.isfinite(array))
    if n_broken:
        return (*shape, f"{n_broken} not finite")
    low, high = number(float(array.min()), 3), number(float(array.max()), 3)
    if low == high:
        return (*shape, low if array.size == 1 else f"all {low}")
    return (*shape, f"{low} to {high}")


def of_nodes(
    outputs: Iterable[Node],
    *,
    values: Arrays | None = None,
    gradients: Arrays | None = None,
    shares: Shares | None = None,
    title: str = "graph",
) -> Scene:
    """A scene with a box for each node; without values the wires carry the shapes."""
    wanted = list(outputs)
    nodes = order(wanted)
    number_of = {node: i for i, node in enumerate(nodes)}
    ends: dict[Node, list[End]] = {node: [] for node in nodes}
    for user in nodes:
        for operand, node in enumerate(user.inputs):
            share = (shares or {}).get((node, user, operand))
            text = "" if share is None else " ".join(lines(share, with_shape=False, digits=3))
            ends[node].append(End(number_of[user], operand, text))
    wires = tuple(
        Wire(number_of[node], tuple(ends[node]), *on_wire(node, values, gradients))
        for node in nodes
        if ends[node] or node in wanted
    )
    return Scene(title, tuple(map(_box, nodes)), wires)


def on_wire(node: Node, values: Arrays | None, gradients: Arrays | None) -> tuple[Lines, Lines]:
    """What stands over the wire that leaves a node, and under it: nothing of a plain number."""
    if values is None:
        return ((show(node.shape),) if node.shape else ()), ()
    if node.gate is CONSTANT and not node.shape:
        return (), ()
    # Nobody asks for the gradient of a constant, and none flows into indices and conditions.
    if gradients is None or node.gate is CONSTANT or node.dtype.kind != "f":
        return lines(values[node]), ()
    return lines(values[node]), lines(gradients[node], with_shape=False)


def _box(node: Node) -> Box:
    kind = {VARIABLE: VALUE, CONSTANT: NUMBER}.get(node.gate, GATE)
    params = [f"{key}={show(v) if isinstance(v, tuple) else v}" for key, v in node.params.items()]
    hint = " ".join([node.gate.name, *params, show(node.shape), str(node.dtype)])
    title = SYMBOLS.get(node.gate.name, node.gate.name) if kind == GATE else label(node)
    is_ordered = len(node.inputs) > 1 and node.gate.name not in EITHER_WAY
    return Box(kind, title, hint, is_ordered)
