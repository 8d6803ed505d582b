"""Norms of gradients and updates, layer by layer, against the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.errors import DataError
from retrograd.plots.canvas import COLOURS, DASHES, blank, dress, legend
from retrograd.plots.losses import count_epochs, require_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {
    "gradient_norm": "norm of dJ/d(parameter)",
    "update_norm": "norm of the update",
    "delta_norm": "norm of delta = dJ/dz",
}
MOST = 14  # lines of a panel: of more parameters only the matrices are drawn, then every other


def plot_norms(history: Any, *, title: str = "") -> Figure:
    """Norms of each layer's gradient, update and delta in the last step of each epoch.

    Lines that fall apart by orders of magnitude from layer to layer are gradients that vanish or
    explode on their way back.

    Args:
        history: of `rg.train(..., statistics=True)`, of one epoch at least; or a table model that
            `retrograd train` wrote.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas, logarithmic; a norm of 0 has no place on it.

    Raises DataError for a history without statistics.

    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> history = rg.train(rg.MLP([1, 4, 1]), X, X**2, epochs=5, statistics=True)
    >>> [axes.get_ylabel() for axes in rg.plot_norms(history).axes][0]
    'norm of dJ/d(parameter)'
    """
    history = require_history("plot_norms", history)
    found = {name: history.statistics[name] for name in PANELS if name in history.statistics}
    if not found or not history.epochs:
        raise DataError(
            "plot_norms: the history has no statistics; train with rg.train(..., statistics=True)"
        )
    figure, panels = blank(height=3.1 * len(found), rows=len(found), share_x=True)
    for axes, (name, own) in zip(panels, found.items(), strict=True):
        for k, (of, norms) in enumerate(_chosen(own).items()):
            values = np.where(np.asarray(norms) > 0, norms, np.nan)
            epochs = np.arange(1, len(values) + 1)
            style: dict[str, Any] = {
                "color": COLOURS[k % len(COLOURS)],
                "linestyle": DASHES[k % len(DASHES)],
            }
            label = f"layer {of}" if name == "delta_norm" else of
            marker = "o" if len(values) == 1 else ""
            axes.plot(epochs, values, linewidth=1.8, label=label, marker=marker, **style)
        axes.set_yscale("log")
        dress(axes, y=PANELS[name], small=True)
        legend(axes, outside=True)
    count_epochs(panels[-1], history.epochs)
    panels[-1].set_xlabel("epoch", fontsize=11)
    panels[0].set_title(title, fontsize=13, parse_math=False)
    return figure


def _chosen(own: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    names = list(own)
    if len(names) > MOST and any(name.startswith("W") for name in names):
        names = [name for name in names if name.startswith("W")]
    names = names[:: -(-len(names) // MOST)]
    return {name: own[name] for name in names}
