"""Mean test scores over seeds, equal settings, beside scikit-learn's: digits, diabetes, fin.

    python benchmarks/scores.py [--seeds 10]

A row is met where our mean is at least scikit-learn's less one standard error. Each seed makes its
own split (a quarter is held out, inputs standardised on the rest) and its own initial weights.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import retrograd as rg
from retrograd.datasets import load

PAIRS = {
    "classification": (rg.MLPClassifier, MLPClassifier),
    "regression": (rg.MLPRegressor, MLPRegressor),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs"},
}
NAMES = ("digits", "diabetes", "fin")


@dataclass(frozen=True)
class Comparison:
    """Test scores (accuracy or R2) of both, one for each seed."""

    data: str
    setting: str
    ours: np.ndarray
    theirs: np.ndarray

    @property
    def error(self) -> float:
        """The standard error of scikit-learn's mean."""
        return float(self.theirs.std(ddof=1) / math.sqrt(len(self.theirs)))

    @property
    def is_met(self) -> bool:
        """Whether our mean is at least scikit-learn's less one standard error."""
        return bool(self.ours.mean() >= self.theirs.mean() - self.error)

    def __str__(self) -> str:
        own = self.ours.std(ddof=1) / math.sqrt(len(self.ours))
        return (
            f"{self.data:9} {self.setting:6} {self.ours.mean():8.4f} +- {own:.4f} "
            f"{self.theirs.mean():8.4f} +- {self.error:.4f}  {'yes' if self.is_met else 'NO'}"
        )


def compare(data: str, setting: str, seeds: Sequence[int], **more: Any) -> Comparison:
    """Both estimators on one data set, for each seed; `more` are parameters of both."""
    found = load(data)
    y = (found.y - found.y.mean()) / found.y.std() if found.task == "regression" else found.y
    scores: list[list[float]] = [[], []]
    for seed in seeds:
        X, X_test, Y, Y_test = train_test_split(found.X, y, test_size=0.25, random_state=seed)
        scaler = StandardScaler().fit(X)
        for kind, column in zip(PAIRS[found.task], scores, strict=True):
            model = kind(**{"max_iter": 100, "random_state": seed} | SETTINGS[setting] | more)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(scaler.transform(X), Y)
            column.append(model.score(scaler.transform(X_test), Y_test))
    return Comparison(data, setting, *map(np.array, scores))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    print("data      solver retrograd           scikit-learn        at least")
    for data in NAMES:
        for setting in SETTINGS:
            print(compare(data, setting, seeds), flush=True)


if __name__ == "__main__":
    main()
