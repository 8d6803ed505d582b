"""`retrograd check MODEL DATA`: every gradient of a model against numbers, on rows of the data."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from retrograd.autodiff.checked import CheckedVariable, GradientCheck
from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.terminal import print_table
from retrograd.errors import DataError
from retrograd.inspect.check import check_gradient
from retrograd.inspect.of_table import choose_rows
from retrograd.run import find_engine


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

    Backpropagation's gradient is compared with numbers that forward passes alone give, and the
    compiled engine's in float32 with it. Where it is wrong, the layer, the entry and the gates to
    blame are named. The exit code is 0 if all agree, 1 if not. DATA must have the target too.

    Example: retrograd check strength.model measurements.csv --rows 64
    """
    loaded, found = read_model_and_data(model, data, noise=noise)
    chosen = found.table.take(choose_rows(loaded, found.table, rows, "a check"))
    typer.echo(f"{model}: the gradient of J on {chosen.n_rows} rows of {found.name}, in float64")
    results = [check_gradient(loaded, chosen, entries=entries, seed=seed)]
    _print(results[0])
    if find_engine("auto").name != "numpy":
        typer.echo("\nthe compiled engine in float32:")
        try:
            results.append(check_gradient(loaded, chosen, engine="cpu"))
        except DataError as error:  # of rows that the first check took
            typer.echo(f"{error}; not compared")
        else:
            _print(results[1])
    if not all(result.ok for result in results):
        raise typer.Exit(1)


def _print(result: GradientCheck) -> None:
    header = ["parameter", "layer", "checked", "max rel. error", "worst entry", "analytic"]
    print_table(
        [*header, "float64" if result.method == "float64" else "numeric", "verdict"],
        [_row(variable, result.tolerance) for variable in result.variables],
        left=(0, 1, 7),
    )
    typer.echo(f"\n{result.verdict}: largest relative error {result.max_relative_error:.1e}")
    if result.blame:
        typer.echo(result.blame)


def _row(variable: CheckedVariable, tolerance: float) -> tuple[str, ...]:
    worst = variable.worst
    assert worst is not None  # a parameter has at least one entry
    return (
        variable.name,
        worst.layer,
        f"{variable.entries} of {math.prod(variable.shape)}",
        f"{variable.max_relative_error:.1e}",
        f"[{', '.join(map(str, worst.index))}]",
        f"{worst.analytic:.8g}",
        f"{worst.numeric:.8g}",
        "ok" if variable.max_relative_error <= tolerance else "WRONG",
    )
