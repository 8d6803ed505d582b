"""Validation scores: a number from targets and predictions, higher is better."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import OptionError, require_known
from retrograd.nn.losses import Loss, Target

Score = Callable[[Array, Array], float]

AUTO, LOSS = "auto", "loss"


def accuracy(y: Array, output: Array, *, boundary: float = 0.5) -> float:
    """The share of rows whose predicted class is right: the argmax of a row  [L4.1].

    y: labels (n,), or one-hot rows or probabilities (n, C); output: (n, C). A single column says
    class 1 where it is above the boundary, 1/2 for a probability.
    """
    if output.shape[1] == 1:
        return label_accuracy(y, output, boundary=boundary)
    labels = y.argmax(axis=1) if y.ndim == 2 else y
    return float((output.argmax(axis=1) == labels).mean())


def label_accuracy(y: Array, output: Array, *, boundary: float = 0.5) -> float:
    """The share of rows whose every label is right: y above 1/2 where output is above boundary."""
    truth = y.reshape(len(output), -1) > 0.5
    return float(((output > boundary) == truth).all(axis=1).mean())


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
    Raises OptionError for a score that does not fit the loss.
    """
    if callable(score) and not isinstance(score, type):
        _require_two_arguments(score)
        return getattr(score, "__name__", "score"), score
    score = require_known("score", score, [AUTO, LOSS, *SCORES])
    if score == AUTO:
        score = loss.scored_by
    if score == LOSS:
        return LOSS, None
    if score not in loss.scores:
        fitting = " or ".join(map(repr, [*loss.scores, LOSS]))
        raise OptionError(
            f"train: score {score!r} does not fit the loss {loss.name} of this network; "
            f"use {fitting}, or a function (y, output) -> float"
        )
    if score == "accuracy":
        function = label_accuracy if loss.is_multilabel else accuracy
        return score, partial(function, boundary=loss.boundary)
    return score, SCORES[score]


def require_comparable(score: str | Score, target: Target, n_outputs: int) -> None:
    """Raise OptionError where r2 or accuracy is named and the targets have not its shape.

    A loss written in Python takes targets of any shape.
    """
    shapes: dict[object, list[tuple[object, ...]]] = {
        "r2": [(n_outputs,)],
        "accuracy": [(n_outputs,), ()],
    }
    sizes = target.shape[1:]
    if isinstance(score, str) and score in shapes and sizes not in shapes[score]:
        raise OptionError(
            f"train: score {score!r} compares outputs of shape (n, {n_outputs}) with targets; "
            f"Y has shape {target.array.shape}; use 'loss', or a function (y, output) -> float"
        )


def as_figure(name: str, value: object) -> float:
    """What a score function returned, as a float. Raises OptionError where it is no number.

    >>> as_figure("recall", np.float32(0.5))
    0.5
    """
    found = np.asarray(value)
    if found.ndim == 0 and found.dtype.kind in "biuf":
        return float(found)
    shown = f"shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    raise OptionError(
        f"train: the score {name} must return one number, higher is better; it returned {shown}"
    )


def _require_two_arguments(score: Score) -> None:
    try:
        signature = inspect.signature(score)
    except (TypeError, ValueError):  # some functions written in C have none
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise OptionError(
            f"train: a score is called as score(y, output) and returns a number; "
            f"{getattr(score, '__name__', 'this one')}{signature} cannot be: {error}"
        ) from None
