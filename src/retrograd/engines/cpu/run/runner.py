"""A step made ready to run: its code, the memory of each copy, and the native calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from retrograd.engines.batches import Batches
from retrograd.engines.cpu.machine.target import Target
from retrograd.engines.cpu.run.arguments import Arguments, Outputs, Places, Rates
from retrograd.engines.cpu.run.calls import run_batches
from retrograd.engines.cpu.run.executable import executable_of
from retrograd.engines.cpu.run.memory import Buffers, require_legal
from retrograd.engines.cpu.run.repeated import Repeated
from retrograd.graph.node import Array
from retrograd.graph.shape import has_rows
from retrograd.graph.step import Step

FEW = 4096  # rows of a run that are copied in and out faster than the code is pointed at them
SMALL = 256  # rows of its batches, whose memory is kept besides that of larger ones
LIGHT = 1 << 16  # bytes of its outputs


class Runner:
    """One step of a session.

    `states`: in the layout of the code, of each variable the memory (copies, entries). `buffers`:
    shared with other steps.
    """

    def __init__(
        self,
        step: Step,
        target: Target,
        states: Mapping[str, Array],
        buffers: Buffers,
        n_threads: int,
        copies: int,
    ) -> None:
        self._executable = executable_of(step.structure, target)
        self._states, self._buffers = states, buffers
        self._n_threads, self._n_copies = n_threads, copies
        self._data: dict[str, Array] = {}  # that the code was last pointed at
        self._arguments: Arguments | None = None
        self._repeated: Repeated | None = None
        self._last = 0, 0  # rows, and rows of a batch, of the last run that was small
        # Of each output: its name, whether it leads with rows, the shape of one entry, its dtype.
        self._outputs = [
            (name, has_rows(node.shape[:1]), _of_one(node.shape), node.dtype)
            for name, node in self._executable.program.outputs.items()
        ]

    def run(
        self,
        data: Mapping[str, Array],
        orders: Array,
        batches: Batches,
        rates: Rates,
        stop: Callable[[], bool] | None,
        *,
        only: Sequence[int] | None = None,
    ) -> tuple[int, Outputs]:
        """Run the batches of all copies: how many batches ran, and the outputs of each copy.

        `orders` is (copies, n); outputs lead with the copies, then come batches or rows.
        `only`: the numbers of the copies that run; `orders` has one for each of them.
        """
        n_copies, n = orders.shape
        n_batches, size = batches.count(n), batches.size
        outputs = {
            name: np.empty((n_copies, n if leads else n_batches, *shape), dtype)
            for name, leads, shape, dtype in self._outputs
        }
        arguments = self._arguments
        is_cold = arguments is None or arguments.memory.rows < size
        if arguments is None or is_cold:
            arguments = self._arguments = self._new_arguments(size, self._n_copies)
            self._data = {}
        for name, array in data.items():
            if self._data.get(name) is not array:
                arguments.hand_over_data(name, array)
        self._data = dict(data)
        arguments.hand_over(orders, batches, rates, Places.of(orders, outputs), only)
        autotuner = self._executable.autotuner(self._n_threads, size, n_copies)
        done = run_batches(self._executable, arguments, autotuner, n_batches, stop, is_cold=is_cold)
        require_legal([arguments.memory])
        return done, outputs

    def _new_arguments(self, size: int, copies: int) -> Arguments:
        return Arguments(
            self._executable, size, self._states, self._n_threads, self._buffers, copies
        )

    def feed(self, data: Mapping[str, Array]) -> None:
        """Point what is pointed once and for all at other data; `run` looks at its data itself."""
        if self._repeated is not None:
            self._repeated.feed(data)

    def run_repeated(
        self,
        data: Mapping[str, Array],
        order: Array,
        size: int,
        rates: Rates,
        stop: Callable[[], bool] | None,
    ) -> Outputs | None:
        """Run the batches of the only copy, as `run` would; None where it must.

        From the second run of as many rows on, in memory that is pointed at once and for all.
        """
        n = len(order)
        if self._repeated is None or self._repeated.sizes != (n, size):
            is_second, self._last = self._last == (n, size), (n, size)
            if not is_second or size > SMALL:
                return None
            outputs = {
                name: np.empty((n if leads else -(-n // size), *shape), dtype)
                for name, leads, shape, dtype in self._outputs
            }
            if sum(output.nbytes for output in outputs.values()) > LIGHT:
                return None
            self._repeated = Repeated(
                self._executable,
                self._new_arguments(size, 1),
                data,
                outputs,
                (n, size),
                self._n_threads,
            )
        return self._repeated.run(order, rates, stop)

    def run_expanded(
        self,
        data: Mapping[str, Array],
        orders: Array,
        batches: Batches,
        rates: Rates,
        stop: Callable[[], bool] | None,
    ) -> tuple[int, Outputs]:
        """The same over sparse rows: each batch is expanded before it runs, never the whole."""
        pieces = []
        for done in range(batches.count(orders.shape[-1])):
            if stop is not None and done > 0 and stop():
                break
            batch = orders[0, batches.start(done) : batches.start(done + 1)]
            dense = {name: np.ascontiguousarray(rows.take(batch, 0)) for name, rows in data.items()}
            here = {
                name: rate[..., done : done + 1]
                if isinstance(rate, np.ndarray) and rate.ndim
                else rate
                for name, rate in rates.items()
            }
            places = np.arange(len(batch))[None]
            alone = Batches(len(batch), len(batch))
            pieces.append(self.run(dense, places, alone, here, None)[1])
        if not pieces:
            none = {name: rows.take(orders[0], 0) for name, rows in data.items()}
            return self.run(none, orders, batches, rates, None)
        joined = {name: np.concatenate([p[name] for p in pieces], axis=1) for name in pieces[0]}
        return len(pieces), joined


def _of_one(shape: Sequence[Any]) -> tuple[Any, ...]:
    """The shape of one entry of an output: of a row, or of a batch."""
    return tuple(shape[1:] if has_rows(tuple(shape[:1])) else shape)
