"""From a program to LLVM's intermediate language: a function a kernel, and the loop over batches.

`run(memory, numbers)` trains (or scores) a range of batches: for each it gathers the rows that the
order names, then calls the kernels. `memory` is a table of pointers, `numbers` one of integers;
`Table` says which is which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.abi.cut import first_of
from retrograd.engines.cpu.abi.places import BATCH, FIRST, LAST, PASS, STRIDES, THREAD, THREADS
from retrograd.engines.cpu.abi.scratch import scratch_bytes
from retrograd.engines.cpu.abi.table import SCRATCH, Table
from retrograd.engines.cpu.code.barrier import emit_barrier
from retrograd.engines.cpu.code.builder.integers import (
    I8,
    I64,
    POINTER,
    Int,
    Integers,
    as_value,
    loop,
)
from retrograd.engines.cpu.code.builder.processor import enter_mode, leave_mode
from retrograd.engines.cpu.code.gather import gather
from retrograd.engines.cpu.code.kernel import Call, emit_kernel
from retrograd.engines.cpu.code.loops.axes import Part
from retrograd.engines.cpu.code.sharing import Sharing
from retrograd.engines.cpu.machine.target import Target
from retrograd.errors import GraphError
from retrograd.graph.node import Node
from retrograd.graph.shape import Rows, has_rows
from retrograd.plan.program import Kernel, Program, squeezed

MODULE = 800  # instructions, from which on what follows goes into another module


def emit(program: Program, target: Target, table: Table) -> ir.Module:
    """All of a program in one module, for a processor. GraphError where it cannot be made."""
    (module,) = emit_modules(program, target, table, limit=math.inf)
    return module


def emit_modules(
    program: Program, target: Target, table: Table, *, limit: float = MODULE
) -> Iterator[ir.Module]:
    """The same in several modules, of which LLVM can take one while the next is made.

    The run function is in the last; kernels are known to each other's modules, and to no one else.
    """
    _require_real(program)
    module, calls = _module(), []
    for i, kernel in enumerate(program.kernels):
        calls.append(emit_kernel(module, kernel, f"kernel_{i}", table, target))
        if _size(module) >= limit:
            yield module
            module = _module()
    _emit_run(module, "run", calls, table, target)
    yield module


def _module() -> ir.Module:
    return ir.Module(name="retrograd", context=ir.Context())


def _size(module: ir.Module) -> int:
    """How many instructions a module has."""
    blocks = (block for function in module.functions for block in function.blocks)
    return sum(len(block.instructions) for block in blocks)


def _known(module: ir.Module, call: Call) -> ir.Function:
    """A kernel's function, made known to a module where it is in another."""
    function = module.globals.get(call.function.name)
    if function is None:
        function = ir.Function(module, call.function.function_type, call.function.name)
        function.linkage = call.function.linkage
    return function


def _require_real(program: Program) -> None:
    for kernel in program.kernels:
        for node in kernel.body:
            if any(x.dtype.kind == "c" for x in (node, *node.inputs)):
                raise GraphError(
                    f"{node.gate.name}: the cpu engine takes no complex numbers, got {node!r}; "
                    "use engine='numpy'"
                )


def _emit_run(
    module: ir.Module, name: str, calls: list[Call], table: Table, target: Target
) -> None:
    """The loop over batches."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER]), name)
    builder = ir.IRBuilder(function.append_basic_block())
    given = _read_arguments(builder, table.cells, stride_keys(table.program), *function.args)
    of_thread = scratch_bytes(table.program, target, given.size, given.threads, Integers(builder))
    mode = enter_mode(builder, target)
    sharing = Sharing(table)
    bounds = [sharing.bounds(call.kernel) for call in calls]
    shares = {
        size: share_of(Integers(builder), size, given.thread, given.threads)
        for size in bounds
        if isinstance(size, int)
    }
    with _each_batch(builder, given) as batch:
        scratch = Integers(builder).mul(given.thread, of_thread)
        pointers = {
            **given.pointers,
            SCRATCH: _moved(builder, given.pointers[SCRATCH], scratch),
            **_moved_on(builder, given, batch, table),
        }
        if not table.is_direct:
            _gather_inputs(builder, given, batch, table, target)
            for node in table.program.inputs.values():
                sharing.write_rows(node)
        for call, size in zip(calls, bounds, strict=True):
            if sharing.needs_barrier(call.kernel):
                _wait(builder, given, target)
            own = None if size is None else batch.own
            part = shares[size] if isinstance(size, int) else own
            _run_kernel(builder, given, batch, call, pointers, part)
        _wait(builder, given, target)
    leave_mode(builder, target, mode)
    builder.ret_void()


@dataclass(frozen=True, eq=False)
class Given:
    """What the run function is handed, as values of its code: numbers, strides and pointers.

    `rows`: of a pass. `size`: of a batch, its rows; the last of a pass may have fewer.
    """

    rows: Any
    size: Any
    first: Any
    last: Any
    thread: Any
    threads: Any
    strides: Mapping[object, Any]
    pointers: Mapping[object, Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """One turn of the loop: its number, where in the order it starts, its rows, and a thread's.

    `left`: rows of the pass from its start on.
    """

    number: Any
    start: Any
    rows: Any
    left: Any
    own: Part


def _read_arguments(
    builder: ir.IRBuilder,
    cells: Mapping[object, int],
    keys: list[object],
    memory: Any,
    numbers: Any,
) -> Given:
    def read(table: Any, i: int, kind: ir.Type) -> Any:
        return builder.load(builder.gep(table, [as_value(i)], source_etype=kind), typ=kind)

    figures = [read(numbers, i, I64) for i in range(STRIDES)]
    strides = {key: read(numbers, STRIDES + i, I64) for i, key in enumerate(keys)}
    pointers = {key: read(memory, i, POINTER) for key, i in cells.items()}
    return Given(
        rows=figures[PASS],
        size=figures[BATCH],
        first=figures[FIRST],
        last=figures[LAST],
        thread=figures[THREAD],
        threads=figures[THREADS],
        strides=strides,
        pointers=pointers,
    )


@contextmanager
def _each_batch(builder: ir.IRBuilder, given: Given) -> Iterator[Batch]:
    """Code for each batch of the call: pass after pass, each with batches of its own."""
    integers = Integers(builder)
    of_pass = integers.div(integers.add(given.rows, integers.sub(given.size, 1)), given.size)
    of_pass = integers.max(of_pass, 1)  # of no rows there is one, too
    passed = integers.div(given.first, of_pass)
    begin = integers.mul(passed, of_pass)
    with loop(builder, begin, given.last, of_pass, [integers.mul(passed, given.rows)]) as each:
        low, high = integers.max(each.i, given.first), integers.add(each.i, of_pass)
        with loop(builder, low, integers.min(high, given.last)) as turn:
            before = integers.mul(integers.sub(turn.i, each.i), given.size)
            start = integers.add(each.values[0], before)
            left = integers.sub(given.rows, before)
            rows = integers.min(left, given.size)
            own = share_of(integers, rows, given.thread, given.threads)
            yield Batch(turn.i, start, rows, left, own)
        each.carry([integers.add(each.values[0], given.rows)])


def _moved_on(builder: ir.IRBuilder, given: Given, batch: Batch, table: Table) -> dict[object, Any]:
    """The pointers that move from batch to batch: of scalars, outputs, and inputs read directly."""
    integers, program = Integers(builder), table.program
    pointers: dict[object, Any] = {}
    for node in program.scalars.values():
        n_bytes = integers.mul(batch.number, given.strides[node])
        pointers[node] = _moved(builder, given.pointers[node], n_bytes)
    for node in program.outputs.values():
        index = batch.start if has_rows(node.shape[:1]) else batch.number
        n_bytes = integers.mul(index, node.dtype.itemsize * _entries_a_row(node))
        pointers[node] = _moved(builder, given.pointers[node], n_bytes)
    for name, node in program.inputs.items() if table.is_direct else ():
        data = ("data", name)
        n_bytes = integers.mul(batch.start, given.strides[data])
        pointers[node] = _moved(builder, given.pointers[data], n_bytes)
    return pointers


def _moved(builder: ir.IRBuilder, pointer: Any, n_bytes: Int) -> Any:
    return builder.gep(pointer, [as_value(n_bytes)], source_etype=I8)


def _gather_inputs(
    builder: ir.IRBuilder, given: Given, batch: Batch, table: Table, target: Target
) -> None:
    """Each thread copies its own rows of every input."""
    for name, node in table.program.inputs.items():
        data = ("data", name)
        n_bytes = Integers(builder).mul(batch.start, I64.width // 8)
        gather(
            builder,
            node,
            table.layout(node),
            batch.own,
            order=_moved(builder, given.pointers["order"], n_bytes),
            named=batch.left,
            source=given.pointers[data],
            stride=given.strides[data],
            to=given.pointers[node],
            n=target.bytes // node.dtype.itemsize,
        )


def _run_kernel(
    builder: ir.IRBuilder,
    given: Given,
    batch: Batch,
    call: Call,
    pointers: Mapping[object, Any],
    part: Part | None,
) -> None:
    """Call a kernel for the thread's part; where there is none, for all on the first thread."""
    operands = [*(pointers[key] for key in call.memory), pointers["error"], as_value(batch.rows)]
    function = _known(builder.module, call)
    if part is None:
        with builder.if_then(builder.icmp_signed("==", given.thread, as_value(0))):
            whole = first_size(call.kernel, batch.rows)
            builder.call(function, [*operands, as_value(0), as_value(whole)])
        return
    builder.call(function, [*operands, as_value(part.low), as_value(part.high)])


def _wait(builder: ir.IRBuilder, given: Given, target: Target) -> None:
    emit_barrier(builder, given.pointers["barrier"], given.thread, given.threads, target)


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
    """A thread's part of a size, in whole multiples of UNIT."""

    def bound(t: Any) -> Any:
        return integers.min(first_of(integers, count, t, threads), count)

    return Part(bound(thread), bound(integers.add(thread, 1)))


def _entries_a_row(node: Node) -> int:
    sizes = [size for size in node.shape if not isinstance(size, Rows)]
    return int(np.prod(sizes, dtype=np.int64))
