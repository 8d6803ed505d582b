"""The compiled engine: LLVM machine code made for this network and this processor."""

from __future__ import annotations

from collections.abc import Mapping

from retrograd.engines.cpu.session import CpuSession
from retrograd.engines.cpu.target import Target
from retrograd.graph.node import Array
from retrograd.graph.step import Step


class CpuEngine:
    """The compiled engine; `target` is the processor to make code for, this one by default."""

    name = "cpu"

    def __init__(self, target: Target | None = None) -> None:
        self._target = target

    def open(
        self, steps: Mapping[str, Step], state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> CpuSession:
        """See `Engine.open`."""
        return CpuSession(steps, state, data, target=self._target)
