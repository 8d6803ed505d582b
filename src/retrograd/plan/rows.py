"""Whether the rows of a program depend on each other."""

from __future__ import annotations

from retrograd.graph.node import Node
from retrograd.graph.shape import has_rows
from retrograd.plan.program import Program


def is_row_by_row(program: Program) -> bool:
    """Whether every output leads with rows, and each row of it needs only that row of the inputs.

    Then the rows may be worked on in pieces. What cannot be told quickly counts as dependent.
    """
    nodes = [node for kernel in program.kernels for node in kernel.body]
    return all(has_rows(node.shape[:1]) for node in program.outputs.values()) and all(
        _keeps_rows(node) for node in nodes
    )


def _keeps_rows(node: Node) -> bool:
    name = node.gate.name
    if name in ("row_count", "uniform") or has_rows(node.shape[1:]):
        return False
    touched = [x for x in node.inputs if has_rows(x.shape)]
    if not touched:
        return True
    if any(has_rows(x.shape[1:]) for x in touched) or not has_rows(node.shape[:1]):
        return False
    if name == "matmul":
        return node.ndim == 2 and not has_rows(node.inputs[1].shape)
    if name == "transpose":
        return bool(node.params["axes"][0] == 0)
    if name in ("slice", "unslice", "concatenate", "take", "scatter_add", "cumsum"):
        return bool(node.params["axis"] > 0) and node.inputs[0] in touched
    if name in ("sum", "max", "first_max"):
        return 0 not in node.params["axes"]
    if name in ("reshape", "one_hot"):
        return True
    # Broadcasting aligns axes from the right: rows stay first only where nothing comes before.
    return all(x.ndim == node.ndim for x in touched)
