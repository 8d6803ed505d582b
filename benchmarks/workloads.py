"""What is measured: networks with their training, and the arrays that every peer gets.

Shapes: M copies, B rows of a batch, I fan_in, O fan_out. M is left out where it is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

import retrograd as rg
from retrograd.datasets import load

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

LOSSES = {
    "cross_entropy": "cross-entropy",
    "half_squared_error": "half squared error",
    "squared_error": "squared error",
}
OPTIMIZERS = {
    "sgd": rg.SGD,
    "momentum": lambda rate: rg.SGD(rate, momentum=MOMENTUM),
    "adam": lambda rate: rg.Adam(rate, BETA1, BETA2, EPSILON),
}


@dataclass(frozen=True, eq=False)
class Problem:
    """Arrays of one workload, float32 (float64 where that is its precision): equal for every peer.

    X (n, I). Y (n, O), or labels (n,) int64. order (n,) or (M, n), int64, whole batches.
    weights: W1, b1, W2, b2, ...: W (I, O) or (M, I, O), b (1, O) or (M, 1, O).
    """

    X: np.ndarray
    Y: np.ndarray
    order: np.ndarray
    weights: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Workload:
    """One network and how it is trained: an epoch is `batches` batches of `batch` rows.

    `target`: how many times faster than the fastest peer it should be, where a figure was named.
    `precision`: float32, float64, or bfloat16 with float32 weights.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    loss: str
    optimizer: str
    learning_rate: float
    batch: int
    batches: int
    data: str
    target: float | None = None
    copies: int = 1
    precision: str = "float32"

    kind = "training"
    unit = "step"

    @property
    def words(self) -> str:
        """The network and its training in words."""
        words = (
            f"{chain(self.sizes)} {self.activation}, {LOSSES[self.loss]}, "
            f"{ {'sgd': 'SGD', 'adam': 'Adam'}.get(self.optimizer, self.optimizer) }, "
            f"batch {self.batch}"
        )
        if self.copies > 1:
            words = f"{self.copies} copies of {words}"
        return words if self.precision == "float32" else f"{words}, {self.precision}"

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return self.batches

    @property
    def flops(self) -> int:
        """Of the products of one step: forward, dW, and dX but for the first layer."""
        forward = [2 * self.batch * n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return self.copies * (3 * sum(forward) - forward[0])

    @property
    def tolerance(self) -> float:
        """How far J may be from the reference, relatively."""
        return 3e-2 if self.precision == "bfloat16" else 1e-3

    @property
    def dtype(self) -> Any:
        """Of rows and weights."""
        return np.float64 if self.precision == "float64" else np.float32

    def network(self, seed: int = 0) -> rg.Network:
        """The network with its initial weights."""
        return rg.MLP(
            self.sizes,
            activation=self.activation,
            output="softmax" if self.loss == "cross_entropy" else "identity",
            initializer="glorot_uniform",
            seed=seed,
            dtype=self.dtype,
        )

    def rule(self) -> rg.SGD | rg.Adam:
        """The optimizer."""
        return OPTIMIZERS[self.optimizer](self.learning_rate)

    def problem(self) -> Problem:
        """The arrays, made anew, the same each time."""
        n = self.batch * self.batches
        X, Y = DATA[self.data](self, n)
        X, Y = X.astype(self.dtype), Y if Y.dtype == np.int64 else Y.astype(self.dtype)
        rng = np.random.default_rng(1)
        orders = np.stack([rng.permutation(len(X))[:n] for _ in range(self.copies)])
        members = [list(self.network(seed).parameters.values()) for seed in range(self.copies)]
        weights = [np.stack(values) for values in zip(*members, strict=True)]
        weights = [w[:, None] if w.ndim == 2 else w for w in weights]
        if self.copies == 1:
            weights, orders = [w[0] for w in weights], orders[0]
        return Problem(X, Y, orders, tuple(weights))


def chain(sizes: tuple[int, ...]) -> str:
    """The sizes joined by dashes, repeated ones shortened: 32-64x8-32."""
    parts: list[list[int]] = []
    for size in sizes:
        if parts and parts[-1][0] == size:
            parts[-1][1] += 1
        else:
            parts.append([size, 1])
    return "-".join(
        f"{size}x{times}" if times > 2 else "-".join([str(size)] * times) for size, times in parts
    )


def _digits(work: Workload, n: int) -> tuple[np.ndarray, np.ndarray]:
    found = load("digits")
    return (found.X / 16.0).astype(np.float32), found.y.astype(np.int64)


def _classes(work: Workload, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, work.sizes[0])).astype(np.float32)
    scores = X @ rng.normal(size=(work.sizes[0], work.sizes[-1])).astype(np.float32)
    return X, scores.argmax(axis=1).astype(np.int64)


def _curve(work: Workload, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n, work.sizes[0])).astype(np.float32)
    mixed = X @ rng.normal(size=(work.sizes[0], work.sizes[-1])) / np.sqrt(work.sizes[0] / 3)
    return X, np.tanh(mixed).astype(np.float32)


DATA = {"digits": _digits, "classes": _classes, "curve": _curve}

_B = Workload("B", (64, 100, 10), "relu", "cross_entropy", "adam", 1e-3, 32, 56, "digits", 3)
_A = Workload(
    "A", (8, 32, 32, 1), "tanh", "half_squared_error", "momentum", 1e-2, 32, 64, "curve", 4
)
_D = Workload(
    "D", (784, 512, 512, 10), "relu", "cross_entropy", "adam", 1e-3, 256, 16, "classes", 1.15
)
_E = Workload(
    "E", (1024, 2048, 2048, 1024), "relu", "squared_error", "momentum", 1e-3, 1024, 2, "curve", 1
)
WORKLOADS = (
    _A,
    replace(_B, name="B1", optimizer="sgd", learning_rate=1e-2, batch=1, batches=1792, target=5),
    _B,
    replace(_B, name="B200", batch=200, batches=8, target=2.5),
    Workload(
        "C", (784, 128, 64, 10), "relu", "cross_entropy", "adam", 1e-3, 128, 32, "classes", 1.5
    ),
    _D,
    _E,
    Workload(
        "F", (32, *[64] * 8, 32), "tanh", "squared_error", "adam", 1e-3, 256, 16, "curve", 2.2
    ),
    replace(_A, name="G", copies=32, target=4),
    replace(_D, name="D bf16", precision="bfloat16", target=1.9),
    replace(_E, name="E bf16", precision="bfloat16", target=1.3),
    # Other shapes: odd widths, few outputs, wide inputs with few rows, deep and narrow, float64.
    Workload("H", (13, 37, 3), "relu", "cross_entropy", "adam", 1e-3, 32, 64, "classes"),
    Workload("I", (10, 100, 2), "relu", "squared_error", "adam", 1e-3, 200, 16, "curve"),
    Workload("K", (5000, 30, 4), "tanh", "squared_error", "momentum", 1e-3, 8, 8, "curve"),
    Workload("L", (6, *[12] * 12, 1), "tanh", "half_squared_error", "adam", 1e-3, 64, 32, "curve"),
    replace(_B, name="B f64", precision="float64", target=None),
    replace(_A, name="A f64", precision="float64", target=None),
)


@dataclass(frozen=True)
class Prediction:
    """Prediction of some rows with network C, as a user calls it on a NumPy array."""

    name: str
    rows: int
    target: float

    kind = "prediction"
    unit = "call"
    steps = 1
    precision = "float32"
    tolerance = 1e-3
    network_of = next(work for work in WORKLOADS if work.name == "C")

    @property
    def words(self) -> str:
        """What is predicted, in words."""
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{rows} with {chain(self.network_of.sizes)} {self.network_of.activation}"

    @property
    def flops(self) -> int:
        """Of the forward products."""
        return sum(2 * self.rows * n_in * n_out for n_in, n_out in pairwise(self.network_of.sizes))

    def problem(self) -> Problem:
        """X (rows, I) and the weights; Y and order are empty."""
        X = np.random.default_rng(2).normal(size=(self.rows, self.network_of.sizes[0]))
        weights = self.network_of.problem().weights
        return Problem(X.astype(np.float32), np.empty(0), np.empty(0, np.int64), weights)


@dataclass(frozen=True)
class Fit:
    """`MLPClassifier().fit` on the digits: 100 epochs, no early stop, rows of one dtype."""

    name: str
    dtype: str
    target: float
    epochs: int = 100

    kind = "fitting"
    unit = "fit"
    steps = 1

    @property
    def tolerance(self) -> float:
        """How far the last loss may be off, relatively: Adam with relu amplifies rounding."""
        return 1e-3 if self.dtype == "float64" else 3e-2

    @property
    def precision(self) -> str:
        """The rows' dtype."""
        return self.dtype

    @property
    def words(self) -> str:
        """What is fitted, in words."""
        return f"MLPClassifier() on the digits, {self.epochs} epochs, {self.dtype}"

    @property
    def flops(self) -> int:
        """Of the products of all steps."""
        return 1797 * self.epochs * (3 * 2 * (64 * 100 + 100 * 10) - 2 * 64 * 100)

    def problem(self) -> Problem:
        """X and the labels; order and weights are empty: random_state makes them."""
        found = load("digits")
        X = (found.X / 16.0).astype(self.dtype)
        return Problem(X, found.y.astype(np.int64), np.empty(0, np.int64), ())


Task = Workload | Prediction | Fit

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *WORKLOADS,
        Prediction("predict 1", 1, 1.5),
        Prediction("predict 10000", 10_000, 1.0),
        Fit("fit float64", "float64", 4),
        Fit("fit float32", "float32", 6),
    )
}
QUICK = ("A", "B", "C", "predict 1")
