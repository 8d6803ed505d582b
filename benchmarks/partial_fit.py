"""What a call of partial_fit costs beyond the step that it runs.

    python -m benchmarks.partial_fit

One batch of 32 rows of the digits for the network 64-100-10 with Adam. Calls of `partial_fit` and
of the session's step on one batch take turns; medians in microseconds. "beyond" is what checks of
the rows, labels, weights that a user may have changed, attributes and the way back to a finite
state cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

import retrograd as rg
from retrograd.datasets import load

ROWS, CALLS, PIECES = 32, 2000, 50


def main() -> None:
    """Measure in both precisions and print a line for each."""
    print("precision, partial_fit, step, beyond (us)")
    for dtype in (np.float32, np.float64):
        whole, step = measure(np.dtype(dtype))
        print(f"{np.dtype(dtype)}, {whole:.0f}, {step:.0f}, {whole - step:.0f}")


def measure(dtype: np.dtype[np.floating]) -> tuple[float, float]:
    """Microseconds of a call of partial_fit, and of the session's step in it."""
    data = load("digits")
    X, y = np.asarray(data.X, dtype), np.asarray(data.y)
    model = rg.MLPClassifier(random_state=0).partial_fit(X[:ROWS], y[:ROWS], classes=np.unique(y))
    pieces = [slice(i * ROWS, (i + 1) * ROWS) for i in range(PIECES)]
    batches = [(X[piece], y[piece]) for piece in pieces]
    for rows in batches:
        model.partial_fit(*rows)
    session = model._ongoing.session
    order, numbers = np.arange(ROWS), session._scalars(np.arange(ROWS), ROWS)
    step = partial(session.engine.run, "train", order, numbers)
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(CALLS):
        rows = batches[i % PIECES]
        times[0].append(seconds(partial(model.partial_fit, *rows)))
        times[1].append(seconds(step))
    whole, own = (1e6 * float(np.median(each)) for each in times)
    return whole, own


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
