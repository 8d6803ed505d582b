"""Fit time and test score of the estimators beside scikit-learn's: the table of the docs.

    python -m benchmarks.estimators [--seeds 10] [--only digits,fin] [--write]

Both fit the same standardised rows with equal settings, turn about, each on as many threads as it
takes by itself. Code is compiled anew: what that costs is in the first fit. `--write` puts the
table into docs/scikit-learn.md, between its two marks.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.datasets import make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.pool import ROOT
from benchmarks.report import duration, table
from benchmarks.scores import PAIRS, SETTINGS
from retrograd.datasets import load

NAMES = (
    *("digits", "breast_cancer", "wine", "iris", "diabetes", "fin"),
    *("make_classification", "make_friedman1"),
)
SOLVERS = ("adam", "lbfgs")
EPOCHS = 100
PAGE = ROOT / "docs" / "scikit-learn.md"
MARKS = ("<!-- table: python -m benchmarks.estimators --write -->\n", "<!-- end of table -->\n")
HEAD = (
    *("data", "solver", "scikit-learn", "retrograd", "times faster", "first fit"),
    *("scikit-learn's score", "retrograd's score", "largest difference"),
)


@dataclass(frozen=True)
class Comparison:
    """Seconds and test scores (accuracy or R2) of ours and scikit-learn's, one for each seed."""

    data: str
    solver: str
    seconds: tuple[list[float], list[float]]
    scores: tuple[list[float], list[float]]

    def cells(self) -> list[str]:
        """The row of the table."""
        ours, theirs = (float(np.median(times)) for times in self.seconds)
        scores = [f"{np.mean(s):.4f} ± {np.std(s, ddof=1):.4f}" for s in reversed(self.scores)]
        difference = np.abs(np.subtract(*self.scores)).max()
        return [
            *(self.data, self.solver, duration(theirs), duration(ours), f"{theirs / ours:.1f}"),
            *(duration(self.seconds[0][0]), *scores, f"{difference:.1g}"),
        ]


def data_of(name: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The task, X and y of a data set; targets of a regression are standardised."""
    if name == "make_classification":
        X, y = make_classification(2000, 20, n_informative=8, n_classes=4, random_state=0)
        return "classification", X, y
    if name == "make_friedman1":
        task, (X, y) = "regression", make_friedman1(2000, 10, noise=1.0, random_state=0)
    else:
        found = load(name)
        task, X, y = found.task, found.X, found.y
    return task, X, (y - y.mean()) / y.std() if task == "regression" else y


def compare(name: str, solver: str, seeds: Sequence[int], **more: Any) -> Comparison:
    """Both estimators on one data set, turn about, for each seed; `more` are parameters of both."""
    task, X, y = data_of(name)
    seconds: tuple[list[float], list[float]] = [], []
    scores: tuple[list[float], list[float]] = [], []
    for seed in seeds:
        train, test, Y, Y_test = train_test_split(X, y, test_size=0.25, random_state=seed)
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
        for kind, times, column in zip(PAIRS[task], seconds, scores, strict=True):
            model = kind(**{"max_iter": EPOCHS, "random_state": seed} | SETTINGS[solver] | more)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                start = time.perf_counter()
                model.fit(train, Y)
                times.append(time.perf_counter() - start)
            column.append(model.score(test, Y_test))
    return Comparison(name, solver, seconds, scores)


def about(n_seeds: int) -> str:
    """What was run, and on what."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numpy", "scipy"))
    return (
        f"Defaults apart from `max_iter={EPOCHS}` and the solver; {n_seeds} seeds, each with its "
        "own split (a quarter is held out), weights and orders. Times are medians of `fit`; the "
        "first fit also compiles the network, which a cache on disk spares the next process. "
        "Scores are accuracy or R2 on the held-out rows, mean ± standard deviation; the largest "
        "difference is that of any one seed. "
        f"{platform.machine()}, {os.cpu_count()} cores; {packages}.\n"
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default=",".join(NAMES), help="data sets, with commas")
    parser.add_argument("--write", action="store_true", help="into docs/scikit-learn.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RETROGRAD_CACHE"] = folder
        for name in options.only.split(","):
            for solver in SOLVERS:
                rows.append(compare(name, solver, range(options.seeds)).cells())
                print(*rows[-1], sep="  ", flush=True)
    text = f"{about(options.seeds)}\n{table(HEAD, rows)}\n"
    print(text)
    if options.write:
        page = PAGE.read_text("utf-8")
        before, rest = page.split(MARKS[0])
        _, after = rest.split(MARKS[1])
        PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", "utf-8")


if __name__ == "__main__":
    main()
