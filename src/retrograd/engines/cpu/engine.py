"""The compiled engine: LLVM machine code made for this network and this processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from retrograd.engines.base import Session
from retrograd.engines.copies import CopiedSession
from retrograd.engines.cpu.machine.host import host
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.function import CpuFunction
from retrograd.engines.cpu.run.listing import CpuListing
from retrograd.engines.cpu.run.pool import available
from retrograd.engines.cpu.run.session import CpuSession
from retrograd.engines.cpu.run.shuffle import shuffle
from retrograd.graph.node import Array, Node
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan


class CpuEngine:
    """The compiled engine.

    - `target`: the processor to make code for, this one by default.
    - `n_threads`: at most so many threads, as many as there are processors by default.
    """

    name = "cpu"

    def __init__(self, target: Target | None = None, n_threads: int | None = None) -> None:
        self._target = target or host()
        self._n_threads = n_threads or available()

    @property
    def n_threads(self) -> int:
        """See `Parallel`."""
        return self._n_threads

    def open(
        self,
        steps: Mapping[str, Step],
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        *,
        copies: int | None = None,
    ) -> Session:
        """See `Engine.open`."""
        is_dense = all(isinstance(array, np.ndarray) for array in data.values())
        if copies is not None and not is_dense:  # copies take their rows in orders of their own
            return CopiedSession(self, steps, state, data, copies)
        return CpuSession(
            steps, state, data, self._target, copies=copies, n_threads=self._n_threads
        )

    def function(
        self, outputs: Sequence[Node], inputs: Sequence[Node]
    ) -> Callable[[Sequence[Array]], list[Array]]:
        """See `Engine.function`."""
        return CpuFunction(outputs, inputs, self._target, self._n_threads)

    def shuffle(self, generators: Sequence[np.random.RandomState], orders: Array) -> None:
        """See `Shuffles`."""
        shuffle(generators, orders, self._n_threads)

    def listing(self, step: Step) -> CpuListing:
        """What a session runs for a batch of this step, as text."""
        return CpuListing(plan(step, packs=self._target.multiplies_pairs), self._target)
