"""What a table model's file tells of its training, and the verdicts on it by rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.files.table import Table
from retrograd.optim.base import Optimizer
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import with_usual_momentum
from retrograd.tabular.model import TableModel
from retrograd.training.history import History

MOST_ROWS = 1000  # that a diagnosis looks at


def history_in(thing: Any) -> History | None:
    """The history that is one, or that a table model or a fitted estimator has; None without."""
    if isinstance(thing, History):
        return thing
    if isinstance(thing, TableModel):
        return history_of(thing)
    J = getattr(thing, "loss_curve_", None)
    if not J:
        return None
    held_out = getattr(thing, "validation_loss_curve_", None) or []
    return History(J=[float(x) for x in J], validation_J=[float(x) for x in held_out])


def history_of(model: TableModel) -> History | None:
    """The curves of the training, where the file has them; of one that diverged it has none.

    With the statistics of its epochs, where those were recorded.
    """
    curves, recorded = (model.settings.get(x) or {} for x in ("curves", "statistics"))
    if not curves.get("J"):
        return None
    rate = model.settings.get("learning_rate")
    return History(
        J=list(curves["J"]),
        validation_J=list(curves.get("validation_J", [])),
        learning_rate=[float("nan") if rate is None else float(rate)] * len(curves["J"]),
        best_epoch=int(model.settings.get("best_epoch", 0)),
        stopped=str(model.settings.get("stopped", "epochs")),
        statistics={kind: {k: [*v] for k, v in own.items()} for kind, own in recorded.items()},
    )


def optimizer_of(model: TableModel) -> Optimizer | None:
    """The one that the model was trained with, where its file tells, and it takes batches."""
    name, rate = model.settings.get("optimizer"), model.settings.get("learning_rate")
    if not isinstance(name, str):
        return None
    found = with_usual_momentum(name, rate)
    return None if isinstance(found, FullBatch) else found


def choose_rows(model: TableModel, table: Table, most: int, what: str) -> Array:
    """The numbers of rows that have a target, at most so many, evenly from the whole table.

    `what`: what they are needed for, in errors: DataError where no row has a target.
    """
    complete = model.rows_with_target(table, what)
    at = np.linspace(0, len(complete) - 1, min(most, len(complete))).astype(np.int64)
    return np.asarray(complete[at])
