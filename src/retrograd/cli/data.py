"""DATA of a command: a bundled set by its name, or a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer

from retrograd import datasets
from retrograd.cli.model import load_table_model
from retrograd.errors import FileError, OptionError
from retrograd.files.table import Table, is_text
from retrograd.files.tables import read_table
from retrograd.tabular.model import TableModel
from retrograd.tabular.target import ClassTarget

Task = Literal["auto", "classification", "regression"]

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help=f"A CSV or Parquet file, or a bundled set: {', '.join(datasets.names())}.",
        show_default=False,
    ),
]
NoiseOption = Annotated[
    float | None,
    typer.Option(
        help="Of the data set fin only: the standard deviation of a measured temperature, in K. "
        "(default: 0.1)",
        show_default=False,
    ),
]


@dataclass(frozen=True, eq=False)
class Data:
    """A table with a name, and what a bundled set knows of itself: target, task, units.

    `path`: the file; None for a bundled set.
    """

    name: str
    table: Table
    path: Path | None = None
    target: str | None = None
    task: Task = "auto"
    units: Mapping[str, str] | None = None


def read_data(data: str, *, noise: float | None = None, text: Collection[str] = ()) -> Data:
    """The data of this name or path. `text`: columns of a file to read as words.

    Raises OptionError for a noise that the data do not have, FileError for a path that is not one,
    TableError for a file that is no table.
    """
    if noise is not None and data != "fin":
        raise OptionError(f"--noise is for the data set fin; {data} is as it is")
    if data in datasets.names():
        found = datasets.fin(noise=noise) if noise is not None else datasets.load(data)
        return Data(
            data,
            found.table(),
            target=found.target_name,
            task=found.task,
            units=found.units,
        )
    path = Path(data)
    if not path.exists():
        near = get_close_matches(data, datasets.names(), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise FileError(
            f"{data}: there is no such file, and no data set of that name{hint}; "
            f"bundled: {', '.join(datasets.names())}"
        )
    return Data(path.stem, read_table(path, text=text), path=path)


def read_model_and_data(model: str, data: str, *, noise: float | None) -> tuple[TableModel, Data]:
    """A table model, and data read as the model needs them: its columns of words as words."""
    loaded = load_table_model(model)
    text = loaded.columns.text
    found = read_data(data, noise=noise, text=text)
    target = loaded.target
    has_words = isinstance(target, ClassTarget) and isinstance(target.classes[0], str)
    if (
        has_words
        and target.name in found.table.names
        and not is_text(found.table.column(target.name))
    ):
        found = read_data(data, noise=noise, text=[*text, target.name])
    return loaded, found
