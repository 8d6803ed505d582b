"""`retrograd predict MODEL DATA`: answers for the rows of a table, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.outputs import require_writable
from retrograd.cli.scores import line, scores
from retrograd.errors import DataError
from retrograd.files.atomic import replace_file
from retrograd.files.table import Table, missing
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget


def predict(
    model: ModelArgument,
    data: DataArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write a CSV file. An older one is replaced. (default: standard output)",
            show_default=False,
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="One more column for each class.")
    ] = False,
    noise: NoiseOption = None,
) -> None:
    """Predict the target for each row of DATA, as a CSV with a column named after it.

    The columns of training must be there, in any order; others are ignored. Where the target is
    there too, the scores are printed on standard error; so are categories that training had not.

    Example: retrograd predict strength.model new.csv --output answers.csv
    """
    loaded, found = read_model_and_data(model, data, noise=noise)
    if output is not None:
        require_writable(output, inputs=[Path(model), found.path])
    outputs = loaded.outputs(found.table)
    for told in loaded.columns.unknown(found.table):
        typer.echo(f"note: {told}", err=True)
    answers = loaded.target.decode(outputs)
    columns: dict[str, NDArray[Any]] = {loaded.target.name: answers}
    if probabilities:
        # Refused for a regression, with the reason.
        classes, table = _classes(loaded), outputs.T
        columns |= {f"{loaded.target.name}={c}": p for c, p in zip(classes, table, strict=True)}
    text = as_csv(columns)
    if output is None:
        # A pipe or a file gets UTF-8, which read_table reads, whatever the terminal's letters are.
        typer.echo(text if sys.stdout.isatty() else text.encode("utf-8"), nl=False)
    else:
        replace_file(output, [text.encode("utf-8")])
        typer.echo(f"predictions {output}")
    if loaded.target.name in found.table.names:
        typer.echo(_scores(loaded, found.table, answers), err=True)


def as_csv(columns: dict[str, NDArray[Any]]) -> str:
    r"""Columns as CSV text; numbers in the fewest digits that give them back.

    >>> as_csv({"h": np.array([0.1, 25.0]), "alloy": np.array(["steel", "Al, cast"], object)})
    'h,alloy\n0.1,steel\n25.0,"Al, cast"\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    return text.getvalue()


def _classes(model: TableModel) -> tuple[Any, ...]:
    if not isinstance(model.target, ClassTarget):
        raise DataError(
            f"--probabilities: the model predicts {model.target.name!r}, a number; it has none"
        )
    return model.target.classes


def _scores(model: TableModel, table: Table, answers: NDArray[Any]) -> str:
    values = table.column(model.target.name)
    rows = np.flatnonzero(~missing(values))
    if not len(rows):
        return "scores: none, the target is missing in every row"
    try:
        model.target.encode(values[rows])
    except DataError as error:
        return f"scores: none, {error}"
    found = scores(model.target, values[rows], answers[rows])
    return f"scores of {len(rows)} rows: {line(found, unit=model.unit)}"
