"""A program made ready to run: its machine code, kept for graphs of equal structure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from retrograd.engines.cpu.abi.layout import Layout, Now, Packed
from retrograd.engines.cpu.abi.places import PICKING
from retrograd.engines.cpu.abi.scratch import scratch_bytes
from retrograd.engines.cpu.abi.table import Table
from retrograd.engines.cpu.machine.compiled import Code, compiled
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.autotune import Autotuner
from retrograd.graph.node import Array, Node
from retrograd.graph.order import flops
from retrograd.graph.structure import Structure
from retrograd.plan.program import Program, signature
from retrograd.plan.schedule import plan_of

KEPT_PLANS = 64  # structures whose executables are kept
SIZES = 16  # batch sizes of an executable whose measurements are kept


class Executable:
    """A program's machine code, the table of what it is handed, and how fast it was.

    `autotuner(n_threads, size, n_copies)` is what was measured of batches of that size; `sizes`
    of so many rows, on so many threads, is what memory they need. `constants`: its arrays in the
    layout of the code, which all memories share, for they are only read. `picks`: whether indices
    of its data are followed, which may be out of range.
    """

    def __init__(self, program: Program, target: Target, *, is_direct: bool = False) -> None:
        self.program, self.target = program, target
        self.table = Table(program, target, is_direct)
        self.code = code_of(program, target, self.table)
        self.autotuner = lru_cache(maxsize=SIZES)(partial(_autotuner, program))
        # What lives in memory of its own within a batch, by its key in the table.
        buffers = [n for n in program.stored() if isinstance(self.table.memory(n), tuple)]
        if not is_direct:
            buffers += program.inputs.values()
        self.buffers: dict[object, Layout | Packed] = {}
        for node in buffers:
            layout = self.table.packed(node) or self.table.layout(node)
            self.buffers.setdefault(self.table.memory(node), layout)
        self.sizes = lru_cache(maxsize=SIZES)(self._sizes)
        self.constants: dict[Node, Array] = {}
        self.picks = any(x.gate.name in PICKING for one in program.kernels for x in one.body)

    def _sizes(
        self, rows: int, n_threads: int
    ) -> tuple[int, dict[object, tuple[int, np.dtype[Any]]]]:
        """For batches of so many rows: bytes of scratch memory; entries of each buffer.

        One thread may run alone, and then needs what all have together.
        """
        scratch = max(
            n * scratch_bytes(self.program, self.target, rows, n, Now()) for n in (1, n_threads)
        )
        return scratch, {key: (x.entries(rows), x.dtype) for key, x in self.buffers.items()}


def _autotuner(program: Program, n_threads: int, size: int, n_copies: int) -> Autotuner:
    results = (*program.outputs.values(), *program.updates.values())
    worth = None if n_copies == 1 else 0.0  # copies need not wait for each other in a batch
    return Autotuner(n_threads, n_copies * flops(results, n_rows=size), worth)


def executable_of(structure: Structure, target: Target, *, is_direct: bool = False) -> Executable:
    """What runs a graph; graphs of equal structure share it, and only the first is planned.

    Its program has the nodes of the first graph: what is handed over is found by name.
    """
    make = _kept if structure.is_comparable else _executable
    return make(structure, target, is_direct=is_direct)


def _executable(structure: Structure, target: Target, *, is_direct: bool) -> Executable:
    # The caller's arrays lie as they do; a session's state is laid out as the program has it.
    program = plan_of(structure, turns=not is_direct, packs=target.multiplies_pairs)
    return Executable(program, target, is_direct=is_direct)


_kept = lru_cache(maxsize=KEPT_PLANS)(_executable)


def code_of(program: Program, target: Target, table: Table) -> Code:
    """The code of a program: what is loaded already, or kept on disk, or made now."""
    layout = "direct" if table.is_direct else "gathered"
    key = f"{layout}\n{signature(program)}"

    def make() -> Iterator[str]:
        from retrograd.engines.cpu.code.emit import emit_modules  # needs LLVM; kept code does not

        return map(str, emit_modules(program, target, table))

    return compiled(key, "run", target, make)
