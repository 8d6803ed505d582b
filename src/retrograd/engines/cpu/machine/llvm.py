"""LLVM: what it calls this processor, and from its intermediate language to machine code.

It is imported where code is made, and by nothing that runs code that is kept: to import it takes
longer than many a training.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from retrograd.engines.cpu.machine.overlap import overlapped
from retrograd.engines.cpu.machine.target import Machine


@cache
def _initialized() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def this_machine() -> Machine:
    """The machine that this is."""
    _initialized()
    features = llvm.get_host_cpu_features()
    has = frozenset(name for name, is_there in features.items() if is_there)
    return Machine(llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(), has)


def _machine(machine: Machine) -> Any:
    return _machine_in(machine, threading.get_ident())  # one that no other thread uses


@lru_cache(maxsize=16)
def _machine_in(machine: Machine, thread: int) -> Any:
    _initialized()
    return llvm.Target.from_triple(machine.triple).create_target_machine(
        cpu=machine.cpu, features=machine.features, opt=2, reloc="pic", codemodel="small"
    )


def optimize(text: str, machine: Machine) -> Any:
    """The module of a text, checked and optimised.

    A few passes are enough: the code has its vectors, blocks and loops already, and the full list
    of level 2 takes five times as long for code that is no faster. Combined instructions, too, take
    long, and double precision is slower with them.
    """
    made_for = _machine(machine)
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple = made_for.triple
    module.data_layout = str(made_for.target_data)
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    passes.add_loop_rotate_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(made_for, llvm.create_pipeline_tuning_options())
    run = _unlocked("LLVMPY_RunNewModulePassManager")
    if run is None:
        passes.run(module, builder)
    else:
        run(passes, module, builder)
    return module


def assemble(module: Any, machine: Machine) -> bytes:
    """Object code of a module."""
    made_for, emit = _machine(machine), _unlocked("LLVMPY_TargetMachineEmitToMemory")
    if emit is None:
        return bytes(made_for.emit_object(module))
    with ffi.OutputString() as error:
        memory = emit(made_for, module, 1, error)
        if not memory:
            raise RuntimeError(str(error))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(memory), ffi.lib.LLVMPY_GetBufferSize(memory)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


def _unlocked(name: str) -> Any:
    """One of llvmlite's functions without its lock, which lets one thread at a time into LLVM.

    LLVM itself minds only that no two threads work in the same context. None where this llvmlite
    has it not: what is public does the same, one after the other.
    """
    return getattr(getattr(ffi.lib, name, None), "_cfn", None)


def assembled(texts: Iterable[str], machine: Machine) -> list[bytes]:
    """Object code of each module: LLVM works on one while the text of the next is made."""
    _initialized()
    return overlapped(lambda text: assemble(optimize(text, machine), machine), texts)


def assembly(module: Any, machine: Machine) -> str:
    """Assembly text of a module."""
    return str(_machine(machine).emit_assembly(module))


_loaded = iter(range(1 << 62))


@cache
def _jit() -> Any:
    _initialized()
    return llvm.create_lljit_compiler(
        llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    )


def place(objects: Iterable[bytes], symbol: str) -> tuple[int, Any]:
    """Where the function of that name in object files lies in memory, and what keeps it there."""
    builder = llvm.JITLibraryBuilder()
    for code in objects:
        builder.add_object_img(code)
    builder.add_current_process().export_symbol(symbol)
    library = builder.link(_jit(), f"retrograd_{next(_loaded)}")
    return library[symbol], library
