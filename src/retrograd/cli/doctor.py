"""`retrograd doctor MODEL DATA`: what ails a model, in words, from one pass over rows."""

from __future__ import annotations

from typing import Annotated

import typer

from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.terminal import print_table
from retrograd.inspect.of_table import MOST_ROWS, choose_rows
from retrograd.inspect.verdicts import diagnose


def doctor(
    model: ModelArgument,
    data: DataArgument,
    *,
    rows: Annotated[
        int, typer.Option(min=1, help="At most so many rows, evenly from the whole of DATA.")
    ] = MOST_ROWS,
    noise: NoiseOption = None,
) -> None:
    """Look for what ails a model: its gradients, units, updates, inputs, and the labels of DATA.

    The course of its training, which its file has, is judged too.

    Each ailment has a figure and a threshold, and those that are found a source and what to try.
    The exit code is 0 if nothing is found, 1 if something is. DATA must have the target too.

    Example: retrograd doctor strength.model measurements.csv
    """
    loaded, found = read_model_and_data(model, data, noise=noise)
    some = found.table.take(choose_rows(loaded, found.table, rows, "a diagnosis"))
    result = diagnose(loaded, some)
    typer.echo(f"{model}: {some.n_rows} rows of {found.name}")
    head, *lines = result.table()
    print_table(head, lines[: len(result.verdicts)], left=(0, 1, 2))
    for verdict in result.found:
        typer.echo(f"\n{verdict}")
        if verdict.items:
            typer.echo(verdict.listed())
    if result.not_judged:
        typer.echo()
    for ailment, why in result.not_judged:
        typer.echo(f"not judged: {ailment}; it {why}")
    many = len(result.found)
    typer.echo(f"\n{many} found" if many else "\nnothing wrong found")
    if not result.ok:
        raise typer.Exit(1)
