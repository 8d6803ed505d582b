"""Levenberg-Marquardt beside Adam after the same wall time, and on two problems known to be hard.

    python -m benchmarks.levenberg_marquardt [fin] [spirals] [parity]

`fin`: training J of an 8-10-1 tanh network on 1000 fins, without noise and with it, after equal
times. `spirals`, `parity`: how many of 100 seeds end with every row on its right side, with the
settings of `SETTINGS`, which the docstring of `rg.LevenbergMarquardt` names.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import retrograd as rg
from retrograd.datasets import Dataset, fin, parity, two_spirals

SECONDS = (0.5, 2.0)
RATES = (1e-3, 3e-3, 1e-2)  # of Adam, each with batches of 32 and of all rows
SEEDS = 100


@dataclass(frozen=True)
class Setting:
    """A network of tanh units for a data set, with -1 and 1 as targets, and epochs at most."""

    data: Callable[[], Dataset]
    sizes: tuple[int, ...]
    epochs: int


SETTINGS = {
    "spirals": Setting(two_spirals, (2, 10, 10, 10, 1), 500),
    "parity": Setting(parity, (6, 12, 1), 100),
}


def standardized(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1."""
    return (x - x.mean(axis=0)) / x.std(axis=0)


def is_solved(setting: Setting, seed: int) -> bool:
    """Whether a network from this seed puts every row on its right side."""
    data = setting.data()
    X, Y = standardized(data.X), 2.0 * data.y - 1.0
    network = rg.MLP(setting.sizes, activation="tanh", seed=seed)

    def is_right(network: rg.Network, _: rg.History) -> bool:
        return bool((np.sign(network.predict(X)[:, 0]) == Y).all())

    history = rg.train(
        network,
        X,
        Y,
        optimizer=rg.LevenbergMarquardt(),
        epochs=setting.epochs,
        callbacks=[is_right],
    )
    return is_right(network, history)


def trained_J(data: Dataset, optimizer: object, seconds: float, batch_size: int | None) -> float:
    """J over all rows after this time, compilation left out."""
    X, Y = standardized(data.X), standardized(data.y[:, None])

    def train(seconds: float, epochs: int) -> float:
        network = rg.MLP([8, 10, 1], activation="tanh")
        rg.train(
            network,
            X,
            Y,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            max_seconds=seconds,
        )
        return 0.5 * float(((network.predict(X) - Y) ** 2).mean())

    train(60.0, 2)
    return train(seconds, 10**9)


def compare_on_fin() -> None:
    """Print J of Levenberg-Marquardt, of the best of several Adams, and how they compare."""
    for noise in (0.0, 0.1):
        data = fin(noise=noise)
        for seconds in SECONDS:
            lm = trained_J(data, rg.LevenbergMarquardt(), seconds, None)
            adams = {
                (rate, size): trained_J(data, rg.Adam(rate), seconds, size)
                for rate in RATES
                for size in (32, None)
            }
            best = min(adams, key=adams.__getitem__)
            print(
                f"fin, noise {noise}: {seconds} s each: Levenberg-Marquardt J {lm:.3g}, Adam "
                f"J {adams[best]:.3g} (rate {best[0]}, batch {best[1]}), {adams[best] / lm:.3g} "
                "times as much"
            )


def main(names: list[str]) -> None:
    """Run what is named, or everything."""
    wanted = names or ["fin", *SETTINGS]
    if "fin" in wanted:
        compare_on_fin()
    for name, setting in SETTINGS.items():
        if name in wanted:
            begin = time.perf_counter()
            solved = sum(is_solved(setting, seed) for seed in range(SEEDS))
            sizes = "-".join(map(str, setting.sizes))
            print(
                f"{name}, {sizes} tanh, at most {setting.epochs} epochs: {solved} of {SEEDS} seeds "
                f"solved in {time.perf_counter() - begin:.0f} s"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
