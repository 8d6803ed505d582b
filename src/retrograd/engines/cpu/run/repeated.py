"""Runs of equal size, one after another: what changes is copied to and from where it lay before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from retrograd.engines.batches import Batches
from retrograd.engines.cpu.run.arguments import Arguments, Outputs, Places, Rates
from retrograd.engines.cpu.run.calls import run_batches
from retrograd.engines.cpu.run.executable import Executable
from retrograd.engines.cpu.run.memory import require_legal
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows


class Repeated:
    """Runs of equal size: order, rates and outputs stay where they are.

    What they hold is copied in and out, which for few rows takes less time than pointing the code
    at other memory. `sizes`: rows, and rows of a batch.
    """

    def __init__(
        self,
        executable: Executable,
        arguments: Arguments,
        data: Mapping[str, Array],
        outputs: Outputs,
        sizes: tuple[int, int],
        n_threads: int,
    ) -> None:
        self.sizes = n, size = sizes
        self._executable, self._arguments, self._outputs = executable, arguments, outputs
        self._n_batches = -(-n // size)
        self._order = np.zeros(n, np.int64)
        self._numbers = [(name, number) for name, _, _, number in arguments.scalars]
        self._error = arguments.memory.error[0]
        rates = {name: 0.0 for name, _ in self._numbers}
        inner = {name: output[None] for name, output in outputs.items()}
        orders = self._order[None]
        arguments.hand_over(orders, Batches(n, size), rates, Places.of(orders, inner))
        self.feed(data)
        self._call = partial(executable.code.call, *arguments.parts(0, 1, 1)[0])
        self._is_one_call = self._n_batches == 1 and n_threads == 1
        self._autotuner = executable.autotuner(n_threads, size, 1)

    def feed(self, data: Mapping[str, Array]) -> None:
        """Point the code at these rows of data."""
        for name, array in data.items():
            self._arguments.hand_over_data(name, array)

    def run(self, order: Array, rates: Rates, stop: Callable[[], bool] | None) -> Outputs:
        """The outputs of the batches that ran, as new arrays led by batches, or by rows."""
        self._order[:] = order
        for name, number in self._numbers:
            number[0] = rates[name]
        if self._is_one_call:
            self._call()
            done = 1
        else:
            done = run_batches(
                self._executable,
                self._arguments,
                self._autotuner,
                self._n_batches,
                stop,
                is_cold=False,
            )
        if self._error[0]:
            require_legal([self._arguments.memory])
        if done == self._n_batches:
            return {name: output.copy() for name, output in self._outputs.items()}
        leads = self._executable.program.outputs
        n_rows = done * self.sizes[1]
        return {
            name: output[: n_rows if has_rows(leads[name].shape[:1]) else done].copy()
            for name, output in self._outputs.items()
        }
