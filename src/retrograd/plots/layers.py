"""What is inside of layers: histograms of z, a and delta, and the weights as maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.arrays import Array, require_integer
from retrograd.errors import OptionError
from retrograd.graph.shape import show
from retrograd.inspect.layers import NetworkTrace
from retrograd.inspect.subject import network_of
from retrograd.plots.canvas import BLUE, BOTH_WAYS, COLOURS, GREY, NARROW, ORANGE, blank, dress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = {"z": BLUE, "a": COLOURS[2], "delta": ORANGE}
BINS = 40


def plot_distributions(trace: NetworkTrace, *, per_row: int = 3, title: str = "") -> Figure:
    """Histograms of z, a and delta = dJ/dz of each layer.

    A spike of a at 0 or at the ends of its range is units that are dead or saturated; delta that
    becomes narrow from the last layer to the first is a gradient that vanishes.

    Args:
        trace: `rg.trace(network, X, Y)`.
        per_row: pictures side by side; 3 are a layer, 1 puts them all below each other.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas; each vertical axis is the share of the entries.

    >>> t = rg.trace(rg.MLP([2, 8, 1]), [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
    >>> [axes.get_xlabel() for axes in rg.plot_distributions(t).axes][:3]
    ['z', 'a', 'delta']
    """
    if not isinstance(trace, NetworkTrace):
        raise OptionError(
            f"plot_distributions: expected rg.trace(network, X, Y), got {type(trace).__name__}"
        )
    require_integer("plot_distributions", "per_row", per_row, low=1)
    named = [(layer, name) for layer in trace.layers for name in COLUMNS]
    figure, panels = _panels(len(named), per_row, width=3.0, height=2.0)
    for k, (axes, (layer, name)) in enumerate(zip(panels, named, strict=False)):
        _histogram(axes, np.asarray(layer.arrays()[name], np.float64).ravel(), COLUMNS[name])
        is_head = per_row != len(COLUMNS) or name == "a"
        words = f"layer {layer.place}: {layer.kind}" if is_head else ""
        side = "share (%)" if k % per_row == 0 else ""
        dress(axes, x=name, y=side, title=words, small=True)
    figure.suptitle(title, fontsize=13, parse_math=False)
    return figure


def _panels(n: int, per_row: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with n axes in rows, each of a size in inches; those left over are not seen."""
    columns = min(n, per_row)
    rows = -(-n // columns)
    figure, panels = blank(
        width=max(width * columns, NARROW), height=0.4 + height * rows, rows=rows, columns=columns
    )
    for axes in panels[n:]:
        axes.set_visible(False)
    return figure, panels


def _histogram(axes: Axes, values: Array, colour: str) -> None:
    finite = values[np.isfinite(values)]
    if len(finite):
        weights = np.full(len(finite), 100 / len(values))
        low, high = float(finite.min()), float(finite.max())
        if low == high:  # so that equal entries are a bar as narrow as others
            low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
        axes.hist(finite, bins=BINS, range=(low, high), weights=weights, color=colour)
    if len(finite) < len(values):
        text = f"{len(values) - len(finite)} not finite"
        axes.text(0.97, 0.9, text, transform=axes.transAxes, ha="right", fontsize=9)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.locator_params(axis="x", nbins=4)
    axes.ticklabel_format(
        axis="x", style="sci", scilimits=(-2, 4)
    )  # short: they stand side by side


def plot_weights(model: Any, *, per_row: int = 3, title: str = "") -> Figure:
    """The weight matrices as maps: a row for each input, a column for each unit.

    Args:
        model: a network, a fitted estimator or a table model.
        per_row: maps side by side.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas. Colours are symmetric about 0, which is white.

    >>> rg.plot_weights(rg.MLP([3, 8, 2])).axes[0].get_title()
    'W1 (3, 8)'
    """
    network = network_of("plot_weights", model)
    matrices = {name: W for name, W in network.parameters.items() if W.ndim == 2}
    require_integer("plot_weights", "per_row", per_row, low=1)
    figure, panels = _panels(len(matrices), per_row, width=3.6, height=3.2)
    from matplotlib.ticker import MaxNLocator

    for axes, (name, W) in zip(panels, matrices.items(), strict=False):
        limit = float(np.abs(W[np.isfinite(W)]).max(initial=0.0)) or 1.0
        drawn = axes.imshow(
            W, cmap=BOTH_WAYS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        dress(axes, x="unit", y="input", title=f"{name} {show(W.shape)}", small=True)
        axes.grid(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        bar = figure.colorbar(drawn, ax=axes)
        bar.set_label("weight", fontsize=10)
        bar.ax.tick_params(labelsize=9)
    figure.suptitle(title, fontsize=13, parse_math=False)
    return figure
