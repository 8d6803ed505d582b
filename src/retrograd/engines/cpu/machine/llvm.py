"""LLVM: what it calls this processor, and from its intermediate language to machine code.

It is imported where code is made, and by nothing that runs code that is kept: to import it takes
longer than many a training.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm

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


@cache
def _machine(machine: Machine) -> Any:
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
    module = llvm.parse_assembly(text)
    module.triple = made_for.triple
    module.data_layout = str(made_for.target_data)
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    passes.add_loop_rotate_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, llvm.create_pass_builder(made_for, llvm.create_pipeline_tuning_options()))
    return module


def assemble(module: Any, machine: Machine) -> bytes:
    """Object code of a module."""
    return bytes(_machine(machine).emit_object(module))


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


def place(code: bytes, symbol: str) -> tuple[int, Any]:
    """Where the function of that name in object code lies in memory, and what keeps it there."""
    library = (
        llvm.JITLibraryBuilder()
        .add_object_img(code)
        .add_current_process()
        .export_symbol(symbol)
        .link(_jit(), f"retrograd_{next(_loaded)}")
    )
    return library[symbol], library
