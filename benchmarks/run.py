"""Time `rg.train` on the reference engine beside scikit-learn's fit, on the same work, in one run.

Both train the same network on the same rows for the same number of epochs and steps. The two are
timed alternately, one after the other in each round, so that a machine whose speed drifts slows
both; a figure is the median over the rounds, with the smallest and the largest beside it. What a
user waits for is counted: checks, shuffling, history.

Run with `make bench`; `--rounds N` and `--quick` make it longer or shorter.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread each: the steps are small
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy
import sklearn
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import retrograd as rg


@dataclass(frozen=True)
class Work:
    """One network and how it is trained."""

    name: str
    X: np.ndarray
    y: np.ndarray
    hidden: tuple[int, ...]
    activation: str
    is_classification: bool
    solver: str
    learning_rate: float
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.epochs * -(-len(self.X) // self.batch_size)


def works(*, quick: bool) -> list[Work]:
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    U = rng.uniform(-1, 1, (2000, 8))
    u = np.sin(U.sum(axis=1)) + 0.1 * rng.normal(size=len(U))
    wide = rng.normal(size=(4000, 784))
    labels = (wide[:, :10] + 0.5 * rng.normal(size=(4000, 10))).argmax(axis=1)
    scale = 1 if quick else 4
    return [
        Work("8-32-32-1 tanh, half squared error, momentum, batch 32", U, u, (32, 32), "tanh",
             False, "sgd", 1e-2, 32, 5 * scale),
        Work("64-100-10 relu, cross entropy, Adam, batch 32", X, y, (100,), "relu",
             True, "adam", 1e-3, 32, 5 * scale),
        Work("64-100-10 relu, cross entropy, Adam, batch 200", X, y, (100,), "relu",
             True, "adam", 1e-3, 200, 10 * scale),
        Work("784-128-64-10 relu, cross entropy, Adam, batch 128", wide, labels, (128, 64), "relu",
             True, "adam", 1e-3, 128, 1 * scale),
    ]  # fmt: skip


def with_retrograd(work: Work) -> float:
    n_outputs = len(np.unique(work.y)) if work.is_classification else 1
    net = rg.MLP(
        [work.X.shape[1], *work.hidden, n_outputs],
        activation=work.activation,
        output="softmax" if work.is_classification else "identity",
    )
    optimizer = {"sgd": rg.SGD(work.learning_rate, momentum=0.9, nesterov=True),
                 "adam": rg.Adam(work.learning_rate)}[work.solver]  # fmt: skip
    history = rg.train(
        net, work.X, work.y, optimizer=optimizer, epochs=work.epochs,
        batch_size=work.batch_size, engine="numpy",
    )  # fmt: skip
    return history.J[-1]


def with_scikit_learn(work: Work) -> float:
    kind: Any = MLPClassifier if work.is_classification else MLPRegressor
    model = kind(
        hidden_layer_sizes=work.hidden, activation=work.activation, solver=work.solver, alpha=0.0,
        batch_size=work.batch_size, learning_rate_init=work.learning_rate, max_iter=work.epochs,
        n_iter_no_change=work.epochs + 1, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(work.X, work.y)
    return float(model.loss_curve_[-1])


def seconds(train: Callable[[Work], float], work: Work) -> tuple[float, float]:
    begin = time.perf_counter()
    loss = train(work)
    return time.perf_counter() - begin, loss


def compare(work: Work, rounds: int) -> None:
    with_retrograd(work), with_scikit_learn(work)  # once unmeasured, to warm both up
    ours, theirs, losses = [], [], (0.0, 0.0)
    for _ in range(rounds):
        mine, my_loss = seconds(with_retrograd, work)
        other, other_loss = seconds(with_scikit_learn, work)
        ours.append(mine), theirs.append(other)
        losses = my_loss, other_loss
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"\n{work.name} ({work.steps} steps)")
    for name, times, loss in [("retrograd", ours, losses[0]), ("scikit-learn", theirs, losses[1])]:
        us = [1e6 * t / work.steps for t in times]
        print(
            f"  {name:13} {statistics.median(us):9.1f} us a step "
            f"({min(us):.1f} to {max(us):.1f}), loss at the end {loss:.4g}"
        )
    print(f"  scikit-learn's time over retrograd's: {ratio:.2f}")


def backward_cost(rounds: int) -> None:
    """The time of forward and backward over that of forward alone, where products dominate."""
    rng = np.random.default_rng(0)
    net = rg.MLP([1024, 1024, 1024, 1024], activation="relu")
    x = rg.variable("x", shape=(rg.rows, 1024))
    y = rg.variable("y", shape=(rg.rows, 1024))
    parameters = net.variables()
    J = rg.mean(rg.sum(rg.square(net.forward(x, parameters).output - y), axis=1))
    inputs = [x, y, *parameters.values()]
    values = [*rng.normal(size=(2, 512, 1024)), *net.parameters.values()]
    forward = rg.compile([J], inputs, engine="numpy")
    both = rg.compile([J, *rg.gradient(J, list(parameters.values()))], inputs, engine="numpy")
    forward(*values), both(*values)
    times: dict[str, list[float]] = {"forward": [], "both": []}
    for _ in range(rounds):
        for name, function in (("forward", forward), ("both", both)):
            begin = time.perf_counter()
            function(*values)
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print("\n1024-1024-1024-1024 relu, 512 rows: forward and backward against forward alone")
    print(f"  {1e3 * medians['both']:.1f} ms against {1e3 * medians['forward']:.1f} ms, "
          f"ratio {medians['both'] / medians['forward']:.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="timings of each (default 7)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the epochs")
    chosen = parser.parse_args()
    print(
        f"retrograd {rg.__version__} (reference engine), scikit-learn {sklearn.__version__}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, Python {platform.python_version()}"
    )
    print(f"{platform.machine()}, one thread, float64", flush=True)
    for work in works(quick=chosen.quick):
        compare(work, chosen.rounds)
    backward_cost(chosen.rounds)


if __name__ == "__main__":
    main()
