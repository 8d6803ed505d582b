"""The compiled session: memory laid out for a program, and native calls that run whole epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from retrograd.engines.base import Snapshot
from retrograd.engines.checks import checked_order, count_rows, found, per_batch, require_dtypes
from retrograd.engines.cpu.emit import FIRST, LAST, emit, stride_keys
from retrograd.engines.cpu.layout import Layout
from retrograd.engines.cpu.machine import Code, assemble, host, load, optimize
from retrograd.engines.cpu.table import Table
from retrograd.engines.cpu.target import Target
from retrograd.errors import DataError, OptionError, ShapeError, unknown_name
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step
from retrograd.plan.program import Program
from retrograd.plan.schedule import plan

SLICE = 0.05  # seconds between two questions whether to stop

ALIGN = 64  # bytes: a cache line, and the widest vector


def allocate(entries: int, dtype: np.dtype[Any]) -> Array:
    """Zeros that begin on a cache line."""
    raw = np.zeros(entries * dtype.itemsize + ALIGN, np.uint8)
    start = -raw.ctypes.data % ALIGN
    return raw[start : start + entries * dtype.itemsize].view(dtype)


class Executable:
    """A program's machine code and the table of what it is handed."""

    def __init__(self, program: Program, target: Target, *, is_direct: bool = False) -> None:
        self.program = program
        self.table = Table(program, target.bytes // 4, is_direct)
        module = optimize(str(emit(program, target, self.table)), target)
        self.code: Code = load(assemble(module, target), "run")
        self.strides = stride_keys(program)


class Memory:
    """The arrays of one executable, for batches of up to `rows` rows."""

    def __init__(self, executable: Executable, rows: int) -> None:
        self.executable = executable
        self.rows = rows
        table = executable.table
        self.pointers = np.zeros(len(table.cells), np.uintp)
        self.arrays: dict[object, Array] = {}
        self.keep("error", np.zeros(1, np.int64))
        self.keep("barrier", allocate(64, np.dtype(np.int64)))
        for node in table.arrays():
            assert node.value is not None
            self.keep(node, packed(table, node, node.value))
        if not table.is_direct:
            for node in executable.program.inputs.values():
                self.room(node)
        for node in executable.program.stored():
            if isinstance(table.memory(node), tuple):
                self.room(node)

    def room(self, node: Node) -> None:
        """Memory for a node that lives within the step."""
        key = self.executable.table.memory(node)
        if key not in self.arrays:
            layout = self.executable.table.layout(node)
            self.keep(key, allocate(layout.entries(self.rows), node.dtype))

    def keep(self, key: object, array: Array) -> None:
        """Hand an array to the code, and keep it alive."""
        self.arrays[key] = array
        self.pointers[self.executable.table.cells[key]] = array.ctypes.data

    def point(self, key: object, array: Array) -> None:
        """Hand an array to the code that the caller keeps alive."""
        self.pointers[self.executable.table.cells[key]] = array.ctypes.data


def packed(table: Table, node: Node, value: Array) -> Array:
    """A value in the layout of its node, which has no rows."""
    layout = table.layout(node)
    memory = allocate(layout.entries(0), node.dtype)
    layout.view(memory, node.shape, 0)[...] = value
    return memory


class CpuSession:
    """The compiled session (see `engines.base.Session`)."""

    def __init__(
        self,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        *,
        target: Target | None = None,
    ) -> None:
        self._target = target or host()
        self._steps = dict(steps)
        inputs = {name: node for step in steps.values() for name, node in step.inputs.items()}
        needed = {name: node for step in steps.values() for name, node in step.state.items()}
        self._data = {name: found("data", name, node, data) for name, node in inputs.items()}
        require_dtypes(inputs, self._data)
        self._size = count_rows([*inputs.values()], [*self._data.values()]) if inputs else None
        self._nodes = needed
        self._state: dict[str, Array] = {}
        self._layouts: dict[str, Layout] = {}
        for name, node in needed.items():
            self._layouts[name] = Layout.of(node.shape, node.dtype, self._target.bytes // 4)
            self._state[name] = allocate(self._layouts[name].entries(0), node.dtype)
            self.write(name, found("state", name, node, state))
        self._loaded: dict[str, _Loaded] = {}

    def run(
        self,
        step: str,
        order: Array,
        scalars: Mapping[str, float | Array] | None = None,
        *,
        batch_size: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> dict[str, Array]:
        """See `Session.run`."""
        if step not in self._steps:
            raise unknown_name("step", step, self._steps)
        if batch_size is not None and batch_size < 1:
            raise OptionError(f"session: batch_size is at least 1, got {batch_size}")
        this = self._steps[step]
        rows = checked_order(order, self._size)
        size = max(1, len(rows)) if batch_size is None else min(batch_size, max(1, len(rows)))
        n_batches = -(-len(rows) // size)
        if step not in self._loaded:
            self._loaded[step] = _Loaded(this, self._target)
        loaded = self._loaded[step]
        rates = per_batch(this, scalars or {}, n_batches)
        done, outputs = loaded.run(
            self._state, self._data, rows, size, n_batches, rates, stop
        )
        results = {}
        for name, node in this.outputs.items():
            leads = has_rows(node.shape[:1])
            n = min(done * size, len(rows)) if leads else done
            results[name] = outputs[name][:n]
        return results

    def read(self, name: str) -> Array:
        """See `Session.read`."""
        self._require_state(name)
        return np.array(self._view(name))

    def write(self, name: str, value: Array) -> None:
        """See `Session.write`."""
        self._require_state(name)
        if np.shape(value) != self._nodes[name].shape:
            raise ShapeError(
                f"{name!r}: expected shape {self._nodes[name].shape}, got {np.shape(value)}"
            )
        self._view(name)[...] = value

    def _view(self, name: str) -> Array:
        return self._layouts[name].view(self._state[name], self._nodes[name].shape, 0)

    def _require_state(self, name: str) -> None:
        if name not in self._nodes:
            raise unknown_name("state variable", name, self._nodes)

    def snapshot(self) -> Snapshot:
        """See `Session.snapshot`."""
        return {name: self.read(name) for name in self._state}

    def restore(self, snapshot: Snapshot) -> None:
        """See `Session.restore`."""
        for name, value in snapshot.items():
            self.write(name, value)


class _Loaded:
    """A step of a session: its executable, its memory, and how long a batch takes."""

    def __init__(self, step: Step, target: Target) -> None:
        self._step = step
        self._executable = Executable(plan(step), target)
        self._memory: Memory | None = None
        self._pace = 0.0  # seconds a batch

    def run(
        self,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        order: Array,
        size: int,
        n_batches: int,
        rates: Mapping[str, Array],
        stop: Callable[[], bool] | None,
    ) -> tuple[int, dict[str, Array]]:
        """Run the batches; how many ran, and the outputs of all."""
        executable, step = self._executable, self._step
        program = executable.program
        if self._memory is None or self._memory.rows < size:
            self._memory = Memory(executable, size)
        memory = self._memory
        memory.point("order", order)
        strides = []
        for name, node in program.scalars.items():
            memory.point(node, rates[name])
            strides.append(rates[name].strides[0] if rates[name].ndim else 0)
        for name in program.inputs:
            memory.point(("data", name), data[name])
            strides.append(data[name].strides[0])
        for name, node in program.state.items():
            memory.point(node, state[name])
        outputs = {}
        for name, node in program.outputs.items():
            leads = has_rows(node.shape[:1])
            shape = (len(order), *node.shape[1:]) if leads else (n_batches, *node.shape)
            outputs[name] = np.zeros(shape, node.dtype)
            memory.point(node, outputs[name])
        numbers = np.array([len(order), size, 0, 0, 0, 1, *strides], np.int64)
        done = 0
        while done < n_batches:
            if stop is not None and done > 0 and stop():
                break
            turns = n_batches if stop is None else self._turns()
            numbers[FIRST], numbers[LAST] = done, min(n_batches, done + turns)
            begin = time.perf_counter()
            executable.code.call(memory.pointers.ctypes.data, numbers.ctypes.data)
            spent = time.perf_counter() - begin
            self._pace = spent / int(numbers[LAST] - numbers[FIRST])
            done = int(numbers[LAST])
        if memory.arrays["error"][0]:
            memory.arrays["error"][0] = 0
            raise DataError("an index is out of range")
        return done, outputs

    def _turns(self) -> int:
        """How many batches to run before asking whether to stop."""
        return max(1, int(SLICE / self._pace)) if self._pace else 1
