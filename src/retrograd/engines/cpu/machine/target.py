"""What processors offer: kinds of them as a table, and a machine as LLVM is told of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """What LLVM makes code for: triple, processor, features as it reads them, and as it has."""

    triple: str
    cpu: str
    features: str
    has: frozenset[str]


@dataclass(frozen=True)
class Target:
    """A kind of processor, as the code generator sees it.

    - `arch`: of LLVM's triple. `cpu`, `features`: what LLVM is told.
    - `needs`: features that a processor of this kind has.
    - `bytes`: of a vector register.
    - `has_fma`: whether a * b + c is one instruction, rounded once.
    - `tile`: rows, and vectors across, of the block of a product that is held in registers.
    - `multiplies_pairs`: whether one instruction adds the products of two pairs of bfloat16
      numbers to a float32, in each lane.
    - `has_amx`: whether one instruction does so for tiles of 16 x 16 (see `code.builder.amx`).
    """

    name: str
    arch: str
    cpu: str
    features: str
    needs: frozenset[str]
    bytes: int
    has_fma: bool
    tile: tuple[int, int]
    multiplies_pairs: bool = False
    has_amx: bool = False

    @property
    def is_x86(self) -> bool:
        """Whether this is a processor of the x86-64 family."""
        return self.arch == "x86_64"


# A tile has as many accumulators as leave registers for a row of B and an entry of A: 24 of the 32
# of AVX-512 and NEON, 12 of the 16 of AVX2. Its rows divide the parts that threads take.
AVX512 = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})
AMX = frozenset({"amx-tile", "amx-bf16"})
AMX_TILE = 16  # of AMX: rows, and words of each
AMX_ACROSS = 2  # tiles of sums beside each other: with two below each, half of the eight there are
TARGETS = {
    target.name: target
    for target in (
        Target("amx", "x86_64", "cooperlake", "+amx-tile,+amx-bf16,-prefer-256-bit",
               AVX512 | {"avx512bf16"} | AMX, 64, True, (8, 3), multiplies_pairs=True,
               has_amx=True),
        Target("avx512bf16", "x86_64", "cooperlake", "-prefer-256-bit", AVX512 | {"avx512bf16"},
               64, True, (8, 3), multiplies_pairs=True),
        Target("avx512", "x86_64", "x86-64-v4", "-prefer-256-bit", AVX512, 64, True, (8, 3)),
        Target("avx2", "x86_64", "x86-64-v3", "", frozenset({"avx2", "fma", "bmi2", "f16c"}),
               32, True, (4, 3)),
        Target("x86-64", "x86_64", "x86-64", "", frozenset(), 16, False, (4, 2)),
        Target("neon", "aarch64", "generic", "+neon", frozenset(), 16, True, (8, 3)),
    )
}  # fmt: skip
