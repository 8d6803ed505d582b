"""Compile a function of vectors into machine code, and run it over arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.code.builder.lanes import Lanes
from retrograd.engines.cpu.code.builder.processor import enter_mode, leave_mode
from retrograd.engines.cpu.machine.compiled import load
from retrograd.engines.cpu.machine.host import machine_of
from retrograd.engines.cpu.machine.llvm import assemble, assembly, optimize
from retrograd.engines.cpu.machine.target import Target

POINTER, INDEX = ir.PointerType(), ir.IntType(64)
Function = Callable[..., Any]


class Compiled:
    """`function(v, x, ...) -> y` as machine code of a target, `n` lanes at a time.

    Called with arrays. `flush`: denormals are zero, as the engine has it.
    """

    def __init__(
        self,
        function: Function,
        target: Target,
        dtype: Any,
        n: int,
        *,
        inputs: int = 1,
        has_fma: bool | None = None,
        flush: bool = False,
    ) -> None:
        self.target, self.dtype, self.n, self.inputs = target, np.dtype(dtype), n, inputs
        self.has_fma = target.has_fma if has_fma is None else has_fma
        self.flush = flush
        self.text = self._loop(function)
        self._module = optimize(self.text, machine_of(target))
        self._code: Any = None

    @property
    def assembly(self) -> str:
        return assembly(self._module, machine_of(self.target))

    def __call__(self, *arrays: Any) -> Any:
        if self._code is None:
            self._code = load([assemble(self._module, machine_of(self.target))], "run")
        size = np.broadcast(*arrays).size
        count = -(-max(size, 1) // self.n) * self.n
        operands = np.zeros((self.inputs + 1, count), self.dtype)
        for row, array in zip(operands, arrays, strict=False):
            row[:size] = array
        self._code.call(operands.ctypes.data, ctypes.byref(ctypes.c_int64(count)))
        return operands[-1, :size]

    def _loop(self, function: Function) -> str:
        """run(rows, count): the last row = function of the others; count is a multiple of n."""
        module = ir.Module("vectors")
        run = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER]), "run")
        entry, loop, end = (run.append_basic_block(name) for name in ("entry", "loop", "end"))
        b = ir.IRBuilder(entry)
        count = b.load(run.args[1], typ=INDEX)
        mode = enter_mode(b, self.target) if self.flush else None
        b.branch(loop)
        b.position_at_end(loop)
        v = Lanes(b, self.dtype, self.n, has_fma=self.has_fma)
        i = b.phi(INDEX)
        i.add_incoming(ir.Constant(INDEX, 0), entry)
        places = []
        for row in range(self.inputs + 1):
            place = b.add(i, b.mul(count, ir.Constant(INDEX, row)))
            places.append(b.gep(run.args[0], [place], source_etype=v.scalar))
        operands = [b.load(place, typ=v.type) for place in places[:-1]]
        for operand in operands:
            operand.align = self.dtype.itemsize
        b.store(function(v, *operands), places[-1], align=self.dtype.itemsize)
        after = b.add(i, ir.Constant(INDEX, self.n))
        i.add_incoming(after, loop)
        b.cbranch(b.icmp_signed("<", after, count), loop, end)
        b.position_at_end(end)
        if self.flush:
            leave_mode(b, self.target, mode)
        b.ret_void()
        return str(module)
