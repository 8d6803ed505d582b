"""MODEL of a command: a file that `retrograd train` wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from retrograd.errors import ModelFileError
from retrograd.load import load
from retrograd.tabular.model import TableModel

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A file that `retrograd train` wrote.", show_default=False
    ),
]


def load_table_model(path: str) -> TableModel:
    """The table model in a file. ModelFileError for a model that knows no columns of a table."""
    model = load(path)
    if not isinstance(model, TableModel):
        raise ModelFileError(
            f"{path}: holds {model!r}, which knows no columns of a table; give a model that "
            f"`retrograd train` wrote, or use this one from Python: rg.load({path!r}).predict(X)"
        )
    return model
