"""Fits and predictions of 10 small members: as an ensemble, and one by one; a table in Markdown.

The ensemble uses all processors, as does each fit alone where that pays it.

python benchmarks/ensembles.py
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

import retrograd as rg

M, RUNS = 10, 9
TASKS = (
    ("iris", load_iris, 100, (4, 8)),
    ("wine", load_wine, 20, (8,)),
    ("wine", load_wine, 100, (4, 8, 16)),
    ("diabetes", load_diabetes, 100, (8, 16)),
    ("digits", load_digits, 20, (4, 8, 16)),
)


def seconds(run: Callable[[], Any]) -> float:
    """What a call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def compare(X: Any, y: Any, units: int, epochs: int) -> list[float]:
    """Medians: fit together, one by one, with shared weights; predict together, one by one."""
    is_regression = len(np.unique(y)) > 10
    several: Any = rg.MLPEnsembleRegressor if is_regression else rg.MLPEnsembleClassifier
    single: Any = rg.MLPRegressor if is_regression else rg.MLPClassifier
    params: dict[str, Any] = {"hidden_layer_sizes": (units,), "max_iter": epochs}
    params |= {"tol": 0.0, "n_iter_no_change": np.inf}

    def together(**more: Any) -> Any:
        return several(M, random_state=0, **params, **more).fit(X, y)

    seeds = [one.random_state for one in together().estimators_]

    def one_by_one() -> list[Any]:
        return [single(random_state=seed, **params).fit(X, y) for seed in seeds]

    ensemble, singles = together(), one_by_one()
    runs: list[Callable[[], Any]] = [
        together,
        one_by_one,
        lambda: together(members="shared"),
        lambda: predicted(ensemble, X),
        lambda: np.mean([predicted(one, X) for one in singles], axis=0),
    ]
    for run in runs:
        run()
    times = [[seconds(run) for run in runs] for _ in range(RUNS)]
    return [1e3 * float(t) for t in np.median(times, axis=0)]


def predicted(model: Any, X: Any) -> Any:
    """Probabilities, or numbers."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| data, hidden units | together | one by one | ratio | shared | predict | one by one |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, load, epochs, sizes in TASKS:
        X, y = load(return_X_y=True)
        X = StandardScaler().fit_transform(X)
        if name == "diabetes":
            y = (y - y.mean()) / y.std()
        for units in sizes:
            fit, alone, shared, predict, apart = compare(X, y, units, epochs)
            head = f"| {name}, {epochs} epochs, {units} | {fit:.0f} | {alone:.0f}"
            print(f"{head} | {alone / fit:.1f} | {shared:.0f} | {predict:.2f} | {apart:.2f} |")


if __name__ == "__main__":
    main()
