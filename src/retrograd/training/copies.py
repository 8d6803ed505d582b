"""Copies of one program in one session: what each of them has, by its number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.base import Engine, Session, Snapshot
from retrograd.graph.step import Step
from retrograd.optim.base import Optimizer

Numbers = dict[str, "float | Array"]


class OneState(Mapping[str, Array]):
    """The state of one among several: a copy of each variable when it is asked for.

    `whole`: the variables, led by the copies; nobody writes into them any more.
    """

    def __init__(self, whole: Mapping[str, Array], number: int) -> None:
        self._whole, self._number = whole, number

    def __getitem__(self, name: str) -> Array:
        return np.array(self._whole[name][self._number])

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


class Copies:
    """Copies of one program over one data set, each with a state of its own, run together.

    Law: each computes, bit for bit, what it would alone.

    - `states`: those at the first step, by name, led by the copies.
    - `names`: of the parameters.
    - `runs_on`: the engine. `scored`: what the step "score" last found, by the copy's number.
    """

    def __init__(
        self,
        engine: Engine,
        steps: Mapping[str, Step],
        states: Mapping[str, Array],
        data: Mapping[str, Array],
        names: Collection[str],
    ) -> None:
        self.runs_on, self.names = engine, tuple(names)
        self._n = len(states[self.names[0]])
        self._session: Session = engine.open(steps, states, data, copies=self._n)
        # Where it stands and stood before; the arrays of where it stands, each copied once.
        self._now, self._before = self._session.snapshot(), self._session.snapshot()
        self._apart: dict[str, Array] = {}
        self.scored: dict[int, dict[str, Array]] = {}

    def run(
        self,
        step: str,
        order: Array,
        numbers: Mapping[str, float | Array] | None = None,
        *,
        only: Sequence[int],
        **options: Any,
    ) -> dict[str, Array]:
        """Run a step of these copies (see `Session.run`); where they stand is noted by `mark`."""
        chosen = None if len(only) == self._n else only
        return self._session.run(step, order, numbers, only=chosen, **options)

    def score(
        self, orders: Array, numbers: Mapping[str, float], only: Sequence[int], batch_size: int
    ) -> None:
        """Find losses and outputs of these copies for rows that are held out."""
        found = self.run("score", orders, numbers, only=only, batch_size=batch_size)
        self.scored = {
            m: {name: value[i] for name, value in found.items()} for i, m in enumerate(only)
        }

    def mark(self) -> None:
        """Note where they stand now; where they stood is what `go_back` returns to."""
        self._before, self._now = self._now, self._session.snapshot(into=self._before)
        self._apart = {}

    def go_back(self) -> None:
        """Return to where they stood before the last mark."""
        self._session.restore(self._before)
        self._now, self._before, self._apart = self._before, self._now, {}

    def state_of(self, m: int) -> OneState:
        """A copy's state where they stand."""
        if not self._apart:
            self._apart = {name: self._now[name] for name in self._now}
        return OneState(self._apart, m)

    def read(self, m: int, name: str) -> Array:
        """A variable of a copy's state where they stand."""
        return self.state_of(m)[name]

    def state_before(self, m: int) -> dict[str, Array]:
        """A copy's state where they stood."""
        return {name: np.array(self._before[name][m]) for name in self._before}

    def not_finite(self, names: Collection[str], only: Sequence[int]) -> list[int]:
        """Which of these copies have a NaN or an infinity in variables of these names."""
        if self._session.not_finite() is None:
            return []
        values = [self._now[name] for name in names]
        return [m for m in only if not all(np.isfinite(value[m]).all() for value in values)]


class Copy:
    """One of several copies, as its run sees it (see `TrainingSession`)."""

    reads_others = False

    def __init__(self, whole: Copies, number: int, optimizer: Optimizer) -> None:
        self.whole, self.number, self.optimizer = whole, number, optimizer
        self.names, self.runs_on = whole.names, whole.runs_on

    @property
    def engine(self) -> Copy:
        """What has the state: itself."""
        return self

    def snapshot(self, into: Snapshot | None = None) -> Snapshot:
        """The state where the copies stand."""
        return self.whole.state_of(self.number)

    def parameters(self) -> dict[str, Array]:
        """The parameters of that state."""
        state = self.snapshot()
        return {name: state[name] for name in self.names}


def joined(each: Sequence[Mapping[str, Any]], n_batches: int) -> Numbers:
    """The scalars of copies, from those of each: a number, or one for each batch of each copy."""
    return {name: _of_all([one[name] for one in each], n_batches) for name in each[0]}


def _of_all(values: Sequence[Any], n_batches: int) -> float | Array:
    """As it is where all have the same number."""
    first = values[0]
    if all(not isinstance(value, np.ndarray) and value == first for value in values):
        return float(first)
    return np.stack([np.broadcast_to(np.asarray(value), (n_batches,)) for value in values])
