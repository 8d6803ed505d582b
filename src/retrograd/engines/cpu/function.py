"""A compiled function of arrays: a graph run over arrays that stay where the caller has them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from retrograd.engines.checks import count_rows
from retrograd.engines.cpu.listing import CpuListing
from retrograd.engines.cpu.memory import Executable, Memory, address, require_legal
from retrograd.engines.cpu.target import Target
from retrograd.engines.cpu.team import together
from retrograd.errors import DataError
from retrograd.graph.node import Array, Node
from retrograd.graph.order import order
from retrograd.graph.shape import Rows, has_rows, with_rows
from retrograd.plan.rows import is_row_by_row
from retrograd.plan.schedule import plan_of

BLOCK = 128  # rows worked on at once where rows do not depend on each other
SHARED = 1 << 22  # operations of a call from which on several threads share it


def _is_largest_row(node: Node) -> bool:
    """Whether a node is the largest entry over rows, which there must be then."""
    return node.gate.name == "max" and any(
        isinstance(node.inputs[0].shape[axis], Rows) for axis in node.params["axes"]
    )


class CpuFunction:
    """A function from values of `inputs` to values of `outputs`."""

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node], target: Target, n_threads: int
    ) -> None:
        self._inputs, self._target, self._n_threads = list(inputs), target, n_threads
        leading = [i for i, node in enumerate(inputs) if has_rows(node.shape[:1])]
        self._leading = leading
        self._program = plan_of(
            inputs={f"input {i}": inputs[i] for i in leading},
            state={f"input {i}": node for i, node in enumerate(inputs) if i not in leading},
            outputs={f"output {i}": node for i, node in enumerate(outputs)},
        )
        self._executable = Executable(self._program, target, is_direct=True)
        self._is_row_by_row = bool(leading) and is_row_by_row(self._program)
        self._needs_rows = any(map(_is_largest_row, order(outputs)))
        self._flops = sum(node.gate.flops(node, *node.inputs, n_rows=1) for node in order(outputs))
        self._lock = threading.Lock()  # the memory of a call is used by the next
        self._memories: list[Memory] = []
        self._seen: list[Any] = [None] * len(self._inputs)
        self._strides = [0] * len(leading)

    @property
    def listing(self) -> CpuListing:
        """What this function is made of, as text."""
        return CpuListing(self._program, self._target, is_direct=True)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these inputs, as new arrays."""
        with self._lock:
            return self._call(values)

    def _call(self, values: Sequence[Array]) -> list[Array]:
        arrays = [np.asarray(value, order="C") for value in values]
        n = count_rows(self._inputs, arrays)
        if n == 0 and self._needs_rows:
            raise DataError("max: there is no largest entry of no rows")
        size = min(n, BLOCK) if self._is_row_by_row else n
        n_threads = 1
        if self._is_row_by_row and n > size and self._flops * n > SHARED:
            n_threads = min(self._n_threads, -(-n // size))
        outputs = [
            np.empty(with_rows(node.shape, n), node.dtype)
            for node in self._program.outputs.values()
        ]
        if not self._memories or self._memories[0].rows < size:
            self._memories = []
            self._seen = [None] * len(self._inputs)
        while len(self._memories) < n_threads:
            self._memories.append(Memory(self._executable, size))
            self._seen = [None] * len(self._inputs)
        self._hand_over(arrays, outputs)
        # Of no rows there is one batch too: a sum over none is 0.
        n_batches = max(1, -(-n // max(1, size)))
        bounds = [n_batches * t // n_threads for t in range(n_threads + 1)]
        numbers = [
            np.array([n, max(1, size), bounds[t], bounds[t + 1], 0, 1, *self._strides], np.int64)
            for t in range(n_threads)
        ]
        call = self._executable.code.call
        tables = [address(memory.pointers) for memory in self._memories]
        if n_threads == 1:
            call(tables[0], address(numbers[0]))
        else:
            together(
                [lambda t=t: call(tables[t], address(numbers[t])) for t in range(n_threads)]  # type: ignore[misc]
            )
        require_legal(self._memories)
        return outputs

    def _hand_over(self, arrays: list[Array], outputs: list[Array]) -> None:
        """Point the code at the caller's arrays, those that are not the same as last time."""
        program = self._program
        for i, (node, array) in enumerate(zip(self._inputs, arrays, strict=True)):
            if self._seen[i] is array:
                continue
            self._seen[i] = array
            key = ("data", f"input {i}") if i in self._leading else node
            for memory in self._memories:
                memory.point(key, array)
            if i in self._leading:
                self._strides[self._leading.index(i)] = array.strides[0]
        for node, array in zip(program.outputs.values(), outputs, strict=True):
            for memory in self._memories:
                memory.point(node, array)
