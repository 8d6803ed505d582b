"""`retrograd plot KIND MODEL DATA`: one picture of a model, of each kind that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrograd.cli.data import NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument, load_table_model
from retrograd.cli.outputs import output_option, require_matplotlib, require_writable
from retrograd.errors import require_known
from retrograd.plots import losses
from retrograd.plots.of_table import KINDS, plot_of


def plot(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=f"{', '.join(KINDS)}.", show_default=False),
    ],
    model: ModelArgument,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="Rows with the target, as for `retrograd doctor`. history, norms and weights need "
            "none.",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        output_option(
            "As .png, .svg or .pdf. An older file is replaced. "
            "(default: MODEL's name and the kind, as in iris-roc.png, here)"
        ),
    ] = None,
    noise: NoiseOption = None,
) -> None:
    """Draw one picture of a model: its training, its layers, its answers, its loss surface.

    Example: retrograd plot confusion iris.model iris -o confusion.png
    """
    require_known("kind of plot", kind, KINDS)
    require_matplotlib("a plot")
    path = output or Path(f"{Path(model).stem}-{kind}.png")
    losses.require_format(path)
    if data is None:
        loaded, table, read = load_table_model(model), None, None
        name = loaded.data
    else:
        loaded, found = read_model_and_data(model, data, noise=noise)
        table, name, read = found.table, found.name, found.path
    require_writable(path, inputs=[Path(model), read])
    losses.save(plot_of(kind, loaded, table, title=name), path)
    typer.echo(f"picture {path}")
    typer.echo(f"shows   {KINDS[kind].shows}")
