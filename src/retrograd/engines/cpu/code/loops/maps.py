"""Kernels of element-wise gates alone: one loop where all arrays lie alike, else nested ones."""

from __future__ import annotations

from retrograd.engines.cpu.code.builder.integers import Int, loop
from retrograd.engines.cpu.code.loops.axes import Part, chunks, nest, store_all
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.index import HERE
from retrograd.plan.program import Kernel, is_number, squeezed
from retrograd.plan.reading import MOVING


def run_map(body: Body, kernel: Kernel, part: Part) -> None:
    """A kernel without a heavy gate: every stored node at every index of the space."""
    short = squeezed(kernel.space)
    if not short:
        for node in kernel.stores:
            index = (HERE,) * node.ndim
            body.store(node, index, body.value(node, index))
        return
    stride = _flat_stride(body, kernel)
    if stride is not None:
        integers = body.integers
        start, stop = integers.mul(part.low, stride), integers.mul(part.high, stride)
        with loop(body.builder, start, stop, body.n) as turn:
            body.forget()
            body.flat = turn.i
            store_all(body, kernel, [HERE] * len(short))
            body.flat = None
        return
    with nest(body, short[:-1], part) as outer:
        bounds = part if len(short) == 1 else None
        for chunk in chunks(body, short[-1], bounds):
            with chunk as at:
                body.forget()
                store_all(body, kernel, [*outer, at])


def _flat_stride(body: Body, kernel: Kernel) -> Int | None:
    """The stride of the first axis if all arrays lie alike, so that one loop runs through them."""
    arrays = [node for node in (*kernel.loads, *kernel.stores) if not is_number(node)]
    found = [body.places[x].layout for x in arrays]
    layouts = {(layout.shape, layout.unit) for layout in found}
    short = squeezed(kernel.space)
    moved = any(
        squeezed(x.shape) != short
        for node in kernel.body
        for x in (node, *node.inputs)
        if not is_number(x)
    )
    if len(layouts) != 1 or moved or any(n.gate.name in MOVING for n in kernel.body):
        return None
    if not found[0].is_padded:
        return None
    # Rows of entries of another size may be padded to another length.
    stride, *others = [layout.strides(body.rows, body.integers)[0] for layout in found]
    if len(short) > 1 and isinstance(short[-1], int) and isinstance(stride, int):
        return stride if all(other == stride for other in others) else None
    return stride if len(short) == 1 else None
