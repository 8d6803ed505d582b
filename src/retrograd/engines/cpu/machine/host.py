"""This processor: which targets it runs, and what LLVM must know of it to make code.

LLVM is asked once; what it said is kept with the emitted code, under what the system says of the
processor: kept code then runs without LLVM.
"""

from __future__ import annotations

import sys
from functools import cache

from retrograd.engines.cpu.machine import cache as kept
from retrograd.engines.cpu.machine.target import TARGETS, Machine, Target
from retrograd.errors import OptionError

CPUINFO = "/proc/cpuinfo"
ARCH_PRCTL, REQUEST, TILES = 158, 0x1023, 18  # Linux, Documentation/arch/x86/xstate.rst
TELLS = (  # what features follow from: of x86, and of Arm, whose cores may be of several kinds
    ("vendor_id", "cpu family", "model", "stepping", "flags"),
    ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
)


@cache
def host() -> Target:
    """The best target that this processor can run."""
    for target in TARGETS.values():
        if _can_run(target):
            return target
    raise OptionError(
        f"the cpu engine makes no code for {_arch(this_machine())}; use engine='numpy'"
    )


def runnable() -> list[Target]:
    """All targets whose code this processor can run, the best first."""
    return [target for target in TARGETS.values() if _can_run(target)]


def _can_run(target: Target) -> bool:
    machine = this_machine()
    is_one = target.arch == _arch(machine) and target.needs <= machine.has
    return is_one and (not target.has_amx or _may_use_amx())


@cache
def _may_use_amx() -> bool:
    """Whether this process may use AMX: Linux lets one that has asked, its threads, and its forks.

    It refuses where a thread handles signals on a stack too small for tiles. On other systems it
    was not tried.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST, TILES) == 0)


@cache
def machine_of(target: Target) -> Machine:
    """What LLVM makes code for: this very machine, or one of the target's kind in general."""
    here = this_machine()
    if target == host():
        features = f"{here.features},{target.features}".strip(",")
        return Machine(here.triple, here.cpu, features, here.has)
    triple = here.triple if _arch(here) == target.arch else f"{target.arch}-unknown-linux-gnu"
    return Machine(triple, target.cpu, target.features, target.needs)


@cache
def made_for(target: Target) -> str:
    """All that code for a target depends on besides the program and its generator, as text."""
    machine = machine_of(target)
    facts = (target.name, machine.triple, machine.cpu, machine.features)
    own = target.bytes, target.has_fma, target.tile, target.multiplies_pairs, target.has_amx
    return " ".join(map(str, (*facts, *own)))


@cache
def this_machine() -> Machine:
    """The machine that this is, in LLVM's words."""
    known = _description()
    if known is not None:
        found = kept.read(known)
        if found is not None:
            triple, cpu, features, *has = found.decode().split("\n")
            return Machine(triple, cpu, features, frozenset(has))
    from retrograd.engines.cpu.machine import llvm  # takes 50 ms

    machine = llvm.this_machine()
    if known is not None:
        facts = [machine.triple, machine.cpu, machine.features, *sorted(machine.has)]
        kept.write(known, "\n".join(facts).encode())
    return machine


def _description() -> str | None:
    """What the system says of the processor; None where it does not say enough."""
    if sys.platform != "linux":
        return None
    try:
        with open(CPUINFO) as file:
            processors = file.read().strip().split("\n\n")
    except OSError:
        return None
    for names, each in zip(TELLS, (processors[:1], processors), strict=True):
        parts = [line.partition(":") for one in each for line in one.splitlines()]
        lines = [(name.strip(), said.strip()) for name, _, said in parts if name.strip() in names]
        if {*names} == {name for name, _ in lines}:
            return "processor " + "\n".join(
                f"{name}: {said}" for name, said in dict.fromkeys(lines)
            )
    return None


def _arch(machine: Machine) -> str:
    arch = machine.triple.split("-")[0]
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(arch, arch)
