"""Answers that are numbers: against the truth, and how far off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from retrograd.plots.canvas import (
    BLUE,
    GREY,
    ORANGE,
    blank,
    dress,
    legend,
    numbers,
    require_same_length,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 30


def plot_regression(
    y: ArrayLike, predicted: ArrayLike, *, name: str = "target", unit: str = "", title: str = ""
) -> Figure:
    """Predictions against the truth, with the best straight line and the correlation R.

    Args:
        y: the truth, (n,). predicted: as many answers.
        name: of the target. unit: its unit, for the labels.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas. R is Pearson's correlation of truth and prediction:
        1 where all lie on a rising line, which need not be that of right answers (dotted).

    Raises DataError for lengths that differ, NaN, or no row.

    >>> figure = rg.plot_regression([1.0, 2.0, 3.0], [1.1, 2.0, 2.9], name="strength", unit="MPa")
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_title()
    ('strength (MPa)', 'R = 1.0000')
    """
    truth = numbers("plot_regression", "y", y)
    answer = numbers("plot_regression", "predicted", predicted)
    require_same_length("plot_regression", y=truth, predicted=answer)
    figure, [axes] = blank(width=6.0, height=5.6)
    size = 22 if len(truth) <= 500 else 8
    axes.scatter(
        truth,
        answer,
        s=size,
        color=BLUE,
        alpha=0.6,
        linewidths=0,
        label="1 row" if len(truth) == 1 else f"{len(truth)} rows",
    )
    low, high = min(truth.min(), answer.min()), max(truth.max(), answer.max())
    edge = 0.04 * (high - low) or 1.0
    ends = np.array([low - edge, high + edge])
    axes.plot(ends, ends, color=GREY, linestyle=":", linewidth=1.5, label="prediction = truth")
    R = _correlation(truth, answer)
    if np.isfinite(R):
        slope, shift = np.polyfit(truth, answer, 1)
        words = f"best line: {slope:.3g} truth {'−' if shift < 0 else '+'} {abs(shift):.3g}"
        axes.plot(ends, slope * ends + shift, color=ORANGE, linewidth=1.8, label=words)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    label = with_unit(name, unit)
    head = f"R = {R:.4f}" if np.isfinite(R) else "R is not defined: a side is constant"
    dress(axes, x=label, y=f"predicted {label}", title=f"{title}: {head}" if title else head)
    legend(axes)
    return figure


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


def plot_errors(
    y: ArrayLike, predicted: ArrayLike, *, name: str = "target", unit: str = "", title: str = ""
) -> Figure:
    """A histogram of the errors, prediction less truth, with their mean and spread.

    The arguments are those of `plot_regression`.

    >>> figure = rg.plot_errors([1.0, 2.0, 3.0], [1.1, 2.0, 2.9], unit="K")
    >>> figure.axes[0].get_xlabel()
    'error: predicted less true target (K)'
    """
    truth = numbers("plot_errors", "y", y)
    answer = numbers("plot_errors", "predicted", predicted)
    require_same_length("plot_errors", y=truth, predicted=answer)
    error = answer - truth
    figure, [axes] = blank()
    limit = float(np.abs(error).max()) or 1.0
    bins = np.linspace(-limit, limit, BINS + 1)  # so that 0 is the edge of a bin
    counts, *_ = axes.hist(error, bins.tolist(), color=BLUE, edgecolor="white", linewidth=0.6)
    axes.set_ylim(0, 1.45 * float(np.max(counts)))  # so that the legend stands over the bars
    axes.axvline(0, color=GREY, linestyle=":", linewidth=1.5, label="no error")
    mean, spread = float(error.mean()), float(error.std())
    words = with_unit(f"mean {mean:.3g}", unit)
    axes.axvline(mean, color=ORANGE, linestyle="--", linewidth=1.8, label=words)
    axes.plot([], [], " ", label=with_unit(f"standard deviation {spread:.3g}", unit))
    label = f"error: predicted less true {with_unit(name, unit)}"
    dress(axes, x=label, y=f"rows of {len(error)}", title=title)
    legend(axes, is_filled=True)  # so that the lines do not run through its words
    return figure
