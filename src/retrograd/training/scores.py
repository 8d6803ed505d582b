"""Validation scores: a number from targets and predictions, higher is better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError, unknown_name

Score = Callable[[Array, Array], float]

AUTO, LOSS = "auto", "loss"


def accuracy(y: Array, output: Array) -> float:
    """The share of rows whose predicted class (or, for several labels, every label) is right.

    y: labels (n,), one-hot rows or 0/1 columns; output: probabilities (n, C).
    """
    if output.shape[1] == 1 or (y.ndim == 2 and not _is_one_hot(y)):
        truth = y.reshape(len(output), -1) > 0.5
        return float(((output > 0.5) == truth).all(axis=1).mean())
    labels = y.argmax(axis=1) if y.ndim == 2 else y
    return float((output.argmax(axis=1) == labels).mean())


def _is_one_hot(y: Array) -> bool:
    return bool(np.allclose(y.sum(axis=1), 1.0))


def r2(y: Array, output: Array) -> float:
    """The coefficient of determination, 1 - residual / total sum of squares; mean over outputs.

    1 is perfect, 0 is as good as the mean of y. An output that is constant in y counts 1 if it is
    met exactly, else 0, as in scikit-learn.
    """
    y = np.asarray(y, np.float64).reshape(len(output), -1)
    residual = np.square(y - output).sum(axis=0)
    total = np.square(y - y.mean(axis=0)).sum(axis=0)
    exact = np.where(residual == 0, 1.0, 0.0)
    scores = np.where(total > 0, 1.0 - residual / np.where(total > 0, total, 1.0), exact)
    return float(scores.mean())


SCORES: dict[str, Score] = {"accuracy": accuracy, "r2": r2}


def find_score(score: str | Score, *, is_classification: bool) -> tuple[str, Score | None]:
    """The name and function of a score; no function for "loss", which is -J without penalties."""
    if callable(score):
        return getattr(score, "__name__", "score"), score
    if score == AUTO:
        score = "accuracy" if is_classification else "r2"
    if score == LOSS:
        return LOSS, None
    if not isinstance(score, str):
        raise OptionError(f"score: expected a name or a function, got {score!r}")
    if score not in SCORES:
        raise unknown_name("score", score, [AUTO, LOSS, *SCORES])
    return score, SCORES[score]
