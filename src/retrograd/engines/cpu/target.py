"""What a processor offers: its instruction set, vector width, registers and caches, as a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from retrograd.errors import unknown_name


@dataclass(frozen=True)
class Target:
    """A kind of processor, as the code generator sees it.

    - `triple`, `cpu`, `features`: what LLVM is told.
    - `bytes`: of a vector register. `registers`: how many there are.
    - `has_fma`: whether a * b + c is one instruction, rounded once.
    - `tile`: rows, and vectors across, of the block of a product that is held in registers.
    - `l1`, `l2`: bytes of the data caches of a core.
    """

    name: str
    triple: str
    cpu: str
    features: str
    bytes: int
    registers: int
    has_fma: bool
    tile: tuple[int, int]
    l1: int = 32 << 10
    l2: int = 512 << 10

    def lanes(self, dtype: np.dtype) -> int:  # type: ignore[type-arg]
        """How many numbers of a dtype a vector register holds."""
        return self.bytes // np.dtype(dtype).itemsize


# The tile has as many accumulators as leave registers for one row of B and one entry of A:
# 8 x 3 of 32 registers, 4 x 2 and 6 x 2 of 16, 8 x 2 of 32 narrow ones.
_AVX512 = "+avx512f,+avx512dq,+avx512bw,+avx512vl,+avx512cd,+avx2,+fma,+f16c,+bmi2"
TARGETS = {
    target.name: target
    for target in (
        Target("avx512", "x86_64-unknown-linux-gnu", "x86-64-v4", _AVX512, 64, 32, True, (8, 3)),
        Target("avx2", "x86_64-unknown-linux-gnu", "x86-64-v3", "", 32, 16, True, (6, 2)),
        Target("x86-64", "x86_64-unknown-linux-gnu", "x86-64", "", 16, 16, False, (4, 2)),
        Target("neon", "aarch64-unknown-linux-gnu", "generic", "+neon", 16, 32, True, (8, 2)),
    )
}
