"""This machine's own limits: float32 fused multiply-adds a second, and bytes read a second.

Both are loops emitted as LLVM IR: 24 independent accumulators of the widest vector, 64 bytes or 32.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from llvmlite import binding as llvm

from benchmarks.peers import CORES

ACCUMULATORS = 24
ROUNDS = 15
FMAS = 400_000  # turns of the loop, about 50 ms or less
BYTES = 1 << 28  # beyond any cache of a core

LOOP = """
declare {vector} @llvm.fma.{short}({vector}, {vector}, {vector})

define void @{name}(ptr %data, i64 %turns) {{
start:
  %first = load {vector}, ptr %data, align 4
  br label %loop
loop:
  %i = phi i64 [0, %start], [%next, %loop]
{phis}
{body}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %turns
  br i1 %more, label %loop, label %end
end:
{total}
  store {vector} %sum{last}, ptr %data, align 4
  ret void
}}
"""


@dataclass(frozen=True)
class Limits:
    """Flops a second of one core and of all of them; bytes read a second by one core."""

    fma_one: float
    fma_all: float
    read_one: float

    def fma(self, cores: float) -> float:
        """The peak of so many busy cores."""
        return min(self.fma_all, self.fma_one * max(1.0, cores))


def lanes() -> int:
    """float32 lanes of the widest vector that this processor has."""
    features = llvm.get_host_cpu_features()
    return next((n for n, name in ((16, "avx512f"), (8, "avx")) if features.get(name)), 4)


def loop(name: str, body: str) -> str:
    """The IR of a loop: `body` is repeated for each accumulator {k}, %old{k} to %new{k}."""
    n, each = lanes(), range(ACCUMULATORS)
    vector = f"<{n} x float>"
    phis = [f"  %old{k} = phi {vector} [%first, %start], [%new{k}, %loop]" for k in each]
    lines = [body.format(k=k, vector=vector, short=f"v{n}f32", at=k * n) for k in each]
    sums = [f"  %sum0 = fadd {vector} %new0, %new0"] + [
        f"  %sum{k} = fadd {vector} %sum{k - 1}, %new{k}" for k in each[1:]
    ]
    return LOOP.format(
        name=name, vector=vector, short=f"v{n}f32", last=ACCUMULATORS - 1,
        phis="\n".join(phis), body="\n".join(lines), total="\n".join(sums),
    )  # fmt: skip


FMA = (
    "  %new{k} = call {vector} @llvm.fma.{short}"
    "({vector} %old{k}, {vector} %first, {vector} %first)"
)
READ = """  %at{k} = mul i64 %i, {stride}
  %place{k} = add i64 %at{k}, {at}
  %from{k} = getelementptr float, ptr %data, i64 %place{k}
  %got{k} = load {vector}, ptr %from{k}, align 4
  %new{k} = fadd {vector} %old{k}, %got{k}"""


def measure() -> Limits:
    """Run both loops; the best of some rounds each, for a limit is what nothing passes."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    stride = ACCUMULATORS * lanes()
    read = READ.replace("{stride}", str(stride))
    module = llvm.parse_assembly(loop("fma", FMA))
    module.link_in(llvm.parse_assembly(loop("read", read)))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    fma, stream = (signature(engine.get_function_address(name)) for name in ("fma", "read"))

    small = [np.full(64, 0.5, np.float32) for _ in range(CORES)]
    big = np.ones(BYTES // 4, np.float32)
    flops = 2.0 * FMAS * ACCUMULATORS * lanes()
    turns = len(big) // stride
    with ThreadPoolExecutor(CORES) as pool:

        def on_all() -> None:
            list(pool.map(lambda own: fma(own.ctypes.data, FMAS), small))

        return Limits(
            fma_one=flops / best(lambda: fma(small[0].ctypes.data, FMAS)),
            fma_all=CORES * flops / best(on_all),
            read_one=4.0 * turns * stride / best(lambda: stream(big.ctypes.data, turns)),
        )


def best(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls."""
    return min(seconds(call) for _ in range(ROUNDS))


def seconds(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
