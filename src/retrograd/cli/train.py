"""`retrograd train DATA`: a table in; a model, its test scores and a picture of its losses out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from retrograd.cli import summary
from retrograd.cli.choices import Choices, command_line
from retrograd.cli.data import DataArgument, NoiseOption, read_data
from retrograd.cli.fitting import fit, ready
from retrograd.cli.options import (
    ActivationOption,
    DropOption,
    HiddenOption,
    L2Option,
    OptimizerOption,
    SeedOption,
    TargetOption,
    TaskOption,
    TestOption,
    ValidationOption,
    sizes,
)
from retrograd.cli.outputs import require_writable
from retrograd.errors import FileError, MissingDependencyError, OptionError
from retrograd.plots import canvas, losses

NONE = "none"
NOT_DRAWN = f"picture: not drawn, {canvas.INSTALL}"


def train(
    data: DataArgument,
    *,
    target: TargetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The model. An older file is replaced. (default: DATA's name with .model, here)",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Loss against epoch, as .png, .svg or .pdf; 'none' draws none. "
            "(default: beside the model, with .png)",
            show_default=False,
        ),
    ] = None,
    task: TaskOption = "auto",
    drop: DropOption = None,
    noise: NoiseOption = None,
    hidden: HiddenOption = None,
    activation: ActivationOption = None,
    optimizer: OptimizerOption = "adam",
    learning_rate: Annotated[
        float | None,
        typer.Option(help="(default: the optimizer's own, 0.001 for adam)", show_default=False),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At most so many passes over the rows.")] = 200,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rows a step. (default: 8 for up to 300 rows, 32 for up to 10,000, else 256)",
            show_default=False,
        ),
    ] = None,
    l2: L2Option = None,
    validation: ValidationOption = 0.15,
    test: TestOption = 0.15,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after so many epochs without a better validation loss.")
    ] = 20,
    max_seconds: Annotated[
        float | None, typer.Option(help="Stop after this time.", show_default=False)
    ] = None,
    seed: SeedOption = 0,
    engine: Annotated[str, typer.Option(help="auto, cpu or numpy.")] = "auto",
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics/--no-statistics",
            help="Keep norms of weights, gradients and updates of each epoch in the model, for "
            "`retrograd doctor`, `report` and `plot`.",
        ),
    ] = True,
) -> None:
    """Train a network on a table: tell the kind of task, train, test, write one model file.

    Numbers are scaled, words become categories, missing values are filled and marked. Ctrl-C stops
    training early: what was learned so far is tested and written all the same.

    Example: retrograd train fin --noise 0.2

    Example: retrograd train measurements.csv --target strength --output strength.model
    """
    choices = Choices(
        hidden=sizes(hidden),
        activation=activation,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        patience=patience,
        l2=l2,
        max_seconds=max_seconds,
        seed=seed,
        engine=engine,
    )
    found = read_data(data, noise=noise)
    if output is not None and not output.name:
        raise FileError(f"--output {output}: is a folder; give the name of a file")
    model_path = output or Path(f"{found.name}.model")
    picture_path = _picture_path(picture, model_path)
    replaced = [str(p) for p in (model_path, picture_path) if p is not None and p.exists()]
    prepared, network, choices = ready(
        found, choices, target=target, drop=drop, task=task, validation=validation, test=test
    )
    for path in (model_path, picture_path):
        if path is not None:
            require_writable(path, inputs=[found.path])

    summary.describe(prepared, network, choices)
    result = fit(
        prepared,
        network,
        choices,
        observe=picture_path is not None,
        statistics=statistics,
        progress=sys.stderr.isatty(),
    )
    given = {"target": target, "task": task, "drop": drop, "noise": noise}
    held_out = {"validation": validation, "test": test}
    flags = {} if statistics else {"no_statistics": True}
    again = command_line(data, choices, given | held_out | flags)
    model = replace(result.model, settings={**result.model.settings, "command": again})
    model.save(model_path)
    is_drawn = picture_path is not None and result.history.epochs > 0
    if is_drawn:
        assert picture_path is not None
        losses.save(summary.draw(result), picture_path)
    summary.report(result)
    typer.echo(f"model   {model_path}")
    if is_drawn:
        typer.echo(f"picture {picture_path}")
    elif picture_path is not None:
        typer.echo("picture: not drawn, no epoch was finished")
    elif picture != NONE:
        typer.echo(NOT_DRAWN)
    if replaced:
        typer.echo(f"replaced: {', '.join(replaced)}")


def _picture_path(picture: str | None, model_path: Path) -> Path | None:
    """Where to draw, None for nowhere. Raises what would keep a wanted picture from being drawn."""
    if picture == NONE or (picture is None and not canvas.is_available()):
        return None
    if not canvas.is_available():
        raise MissingDependencyError(f"--picture {picture}: needs matplotlib, {canvas.INSTALL}")
    path = model_path.with_suffix(".png") if picture is None else Path(picture)
    losses.require_format(path)
    if path.absolute() == model_path.absolute():
        raise OptionError(f"{path}: names both the model and the picture; give them two names")
    return path
