"""The loss of training and validation against the epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.errors import DataError, OptionError
from retrograd.files.atomic import replace_file
from retrograd.inspect.of_table import history_in
from retrograd.plots.canvas import (
    BLUE,
    GREY,
    ORANGE,
    blank,
    dress,
    legend,
)
from retrograd.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM = 10.0  # a loss that falls by more than this factor is drawn on a logarithmic axis
FEW = 30  # up to so many epochs each is marked with a dot


def plot_history(history: Any, *, title: str = "", label: str = "loss J") -> Figure:
    """J of training and of validation against the epoch, and the epoch whose weights were kept.

    Args:
        history: what `rg.train` returned, of one epoch at least; or a fitted estimator or a table
            model, which have one.
        title: a line over the picture.
        label: of the vertical axis.

    Returns:
        A matplotlib Figure on its own canvas: `savefig` it.

    >>> history = rg.train(rg.MLP([1, 4, 1]), [[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], epochs=5)
    >>> rg.plot_history(history).axes[0].get_ylabel()
    'loss J'
    """
    history = require_history("plot_history", history)
    best = history.best_epoch if history.validation_J else 0
    return loss_curves(
        history.J, history.validation_J, best_epoch=best or None, title=title, label=label
    )


def require_history(owner: str, thing: object) -> History:
    """The history that something is or has; OptionError where there is none."""
    history = history_in(thing)
    if history is None:
        raise OptionError(f"{owner}: history is what rg.train returned, got {thing!r}")
    return history


def loss_curves(
    J: Sequence[float],
    validation_J: Sequence[float] = (),
    *,
    best_epoch: int | None = None,
    title: str = "",
    label: str = "loss J",
) -> Figure:
    """J of training and of validation against the epoch, the best epoch marked.

    Args:
        J: one number for each epoch, as in `History.J`; at least one.
        validation_J: the same of the validation rows, as long as J; empty without.
        best_epoch: the epoch, from 1, whose weights were kept; None marks none.
        title: a line over the picture.
        label: of the vertical axis, with the unit where there is one.

    Returns:
        A matplotlib Figure on its own canvas: `savefig` it, or hand it to `save`. The vertical axis
        is logarithmic where all losses are positive and span more than a factor of 10.

    Raises:
        DataError: no epoch, or lengths that differ.
        MissingDependencyError: matplotlib is not installed.

    >>> figure = loss_curves([1.0, 0.5, 0.2], [1.1, 0.7, 0.8], best_epoch=2, title="iris")
    >>> figure.axes[0].get_xlabel()
    'epoch'
    """
    n = len(J)
    if not n:
        raise DataError("loss_curves: J has no epoch to draw")
    if len(validation_J) not in (0, n):
        raise DataError(f"loss_curves: J has {n} epochs, validation_J {len(validation_J)}")
    if best_epoch is not None and not 1 <= best_epoch <= n:
        raise DataError(f"loss_curves: best_epoch is from 1 to {n}, got {best_epoch}")
    figure, [axes] = blank()
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    epochs = np.arange(1, n + 1)
    marker = "o" if n <= FEW else ""
    axes.plot(epochs, J, color=BLUE, linewidth=2, label="training", marker=marker, markersize=3.5)
    if len(validation_J):
        axes.plot(
            epochs,
            validation_J,
            color=ORANGE,
            linewidth=2,
            linestyle="--",
            label="validation",
            marker=marker,
            markersize=3.5,
        )
    if best_epoch is not None:
        at = (validation_J if len(validation_J) else J)[best_epoch - 1]
        axes.axvline(best_epoch, color=GREY, linewidth=1, linestyle=":")
        axes.plot(
            [best_epoch],
            [at],
            color=GREY,
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgewidth=2,
            linestyle="none",
            label=f"weights kept: epoch {best_epoch}",
        )
    if _is_wide([*J, *validation_J]):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=[1, 2, 5], numticks=12))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    count_epochs(axes, n)
    dress(axes, x="epoch", y=label, title=title)
    legend(axes)
    return figure


def count_epochs(axes: Axes, n: int) -> None:
    """An axis of whole epochs from 1 to n, with room for a mark at the last."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    edge = max(0.02 * n, 0.2)
    axes.set_xlim(1 - edge, n + edge)


def require_format(path: str | os.PathLike[str]) -> None:
    """Raise OptionError unless a figure can be written in the format of the path's suffix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    if _suffix(path) not in known:
        raise OptionError(f"{path}: a picture's suffix is one of .{', .'.join(known)}")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whole or not at all, in the format of the path's suffix.

    PNG without a suffix. Raises OptionError for a format that matplotlib does not write, FileError
    for a path that cannot be written.
    """
    require_format(path)
    content = BytesIO()
    figure.savefig(content, format=_suffix(path))
    replace_file(path, [content.getbuffer()])


def _suffix(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path))[1].lstrip(".").lower() or "png"


def _is_wide(values: Sequence[float]) -> bool:
    finite = [value for value in values if np.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > LOG_FROM * min(finite)
