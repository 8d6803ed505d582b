"""`retrograd doctor MODEL DATA`: what ails a model, in words, from one pass over rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from retrograd.arrays import Array
from retrograd.cli.check import choose
from retrograd.cli.choices import Choices
from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.terminal import print_table
from retrograd.inspect.verdict import Verdict
from retrograd.inspect.verdicts import diagnose
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.tabular.model import TableModel

SHOWN = 10  # units, columns or rows that a line names


def doctor(
    model: ModelArgument,
    data: DataArgument,
    *,
    rows: Annotated[
        int, typer.Option(min=1, help="At most so many rows, evenly from the whole of DATA.")
    ] = 1000,
    noise: NoiseOption = None,
) -> None:
    """Look for what ails a model: its gradients, units, updates, inputs, and the labels of DATA.

    Each ailment has a figure and a threshold, and those that are found a source and what to try.
    The exit code is 0 if nothing is found, 1 if something is. DATA must have the target too.

    Example: retrograd doctor strength.model measurements.csv
    """
    loaded, found = read_model_and_data(model, data, noise=noise)
    chosen = choose(loaded, found.table, rows, "a diagnosis")
    result = diagnose(loaded, found.table.take(chosen), optimizer=_optimizer(loaded))
    typer.echo(f"{model}: {len(chosen)} rows of {found.name}")
    print_table(
        ("ailment", "verdict", "where", "figure", "threshold"),
        [
            (x.ailment, _word(x), x.where, f"{x.figure:.4g}", f"{x.threshold:.4g}")
            for x in (_named(x, loaded, chosen) for x in result.verdicts)
        ],
        left=(0, 1, 2),
    )
    for verdict in result.found:
        named = _named(verdict, loaded, chosen)
        typer.echo(f"\n{named}")
        if named.items:
            typer.echo(f"{_items(named, loaded)}")
    if result.not_judged:
        names = ", ".join(name for name, _ in result.not_judged)
        typer.echo(f"\nnot judged, for want of what they need: {names}")
    many = len(result.found)
    typer.echo(f"\n{many} found" if many else "\nnothing wrong found")
    if not result.ok:
        raise typer.Exit(1)


def _word(verdict: Verdict) -> str:
    return "FOUND" if verdict.is_found else "ok"


def _named(verdict: Verdict, model: TableModel, rows: Array) -> Verdict:
    """The verdict in the words of the table: its columns, its rows."""
    if verdict.ailment == "unscaled inputs" and verdict.items:
        return replace(verdict, where=model.columns.feature_names[verdict.items[0]])
    if verdict.ailment == "suspect labels" and verdict.items:
        items = tuple(int(rows[item]) for item in verdict.items)
        return replace(verdict, where=f"row {items[0]}", items=items)
    return verdict


def _items(verdict: Verdict, model: TableModel) -> str:
    kinds = {"unscaled inputs": "columns", "suspect labels": "rows, counted from 0"}
    shown = [str(item) for item in verdict.items[:SHOWN]]
    if verdict.ailment == "unscaled inputs":
        shown = [model.columns.feature_names[item] for item in verdict.items[:SHOWN]]
    rest = len(verdict.items) - len(shown)
    more = f" and {rest} more" if rest else ""
    return f"{kinds.get(verdict.ailment, 'units')}: {', '.join(shown)}{more}"


def _optimizer(model: TableModel) -> Optimizer | None:
    """The one that the model was trained with, where its file tells."""
    name, rate = model.settings.get("optimizer"), model.settings.get("learning_rate")
    if not isinstance(name, str):
        return None
    made = Choices(None, None, name, l2=None, seed=0, learning_rate=rate)
    found = made.make_optimizer()
    return None if isinstance(found, FullBatch) else found
