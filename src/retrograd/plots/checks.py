"""How far backpropagation is from numbers, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.checked import TITLES, GradientCheck
from retrograd.plots.canvas import COLOURS, MARKERS, ORANGE, blank, dress, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-18  # where an error of 0 is drawn


def plot_gradient_check(check: GradientCheck, *, title: str = "") -> Figure:
    """The relative error of each entry of a checked gradient, and the tolerance.

    Args:
        check: what `rg.check_gradient` returned.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas. An error of 0 is drawn at 1e-18, one that is not
        finite as a cross at the top.

    >>> w, x = rg.variable("w", 0.5), rg.variable("x", [1.0, 2.0])
    >>> figure = rg.plot_gradient_check(rg.check_gradient(rg.tanh(w * x) @ x))
    >>> figure.axes[0].get_ylabel()
    'relative error'
    """
    figure, [axes] = blank()
    start, middles, names = 0, [], []
    shown = [x for x in check.variables if x.errors]
    top = max([check.tolerance, *(e for x in shown for e in x.errors.values() if np.isfinite(e))])
    for k, one in enumerate(shown):
        errors = np.array(list(one.errors.values()))
        at = start + np.arange(len(errors))
        ok = np.isfinite(errors)
        style: dict[str, Any] = {
            "color": COLOURS[k % 6 if k % 6 != 1 else 6],
            "marker": MARKERS[k % len(MARKERS)],
        }
        axes.scatter(at[ok], np.maximum(errors[ok], FLOOR), s=14, linewidths=0, **style)
        axes.scatter(at[~ok], np.full((~ok).sum(), 10 * top), s=60, color=ORANGE, marker="x")
        middles.append(start + (len(errors) - 1) / 2)
        names.append(one.name)
        start += len(errors)
        if k + 1 < len(shown):
            axes.axvline(start - 0.5, color="#bbbbbb", linewidth=0.8)
    label = f"tolerance {check.tolerance:.0e}"
    axes.axhline(check.tolerance, color=ORANGE, linestyle="--", linewidth=1.8, label=label)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 3, 1e4 * top)  # room for the legend above the tolerance
    axes.set_xlim(-0.02 * start - 0.5, 1.02 * start - 0.5)
    verdict = "agrees" if check.ok else "DISAGREES"
    head = f"backpropagation {verdict} with {TITLES[check.method]}"
    dress(
        axes, x="entries of each variable", y="relative error",
        title=f"{title}: {head}" if title else head,
    )  # fmt: skip
    axes.set_xticks(middles, names, rotation=45 if len(names) > 8 else 0)
    axes.grid(False, axis="x")
    legend(axes)
    return figure
