"""`retrograd check MODEL DATA`: every gradient of a model against numbers, on rows of the data."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import typer

from retrograd.arrays import Array
from retrograd.autodiff.checked import TITLES, CheckedVariable, GradientCheck
from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.terminal import print_table
from retrograd.errors import DataError
from retrograd.files.table import Table, missing
from retrograd.inspect.check import check_gradient
from retrograd.nn.losses import loss_for
from retrograd.tabular.model import TableModel
from retrograd.training.objective import objective


def check(
    model: ModelArgument,
    data: DataArgument,
    *,
    rows: Annotated[
        int, typer.Option(min=1, help="At most so many rows, evenly from the whole of DATA.")
    ] = 32,
    entries: Annotated[
        int, typer.Option(min=1, help="At most so many entries of each parameter, at random.")
    ] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of entries.")] = 0,
    noise: NoiseOption = None,
) -> None:
    """Check the gradient of J, the penalty included, parameter by parameter, in float64.

    Backpropagation's gradient is compared with numbers that forward passes alone give. The exit
    code is 0 if all agree, 1 if not. DATA must have the target too.

    Example: retrograd check strength.model measurements.csv --rows 64
    """
    loaded, found = read_model_and_data(model, data, noise=noise)
    chosen = _choose(loaded, found.table, rows)
    result = check_objective(loaded, chosen, entries=entries, seed=seed)
    typer.echo(f"{model}: the gradient of J on {chosen.n_rows} rows of {found.name}, in float64")
    print_table(
        ("parameter", "checked", "max rel. error", "worst entry", "analytic", "numeric", "verdict"),
        [_row(variable, result.tolerance) for variable in result.variables],
        left=(0, 6),
    )
    verdict = "agrees" if result.ok else "DISAGREES"
    typer.echo(
        f"\nthe gradient {verdict} with {TITLES[result.method]}: largest relative error "
        f"{result.max_relative_error:.1e}, tolerance {result.tolerance:.0e}, "
        f"{result.passes} forward passes"
    )
    if not result.ok:
        raise typer.Exit(1)


def check_objective(
    model: TableModel, table: Table, *, entries: int | None = None, seed: int = 0
) -> GradientCheck:
    """Check dJ/d(parameters) of a model on the rows of a table that has its target."""
    y = model.target.encode(table.column(model.target.name))
    return _check(model, model.columns.transform(table), y, entries, seed)


def _check(model: TableModel, X: Array, y: Array, entries: int | None, seed: int) -> GradientCheck:
    network = model.network
    loss = loss_for("auto", network)
    target = loss.target(y, network.n_outputs, X.dtype)
    J = objective(network, loss, target)
    values = {J.inputs["x"]: X, J.inputs["y"]: target.array, J.l2: model.settings.get("l2") or 0.0}
    values |= {J.parameters[name]: value for name, value in network.parameters.items()}
    wrt = list(J.parameters.values())
    return check_gradient(J.J, wrt, values, entries=entries, seed=seed)


def _choose(model: TableModel, table: Table, n_rows: int) -> Table:
    """Rows that have a target, at most `n_rows`, evenly from the whole table."""
    name = model.target.name
    if name not in table.names:
        raise DataError(f"a check needs the target too: the data have no column {name!r}")
    complete = np.flatnonzero(~missing(table.column(name)))
    if not len(complete):
        raise DataError(f"a check needs the target too: {name!r} is missing in every row")
    at = np.linspace(0, len(complete) - 1, min(n_rows, len(complete))).astype(np.int64)
    return table.take(complete[at])


def _row(variable: CheckedVariable, tolerance: float) -> tuple[str, ...]:
    worst = variable.worst
    assert worst is not None  # a parameter has at least one entry
    return (
        variable.name,
        f"{variable.entries} of {math.prod(variable.shape)}",
        f"{variable.max_relative_error:.1e}",
        f"[{', '.join(map(str, worst.index))}]",
        f"{worst.analytic:.8g}",
        f"{worst.numeric:.8g}",
        "ok" if variable.max_relative_error <= tolerance else "WRONG",
    )
