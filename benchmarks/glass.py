"""What looking costs: a trace of a large network, and the statistics of every epoch.

    python -m benchmarks.glass

A trace of 784-512-512-10 on 256 rows, float64, in milliseconds: to be under 50. The share that
recording statistics every epoch adds to a training on the digits: to be under 10 %. Least of many
runs, and medians of epochs in turns.
"""

from __future__ import annotations

import time

import numpy as np

import retrograd as rg
from retrograd import datasets

TRACES, TRAININGS, EPOCHS = 30, 5, 40


def main() -> None:
    """Measure both and print a line for each."""
    print(f"trace of 784-512-512-10 on 256 rows: {1e3 * trace_seconds():.1f} ms (to be under 50)")
    print(f"statistics every epoch on the digits: {statistics_cost():.1%} (to be under 10 %)")


def trace_seconds() -> float:
    """The least seconds of a trace."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(256, 784)), rng.integers(0, 10, 256)
    net = rg.MLP([784, 512, 512, 10], activation="relu", output="softmax")
    times = []
    for _ in range(TRACES):
        begin = time.perf_counter()
        rg.trace(net, X, y)
        times.append(time.perf_counter() - begin)
    return min(times)


def statistics_cost() -> float:
    """What statistics add to the seconds of an epoch, as a share of them."""
    data = datasets.load("digits")
    X = np.asarray(data.X) / 16.0

    def epochs(*, statistics: bool) -> list[float]:
        net = rg.MLP([64, 100, 10], activation="relu", output="softmax")
        history = rg.train(net, X, data.y, epochs=EPOCHS, statistics=statistics)
        return [*np.diff(history.seconds)]

    epochs(statistics=True)
    without: list[float] = []
    recorded: list[float] = []
    for _ in range(TRAININGS):
        without += epochs(statistics=False)
        recorded += epochs(statistics=True)
    return float(np.median(recorded) / np.median(without)) - 1.0


if __name__ == "__main__":
    main()
