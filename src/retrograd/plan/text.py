"""A program as text, for people: one formula for each value that a kernel names or stores."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from retrograd.graph.node import CONSTANT, Node
from retrograd.graph.shape import show
from retrograd.graph.text import label
from retrograd.plan.pack import BFLOAT16, STORED
from retrograd.plan.program import Kernel, Program, is_heavy, is_number, squeezed
from retrograd.plan.reading import goes_by_entry

INLINE = 40  # characters: a longer formula gets a line of its own
LISTED = 5  # gates: more are counted instead
COLUMN = 56  # where shapes begin, unless a formula reaches further

# How tightly a sign binds; a call, a name and a number bind the most.
SIGNS = {
    "less": ("<", 0),
    "less_equal": ("<=", 0),
    "greater": (">", 0),
    "greater_equal": (">=", 0),
    "equal": ("==", 0),
    "not_equal": ("!=", 0),
    "add": ("+", 1),
    "subtract": ("-", 1),
    "multiply": ("*", 2),
    "divide": ("/", 2),
    "matmul": ("@", 2),
    "negative": ("-", 3),
    "power": ("**", 4),
}
TIGHT = 5
GROUPS_LEFT = frozenset({1, 2})  # a - b - c is (a - b) - c, and is written so


def as_text(program: Program) -> str:
    """The program: what it is given, then for each kernel what it computes and what it stores.

    A kernel is one loop nest, so all under one headline is fused. What has an arrow goes to memory:
    to a slot within the step, to state (W' takes the place of W), or to an output. W_T is a state
    variable W that is kept transposed (see `plan.turn`), pack(x) is x as `plan.pack` lays it out.
    All else stays in registers; a name that the kernel does not define is read from memory. A value
    that several kernels need, and that is cheap, each of them computes.

    Where an element-wise gate broadcasts anyway, broadcast_to and sizes of 1 are left out.

    >>> from retrograd.graph.step import Step
    >>> from retrograd.plan.schedule import plan
    >>> x, w = rg.variable("x", shape=(rg.rows, 3)), rg.variable("w", np.ones((3, 2)))
    >>> print(as_text(plan(Step({"x": x}, {"w": w}, {"y": rg.relu(x @ w + 1.0)}))))
    1 kernel for 3 gates; 1 value goes to memory
    inputs    x  (rows, 3) float64
    state     w  (3, 2) float64
    <BLANKLINE>
    kernel 0: matmul (rows, 2), fused with add, relu
      y = relu(x @ w + 1)                  (rows, 2) float64  -> output
    """
    names = Names(program)
    gates = {node for kernel in program.kernels for node in kernel.body}
    kernels, stored = len(program.kernels), len(list(program.stored()))
    counts = f"{_count(kernels, 'kernel')} for {_count(len(gates), 'gate')}"
    lines = [f"{counts}; {_count(stored, 'value')} {'goes' if stored == 1 else 'go'} to memory"]
    given = {kind: getattr(program, kind).values() for kind in ("inputs", "scalars", "state")}
    arrays = [x for x in program.constants() if not (x.gate is CONSTANT and is_number(x))]
    for kind, nodes in (given | {"constants": arrays}).items():
        width = max((len(names(node)) for node in nodes), default=0)
        for i, node in enumerate(nodes):
            title = "" if i else kind
            lines.append(f"{title:9} {names(node):{width}}  {show(node.shape)} {node.dtype}")
    for number, kernel in enumerate(program.kernels):
        lines += ["", f"kernel {number}: {_headline(kernel)}", *_formulas(kernel, names)]
    return "\n".join(lines)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _headline(kernel: Kernel) -> str:
    """The heavy gate and the space, and which gates are computed with it."""
    if kernel.is_by_row:
        return _headline_by_row(kernel)
    what = "map" if kernel.heavy is None else kernel.heavy.gate.name
    counts = Counter(node.gate.name for node in kernel.body if node is not kernel.heavy)
    light = ", ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())
    if counts.total() > LISTED:
        light = f"{counts.total()} {'gates' if kernel.heavy is None else 'more gates'}"
    joint = " of " if kernel.heavy is None else ", fused with "
    return f"{what} {show(kernel.space)}{joint if light else ''}{light}"


def _headline_by_row(kernel: Kernel) -> str:
    """What is reduced of each row, and how many gates are computed with it."""
    counts = Counter(node.gate.name for node in kernel.body if is_heavy(node))
    heavy = ", ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())
    n_light = len(kernel.body) - counts.total()
    more = f", fused with {_count(n_light, 'more gate')}" if n_light else ""
    return f"{heavy} by row {show(kernel.space)}{more}"


def _formulas(kernel: Kernel, names: Names) -> Iterator[str]:
    uses = Counter(x for node in kernel.body for x in node.inputs)
    silent = _silent(kernel)
    written: dict[Node, tuple[str, int]] = {}  # formulas that go into another, how tight they are

    def operand(x: Node) -> tuple[str, int]:
        if x in written:
            return written.pop(x)
        if x.gate is CONSTANT and is_number(x):
            text = label(x)
            return text, 3 if text.startswith("-") else TIGHT
        if x not in names and x.gate.name == "transpose":  # a product reads through it
            return f"{names(x.inputs[0])}.{'T' if x.ndim == 2 else 'mT'}", TIGHT
        return names(x), TIGHT

    for node in kernel.body:
        operands = [operand(x) for x in node.inputs]
        text, tightness = operands[0] if node in silent else _formula(node, operands)
        place = names.place(node) if node in kernel.stores else ""
        if not place and uses[node] == 1 and len(text) <= INLINE:
            written[node] = text, tightness
            continue
        left = f"  {names(node)} = {text}"
        dtype = BFLOAT16.name if node.gate in STORED else node.dtype
        right = f"{show(node.shape)} {dtype}"
        yield f"{left:{COLUMN}}  {right}" + (f"  -> {place}" if place else "")


def _formula(node: Node, operands: list[tuple[str, int]]) -> tuple[str, int]:
    """What a node computes, from the formulas of its inputs."""
    name = node.gate.name
    if name in ("cast", "row_count"):
        return f"{node.dtype}({operands[0][0] if operands else 'rows'})", TIGHT
    if name in SIGNS:
        sign, tightness = SIGNS[name]
        last = _bracketed(operands[-1], tightness + 1)
        if len(operands) == 1:
            return f"{sign}{last}", tightness
        first = _bracketed(operands[0], tightness + (tightness not in GROUPS_LEFT))
        return f"{first} {sign} {last}", tightness
    words = [text for text, _ in operands]
    words += [f"{key}={_show(value)}" for key, value in node.params.items() if value is not False]
    return f"{name}({', '.join(words)})", TIGHT


def _silent(kernel: Kernel) -> set[Node]:
    """The nodes that a formula leaves out: what reads them goes entry by entry, and broadcasts."""
    silent = {node for node in kernel.body if _adds_nothing(node)}
    for user in reversed(kernel.body):
        if user not in silent:
            silent.difference_update(x for x in user.inputs if not goes_by_entry(user))
    return silent


def _adds_nothing(node: Node) -> bool:
    """Whether a node repeats its input's entries, or adds and drops sizes of 1, and no more."""
    if node.gate.name == "reshape":
        return squeezed(node.shape) == squeezed(node.inputs[0].shape)
    return node.gate.name == "broadcast_to"


def _bracketed(operand: tuple[str, int], least: int) -> str:
    text, tightness = operand
    return text if tightness >= least else f"({text})"


def _show(value: object) -> str:
    return show(value) if isinstance(value, tuple) else str(value)


class Names:
    """Names for the nodes of a program's text.

    A variable has its own, as a word; what is stored as an output or as the next value of W is
    called by the output's name or W'; others are numbered in order.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._names: dict[Node, str] = {}
        self._taken: set[str] = set()
        self._numbers = itertools.count()
        given = (program.inputs, program.scalars, program.state)
        for node in (*(x for nodes in given for x in nodes.values()), *program.constants()):
            self._names[node] = self._own(label(node))
        for name, node in program.outputs.items():
            self._names[node] = self._own(name)
        for node, variable in program.in_place.items():
            self._names[node] = f"{self._names[variable]}'"

    def _own(self, wanted: str) -> str:
        """The name as a word that no other node has."""
        word = re.sub(r"\W", "_", wanted)
        word = word if word.isidentifier() else f"_{word}"
        found, n = word, 1
        while found in self._taken:
            n += 1
            found = f"{word}_{n}"
        self._taken.add(found)
        return found

    def __contains__(self, node: Node) -> bool:
        return node in self._names

    def __call__(self, node: Node) -> str:
        """The node's name: `%3` for the fourth that has none of its own."""
        if node not in self._names:
            self._names[node] = f"%{next(self._numbers)}"
        return self._names[node]

    def place(self, node: Node) -> str:
        """Where a stored node goes: to state, to an output, or to a numbered slot."""
        if node in self._program.in_place:
            return "state"
        slot = self._program.slots.get(node)
        return "output" if slot is None else f"slot {slot}"
