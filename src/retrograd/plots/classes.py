"""Answers that are classes: the confusion matrix and the ROC curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import DataError
from retrograd.plots.canvas import (
    COLOURS,
    DASHES,
    GREY,
    NARROW,
    ONE_WAY,
    blank,
    dress,
    legend,
    require_same_length,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CURVES = 12  # of more classes, those with the most rows
MOST_NAMES = 15  # at a side of a matrix without counts


def plot_confusion(
    y: ArrayLike,
    predicted: ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    with_counts: bool = True,
    title: str = "",
) -> Figure:
    """How many rows of each class were taken for which; the diagonal is right.

    Args:
        y: the true classes, (n,). predicted: as many answers.
        classes: all classes in their order; by default those that occur, sorted.
        with_counts: write the number of rows into each cell; without, the picture is small however
            many classes there are, and names some of them at its sides.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas. Colours are shares of the rows of a true class.

    Raises DataError for lengths that differ, no row, or a class that is not among `classes`.

    >>> figure = rg.plot_confusion(["a", "b", "b"], ["a", "b", "a"])
    >>> figure.axes[0].get_title()
    '2 of 3 rows right'
    """
    truth, answer = np.asarray(y), np.asarray(predicted)
    require_same_length("plot_confusion", y=truth, predicted=answer)
    counts, known = _count(truth, answer, classes)
    n = len(known)
    side = 0.45 * max(n, 4) if with_counts else NARROW - 1.2
    figure, [axes] = blank(width=side + (3.4 if with_counts else 1.2), height=side + 2.6)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(100 * share, cmap=ONE_WAY, vmin=0, vmax=100, aspect="auto")
    for i, j in np.ndindex(n, n):
        if counts[i, j] and with_counts:
            colour = "white" if share[i, j] > 0.55 else "black"
            size = 11 if n <= 12 else 9
            axes.text(
                j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=size
            )
    apart = 1 if with_counts else -(-n // MOST_NAMES)
    words = [str(name) for name in known[::apart]]
    turned = 45 if max(map(len, words)) > 4 else 0
    axes.set_xticks(range(0, n, apart), words, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(range(0, n, apart), words)
    right = f"{np.trace(counts)} of {len(truth)} rows right"
    dress(axes, x="predicted class", y="true class", title=f"{title}: {right}" if title else right)
    axes.grid(False)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8)
    bar.set_label("share of the true class (%)", fontsize=11)
    return figure


def worst_pairs(y: ArrayLike, predicted: ArrayLike) -> list[tuple[Any, Any, int, float]]:
    """What is mistaken most: true class, what it was taken for, rows, their share of the class.

    >>> worst_pairs(["a", "b", "b", "b"], ["a", "a", "b", "a"])
    [('b', 'a', 2, 0.6666666666666666)]
    """
    truth = np.asarray(y).tolist()
    mistaken = Counter(
        pair for pair in zip(truth, np.asarray(predicted).tolist(), strict=True) if len({*pair}) > 1
    )
    sizes = Counter(truth)
    return [(a, b, n, n / sizes[a]) for (a, b), n in mistaken.most_common()]


def _count(
    truth: NDArray[Any], answer: NDArray[Any], classes: Sequence[Any] | None
) -> tuple[NDArray[np.int64], list[Any]]:
    if truth.ndim != 1 or answer.ndim != 1 or not len(truth):
        raise DataError(f"plot_confusion: classes are (n,), got {truth.shape} and {answer.shape}")
    met = dict.fromkeys([*truth.tolist(), *answer.tolist()])
    known = sorted(met) if classes is None else list(classes)
    strange = [name for name in met if name not in known]
    if strange:
        raise DataError(f"plot_confusion: {strange[0]!r} is not among the classes {known}")
    at = {name: i for i, name in enumerate(known)}
    counts = np.zeros((len(known), len(known)), np.int64)
    np.add.at(counts, ([at[v] for v in truth.tolist()], [at[v] for v in answer.tolist()]), 1)
    return counts, known


def plot_roc(
    y: ArrayLike,
    scores: ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    title: str = "",
) -> Figure:
    """The receiver operating characteristic: found rightly against found wrongly, at any threshold.

    Args:
        y: the true classes, (n,), all of which occur.
        scores: probabilities (n, n_classes), one curve for each class against the others; or of the
            second of two classes, (n,) or (n, 1).
        classes: in the order of the columns; by default those that occur, sorted.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas, with the area under each curve: 1 is perfect, 0.5 is
        a guess [Fawcett 2006]. Of more than 12 classes the 12 with the most rows are drawn, and
        the title says so; of two classes there is one curve.

    Raises DataError for lengths that differ, NaN, or a class that does not occur.

    >>> figure = rg.plot_roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> figure.axes[0].get_lines()[0].get_label()
    '1: area 0.750'
    """
    truth, found = np.asarray(y), np.asarray(scores, np.float64)
    if truth.ndim != 1 or found.ndim not in (1, 2):
        raise DataError(
            f"plot_roc: y is (n,), scores are (n,) or (n, n_classes), got {truth.shape} and "
            f"{found.shape}"
        )
    found = found[:, None] if found.ndim == 1 else found
    require_same_length("plot_roc", y=truth, scores=found)
    known = sorted(dict.fromkeys(truth.tolist())) if classes is None else list(classes)
    if found.shape[1] == 1 and len(known) == 2:
        curves = {known[1]: found[:, 0]}
    elif found.shape[1] == len(known):
        columns = dict(zip(known, found.T, strict=True))
        curves = {known[1]: columns[known[1]]} if len(known) == 2 else columns
    else:
        raise DataError(
            f"plot_roc: {len(known)} classes need scores of {len(known)} columns, "
            f"got {found.shape[1]}"
        )
    drawn = most_rows(truth, list(curves))
    if len(drawn) < len(curves):
        words = f"the {len(drawn)} largest of {len(curves)} classes"
        title = f"{title}: {words}" if title else words
    is_many = len(drawn) > 4
    per_line = 2 if max(len(str(name)) for name in drawn) < 10 else 1
    n_lines = -(-(len(drawn) + 1) // per_line) if is_many else 0
    figure, [axes] = blank(width=6.0, height=5.4 + 0.25 * n_lines)
    for k, name in enumerate(drawn):
        false, true = roc(truth == name, curves[name])
        area = float(np.trapezoid(true, false))
        style: dict[str, Any] = {
            "color": COLOURS[k % len(COLOURS)],
            "linestyle": DASHES[k // len(COLOURS) % 4],
        }
        axes.plot(false, true, linewidth=1.8, label=f"{name}: area {area:.3f}", **style)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.5, label="a guess: 0.5")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    dress(axes, x="false positive rate", y="true positive rate", title=title)
    if is_many:
        figure.legend(loc="outside lower center", ncols=per_line, fontsize=10, frameon=False)
    else:
        legend(axes)
    return figure


def most_rows(truth: NDArray[Any], classes: Sequence[Any]) -> list[Any]:
    """The classes with a curve, in their order: all, or the largest where there are too many."""
    size = Counter(truth.tolist())
    largest = sorted(classes, key=lambda name: -size[name])[:MOST_CURVES]
    return [name for name in classes if name in largest]


def roc(is_positive: NDArray[np.bool_], score: NDArray[np.float64]) -> tuple[Any, Any]:
    """False and true positive rates, a point for each threshold; rows of one score go together."""
    n_positive = int(is_positive.sum())
    if not 0 < n_positive < len(is_positive):
        raise DataError("plot_roc: a class has no rows, or all: there is no rate to draw")
    if not np.isfinite(score).all():
        raise DataError("plot_roc: scores have NaN or infinity")
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = np.cumsum(is_positive[order])[last]
    false = last + 1 - true
    return (
        np.append(0.0, false / (len(score) - n_positive)),
        np.append(0.0, true / n_positive),
    )
