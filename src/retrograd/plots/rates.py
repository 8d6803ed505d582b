"""J against the learning rate, as a range test found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrograd.errors import OptionError
from retrograd.plots.canvas import BLUE, GREY, ORANGE, blank, dress, legend
from retrograd.training.rate_range import RateRange

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_learning_rates(found: RateRange, *, title: str = "") -> Figure:
    """The curve of a learning-rate range test, with the rate at which J falls fastest.

    Args:
        found: what `rg.learning_rate_range` returned.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas: `savefig` it.

    Raises OptionError for what is no RateRange, MissingDependencyError without matplotlib.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> found = rg.learning_rate_range(rg.MLP([1, 8, 1], activation="tanh"), X, X**2)
    >>> rg.plot_learning_rates(found).axes[0].get_xlabel()
    'learning rate'
    """
    if not isinstance(found, RateRange):
        raise OptionError(
            "plot_learning_rates: expected what rg.learning_rate_range returns, "
            f"got {type(found).__name__}"
        )
    figure, [axes] = blank()
    axes.plot(found.rates, found.J, color=GREY, linewidth=0.8, label="J of each batch")
    axes.plot(found.rates, found.smooth, color=BLUE, linewidth=2, label="mean of steps around")
    axes.axvline(
        found.steepest,
        color=ORANGE,
        linestyle="--",
        linewidth=1.5,
        label=f"falls fastest: {found.steepest:.3g}",
    )
    axes.set_xscale("log")
    dress(axes, x="learning rate", y="loss J", title=title)
    legend(axes)
    return figure
