"""A network opened for training: its steps on an engine, over rows of one data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import (
    Array,
    SparseRows,
    as_matrix,
    as_weights,
    require_finite,
    require_same_rows,
)
from retrograd.engines.base import Engine, Session
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Network
from retrograd.nn.noise import SEED, SEEN
from retrograd.optim.base import Optimizer, Rate, at, rates
from retrograd.run import find_engine
from retrograd.training.step import COUNT, initial_state, steps_of


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked data: X (n, I), the targets, and sample weights (n,) or None."""

    X: Array | SparseRows
    target: Target
    sample_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def named(self) -> dict[str, Any]:
        """The arrays by the name of their variable."""
        own: dict[str, Any] = {"x": self.X, "y": self.target.array}
        return own if self.sample_weight is None else own | {"sample_weight": self.sample_weight}


def check_rows(
    network: Network,
    loss: Loss,
    X: ArrayLike,
    Y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> Rows:
    """A user's X, Y and weights, checked against the network and the loss.

    In float32 or float64, or in X's own float type where `dtype` is None.
    """
    x = as_matrix(X, "X", n_columns=network.n_inputs, dtype=dtype)
    target = loss.target(Y, network.n_outputs, x.dtype)
    require_same_rows("X", len(x), "Y", len(target.array))
    weights = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, "sample_weight", n_rows=len(x), dtype=x.dtype)
    return Rows(x, target, weights)


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch, as far as it ran: J of each batch, and of its last step."""

    J: Array
    gradient_norm: float
    learning_rate: float
    n_rows: int


Penalty = float | Callable[[Array], Array]
"""The l2 of every batch, or a function from the weights of the batches to the l2 of each."""


class TrainingSession:
    """Steps of a network on an engine: run epochs, score rows, read and write the state.

    The weight of a batch is its number of rows, or the sum of their sample weights.
    `is_mixed`: products in bfloat16, all else in float32. `is_least_squares`: without an optimizer,
    the steps of the residuals in place of J's gradient.
    `seed`: of the random layers, below 2**53. `frozen`: parameters that stay as they are.
    `names`: of all parameters; `trained`: of those that follow the gradient.
    `optimizer` may be replaced between epochs by one that differs in its numbers only.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        *,
        loss: Loss,
        optimizer: Optimizer | None,
        l2: Penalty = 0.0,
        engine: str | Engine = "auto",
        is_mixed: bool = False,
        is_least_squares: bool = False,
        seed: int = 0,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        opened_on = find_engine(engine)
        network.parameters.cast(rows.X.dtype)
        for name, value in network.parameters.items():
            require_finite(value, f"parameter {name}")
        self._sizes: tuple[int, int, Array] | None = None  # of the batches of an epoch
        self._numbers: tuple[Optimizer, dict[str, Rate]] | None = None  # of the optimizer seen last
        self.names, self.n_outputs = tuple(network.parameters), network.n_outputs
        fixed = network.statistics | frozen
        self.frozen, self.trained = frozen, tuple(x for x in self.names if x not in fixed)
        noise = network.noise()
        # The key of random layers: what does not change, and the rows seen, none yet.
        self._key = {} if noise is None else {**noise.numbers(), SEED: float(seed)}
        seen = {} if noise is None else {SEEN: np.zeros(())}
        self.optimizer, self._rows = optimizer, rows
        self._l2 = l2 if callable(l2) else float(l2)
        steps = steps_of(
            network,
            loss,
            rows.target,
            optimizer,
            is_weighted=rows.sample_weight is not None,
            is_penalised=callable(l2) or l2 > 0,
            is_mixed=is_mixed,
            is_least_squares=is_least_squares,
            frozen=frozen,
        )
        self._steps = steps
        self.reads_others = "read" in steps  # the optimizer predicts with others than it trains
        state: Mapping[str, Array] = network.parameters
        self._copies: dict[str, list[str]] = {name: [] for name in self.names}  # of a parameter
        if optimizer is not None:
            state = initial_state(network, optimizer, self.trained)
            shapes = {name: network.parameters[name].shape for name in self.trained}
            for slot, facts in optimizer.state(shapes).items():
                if facts.copy_of is not None:
                    self._copies[facts.copy_of].append(slot)
        state = {**state, **seen}
        self._variables = tuple(state)
        self.engine: Session = opened_on.open(steps, state, rows.named())

    def feed(self, rows: Rows) -> None:
        """Take rows of the same form in place of those before."""
        self._rows = rows
        self.engine.feed(rows.named())

    def epoch(
        self, order: Array, batch_size: int, stop: Callable[[], bool], *, is_observed: bool = True
    ) -> Epoch:
        """One pass over the rows of `order` in batches.

        `is_observed`: whether the last batch tells its gradient's norm, which is NaN elsewhere.
        """
        assert self.optimizer is not None
        n_batches = -(-len(order) // batch_size)
        # Where the last batch begins, if it is one of its own.
        split = (n_batches - 1) * batch_size if is_observed else len(order)
        numbers: dict[str, float | Array] = {"l2": self.l2_of(order, batch_size), **self._key}
        if self._numbers is None or self._numbers[0] is not self.optimizer:
            self._numbers = self.optimizer, self.optimizer.numbers()
        for name, value in self._numbers[1].items():
            done = int(self.engine.read(COUNT)) if callable(value) else 0
            numbers[name] = rates(value, done, n_batches)
        J, norm = np.empty(0), float("nan")
        if split:
            most = _part(numbers, slice(0, -1)) if is_observed else numbers
            J = self.engine.run("train", order[:split], most, batch_size=batch_size, stop=stop)["J"]
        if is_observed and (not split or (len(J) == n_batches - 1 and not stop())):
            last = self.engine.run("observe", order[split:], _part(numbers, slice(-1, None)))
            J, norm = np.concatenate([J, last["J"]]), float(last["gradient_norm"][0])
        rate = numbers.get("learning_rate", float("nan"))
        rate = rate[len(J) - 1] if isinstance(rate, np.ndarray) else rate
        n_rows = min(len(J) * batch_size, len(order))
        return Epoch(J, norm, float(rate), n_rows)

    def mean_J(self, epoch: Epoch, order: Array, batch_size: int) -> float:
        """The mean over rows of J: each batch counts by its rows, or by their sample weights."""
        return mean_by(self.weights(order[: epoch.n_rows], batch_size), epoch.J)

    def weights(self, order: Array, batch_size: int) -> Array:
        """The weight of each batch."""
        if self._rows.sample_weight is not None:
            starts = np.arange(0, len(order), batch_size)
            return np.asarray(np.add.reduceat(self._rows.sample_weight[order], starts))
        if self._sizes is None or self._sizes[:2] != (len(order), batch_size):
            sizes = np.full(-(-len(order) // batch_size), float(batch_size))
            sizes[-1] = len(order) - (len(sizes) - 1) * batch_size
            self._sizes = len(order), batch_size, sizes
        return self._sizes[2]

    def shares(self, order: Array) -> Array:
        """The share of each row in the mean over these rows, (n,): 1 / n, or w / sum(w)."""
        if self._rows.sample_weight is None:
            return np.full(len(order), 1.0 / len(order))
        w = self._rows.sample_weight[order].astype(np.float64)
        return np.asarray(w / max(float(w.sum()), float(np.finfo(np.float64).tiny)))

    def l2_of(self, order: Array, batch_size: int) -> float | Array:
        """The l2 of each batch of these rows, or of all of them."""
        return self._l2(self.weights(order, batch_size)) if callable(self._l2) else self._l2

    def gradient(self, order: Array) -> tuple[float, dict[str, Array]]:
        """J and its gradient over these rows, in one batch."""
        numbers = {"l2": self.l2_of(order, len(order)), **self._key}
        found = self.engine.run("gradient", order, numbers)
        return float(found["J"][0]), {name: found[name][0] for name in self.trained}

    def score(self, order: Array, batch_size: int = 4096) -> tuple[Array, Array]:
        """The loss of each row (n,), without penalties, and the outputs (n, O)."""
        numbers = self._numbers_of("score")
        found = self.engine.run("score", order, numbers, batch_size=batch_size)
        return found["loss"], found["output"]

    def assign(self, parameters: Mapping[str, Array]) -> None:
        """Give the parameters these values; DataError unless they are finite.

        Those that are already read so stay as they are. With a parameter, what the optimizer keeps
        as a copy of it (an average) begins anew, so `parameters()` then gives what was assigned.
        """
        read = self.parameters() if self.reads_others else {}
        for name in self.names:
            require_finite(parameters[name], f"parameter {name}")
            own = read[name] if read else self.engine.read(name)
            if not np.array_equal(own, parameters[name]):
                for state in (name, *self._copies[name]):
                    self.engine.write(state, parameters[name])

    def state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Copies of all that changes from step to step, by name, and the parameters among them."""
        state = {name: self.engine.read(name) for name in self._variables}
        if self.reads_others:
            return state, self.parameters()
        return state, {name: state[name] for name in self.names}

    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters: those to predict with, if the optimizer tells them apart."""
        if self.reads_others:
            found = self.engine.run("read", np.zeros(1, np.int64), self._numbers_of("read"))
            return {name: found[name][0] for name in self.names}
        return {name: self.engine.read(name) for name in self.names}

    def _numbers_of(self, step: str) -> dict[str, float]:
        """The numbers of a step that only reads, as they were in the last step of training."""
        names = self._steps[step].scalars
        if not names:
            return {}
        assert self.optimizer is not None
        numbers, last = self.optimizer.numbers(), max(int(self.engine.read(COUNT)) - 1, 0)
        return {name: at(numbers[name], last) for name in names}


def mean_by(weights: Array, J: Array) -> float:
    """The mean of J over batches of these weights; the plain mean where all of them are 0.

    >>> mean_by(np.array([3.0, 1.0]), np.array([1.0, 5.0]))
    2.0
    """
    total = weights.sum()
    return float((J * weights).sum() / total if total else J.mean())


def _part(numbers: Mapping[str, float | Array], part: slice) -> dict[str, float | Array]:
    """The numbers of some of the batches: those that have one for each batch are cut."""
    return {
        name: value[part] if isinstance(value, np.ndarray) else value
        for name, value in numbers.items()
    }
