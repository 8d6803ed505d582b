"""A kernel as a function of LLVM's intermediate language: its values, and the loops around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi.scratch import needs_scratch
from retrograd.engines.cpu.abi.table import SCRATCH, Table
from retrograd.engines.cpu.code.builder.integers import I64, POINTER
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.loops.by_row import run_by_row
from retrograd.engines.cpu.code.loops.maps import run_map
from retrograd.engines.cpu.code.loops.one_by_one import run_cumsum, run_first_max, run_scatter_add
from retrograd.engines.cpu.code.loops.packing import PackedPlace, run_packing
from retrograd.engines.cpu.code.loops.product import run_product
from retrograd.engines.cpu.code.loops.reductions import run_reduce
from retrograd.engines.cpu.code.loops.transpose import is_transposition, run_transposition
from retrograd.engines.cpu.code.values.access import NeedsScalarsError, Place
from retrograd.engines.cpu.code.values.body import Body
from retrograd.engines.cpu.code.values.moves import MOVES
from retrograd.engines.cpu.machine.target import Target
from retrograd.graph.node import CONSTANT, Node
from retrograd.plan.program import Kernel, is_number

RUN: dict[str, Callable[[Body, Kernel, Part], None]] = {
    "sum": run_reduce,
    "max": run_reduce,
    "first_max": run_first_max,
    "scatter_add": run_scatter_add,
    "cumsum": run_cumsum,
}
"""The loops of a heavy gate; a product has more operands."""


@dataclass(frozen=True)
class Call:
    """A kernel's function, and the memory that it is handed, in order."""

    kernel: Kernel
    function: ir.Function
    memory: tuple[object, ...]


def emit_kernel(module: ir.Module, kernel: Kernel, name: str, table: Table, target: Target) -> Call:
    """The function of a kernel: with vectors, or number by number where lanes cannot follow."""
    try:
        return _kernel(module, kernel, name, table, target, lanes_of(kernel, target))
    except NeedsScalarsError:
        del module.globals[name]
        return _kernel(module, kernel, name + "_scalar", table, target, 1)


def lanes_of(kernel: Kernel, target: Target) -> int:
    """How many numbers a vector has: as many of the kernel's widest float as fill a register."""
    nodes = [node for node in (*kernel.body, *kernel.loads) if not is_number(node)]
    is_double = any(node.dtype == np.float64 for node in nodes)
    return target.bytes // (8 if is_double or not nodes else 4)


def _kernel(
    module: ir.Module, kernel: Kernel, name: str, table: Table, target: Target, n: int
) -> Call:
    arrays = [node for node in (*kernel.loads, *kernel.stores) if _is_array(node)]
    memory = tuple(dict.fromkeys(table.memory(node) for node in arrays))
    if needs_scratch(kernel, target):
        memory = (*memory, SCRATCH)
    kinds = [POINTER] * len(memory) + [POINTER, I64, I64, I64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "hidden"  # it may be called from another module
    function.attributes.add("noinline")  # one large function would take LLVM many times longer
    for argument in function.args[: len(memory)]:
        argument.add_attribute("noalias")
    pointers = dict(zip(memory, function.args, strict=False))
    error, rows, low, high = function.args[len(memory) :]
    builder = ir.IRBuilder(function.append_basic_block("prologue"))
    places, packed = {}, None
    for node in arrays:
        pointer, layout = pointers[table.memory(node)], table.packed(node)
        if layout is None:
            places[node] = Place(pointer, table.layout(node))
        else:
            packed = PackedPlace(pointer, layout)
    fma = target.has_fma
    body = Body(builder, places, kernel.loads, rows, n, has_fma=fma, error=error, moves=MOVES)
    start = function.append_basic_block("start")
    builder.position_at_end(start)
    part = Part(low, high)
    if kernel.is_by_row:
        run_by_row(body, kernel, part, pointers[SCRATCH])
    elif kernel.heavy is None and packed is not None:
        run_packing(body, kernel, part, packed)
    elif kernel.heavy is None and is_transposition(body, kernel):
        run_transposition(body, kernel, low, high)
    elif kernel.heavy is None:
        run_map(body, kernel, part)
    elif kernel.heavy.gate.name == "matmul":
        run_product(body, kernel, part, target, pointers.get(SCRATCH), packed)
    else:
        RUN[kernel.heavy.gate.name](body, kernel, part)
    builder.ret_void()
    builder.position_at_end(body.prologue)
    builder.branch(start)
    return Call(kernel, function, memory)


def _is_array(node: Node) -> bool:
    return not (node.gate is CONSTANT and is_number(node))
