"""The short way of calls for one row each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import Memory, address, require_legal
from retrograd.graph.node import Array, Node
from retrograd.graph.shape import with_rows


class SingleRow:
    """Calls for one row each, where Python's share is not small beside the arithmetic.

    The row and the outputs lie in memory that the code is pointed at once and for all, and are
    copied. It follows the other inputs: those are looked at once, as long as `mark` stays. One
    thread at a time may use it.
    """

    def __init__(self, executable: Executable, inputs: Sequence[Node]) -> None:
        program = executable.program
        self.memory, self._picks = Memory(executable, 1), executable.picks
        self._others = [
            (i, cell)
            for i in range(len(inputs))
            if (cell := program.state.get(f"input {i}")) is not None
        ]
        self.mark: object = None
        buffers = [
            (int(name.split()[1]), np.zeros(with_rows(node.shape, 1), node.dtype))
            for name, node in program.inputs.items()
        ]
        self._buffers = [(i, buffer.shape, buffer) for i, buffer in buffers]
        for i, buffer in buffers:
            self.memory.point(("data", f"input {i}"), buffer)
        self._outputs = [np.empty(with_rows(x.shape, 1), x.dtype) for x in program.outputs.values()]
        for node, array in zip(program.outputs.values(), self._outputs, strict=True):
            self.memory.point(node, array)
        strides = [buffer.strides[0] for _, buffer in buffers]
        self._figures = np.array([1, 1, 0, 1, 0, 1, *strides], np.int64)
        tables = address(self.memory.pointers), address(self._figures)
        self._call = partial(executable.code.call, *tables)

    def follow(self, arrays: Sequence[Array], mark: object) -> None:
        """Point the code at the inputs that have no rows: of their shapes, and without gaps.

        `mark`: what stands for them. As long as it is this object, the caller keeps them alive.
        """
        for i, cell in self._others:
            self.memory.point(cell, arrays[i])
        self.mark = mark

    def run(self, values: Sequence[Array]) -> list[Array] | None:
        """The outputs for the inputs that have rows; None where they do not have one each."""
        for i, shape, buffer in self._buffers:
            value = values[i]
            if value.shape != shape:
                return None
            buffer[...] = value
        self._call()
        if self._picks:
            require_legal((self.memory,))
        found = []
        for array in self._outputs:  # a comprehension would take 0.1 us more
            found.append(array.copy())  # noqa: PERF401
        return found
