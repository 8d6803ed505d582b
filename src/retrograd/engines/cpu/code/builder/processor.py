"""LLVM's intrinsics, and by them the processor's floating-point mode, its waiting, its caches."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import I32, I64
from retrograd.engines.cpu.machine.target import Target

# x86: flush results to zero (bit 15), read denormals as zero (bit 6), all exceptions masked (7-12).
X86_MODE = 0x8000 | 0x0040 | 0x1F80
ARM_FLUSH = 1 << 24  # FPCR.FZ


def intrinsic(builder: ir.IRBuilder, name: str, returns: ir.Type, *operands: Any) -> Any:
    """A call of one of LLVM's intrinsics by its full name, as `llvm.vector.insert.v16f32.v4f32`."""
    module = builder.module
    function = module.globals.get(name)
    if function is None:
        kinds = [operand.type for operand in operands]
        function = ir.Function(module, ir.FunctionType(returns, kinds), name)
    return builder.call(function, operands)


def enter_mode(builder: ir.IRBuilder, target: Target) -> Any:
    """Flush denormals to zero: decayed moments would become denormal, at 100 times the cost.

    Returns what `leave_mode` needs to give the caller its own mode back.
    """
    if target.is_x86:
        old, new = builder.alloca(I32), builder.alloca(I32)
        intrinsic(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), old)
        builder.store(ir.Constant(I32, X86_MODE), new)
        intrinsic(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), new)
        return old
    mode = intrinsic(builder, "llvm.aarch64.get.fpcr", I64)
    flushed = builder.or_(mode, ir.Constant(I64, ARM_FLUSH))
    intrinsic(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), flushed)
    return mode


def leave_mode(builder: ir.IRBuilder, target: Target, mode: Any) -> None:
    """Restore the caller's floating-point mode."""
    name = "llvm.x86.sse.ldmxcsr" if target.is_x86 else "llvm.aarch64.set.fpcr"
    intrinsic(builder, name, ir.VoidType(), mode)


def pause(builder: ir.IRBuilder, target: Target) -> None:
    """Tell the processor that this loop waits."""
    if target.is_x86:
        intrinsic(builder, "llvm.x86.sse2.pause", ir.VoidType())
    else:
        intrinsic(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(I32, 1))


def clock(builder: ir.IRBuilder, target: Target) -> Any:
    """The ticks of a clock that always runs at one rate."""
    if target.is_x86:
        return intrinsic(builder, "llvm.readcyclecounter", I64)  # rdtsc
    return _register(builder, "cntvct_el0")


def ticks_in(builder: ir.IRBuilder, target: Target, seconds: float) -> Any:
    """So many ticks; of x86, which does not say how fast its clock is, at 3 GHz, about right."""
    if target.is_x86:
        return ir.Constant(I64, round(seconds * 3e9))
    return builder.udiv(_register(builder, "cntfrq_el0"), ir.Constant(I64, round(1 / seconds)))


def _register(builder: ir.IRBuilder, name: str) -> Any:
    """One of an Arm processor's registers, that every program may read."""
    named = builder.module.add_metadata([ir.MetaDataString(builder.module, name)])
    return intrinsic(builder, "llvm.read_volatile_register.i64", I64, named)


def ask_for(builder: ir.IRBuilder, place: Any) -> None:
    """Start to bring a line of memory into the caches."""
    to_read, into_all_caches, data = (ir.Constant(I32, x) for x in (0, 3, 1))
    intrinsic(builder, "llvm.prefetch.p0", ir.VoidType(), place, to_read, into_all_caches, data)
