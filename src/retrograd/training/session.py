"""A network opened for training: its steps on an engine, over rows of one data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array, as_matrix, as_weights, require_same_rows
from retrograd.engines.base import Session
from retrograd.graph.step import Step
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer, rates
from retrograd.run import find_engine
from retrograd.training.step import (
    COUNT,
    Objective,
    gradient_step,
    initial_state,
    objective,
    score_step,
    training_steps,
)


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked data: X (n, I), the targets, and sample weights (n,) or None."""

    X: Array
    target: Target
    sample_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def named(self) -> dict[str, Array]:
        """The arrays by the name of their variable."""
        own = {"x": self.X, "y": self.target.array}
        return own if self.sample_weight is None else own | {"sample_weight": self.sample_weight}


def check_rows(
    network: Network, loss: Loss, X: ArrayLike, Y: ArrayLike, sample_weight: ArrayLike | None = None
) -> Rows:
    """A user's X, Y and weights, checked against the network and the loss, in X's precision."""
    x = as_matrix(X, "X", n_columns=network.n_inputs)
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


class TrainingSession:
    """Steps of a network on an engine: run epochs, score rows, read and write the state."""

    def __init__(
        self,
        network: Network,
        rows: Rows,
        *,
        loss: Loss,
        optimizer: Optimizer | None,
        l2: float = 0.0,
        engine: str = "auto",
    ) -> None:
        network.parameters.cast(rows.X.dtype)
        self.objective: Objective = objective(
            network, loss, rows.target, is_weighted=rows.sample_weight is not None
        )
        self.names = tuple(network.parameters)
        self._optimizer, self._l2, self._rows = optimizer, l2, rows
        steps: dict[str, Step]
        state: Mapping[str, Array]
        if optimizer is None:
            state = network.parameters
            steps = {
                "gradient": gradient_step(self.objective),
                "score": score_step(self.objective),
            }
        else:
            state = initial_state(network, optimizer)
            steps = training_steps(self.objective, optimizer)
        self.engine: Session = find_engine(engine).open(steps, state, rows.named())

    def epoch(self, order: Array, batch_size: int, stop: Callable[[], bool]) -> Epoch:
        """One pass over the rows of `order` in batches; the last batch is observed."""
        assert self._optimizer is not None
        done = int(self.engine.read(COUNT))
        n_batches = -(-len(order) // batch_size)
        numbers: dict[str, float | Array] = {
            name: rates(value, done, n_batches) for name, value in self._optimizer.numbers().items()
        }
        numbers["l2"] = self._l2
        split = (n_batches - 1) * batch_size
        results = []
        if split:
            first = {name: _part(value, slice(0, n_batches - 1)) for name, value in numbers.items()}
            results.append(
                self.engine.run("train", order[:split], first, batch_size=batch_size, stop=stop)[
                    "J"
                ]
            )
        norm = float("nan")
        if not split or not stop():
            last = {
                name: _part(value, slice(n_batches - 1, None)) for name, value in numbers.items()
            }
            observed = self.engine.run("observe", order[split:], last)
            results.append(observed["J"])
            norm = float(observed["gradient_norm"][-1])
        J = np.concatenate(results)
        rate = numbers.get("learning_rate", float("nan"))
        return Epoch(
            J=J,
            gradient_norm=norm,
            learning_rate=float(np.broadcast_to(rate, n_batches)[len(J) - 1]),
            n_rows=min(len(J) * batch_size, len(order)),
        )

    def mean_J(self, epoch: Epoch, order: Array, batch_size: int) -> float:
        """The mean over rows of J: each batch counts by its rows, or by their sample weights."""
        weights = self._rows.sample_weight
        rows = np.ones(epoch.n_rows) if weights is None else weights[order[: epoch.n_rows]]
        share = np.add.reduceat(rows, np.arange(0, epoch.n_rows, batch_size))
        return float(np.average(epoch.J, weights=share if share.any() else None))

    def gradient(self, order: Array) -> tuple[float, dict[str, Array]]:
        """J and its gradient over these rows, in one batch."""
        found = self.engine.run("gradient", order, {"l2": self._l2})
        return float(found["J"][0]), {name: found[name][0] for name in self.names}

    def score(self, order: Array, batch_size: int = 4096) -> tuple[Array, Array]:
        """The loss of each row (n,), without penalties, and the outputs (n, O)."""
        found = self.engine.run("score", order, batch_size=batch_size)
        return found["loss"], found["output"]

    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters."""
        return {name: self.engine.read(name) for name in self.names}


def _part(value: float | Array, part: slice) -> float | Array:
    return value[part] if isinstance(value, np.ndarray) else value
