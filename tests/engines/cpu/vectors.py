"""Compile a function of vectors into machine code, and run it over arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from retrograd.engines.cpu.lanes import Lanes

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

POINTER, INDEX = ir.PointerType(), ir.IntType(64)


class Compiled:
    """`function(v, x, ...) -> y` as machine code for this processor, `n` lanes at a time."""

    def __init__(
        self,
        function: Callable[..., Any],
        dtype: Any,
        n: int,
        *,
        inputs: int = 1,
        has_fma: bool = True,
        cpu: str = "",
    ) -> None:
        self.dtype, self.n, self.inputs = np.dtype(dtype), n, inputs
        module = ir.Module("vectors")
        module.triple = llvm.get_process_triple()
        self.ir = str(_loop(module, function, self.dtype, n, inputs, has_fma))
        own = llvm.get_host_cpu_features().flatten() if not cpu else ""
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu or llvm.get_host_cpu_name(), features=own, opt=2, jit=True
        )
        parsed = llvm.parse_assembly(str(module))
        parsed.verify()
        self.assembly = machine.emit_assembly(parsed)
        self._engine = llvm.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()
        signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (inputs + 1), ctypes.c_int64)
        self._run = signature(self._engine.get_function_address("run"))

    @property
    def instructions(self) -> int:
        """How many instructions of LLVM compute one vector: without loads, the store, the loop."""
        body = self.ir[self.ir.index("\nloop:") : self.ir.index("store")].splitlines()
        return sum(" = " in line for line in body) - 1 - 2 * self.inputs

    def __call__(self, *arrays: Any) -> Any:
        size = np.broadcast(*arrays).size
        padded = -(-max(size, 1) // self.n) * self.n
        full = [np.zeros(padded, self.dtype) for _ in arrays]
        for to, array in zip(full, arrays, strict=True):
            to[:size] = array
        y = np.empty(padded, self.dtype)
        self._run(*[a.ctypes.data for a in full], y.ctypes.data, padded)
        return y[:size]


def _loop(
    module: ir.Module, function: Callable[..., Any], dtype: Any, n: int, inputs: int, has_fma: bool
) -> ir.Function:
    """run(x, ..., y, count): y = function(x, ...), for a count that is a multiple of n."""
    signature = ir.FunctionType(ir.VoidType(), [POINTER] * (inputs + 1) + [INDEX])
    run = ir.Function(module, signature, "run")
    *sources, target, count = run.args
    entry, loop, end = (run.append_basic_block(name) for name in ("entry", "loop", "end"))
    ir.IRBuilder(entry).branch(loop)
    b = ir.IRBuilder(loop)
    v = Lanes(b, dtype, n, has_fma=has_fma)
    i = b.phi(INDEX)
    i.add_incoming(ir.Constant(INDEX, 0), entry)
    size = v.dtype.itemsize
    operands = [b.load(b.gep(s, [i], source_etype=v.scalar), typ=v.type) for s in sources]
    for operand in operands:
        operand.align = size
    value = function(v, *operands)
    b.store(value, b.gep(target, [i], source_etype=v.scalar), align=size)
    after = b.add(i, ir.Constant(INDEX, n))
    i.add_incoming(after, loop)
    b.cbranch(b.icmp_signed("<", after, count), loop, end)
    ir.IRBuilder(end).ret_void()
    return run
