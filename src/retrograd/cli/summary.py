"""What `retrograd train` says of the data, of the training and of the result; and its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from retrograd.cli.choices import Choices
from retrograd.cli.fitting import Fit, Prepared
from retrograd.cli.scores import as_text, line
from retrograd.nn.network import Network
from retrograd.plots.losses import loss_curves
from retrograd.tabular.target import ClassTarget
from retrograd.training.history import STOPPED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def describe(prepared: Prepared, network: Network, choices: Choices) -> None:
    """Print what is about to be trained, and on what."""
    target, rows = prepared.target, prepared.rows
    unit = prepared.units.get(target.name)
    kind = f"regression in {unit}" if unit else "regression"
    if isinstance(target, ClassTarget):
        kind = f"classification, {len(target.classes)} classes"
    typer.echo(f"{prepared.data.name}: {prepared.table.n_rows} rows, target {target.name}: {kind}")
    if prepared.n_without_target:
        typer.echo(f"left out: {prepared.n_without_target} rows without {target.name}")
    n_columns, n_features = len(prepared.columns.names), len(prepared.columns.feature_names)
    typer.echo(f"inputs: {n_features} from {n_columns} columns")
    typer.echo(
        f"rows: {len(rows.train)} to train on, {len(rows.validation)} for validation, "
        f"{len(rows.test)} for the test"
    )
    sizes = "-".join(map(str, network.sizes))
    batches = "" if choices.batch_size is None else f", batches of {choices.batch_size}"
    typer.echo(
        f"network: {sizes}, {choices.activation}, {network.n_parameters} parameters; "
        f"{choices.optimizer}{batches}"
    )


def report(fit: Fit) -> None:
    """Print how training went, and each test score beside the baseline's."""
    history, unit = fit.history, fit.model.unit
    seconds = history.seconds[-1] if history.seconds else 0.0
    best = f", the best is epoch {history.best_epoch}" if history.validation_J else ""
    typer.echo(f"{history.epochs} epochs in {seconds:.1f} s{best}; {STOPPED[history.stopped]}")
    if fit.is_diverged:
        typer.echo(
            f"training diverged: J of the training rows was {fit.J_before:.4g} before the first "
            f"step, with these weights it is {fit.J_after:.4g}; try a smaller --learning-rate"
        )
    for name, value in fit.test.items():
        typer.echo(f"test {name} {as_text(name, value, unit=unit)}")
    if not fit.test:
        typer.echo("no test score: no rows were held out for it")
    elif len(fit.baseline) == 1:
        (score,) = fit.baseline.items()
        typer.echo(f"{fit.guess}: {as_text(*score)}")
    else:
        typer.echo(f"{fit.guess}: {line(fit.baseline, unit=unit)}")


def draw(fit: Fit) -> Figure:
    """Loss against epoch, of a fit that was observed and finished an epoch."""
    model, history = fit.model, fit.history
    title = model.data
    if fit.test:
        name, value = next(iter(fit.test.items()))
        title += f": test {name} {as_text(name, value)}"
    label = f"half squared error of {model.target.name}, standardised"
    if isinstance(model.target, ClassTarget):
        label = "cross-entropy"
    return loss_curves(
        fit.losses,
        history.validation_J,
        best_epoch=history.best_epoch or None,
        title=title,
        label=f"loss ({label})",
    )
