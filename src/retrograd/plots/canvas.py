"""The paper that plots are drawn on: sizes, colours that all can tell apart, axes with labels."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array
from retrograd.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart with any colour vision, and in grey   [Okabe & Ito 2008, Color Universal Design]
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")  # told apart in grey too, and where there are more than colours
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BOTH_WAYS = "PuOr"  # from negative to positive, told apart with any colour vision
ONE_WAY = "Blues"
GRID = "#dddddd"
NARROW = 4.7  # inches of a figure whose letters can still be read on the screen of a telephone
INSTALL = 'install "retrograd[plots]"'


def is_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def blank(
    *,
    width: float = 8.0,
    height: float = 5.0,
    rows: int = 1,
    columns: int = 1,
    share_x: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure on its own canvas, and its axes row by row; sizes in inches.

    Raises MissingDependencyError without matplotlib.
    """
    if not is_available():
        raise MissingDependencyError(f"a picture needs matplotlib: {INSTALL}")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=share_x, squeeze=False)
    return figure, list(axes.flat)


def dress(axes: Axes, *, x: str = "", y: str = "", title: str = "", small: bool = False) -> None:
    """Labels, a grid behind the data, and no frame where there is no axis."""
    size = 10 if small else 12
    axes.set_xlabel(x, fontsize=size, parse_math=False)
    axes.set_ylabel(y, fontsize=size, parse_math=False)
    axes.set_title(title, fontsize=size + 1, parse_math=False)
    axes.grid(True, which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=size - 1)


def legend(axes: Axes, *, outside: bool = False, title: str = "") -> None:
    """The legend, without a frame; `outside`: to the right of the axes, for many lines."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if outside else {}
    axes.legend(fontsize=10, frameon=False, title=title or None, **place)


def with_unit(name: str, unit: str) -> str:
    """The label of an axis: `temperature (K)`."""
    return f"{name} ({unit})" if unit else name


def numbers(owner: str, name: str, values: ArrayLike) -> Array:
    """Finite numbers, (n,), n > 0; a column (n, 1) will do. DataError for anything else."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "biuf" or array.ndim != 1 or not array.size:
        raise DataError(f"{owner}: {name} are numbers (n,), got {array.dtype} of {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{owner}: {name} has NaN or infinity")
    return array.astype(np.float64)


def require_same_length(owner: str, **arrays: Sequence[Any] | Array) -> None:
    """Raise DataError unless all have as many rows."""
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{name} has {len(array)}" for name, array in arrays.items())
        raise DataError(f"{owner}: rows differ: {found}")
