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
from retrograd.plots.canvas import with_unit
from retrograd.plots.checks import plot_gradient_check
from retrograd.plots.classes import most_rows, plot_confusion, plot_roc, worst_pairs
from retrograd.plots.layers import plot_distributions, plot_weights
from retrograd.plots.losses import loss_curves
from retrograd.plots.norms import plot_norms
from retrograd.plots.regression import plot_errors, plot_regression
from retrograd.report import html
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget
from retrograd.training.scores import r2

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG = ("curves", "statistics", "command")  # settings that are shown elsewhere
MOST_COLUMNS = 40  # of the data that are listed
MOST_CLASSES = 30  # with a confusion matrix that can be read
FEW_CLASSES = 12  # with one that can be read on any screen
MOST_PAIRS = 10  # of classes that are mistaken, in a list
ROOMY, TIGHT = 1000, 360  # pixels of the picture of the network, on a wide and a narrow screen
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


def _count(n: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


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
    shown: list[str] = []
    if isinstance(target, ClassTarget):
        words = f"accuracy {number(float(np.mean(truth == answers)))}"
        shown = _of_classes(truth, answers, outputs, target.classes)
    else:
        error = answers - truth
        of_mean = f"R2 {number(r2(truth, answers[:, None]))}"
        if len(truth) == 1:
            of_mean = "R2 is not defined of one row"
        rmse = f"RMSE {number(math.sqrt(float(np.mean(error**2))))} {model.unit}".rstrip()
        words = f"{of_mean}, {rmse}"
        label = {"name": target.name, "unit": model.unit}
        against = (plot_regression(truth, answers, **label), "Predictions against the truth.")
        off = (plot_errors(truth, answers, **label), "How far off the predictions are.")
        shown = [html.plots(against, off)]
    n = rows.n_rows
    which = f"all {n} rows of {name} that have" if n > 1 else f"the one row of {name} that has"
    among = "these include rows" if n > 1 else "it is a row"
    parts.append(
        html.text(
            f"On {which} the target: {words}. Where {among} that the model was trained on, that "
            "says less than the score of the test rows, which were held out."
        )
    )
    return html.section("Scores", *parts, *shown)


def _of_classes(
    truth: np.ndarray, answers: np.ndarray, outputs: np.ndarray, classes: Sequence[Any]
) -> list[str]:
    """Confusion matrix and ROC; where one is left out, the reason."""
    drawn: list[tuple[Figure, str]] = []
    parts, n = [], len(classes)
    if n > FEW_CLASSES:
        parts.append(_pairs(truth, answers))
    if n > MOST_CLASSES:
        why = f"with more than {MOST_CLASSES} classes it cannot be read"
        parts.append(html.text(f"No confusion matrix: there are {n} classes, and {why}."))
    else:
        matrix = plot_confusion(truth, answers, classes=classes)
        caption = "Confusion matrix: each true class, and what it was taken for."
        if n > FEW_CLASSES:
            small = plot_confusion(truth, answers, classes=classes, with_counts=False)
            parts.append(html.large_plot(matrix, small, caption))
        else:
            drawn.append((matrix, caption))
    absent = [name for name in classes if name not in set(truth.tolist())]
    if absent:
        more = f" and of {len(absent) - 1} other classes" if len(absent) > 1 else ""
        parts.append(html.text(f"No ROC: there are no rows of class {absent[0]}{more}."))
    else:
        curve = plot_roc(truth, outputs, classes=classes)
        drawn.append((curve, _roc_caption(len(most_rows(truth, classes)), classes)))
    return [html.plots(*drawn), *parts]


def _pairs(truth: np.ndarray, answers: np.ndarray) -> str:
    """The classes that are taken for others most often."""
    found = worst_pairs(truth, answers)
    if not found:
        return html.text("No row of a class was taken for another.")
    lines = [(a, b, n, f"{100 * share:.1f} %") for a, b, n, share in found[:MOST_PAIRS]]
    rest = sum(n for *_, n, _ in found[MOST_PAIRS:])
    return "".join(
        [
            html.text("The classes that were mistaken for each other most often:"),
            html.table(("class", "taken for", "rows", "share"), lines, left=(0, 1)),
            html.text(f"and {_count(rest, 'more row')} in other pairs") if rest else "",
        ]
    )


def _roc_caption(n_drawn: int, classes: Sequence[Any]) -> str:
    if len(classes) == 2:
        return f"ROC: class {classes[1]} against class {classes[0]}, at every threshold."
    if n_drawn < len(classes):
        return (
            f"ROC of {n_drawn} of the {len(classes)} classes, those with the most rows: each "
            "against all others, at every threshold."
        )
    return "ROC: each class against the others, at every threshold."


def _data(model: TableModel, data: Table, rows: Table, name: str) -> str:
    columns, n_inputs = model.columns.names, len(model.columns.feature_names)
    lines = [_column(each, rows, model) for each in [model.target.name, *columns][:MOST_COLUMNS]]
    more = len(columns) + 1 - len(lines)
    return html.section(
        "Data",
        html.text(
            f"{name}: {_count(data.n_rows, 'row')}, {_count(len(columns), 'column')} that the "
            f"model reads, made into {_count(n_inputs, 'input')}; the target is "
            f"{model.target.name}."
        ),
        html.table(("column", "kind", "missing", "least", "mean", "largest"), lines, left=(0, 1)),
        html.text(f"and {_count(more, 'more column')}") if more else "",
    )


def _column(name: str, rows: Table, model: TableModel) -> tuple[str, ...]:
    column, title = rows.column(name), with_unit(name, model.units.get(name, ""))
    n_missing = str(int(missing(column).sum()))
    role = ", target" if name == model.target.name else ""
    if is_text(column):
        words = {word for word in column.tolist() if word is not None}
        categories = "category" if len(words) == 1 else "categories"
        return (title, f"{len(words)} {categories}{role}", n_missing, "", "", "")
    known = column[~missing(column)]
    figures = ("", "", "")
    if len(known):
        figures = number(known.min()), number(known.mean()), number(known.max())
    return (title, f"numbers{role}", n_missing, *figures)


def _network(model: TableModel, found: NetworkTrace) -> str:
    lines = [
        (x.name, x.kind, _shape(x.shape), f"{x.n_parameters:,}", f"{x.flops:,}")
        for x in model.network.summary().lines
    ]
    return html.section(
        "Network",
        html.table(("layer", "kind", "shape", "parameters", "flops a row"), lines, left=(0, 1, 2)),
        html.picture(
            found.picture().to_svg(width=ROOMY),
            found.picture().to_svg(width=TIGHT),
            f"{_count(len(found.X), 'row')} on the way: over each edge the values, under it "
            "the gradient of J; in each layer its parameters with their gradients.",
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
    drawn = [(curve, "Loss of training and of validation rows after each epoch.")]
    if history.statistics:
        words = "Gradients, updates and deltas by layer, in the last step of each epoch."
        drawn.append((plot_norms(history), words))
    return html.section("Training", html.plots(*drawn))


def _verdicts(model: TableModel, data: Table) -> str:
    found = diagnose(model, data.take(choose_rows(model, data, MOST_ROWS, "a diagnosis")))
    words = "Nothing wrong found." if found.ok else f"{len(found.found)} found."
    head, *lines = found.table()
    left_out = [f"{ailment}: not judged; it {why}" for ailment, why in found.not_judged]
    return html.section(
        "Verdicts",
        html.text(f"{words} {len(found.verdicts)} ailments were looked for.",
                  "good" if found.ok else "bad"),
        html.items(f"{x}; {x.listed()}" if x.items else str(x) for x in found.found),
        html.table(head, lines[: len(found.verdicts)], left=(0, 1, 2)),
        html.items(left_out) if left_out else "",
    )  # fmt: skip


def _inside(model: TableModel, found: NetworkTrace) -> str:
    return html.section(
        "Inside the network",
        html.large_plot(
            plot_distributions(found),
            plot_distributions(found, per_row=1),
            "What runs through each layer, forward and back.",
        ),
        html.large_plot(
            plot_weights(model), plot_weights(model, per_row=1), "The weights; white is 0."
        ),
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
            f"{_count(some.n_rows, 'row')}: the largest relative error is "
            f"{check.max_relative_error:.1e}, the tolerance {check.tolerance:.0e}.",
            "good" if check.ok else "bad",
        ),
        html.table(("parameter", "shape", "entries checked", "largest error"), lines, left=(0, 1)),
        html.plots((plot_gradient_check(check), "The error of each entry that was checked.")),
    )


def _again(model: TableModel, program: str) -> str:
    settings = {name: value for name, value in model.settings.items() if name not in LONG}
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
