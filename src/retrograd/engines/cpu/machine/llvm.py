"""From LLVM's intermediate language to machine code in memory."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from retrograd.engines.cpu.machine.target import TARGETS, Target
from retrograd.errors import OptionError


@cache
def _initialized() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@cache
def host() -> Target:
    """The best target that this processor can run."""
    _initialized()
    arch = llvm.get_process_triple().split("-")[0].replace("arm64", "aarch64")
    arch = arch.replace("amd64", "x86_64")
    has = {name for name, is_there in llvm.get_host_cpu_features().items() if is_there}
    for target in TARGETS.values():
        if target.arch == arch and target.needs <= has:
            return target
    raise OptionError(f"the cpu engine makes no code for {arch}; use engine='numpy'")


def runnable() -> list[Target]:
    """All targets whose code this processor can run, the best first."""
    best = host()
    has = {name for name, is_there in llvm.get_host_cpu_features().items() if is_there}
    return [t for t in TARGETS.values() if t.arch == best.arch and t.needs <= has]


@cache
def _processor(target: Target) -> tuple[str, str, str]:
    """Triple, processor and features for LLVM: this machine's own, or a target's in general."""
    _initialized()
    triple = llvm.get_process_triple()
    if target == host():
        features = llvm.get_host_cpu_features().flatten()
        return triple, llvm.get_host_cpu_name(), f"{features},{target.features}".strip(",")
    if host().arch != target.arch:
        triple = f"{target.arch}-unknown-linux-gnu"
    return triple, target.cpu, target.features


@cache
def machine(target: Target) -> str:
    """All that code for a target depends on besides the program, as text."""
    version = ".".join(map(str, llvm.llvm_version_info))
    made_for = (target.name, *_processor(target), target.bytes, target.has_fma, target.tile)
    return " ".join([*map(str, made_for), "LLVM", version])


@cache
def _machine(target: Target) -> Any:
    triple, cpu, features = _processor(target)
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=2, reloc="pic", codemodel="small"
    )


def optimize(text: str, target: Target) -> Any:
    """The module of a text, checked and optimised.

    A few passes are enough: the code has its vectors, blocks and loops already, and the full list
    of level 2 takes five times as long for code that is no faster.
    """
    machine = _machine(target)
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.add_loop_rotate_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    return module


def assemble(module: Any, target: Target) -> bytes:
    """Object code of a module."""
    return bytes(_machine(target).emit_object(module))


def assembly(module: Any, target: Target) -> str:
    """Assembly text of a module."""
    return str(_machine(target).emit_assembly(module))


_loaded = iter(range(1 << 62))


@dataclass(frozen=True, eq=False)
class Code:
    """A function of loaded machine code, which lives as long as this object."""

    call: Any
    address: int
    _library: Any


@cache
def _jit() -> Any:
    _initialized()
    return llvm.create_lljit_compiler(
        llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    )


def load(object_code: bytes, symbol: str) -> Code:
    """Object code made callable: `call(memory, numbers)`, without the interpreter's lock."""
    library = (
        llvm.JITLibraryBuilder()
        .add_object_img(object_code)
        .add_current_process()
        .export_symbol(symbol)
        .link(_jit(), f"retrograd_{next(_loaded)}")
    )
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    return Code(kind(library[symbol]), library[symbol], library)
