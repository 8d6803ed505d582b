"""Every plot of a table model on the rows of a table, by name: what `retrograd plot` draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError, require_known
from retrograd.files.table import Table, missing
from retrograd.inspect.check import check_gradient
from retrograd.inspect.of_table import choose_rows, optimizer_of
from retrograd.inspect.subject import subject_of
from retrograd.inspect.trace import trace
from retrograd.nn.network import Network
from retrograd.optim.names import find_optimizer
from retrograd.plots.boundary import plot_boundary
from retrograd.plots.canvas import with_unit
from retrograd.plots.checks import plot_gradient_check
from retrograd.plots.classes import plot_confusion, plot_roc
from retrograd.plots.layers import plot_distributions, plot_weights
from retrograd.plots.losses import plot_history
from retrograd.plots.norms import plot_norms
from retrograd.plots.rates import plot_learning_rates
from retrograd.plots.regression import plot_errors, plot_regression
from retrograd.plots.surface import plot_loss_surface
from retrograd.tabular.columns import Numeric
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget
from retrograd.training.history import History
from retrograd.training.rate_range import learning_rate_range
from retrograd.training.train import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRACED, CHECKED, ENTRIES = 256, 32, 40  # rows, and entries of each parameter
SURFACE_ROWS, PATH = 1000, 60  # rows that J is of; epochs of a descent that is drawn

CLASSES, NUMBERS = ("classification",), ("regression",)  # tasks

Draw = Callable[[TableModel, Table, str], "Figure"]


@dataclass(frozen=True)
class Kind:
    """A plot: how it is drawn of a model, rows with their target and a title, and what it shows.

    `answers`: of which tasks the answers are drawn; empty for a plot of something else.
    """

    draw: Draw
    shows: str
    needs_data: bool = True
    answers: tuple[str, ...] = ()


def plot_of(kind: str, model: TableModel, data: Table | None = None, *, title: str = "") -> Figure:
    """The plot of this kind, one of `KINDS`.

    Raises UnknownNameError for another kind, OptionError where it needs data or another task,
    DataError for data that it cannot be drawn of.
    """
    chosen = KINDS[require_known("kind of plot", kind, KINDS)]
    if chosen.answers and model.task not in chosen.answers:
        own = [name for name, each in KINDS.items() if model.task in each.answers]
        raise OptionError(
            f"{kind}: draws the answers of a {chosen.answers[0]}; this model is of a {model.task}, "
            f"of which there are {', '.join(own)}"
        )
    if not chosen.needs_data:
        return chosen.draw(model, Table({}), title)
    if data is None:
        raise OptionError(f"{kind}: is drawn of rows; give the data too")
    return chosen.draw(model, data.take(model.rows_with_target(data, f"{kind}:")), title)


def _some(model: TableModel, data: Table, most: int) -> Table:
    return data.take(choose_rows(model, data, most, "a plot"))


def _answers(model: TableModel, data: Table) -> tuple[Array, Array]:
    """The target's values and the model's answers."""
    return data.column(model.target.name), model.predict(data)


def _regression(model: TableModel, data: Table, title: str) -> Figure:
    label = {"name": model.target.name, "unit": model.unit, "title": title}
    return plot_regression(*_answers(model, data), **label)


def _errors(model: TableModel, data: Table, title: str) -> Figure:
    label = {"name": model.target.name, "unit": model.unit, "title": title}
    return plot_errors(*_answers(model, data), **label)


def _confusion(model: TableModel, data: Table, title: str) -> Figure:
    truth, answers = _answers(model, data)
    assert isinstance(model.target, ClassTarget)
    return plot_confusion(truth, answers, classes=model.target.classes, title=title)


def _roc(model: TableModel, data: Table, title: str) -> Figure:
    truth, _ = _answers(model, data)
    assert isinstance(model.target, ClassTarget)
    return plot_roc(truth, model.outputs(data), classes=model.target.classes, title=title)


def _boundary(model: TableModel, data: Table, title: str) -> Figure:
    own = model.columns.columns
    if len(own) != 2 or not all(isinstance(column, Numeric) for column in own):
        raise DataError(
            f"boundary: takes a model of two columns of numbers; this one reads {len(own)}"
            f"{' of which some are words' if len(own) == 2 else ''}"
        )
    columns = [data.column(name) for name in model.columns.names]
    known = ~(missing(columns[0]) | missing(columns[1]))
    X, y = np.column_stack(columns)[known], data.column(model.target.name)[known]
    names = [with_unit(name, model.units.get(name, "")) for name in model.columns.names]
    return plot_boundary(model, X, y, names=names, title=title)


def _surface(model: TableModel, data: Table, title: str) -> Figure:
    return plot_loss_surface(model, _some(model, data, SURFACE_ROWS), title=title)


def _descent(model: TableModel, data: Table, title: str) -> Figure:
    """The surface with the path of a network like the model's, trained anew on these rows."""
    settings, path = model.settings, []
    network, subject = _untrained(model), subject_of("plot", model, data)

    def keep(now: Network, _: History | None = None) -> None:
        path.append({name: value.copy() for name, value in now.parameters.items()})

    keep(network)
    train(
        network,
        subject.X,
        subject.rows.target.parts[""].array,
        optimizer=optimizer_of(model) or find_optimizer(settings.get("optimizer") or "adam"),
        epochs=min(int(settings.get("epochs") or PATH), PATH),
        batch_size=settings.get("batch_size") or 32,
        l2=subject.l2,
        callbacks=[keep],
        seed=int(settings.get("seed") or 0),
    )
    some = subject_of("plot", model, _some(model, data, SURFACE_ROWS))
    X, Y = some.X, some.rows.target.parts[""].array
    return plot_loss_surface(network, X, Y, path=path, l2=subject.l2, title=title)


def _rates(model: TableModel, data: Table, title: str) -> Figure:
    subject = subject_of("plot", model, data)
    Y, optimizer = subject.rows.target.parts[""].array, optimizer_of(model)
    if optimizer is None:
        name = model.settings.get("optimizer")
        raise OptionError(f"learning-rates: {name or 'the model file'} tells no learning rate")
    found = learning_rate_range(_untrained(model), subject.X, Y, optimizer=optimizer, l2=subject.l2)
    return plot_learning_rates(found, title=title)


def _untrained(model: TableModel) -> Network:
    """The model's network with the weights that it began with, where its file has the seed."""
    network = model.network
    seed = int(model.settings.get("seed") or 0)
    return Network(network.layers, output=network.output, seed=seed, dtype=network.dtype)


def _distributions(model: TableModel, data: Table, title: str) -> Figure:
    return plot_distributions(trace(model, _some(model, data, TRACED)), title=title)


def _check(model: TableModel, data: Table, title: str) -> Figure:
    found = check_gradient(model, _some(model, data, CHECKED), entries=ENTRIES)
    return plot_gradient_check(found, title=title)


KINDS: Mapping[str, Kind] = {
    "history": Kind(
        lambda model, _, title: plot_history(model, title=title),
        "the loss of training and validation rows against the epochs",
        needs_data=False,
    ),
    "norms": Kind(
        lambda model, _, title: plot_norms(model, title=title),
        "gradients, updates and deltas by layer against the epochs",
        needs_data=False,
    ),
    "weights": Kind(
        lambda model, _, title: plot_weights(model, title=title),
        "the weights of each layer",
        needs_data=False,
    ),
    "distributions": Kind(_distributions, "histograms of z, a and delta by layer"),
    "regression": Kind(_regression, "predictions against the truth, with R", answers=NUMBERS),
    "errors": Kind(_errors, "a histogram of the errors of a regression", answers=NUMBERS),
    "confusion": Kind(_confusion, "each true class, and what it was taken for", answers=CLASSES),
    "roc": Kind(_roc, "the ROC curve of each class", answers=CLASSES),
    "boundary": Kind(
        _boundary, "the regions of the classes over two features", answers=(*CLASSES, *NUMBERS)
    ),
    "loss-surface": Kind(_surface, "J along two random directions through the weights"),
    "descent": Kind(_descent, "J over the plane of a descent, trained again for it, and its path"),
    "learning-rates": Kind(_rates, "J of an untrained network while the learning rate rises"),
    "gradient-check": Kind(_check, "the error of backpropagation, entry by entry"),
}
"""The kinds of plots by the name that the command line has for each."""
