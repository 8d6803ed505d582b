"""From a program to one module of LLVM's intermediate language: a function a kernel, and the loop.

`run(memory, numbers)` trains (or scores) a range of batches: for each it gathers the rows that the
order names, then calls the kernels. `memory` is a table of pointers, `numbers` one of integers;
`Table` says which is which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.body import Body, NeedsScalarsError, Place, memory_type
from retrograd.engines.cpu.indices import I64, POINTER, Int, Integers, as_value, loop
from retrograd.engines.cpu.loops import RUN, Part, run_map
from retrograd.engines.cpu.moves import MOVES
from retrograd.engines.cpu.packing import is_packed, scratch_bytes
from retrograd.engines.cpu.processor import enter_mode, leave_mode
from retrograd.engines.cpu.product import run_product
from retrograd.engines.cpu.sharing import Sharing
from retrograd.engines.cpu.table import SCRATCH, Table
from retrograd.engines.cpu.target import Target
from retrograd.engines.cpu.threads import emit_barrier
from retrograd.engines.cpu.transpose import is_transposition, run_transposition
from retrograd.errors import GraphError
from retrograd.graph.node import CONSTANT, Node
from retrograd.graph.shape import Rows, has_rows
from retrograd.plan.program import Kernel, Program, is_number, squeezed

VOID = ir.VoidType()
PART = 16  # rows: threads take whole multiples, so that no vector crosses from one to another

# The first numbers; strides of scalars and of data follow.
N_ROWS, BATCH, FIRST, LAST, THREAD, THREADS = range(6)
STRIDES = 6


@dataclass(frozen=True)
class Call:
    """A kernel's function, and the memory that it is handed, in order."""

    kernel: Kernel
    function: ir.Function
    memory: tuple[object, ...]


def emit(program: Program, target: Target, table: Table, name: str = "run") -> ir.Module:
    """The module of a program, for a processor. GraphError where it cannot be made."""
    _require_real(program)
    module = ir.Module(name="retrograd", context=ir.Context())
    calls = [
        emit_kernel(module, kernel, f"kernel_{i}", table, target)
        for i, kernel in enumerate(program.kernels)
    ]
    _emit_run(module, name, calls, table, target)
    return module


def _require_real(program: Program) -> None:
    for kernel in program.kernels:
        for node in kernel.body:
            if any(x.dtype.kind == "c" for x in (node, *node.inputs)):
                raise GraphError(
                    f"{node.gate.name}: the cpu engine takes no complex numbers, got {node!r}; "
                    "use engine='numpy'"
                )


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
    if is_packed(kernel, target):
        memory = (*memory, SCRATCH)
    kinds = [POINTER] * len(memory) + [POINTER, I64, I64, I64]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # one large function would take LLVM many times longer
    for argument in function.args[: len(memory)]:
        argument.add_attribute("noalias")
    pointers = dict(zip(memory, function.args, strict=False))
    error, rows, low, high = function.args[len(memory) :]
    builder = ir.IRBuilder(function.append_basic_block("prologue"))
    places = {node: Place(pointers[table.memory(node)], table.layout(node)) for node in arrays}
    fma = target.has_fma
    body = Body(builder, places, kernel.loads, rows, n, has_fma=fma, error=error, moves=MOVES)
    start = function.append_basic_block("start")
    builder.position_at_end(start)
    part = Part(low, high)
    if kernel.heavy is None and is_transposition(body, kernel):
        run_transposition(body, kernel, low, high)
    elif kernel.heavy is None:
        run_map(body, kernel, part)
    elif kernel.heavy.gate.name == "matmul":
        run_product(body, kernel, part, target.tile, pointers.get(SCRATCH))
    else:
        RUN[kernel.heavy.gate.name](body, kernel, part)
    builder.ret_void()
    builder.position_at_end(body.prologue)
    builder.branch(start)
    return Call(kernel, function, memory)


def _is_array(node: Node) -> bool:
    return not (node.gate is CONSTANT and is_number(node))


def _emit_run(
    module: ir.Module, name: str, calls: list[Call], table: Table, target: Target
) -> None:
    """The loop over batches."""
    function = ir.Function(module, ir.FunctionType(VOID, [POINTER, POINTER]), name)
    memory, numbers = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    integers = Integers(builder)

    def figure(i: int) -> Any:
        return builder.load(builder.gep(numbers, [as_value(i)], source_etype=I64), typ=I64)

    def pointer(key: object) -> Any:
        at = builder.gep(memory, [as_value(table.cells[key])], source_etype=POINTER)
        return builder.load(at, typ=POINTER)

    def moved(base: Any, n_bytes: Int) -> Any:
        return builder.gep(base, [as_value(n_bytes)], source_etype=ir.IntType(8))

    program = table.program
    n_rows, size, first, last, thread, threads = (figure(i) for i in range(STRIDES))
    strides = {key: figure(STRIDES + i) for i, key in enumerate(stride_keys(program))}
    fixed = {key: pointer(key) for key in table.cells}
    of_thread = scratch_bytes(program, target, size, integers)
    mode = enter_mode(builder, target)
    sharing = Sharing(table)
    with loop(builder, first, last) as batch:
        start = integers.mul(batch.i, size)
        rows = integers.min(integers.sub(n_rows, start), size)

        def part(count: Int) -> Part:
            return share_of(integers, count, thread, threads)

        own = part(rows)
        here = dict(fixed)
        here[SCRATCH] = moved(fixed[SCRATCH], integers.mul(thread, of_thread))
        for node in program.scalars.values():
            here[node] = moved(fixed[node], integers.mul(batch.i, strides[node]))
        for node in program.outputs.values():
            item = node.dtype.itemsize * _entries_a_row(node)
            index = start if has_rows(node.shape[:1]) else batch.i
            here[node] = moved(fixed[node], integers.mul(index, item))
        for key, node in program.inputs.items():
            source, stride = fixed[("data", key)], strides[("data", key)]
            if table.is_direct:
                here[node] = moved(source, integers.mul(start, stride))
                continue
            order = moved(fixed["order"], integers.mul(start, 8))
            _gather(builder, integers, node, table, fixed[node], source, stride, order, own, target)
            sharing.write_rows(node)
        for call in calls:
            if sharing.needs_barrier(call.kernel):
                emit_barrier(builder, fixed["barrier"], thread, threads, target)
            bounds = sharing.bounds(call.kernel)
            operands = [*(here[key] for key in call.memory), fixed["error"], as_value(rows)]
            if bounds is None:
                with builder.if_then(builder.icmp_signed("==", thread, as_value(0))):
                    whole = first_size(call.kernel, rows)
                    builder.call(call.function, [*operands, as_value(0), as_value(whole)])
            else:
                mine = own if isinstance(bounds, Rows) else part(bounds)
                builder.call(call.function, [*operands, as_value(mine.low), as_value(mine.high)])
        emit_barrier(builder, fixed["barrier"], thread, threads, target)
    leave_mode(builder, target, mode)
    builder.ret_void()


def first_size(kernel: Kernel, rows: Any) -> Int:
    """The size of a kernel's first axis."""
    short = squeezed(kernel.space)
    if not short:
        return 1
    return rows if isinstance(short[0], Rows) else short[0]


def stride_keys(program: Program) -> list[object]:
    """What has a stride among the numbers: scalars (bytes a batch), data (bytes a row)."""
    return [*program.scalars.values(), *(("data", name) for name in program.inputs)]


def share_of(integers: Integers, count: Int, thread: Any, threads: Any) -> Part:
    """A thread's part of a size, in whole multiples of PART."""
    units = integers.div(integers.add(count, PART - 1), PART)

    def bound(t: Any) -> Any:
        unit = integers.div(integers.mul(units, t), threads)
        return integers.min(integers.mul(unit, PART), count)

    return Part(bound(thread), bound(integers.add(thread, 1)))


def _entries_a_row(node: Node) -> int:
    sizes = [size for size in node.shape if not isinstance(size, Rows)]
    return int(np.prod(sizes, dtype=np.int64))


def _gather(
    builder: ir.IRBuilder,
    integers: Integers,
    node: Node,
    table: Table,
    to: Any,
    source: Any,
    stride: Any,
    order: Any,
    own: Part,
    target: Target,
) -> None:
    """Copy the rows that the order names, one under the other, into the layout of the batch."""
    layout = table.layout(node)
    item = memory_type(node.dtype)
    n = target.bytes // node.dtype.itemsize
    strides = layout.strides(None, integers) if len(layout.shape) > 1 else [1]
    inner = [int(size) for size in layout.shape[1:]]  # type: ignore[arg-type]  # rows only lead
    with loop(builder, own.low, own.high) as row:
        number = builder.load(builder.gep(order, [as_value(row.i)], source_etype=I64), typ=I64)
        line = builder.gep(source, [builder.mul(number, stride)], source_etype=ir.IntType(8))
        base = builder.gep(to, [as_value(integers.mul(row.i, strides[0]))], source_etype=item)
        _copy_row(builder, integers, inner, strides, base, line, item, n, node.dtype.itemsize)


def _copy_row(
    builder: ir.IRBuilder,
    integers: Integers,
    inner: list[int],
    strides: list[Int],
    to: Any,
    source: Any,
    item: ir.Type,
    n: int,
    n_bytes: int,
) -> None:
    """Copy one row: whole vectors, then the entries left over."""
    width = inner[-1] if inner else 1
    down = strides[-2] if len(inner) > 1 else 0
    with loop(builder, 0, int(np.prod(inner[:-1], dtype=np.int64))) as each:
        left = builder.gep(source, [as_value(integers.mul(each.i, width))], source_etype=item)
        right = builder.gep(to, [as_value(integers.mul(each.i, down))], source_etype=item)
        whole = width // n * n
        for step, low, high in ((n, 0, whole), (1, whole, width)):
            if low == high:
                continue
            kind = ir.VectorType(item, step) if step > 1 else item
            with loop(builder, low, high, step) as at:
                at_source = builder.gep(left, [as_value(at.i)], source_etype=item)
                value = builder.load(at_source, typ=kind, align=1)
                place = builder.gep(right, [as_value(at.i)], source_etype=item)
                builder.store(value, place, align=n_bytes)
