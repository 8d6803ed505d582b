"""The picture: each peer's time over ours, on a logarithmic scale, a line a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Result

# Okabe & Ito's colours, told apart by shape too.
STYLES = {
    "JAX": ("#0072B2", "o"),
    "PyTorch": ("#D55E00", "s"),
    "NumPy": ("#009E73", "^"),
    "scikit-learn": ("#CC79A7", "D"),
    "onnxruntime": ("#56B4E9", "v"),
}


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture as a PNG. Right of the line at 1 we are ahead."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    shown = [result for result in results if result.session is not None][::-1]
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.34 * len(shown)), layout="constrained")
    for y, result in enumerate(shown):
        ours = result.session
        assert ours is not None
        for family, (colour, marker) in STYLES.items():
            row = result.best(of=family)
            if row is not None:
                axes.plot(
                    row.median / ours.median, y, marker, color=colour, markersize=7,
                    markeredgecolor="white", markeredgewidth=0.6, zorder=3,
                )  # fmt: skip
        if result.task.target is not None:
            axes.plot([result.task.target] * 2, [y - 0.32, y + 0.32], color="black", linewidth=1.6)
    axes.axvline(1.0, color="0.35", linewidth=1.2, zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(shown)), [result.task.name for result in shown])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.grid(axis="x", color="0.9", zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("peer's time / retrograd's time  (right of 1: retrograd is faster)")
    handles = [
        plt.Line2D([], [], color=colour, marker=marker, linestyle="", label=family)
        for family, (colour, marker) in STYLES.items()
    ]
    handles.append(plt.Line2D([], [], color="black", linewidth=1.6, label="target"))
    figure.legend(handles=handles, loc="outside upper center", ncols=6, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
