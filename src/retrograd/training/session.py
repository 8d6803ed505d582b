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
from retrograd.engines.base import Session
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer, rates
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
    `is_mixed`: products in bfloat16, all else in float32.
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
        engine: str = "auto",
        is_mixed: bool = False,
    ) -> None:
        opened_on = find_engine(engine)
        network.parameters.cast(rows.X.dtype)
        for name, value in network.parameters.items():
            require_finite(value, f"parameter {name}")
        self.names = tuple(network.parameters)
        self.optimizer, self._l2, self._rows = optimizer, l2, rows
        steps = steps_of(
            network,
            loss,
            rows.target,
            optimizer,
            is_weighted=rows.sample_weight is not None,
            is_penalised=callable(l2) or l2 > 0,
            is_mixed=is_mixed,
        )
        state: Mapping[str, Array] = network.parameters
        if optimizer is not None:
            state = initial_state(network, optimizer)
        self.engine: Session = opened_on.open(steps, state, rows.named())

    def epoch(self, order: Array, batch_size: int, stop: Callable[[], bool]) -> Epoch:
        """One pass over the rows of `order` in batches; the last batch is observed."""
        assert self.optimizer is not None
        n_batches = -(-len(order) // batch_size)
        split = (n_batches - 1) * batch_size  # where the last batch begins
        done = int(self.engine.read(COUNT))
        numbers: dict[str, float | Array] = {
            name: rates(value, done, n_batches) for name, value in self.optimizer.numbers().items()
        } | {"l2": self._l2_of(order, batch_size)}
        J, norm = np.empty(0), float("nan")
        if split:
            most = _part(numbers, slice(0, -1))
            J = self.engine.run("train", order[:split], most, batch_size=batch_size, stop=stop)["J"]
        if not split or (len(J) == n_batches - 1 and not stop()):
            last = self.engine.run("observe", order[split:], _part(numbers, slice(-1, None)))
            J, norm = np.append(J, last["J"]), float(last["gradient_norm"][0])
        rate = np.broadcast_to(numbers.get("learning_rate", float("nan")), n_batches)
        n_rows = min(len(J) * batch_size, len(order))
        return Epoch(J, norm, float(rate[len(J) - 1]), n_rows)

    def mean_J(self, epoch: Epoch, order: Array, batch_size: int) -> float:
        """The mean over rows of J: each batch counts by its rows, or by their sample weights."""
        share = self._weights(order[: epoch.n_rows], batch_size)
        return float(np.average(epoch.J, weights=share if share.any() else None))

    def _weights(self, order: Array, batch_size: int) -> Array:
        """The weight of each batch."""
        weights = self._rows.sample_weight
        rows = np.ones(len(order)) if weights is None else weights[order]
        return np.add.reduceat(rows, np.arange(0, len(order), batch_size))

    def _l2_of(self, order: Array, batch_size: int) -> float | Array:
        return self._l2(self._weights(order, batch_size)) if callable(self._l2) else self._l2

    def gradient(self, order: Array) -> tuple[float, dict[str, Array]]:
        """J and its gradient over these rows, in one batch."""
        found = self.engine.run("gradient", order, {"l2": self._l2_of(order, len(order))})
        return float(found["J"][0]), {name: found[name][0] for name in self.names}

    def score(self, order: Array, batch_size: int = 4096) -> tuple[Array, Array]:
        """The loss of each row (n,), without penalties, and the outputs (n, O)."""
        found = self.engine.run("score", order, batch_size=batch_size)
        return found["loss"], found["output"]

    def assign(self, parameters: Mapping[str, Array]) -> None:
        """Give the parameters these values; DataError unless they are finite."""
        for name in self.names:
            require_finite(parameters[name], f"parameter {name}")
            self.engine.write(name, parameters[name])

    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters."""
        return {name: self.engine.read(name) for name in self.names}


def _part(numbers: Mapping[str, float | Array], part: slice) -> dict[str, float | Array]:
    """The numbers of some of the batches: those that have one for each batch are cut."""
    return {
        name: value[part] if isinstance(value, np.ndarray) else value
        for name, value in numbers.items()
    }
