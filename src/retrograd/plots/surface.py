"""The loss surface along two directions, with the path of descent on it [L1.8]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.arrays import Array, require_integer, require_number
from retrograd.errors import DataError
from retrograd.inspect.subject import Subject, network_of, subject_of
from retrograd.nn.losses import LossChoice
from retrograd.nn.network import Network
from retrograd.plots.canvas import ORANGE, blank, dress
from retrograd.run import compile
from retrograd.training.objective import objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Flat = NDArray[np.float64]
LEVELS = 18


def plot_loss_surface(
    model: Any,
    X: Any,
    Y: ArrayLike | None = None,
    *,
    path: Sequence[Mapping[str, ArrayLike]] = (),
    loss: LossChoice = "auto",
    l2: float | None = None,
    points: int = 41,
    span: float = 1.0,
    seed: int = 0,
    title: str = "",
) -> Figure:
    """J over the plane of two directions through the network's parameters, as lines of equal J.

    With a path the plane is the one through its end that holds most of it: the squared distances of
    its points from the end are the largest along its two directions, and their share along each is
    told   [Li, Xu, Taylor, Studer & Goldstein 2018, sec. 7]. It is drawn with a margin. Without,
    the directions are random, each unit's part as long as its own weights, so that a step of 1 is
    as far as the weights are long [the same, sec. 4].

    Args:
        model: a network, a fitted estimator or a table model: at the middle of the plane, or at
            the end of the path.
        X, Y: the rows that J is of; of a table model a table. loss, l2: as in `rg.trace`.
        path: copies of the parameters, two at least, as a callback of `rg.train` takes them:
            `path.append({name: W.copy() for name, W in network.parameters.items()})`.
        points: of the grid along each side, at least 5. J is computed at the square of it.
        span: above 0. Without a path, how far the plane goes, in lengths of the weights.
        seed: of the random directions.
        title: a line over the picture.

    Returns:
        A matplotlib Figure on its own canvas.

    Raises DataError for a path of other parameters, and a network of a single one.

    >>> net, path = rg.MLP([1, 4, 1], activation="tanh"), []
    >>> X = np.linspace(-1, 1, 16)[:, None]
    >>> keep = lambda net, _: path.append({k: W.copy() for k, W in net.parameters.items()})
    >>> history = rg.train(net, X, X**2, epochs=20, callbacks=[keep])
    >>> figure = rg.plot_loss_surface(net, X, X**2, path=path, points=9)
    >>> figure.axes[0].get_ylabel().startswith('second direction')
    True
    """
    network = network_of("plot_loss_surface", model)
    require_integer("plot_loss_surface", "points", points, low=5)
    require_number("plot_loss_surface", "span", span, open_low=True)
    made = _Surface.of(network, subject_of("plot_loss_surface", model, X, Y, loss=loss, l2=l2))
    end = made.flat(network.parameters)
    if end.size < 2:
        raise DataError("plot_loss_surface: a plane needs two parameters; the network has one")
    if path:
        plane = _plane_of_path(np.array([made.flat(one) for one in path]))
    else:
        plane = _random_plane(network.parameters, made, end, span, seed)
    sides = [np.linspace(low, high, points) for low, high in plane.bounds]
    J = np.array(
        [[made.J(plane.middle + a * plane.first + b * plane.second) for a in sides[0]]
         for b in sides[1]]
    )  # fmt: skip
    figure, [axes] = blank(width=7.4, height=5.8)
    _draw(figure, axes, sides, J)
    if path:
        along = plane.places
        axes.plot(*along.T, color=ORANGE, marker="o", markersize=2.5, linewidth=1.4, label="path")
        axes.plot(*along[0], marker="s", color=ORANGE, markersize=8, linestyle="", label="start")
        axes.plot(*along[-1], marker="*", color=ORANGE, markersize=14, linestyle="", label="end")
    else:
        axes.plot(0, 0, marker="*", color=ORANGE, markersize=14, linestyle="", label="network")
    dress(axes, x=plane.labels[0], y=plane.labels[1], title=title)
    axes.grid(False)
    axes.legend(fontsize=10, framealpha=0.85)
    return figure


def _draw(figure: Any, axes: Any, sides: list[Flat], J: Flat) -> None:
    from matplotlib.ticker import FuncFormatter

    finite = J[np.isfinite(J)]
    if not len(finite):
        raise DataError("plot_loss_surface: J is finite nowhere on the plane")
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        high = low + (abs(low) or 1.0)
    # Even steps of log J where it spans more than a factor of 10: a valley is not one flat spot.
    is_wide = low > 0 and high > 10 * low
    levels = np.geomspace(low, high, LEVELS) if is_wide else np.linspace(low, high, LEVELS)
    from matplotlib.colors import BoundaryNorm

    norm = BoundaryNorm(levels, 256)
    drawn = axes.contourf(*sides, J, levels=levels, cmap="cividis_r", norm=norm, extend="both")
    axes.contour(*sides, J, levels=levels, colors="white", linewidths=0.4, norm=norm)
    bar = figure.colorbar(drawn, ax=axes, format=FuncFormatter(lambda value, _: f"{value:.3g}"))
    bar.set_label("J", fontsize=12)


@dataclass(frozen=True, eq=False)
class _Surface:
    """J as a function of all parameters in one vector."""

    shapes: Mapping[str, tuple[int, ...]]
    dtype: Any
    function: Any
    fixed: Sequence[Array]

    @classmethod
    def of(cls, network: Network, found: Subject) -> _Surface:
        made = objective(network, found.loss, found.rows.target, is_still=True)
        values = found.values(made)
        function = compile([made.J], [*values, *made.parameters.values()])
        shapes = {name: W.shape for name, W in network.parameters.items()}
        return cls(shapes, network.dtype, function, [*values.values()])

    def flat(self, parameters: Mapping[str, ArrayLike]) -> Flat:
        arrays = {name: np.asarray(value) for name, value in parameters.items()}
        if {name: value.shape for name, value in arrays.items()} != dict(self.shapes):
            raise DataError(
                "plot_loss_surface: the path has other parameters than the network; copy them: "
                "{name: W.copy() for name, W in network.parameters.items()}"
            )
        return np.concatenate([arrays[name].ravel() for name in self.shapes]).astype(np.float64)

    def split(self, vector: Flat) -> dict[str, Array]:
        found, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            found[name] = vector[at : at + size].reshape(shape)
            at += size
        return found

    def J(self, vector: Flat) -> float:
        arrays = [np.ascontiguousarray(W, self.dtype) for W in self.split(vector).values()]
        return float(self.function(*self.fixed, *arrays)[0])


@dataclass(frozen=True, eq=False)
class _Plane:
    """Two directions from a point, how far along them, and what to call them."""

    middle: Flat
    first: Flat
    second: Flat
    bounds: tuple[tuple[float, float], tuple[float, float]]
    labels: tuple[str, str]
    places: Flat  # of the path, (n, 2)


def _plane_of_path(path: Flat) -> _Plane:
    if len(path) < 2:
        raise DataError("plot_loss_surface: a path has two points at least")
    end = path[-1]
    _, sizes, directions = np.linalg.svd(path - end, full_matrices=False)
    first = directions[0]
    second = directions[1] if len(directions) > 1 else np.zeros_like(first)
    if len(sizes) < 2 or sizes[1] <= 1e-12 * sizes[0]:  # a straight path: any direction across
        second = np.eye(len(first))[np.argmin(np.abs(first))]
        second -= (second @ first) * first
        second /= np.linalg.norm(second)
    places = (path - end) @ np.stack([first, second], axis=1)
    reach = float(np.ptp(places, axis=0).max()) or 1.0
    bounds = []
    for side in range(2):
        low, high = places[:, side].min(), places[:, side].max()
        edge = max(0.15 * (high - low), 0.15 * reach)
        bounds.append((float(low - edge), float(high + edge)))
    share = sizes**2 / max(float((sizes**2).sum()), np.finfo(float).tiny)
    percent = [100 * float(share[k]) if k < len(share) else 0.0 for k in range(2)]
    labels = tuple(
        f"{name} direction of the path ({part:.0f} % of its squared length)"
        for name, part in zip(("first", "second"), percent, strict=True)
    )
    return _Plane(end, first, second, (bounds[0], bounds[1]), (labels[0], labels[1]), places)


def _random_plane(
    parameters: Mapping[str, Array], made: _Surface, end: Flat, span: float, seed: int
) -> _Plane:
    rng = np.random.default_rng(seed)
    directions = []
    for _ in range(2):
        parts = []
        for W in parameters.values():
            d = rng.normal(size=W.shape)
            if W.ndim < 2:  # biases stay: they would be moved by their own, often 0
                parts.append(np.zeros(W.size))
                continue
            length = np.linalg.norm(d, axis=0)
            parts.append((d * (np.linalg.norm(W, axis=0) / np.maximum(length, 1e-30))).ravel())
        directions.append(np.concatenate(parts))
    bounds = ((-span, span), (-span, span))
    labels = tuple(
        f"{name} random direction (lengths of the weights)" for name in ("first", "second")
    )
    first, second = directions
    return _Plane(end, first, second, bounds, (labels[0], labels[1]), np.zeros((1, 2)))
