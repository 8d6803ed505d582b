"""What a model answers over the plane of two features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.arrays import as_numbers, require_finite
from retrograd.errors import DataError, OptionError
from retrograd.files.table import Table
from retrograd.nn.network import Network
from retrograd.plots.canvas import COLOURS, MARKERS, blank, dress, legend, require_same_length
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 240  # of the grid, along each side
PALE = 0.72  # of white in the colour of a class's region
MOST_CLASSES = len(COLOURS)


def plot_boundary(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """The regions in which a model answers each class, and the rows; or the number that it answers.

    Args:
        model: a network of two inputs, a fitted estimator of two features, or a table model of two
            columns of numbers.
        X: the rows, (n, 2). y: their classes or numbers, (n,).
        names: of the two features, with their units; by default those of a data frame's columns.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas. A network with a softmax or sigmoid output answers
        classes 0, 1, ...; one with another output numbers, which are drawn as shades.

    Raises DataError for another number of features, NaN, and more than 7 classes.

    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> figure = rg.plot_boundary(rg.MLP([2, 8, 2], output="softmax"), X, y)
    >>> figure.axes[0].get_ylabel()
    'feature 2'
    """
    rows, truth = as_numbers(X, "X").astype(np.float64), np.asarray(y)
    names = names or tuple(map(str, getattr(X, "columns", ("feature 1", "feature 2"))))
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
        raise DataError(f"plot_boundary: X is (n, 2), got {rows.shape}")
    require_finite(rows, "X")
    truth = truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth
    require_same_length("plot_boundary", X=rows, y=truth)
    low, high = rows.min(axis=0), rows.max(axis=0)
    edge = np.where(high > low, 0.08 * (high - low), 1.0)
    sides = [np.linspace(low[i] - edge[i], high[i] + edge[i], POINTS) for i in range(2)]
    grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    # An estimator that was fitted to a data frame wants one again.
    is_framed = hasattr(X, "columns") and hasattr(model, "feature_names_in_")
    answers, is_classes = _answers(model, type(X)(grid, columns=X.columns) if is_framed else grid)
    figure, [axes] = blank(width=7.0, height=5.6)
    if is_classes:
        _draw_classes(axes, sides, answers, rows, truth)
    else:
        _draw_numbers(figure, axes, sides, np.asarray(answers, np.float64), rows, truth)
    dress(axes, x=names[0], y=names[1], title=title)
    axes.grid(False)
    return figure


def _answers(model: Any, grid: Any) -> tuple[NDArray[Any], bool]:
    if not hasattr(model, "predict"):
        raise OptionError(f"plot_boundary: {type(model).__name__} has no predict(X)")
    if isinstance(model, Network) and model.heads:
        raise OptionError(f"plot_boundary: takes a network of one output; this one is {model!r}")
    if isinstance(model, TableModel):
        columns = dict(zip(model.columns.names, grid.T, strict=True))
        return model.predict(Table.of(columns)), isinstance(model.target, ClassTarget)
    found = np.asarray(model.predict(grid))
    if isinstance(model, Network):
        if model.output not in ("softmax", "sigmoid"):
            return found[:, 0], False
        is_one = found.shape[1] == 1
        return (found[:, 0] > 0.5).astype(int) if is_one else found.argmax(axis=1), True
    return found, hasattr(model, "classes_")


def _draw_classes(
    axes: Any, sides: list[Any], answers: NDArray[Any], rows: NDArray[Any], truth: NDArray[Any]
) -> None:
    from matplotlib.colors import ListedColormap, to_rgb

    classes = sorted(dict.fromkeys([*truth.tolist(), *answers.tolist()]))
    if len(classes) > MOST_CLASSES:
        raise DataError(f"plot_boundary: {len(classes)} classes, at most {MOST_CLASSES} are drawn")
    at = {name: k for k, name in enumerate(classes)}
    region = np.array([at[answer] for answer in answers.tolist()]).reshape(POINTS, POINTS)
    pale = [tuple(PALE + (1 - PALE) * c for c in to_rgb(COLOURS[k])) for k in range(len(classes))]
    top = max(len(classes) - 1, 1)
    colours = ListedColormap(pale if len(pale) > 1 else pale * 2)
    axes.pcolormesh(*sides, region, cmap=colours, vmin=0, vmax=top, shading="nearest")
    for k, name in enumerate(classes):
        if k and (region == k).any():
            axes.contour(*sides, region == k, levels=[0.5], colors="#444444", linewidths=1.0)
        own = np.array([value == name for value in truth.tolist()])
        style: dict[str, Any] = {"color": COLOURS[k], "marker": MARKERS[k], "edgecolors": "white"}
        axes.scatter(*rows[own].T, s=34, linewidths=0.6, label=str(name), **style)
    legend(axes, outside=True, title="class")


def _draw_numbers(
    figure: Any,
    axes: Any,
    sides: list[Any],
    answers: NDArray[Any],
    rows: NDArray[Any],
    truth: NDArray[Any],
) -> None:
    surface = answers.reshape(POINTS, POINTS)
    both = [surface.ravel(), truth]
    low, high = min(v.min() for v in both), max(v.max() for v in both)
    style: dict[str, Any] = {"cmap": "cividis", "vmin": low, "vmax": high}
    drawn = axes.pcolormesh(*sides, surface, shading="nearest", **style)
    axes.scatter(*rows.T, c=truth, s=34, edgecolors="white", linewidths=0.8, **style)
    bar = figure.colorbar(drawn, ax=axes)
    bar.set_label("answer; in the dots the truth", fontsize=11)
