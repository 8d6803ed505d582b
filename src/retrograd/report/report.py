"""What the report of a table model says: data, network, curves, scores, verdicts, gradients."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.files.table import Table, is_text, missing
from retrograd.inspect.check import check_gradient
from retrograd.inspect.layers import NetworkTrace
from retrograd.inspect.of_table import MOST_ROWS, choose_rows, history_of
from retrograd.inspect.trace import trace
from retrograd.inspect.verdicts import diagnose
from retrograd.pictures import layout
from retrograd.pictures.scene import number
from retrograd.plots.checks import plot_gradient_check
from retrograd.plots.classes import plot_confusion, plot_roc
from retrograd.plots.layers import plot_distributions, plot_weights
from retrograd.plots.losses import loss_curves
from retrograd.plots.regression import plot_errors, plot_regression
from retrograd.report import html
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget
from retrograd.training.scores import r2

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLUMNS = 40  # of the data that are listed
MOST_CLASSES = 30  # with a confusion matrix that can be read
TRACED, CHECKED, ENTRIES = 256, 32, 40  # rows, and entries of each parameter


def report(model: TableModel, data: Table, *, name: str = "", program: str = "retrograd") -> str:
    """The report of a model on rows with its target, as one HTML page.

    Args:
        model: what `retrograd train` wrote.
        data: a table with the model's columns and its target; rows without the target are left out.
        name: of the data. program: who writes, with its version.

    Returns:
        A page that loads nothing: pictures are inside, there is no script.

    Raises DataError for data without the target, or without a row that has it.
    """
    rows = data.take(model.rows_with_target(data, "a report"))
    name = name or model.data
    some = rows.take(_evenly(rows.n_rows, TRACED))
    found = trace(model, some)
    title = f"{model.task} of {model.target.name}, trained on {model.data}"
    return html.page(
        f"retrograd: {title}",
        [
            html.heading(title),
            html.text(f"A report of {program} on the data {name}."),
            _scores(model, rows, name),
            _data(model, data, rows, name),
            _network(model, found),
            _training(model),
            _verdicts(model, data),
            _inside(model, found),
            _gradients(model, rows),
            _again(model, program),
        ],
    )


def _evenly(n: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, most).astype(np.int64))


def _scores(model: TableModel, rows: Table, name: str) -> str:
    truth, target = rows.column(model.target.name), model.target
    outputs = model.outputs(rows)
    answers = target.decode(outputs)
    held_out = [
        f"{what} {number(value)} {model.unit if what.endswith('RMSE') else ''}".rstrip()
        for what, value in model.scores.items()
    ]
    parts = [html.text(", ".join(held_out), "score")] if held_out else []
    drawn: list[tuple[Figure, str]] = []
    if isinstance(target, ClassTarget):
        words = f"accuracy {number(float(np.mean(truth == answers)))}"
        if len(target.classes) <= MOST_CLASSES:
            matrix = plot_confusion(truth, answers, classes=target.classes)
            drawn.append((matrix, "Confusion matrix: each true class, and what it was taken for."))
        if set(truth.tolist()) == set(target.classes):
            curve = plot_roc(truth, outputs, classes=target.classes)
            drawn.append((curve, "ROC: each class against the others, at every threshold."))
    else:
        error = answers - truth
        words = (
            f"R2 {number(r2(truth, answers[:, None]))}, "
            f"RMSE {number(math.sqrt(float(np.mean(error**2))))} {model.unit}".rstrip()
        )
        label = {"name": target.name, "unit": model.unit}
        drawn.append((plot_regression(truth, answers, **label), "Predictions against the truth."))
        drawn.append((plot_errors(truth, answers, **label), "How far off the predictions are."))
    parts.append(
        html.text(
            f"On all {rows.n_rows} rows of {name} that have the target: {words}. Where these "
            "include rows that the model was trained on, that says less than the score of the "
            "test rows, which were held out."
        )
    )
    return html.section("Scores", *parts, html.plots(*drawn))


def _data(model: TableModel, data: Table, rows: Table, name: str) -> str:
    columns = model.columns.names
    lines = [_column(each, rows, model) for each in [model.target.name, *columns][:MOST_COLUMNS]]
    more = len(columns) + 1 - len(lines)
    return html.section(
        "Data",
        html.text(
            f"{name}: {data.n_rows} rows, {len(columns)} columns that the model reads, which "
            f"become {len(model.columns.feature_names)} inputs; the target is {model.target.name}."
        ),
        html.table(
            ("column", "unit", "kind", "missing", "least", "mean", "largest"), lines, left=(0, 1, 2)
        ),
        html.text(f"and {more} more columns") if more else "",
    )


def _column(name: str, rows: Table, model: TableModel) -> tuple[str, ...]:
    column, unit = rows.column(name), model.units.get(name, "")
    n_missing = str(int(missing(column).sum()))
    role = ", target" if name == model.target.name else ""
    if is_text(column):
        words = {word for word in column.tolist() if word is not None}
        return (name, unit, f"{len(words)} categories{role}", n_missing, "", "", "")
    known = column[~missing(column)]
    figures = ("", "", "")
    if len(known):
        figures = number(known.min()), number(known.mean()), number(known.max())
    return (name, unit, f"numbers{role}", n_missing, *figures)


def _network(model: TableModel, found: NetworkTrace) -> str:
    lines = [
        (x.name, x.kind, _shape(x.shape), f"{x.n_parameters:,}", f"{x.flops:,}", f"{x.bytes:,}")
        for x in model.network.summary().lines
    ]
    return html.section(
        "Network",
        html.table(
            ("layer", "kind", "shape", "parameters", "flops a row", "bytes"), lines, left=(0, 1, 2)
        ),
        html.picture(
            found.picture().to_svg(),
            f"{len(found.X)} rows on their way: over each edge the values, under it the gradient "
            "of J; in each layer its parameters with their gradients.",
        )
        if layout.is_available()
        else html.text(f"No picture of the network: {layout.INSTALL}."),
    )


def _shape(shape: Sequence[object]) -> str:
    return " × ".join(map(str, shape))


def _training(model: TableModel) -> str:
    history = history_of(model)
    if history is None:
        return html.section("Training", html.text("The model file has no curves of its training."))
    kept = history.best_epoch if 1 <= history.best_epoch <= history.epochs else None
    curve = loss_curves(history.J, history.validation_J, best_epoch=kept)
    return html.section(
        "Training",
        html.plots((curve, "Loss of training and of validation rows after each epoch.")),
    )


def _verdicts(model: TableModel, data: Table) -> str:
    found = diagnose(model, data.take(choose_rows(model, data, MOST_ROWS, "a diagnosis")))
    words = "Nothing wrong found." if found.ok else f"{len(found.found)} found."
    head, *lines = found.table()
    return html.section(
        "Verdicts",
        html.text(f"{words} {len(found.verdicts)} ailments were looked for.",
                  "good" if found.ok else "bad"),
        html.items(f"{x}; {x.listed()}" if x.items else str(x) for x in found.found),
        html.table(head, lines, left=(0, 1, 4)),
    )  # fmt: skip


def _inside(model: TableModel, found: NetworkTrace) -> str:
    return html.section(
        "Inside the network",
        html.plots((plot_distributions(found), "What runs through each layer, forward and back.")),
        html.plots((plot_weights(model), "The weights; white is 0.")),
    )


def _gradients(model: TableModel, rows: Table) -> str:
    some = rows.take(_evenly(rows.n_rows, CHECKED))
    check = check_gradient(model, some, entries=ENTRIES)
    lines = [
        (x.name, _shape(x.shape), x.entries, f"{x.max_relative_error:.1e}") for x in check.variables
    ]
    verdict = "agrees" if check.ok else "DISAGREES"
    return html.section(
        "Gradient check",
        html.text(
            f"Backpropagation {verdict} with numbers from {check.passes} forward passes on "
            f"{some.n_rows} rows: the largest relative error is {check.max_relative_error:.1e}, "
            f"the tolerance {check.tolerance:.0e}.",
            "good" if check.ok else "bad",
        ),
        html.table(("parameter", "shape", "entries checked", "largest error"), lines, left=(0, 1)),
        html.plots((plot_gradient_check(check), "The error of each entry that was checked.")),
    )


def _again(model: TableModel, program: str) -> str:
    settings = {
        name: value for name, value in model.settings.items() if name not in ("curves", "command")
    }
    lines = [(name, _said(value)) for name, value in settings.items()]
    versions = {each: version(each) for each in ("numpy", "scipy", "llvmlite")}
    lines += [("written by", program), ("Python", platform.python_version())]
    lines += versions.items()
    lines.append(("machine", f"{platform.system()} {platform.machine()}"))
    command = model.settings.get("command")
    return html.section(
        "To make this again",
        html.code(str(command)) if command else "",
        html.table(("setting", "value"), lines, left=(0, 1)),
    )


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "none" if value is None else str(value)
