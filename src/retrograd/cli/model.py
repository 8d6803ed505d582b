"""MODEL of a command: a file that `retrograd train` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrograd import datasets
from retrograd.errors import FileError, ModelFileError
from retrograd.load import load
from retrograd.tabular.model import TableModel

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A file that `retrograd train` wrote.", show_default=False
    ),
]


def load_table_model(path: str) -> TableModel:
    """The table model in a file. ModelFileError for a model that knows no columns of a table.

    FileError for a path that is no file, and for the name of a data set.
    """
    if path in datasets.names() and not Path(path).exists():
        raise FileError(
            f"{path}: is a data set, not a model; `retrograd train {path}` writes {path}.model"
        )
    model = load(path)
    if not isinstance(model, TableModel):
        raise ModelFileError(
            f"{path}: holds {model!r}, which knows no columns of a table; give a model that "
            f"`retrograd train` wrote, or use this one from Python: rg.load({path!r}).predict(X)"
        )
    return model
