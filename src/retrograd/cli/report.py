"""`retrograd report MODEL DATA`: all that is to be seen of a model, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import retrograd
from retrograd.cli.data import DataArgument, NoiseOption, read_model_and_data
from retrograd.cli.model import ModelArgument
from retrograd.cli.outputs import output_option, require_matplotlib, require_writable
from retrograd.files.atomic import replace_file
from retrograd.report.report import report as page_of


def report(
    model: ModelArgument,
    data: DataArgument,
    *,
    output: Annotated[
        Path | None,
        output_option(
            "The page. An older file is replaced. (default: MODEL's name with .html, here)"
        ),
    ] = None,
    noise: NoiseOption = None,
) -> None:
    """Write one page on a model: data, network, training, scores, verdicts, gradients, settings.

    The page needs nothing but a browser, and no network. DATA must have the target too.

    Example: retrograd report strength.model measurements.csv -o strength.html
    """
    require_matplotlib("a report")
    loaded, found = read_model_and_data(model, data, noise=noise)
    path = output or Path(f"{Path(model).stem}.html")
    require_writable(path, inputs=[Path(model), found.path])
    content = page_of(
        loaded, found.table, name=found.name, program=f"retrograd {retrograd.__version__}"
    )
    replace_file(path, [content.encode("utf-8")])
    typer.echo(f"report  {path}")
