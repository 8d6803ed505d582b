"""The short way of calls for one row each."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import Memory, address, require_legal
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import with_rows


class SingleRow:
    """Calls for one row each, where Python's share is not small beside the arithmetic.

    The row and the outputs lie in memory that the code is pointed at once and for all, and are
    copied. Of the other inputs it knows those of the last call, which need no second look.
    """

    def __init__(self, executable: Executable, inputs: Sequence[Node]) -> None:
        program = executable.program
        self.memory, self._picks = Memory(executable, 1), executable.picks
        self._others = [
            (i, cell)
            for i in range(len(inputs))
            if (cell := program.state.get(f"input {i}")) is not None
        ]
        self._seen: list[tuple[int, Any]] = []  # arrays of the last call, by reference
        self._buffers = [
            (int(name.split()[1]), np.zeros(with_rows(node.shape, 1), node.dtype))
            for name, node in program.inputs.items()
        ]
        for i, buffer in self._buffers:
            self.memory.point(("data", f"input {i}"), buffer)
        self._outputs = [np.empty(with_rows(x.shape, 1), x.dtype) for x in program.outputs.values()]
        for node, array in zip(program.outputs.values(), self._outputs, strict=True):
            self.memory.point(node, array)
        strides = [buffer.strides[0] for _, buffer in self._buffers]
        self._figures = np.array([1, 1, 0, 1, 0, 1, *strides], np.int64)
        tables = address(self.memory.pointers), address(self._figures)
        self._call = partial(executable.code.call, *tables)

    def follow(self, arrays: Sequence[Array]) -> None:
        """Point the code at the inputs that have no rows."""
        self._seen = [(i, weakref.ref(arrays[i])) for i, _ in self._others]
        for i, cell in self._others:
            self.memory.point(cell, arrays[i])

    def run(self, values: Sequence[Array]) -> list[Array] | None:
        """The outputs; None where this is not one row, or another input is not the last call's."""
        for i, seen in self._seen:
            if seen() is not values[i]:
                return None
        for i, buffer in self._buffers:
            value = values[i]
            if type(value) is not np.ndarray or value.shape != buffer.shape:
                return None
            if value.dtype != buffer.dtype:
                return None
            buffer[...] = value
        self._call()
        if self._picks:
            require_legal((self.memory,))
        return [array.copy() for array in self._outputs]
