"""Validation scores: a number from targets and predictions, higher is better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import unknown_name
from retrograd.nn.losses import Loss

Score = Callable[[Array, Array], float]

AUTO, LOSS = "auto", "loss"


def accuracy(y: Array, output: Array) -> float:
    """The share of rows whose predicted class is right: the argmax of a row  [L4.1].

    y: labels (n,), or one-hot rows or probabilities (n, C); output: (n, C). A single column is the
    probability of class 1.
    """
    if output.shape[1] == 1:
        return label_accuracy(y, output)
    labels = y.argmax(axis=1) if y.ndim == 2 else y
    return float((output.argmax(axis=1) == labels).mean())


def label_accuracy(y: Array, output: Array) -> float:
    """The share of rows whose every label is right: both on the same side of 1/2."""
    truth = y.reshape(len(output), -1) > 0.5
    return float(((output > 0.5) == truth).all(axis=1).mean())


def r2(y: Array, output: Array) -> float:
    """The coefficient of determination, 1 - residual / total sum of squares; mean over outputs.

    1 is perfect, 0 is as good as the mean of y. An output that is constant in y counts 1 if it is
    met exactly, else 0   [scikit-learn: r2_score].
    """
    y = np.asarray(y, np.float64).reshape(len(output), -1)
    residual = np.square(y - output).sum(axis=0)
    total = np.square(y - y.mean(axis=0)).sum(axis=0)
    exact = np.where(residual == 0, 1.0, 0.0)
    scores = np.where(total > 0, 1.0 - residual / np.where(total > 0, total, 1.0), exact)
    return float(scores.mean())


SCORES: dict[str, Score] = {"accuracy": accuracy, "r2": r2}


def find_score(score: str | Score, loss: Loss) -> tuple[str, Score | None]:
    """The name and function of a score; no function for "loss", which is -J without penalties.

    "auto" is accuracy for losses of classes, r2 for those of an error, and "loss" for others, and
    for a loss written in Python, of which nothing else is known.
    """
    if callable(score):
        return getattr(score, "__name__", "score"), score
    if score == AUTO:
        score = loss.scored_by
    if score == LOSS:
        return LOSS, None
    if not isinstance(score, str) or score not in SCORES:
        raise unknown_name("score", score, [AUTO, LOSS, *SCORES])
    is_labels = score == "accuracy" and loss.is_multilabel
    return score, label_accuracy if is_labels else SCORES[score]
