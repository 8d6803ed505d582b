"""From a table to a trained table model: hold rows out, encode columns, train, score."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from retrograd.arrays import Array
from retrograd.cli import scores
from retrograd.cli.choices import Choices
from retrograd.cli.data import Data
from retrograd.errors import DataError, DivergenceError, OptionError
from retrograd.files.table import Table, is_text, missing, unknown_column
from retrograd.graph.step import Step
from retrograd.nn.losses import loss_for
from retrograd.nn.mlp import MLP
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.levenberg_marquardt import LevenbergMarquardt
from retrograd.run import compile
from retrograd.tabular.columns import Columns, fit_columns
from retrograd.tabular.model import TableModel
from retrograd.tabular.scaling import finite_numbers
from retrograd.tabular.split import Split, split
from retrograd.tabular.target import ClassTarget, NumberTarget, Target, Task, fit_target
from retrograd.training.divergence import CLIPPED
from retrograd.training.history import History
from retrograd.training.objective import objective
from retrograd.training.rows import check_rows
from retrograd.training.step import descent_steps, least_squares_steps
from retrograd.training.train import train

OBSERVED_ROWS = 4096  # training rows, at most, whose loss is drawn
DIGITS = 6  # of a statistic in the model file


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table made ready: which rows are for what, and how columns and target become numbers.

    `n_without_target`: rows that were left out since their target is missing.
    """

    data: Data
    table: Table
    columns: Columns
    target: Target
    rows: Split
    n_without_target: int

    @property
    def task(self) -> str:
        """The kind of task: "classification" or "regression"."""
        return "classification" if isinstance(self.target, ClassTarget) else "regression"

    @property
    def units(self) -> dict[str, str]:
        """The units of the columns in use and of the target, where known."""
        names = {*self.columns.names, self.target.name}
        return {name: unit for name, unit in (self.data.units or {}).items() if name in names}

    def values(self, rows: Array) -> NDArray[Any]:
        """The target's values in these rows, in its own unit or words."""
        return self.table.column(self.target.name)[rows]

    def arrays(self, rows: Array) -> tuple[Array, Array]:
        """X (n, n_features) and the encoded target (n,) of these rows."""
        part = self.table.take(rows)
        Y = self.target.encode(part.column(self.target.name), part.taken)
        return self.columns.transform(part), Y


def prepare(
    data: Data,
    *,
    target: str | None,
    drop: Sequence[str],
    task: str,
    validation: float,
    test: float,
    seed: int,
) -> Prepared:
    """Choose the target, hold out rows, and learn from the training rows how to encode columns.

    `task`: as in `fit_target`, which refuses an unknown one with the known ones. Raises DataError
    or OptionError for what does not fit the table.
    """
    table = data.table
    name = target or data.target
    if name is None:
        last = table.names[-1]
        listed = ", ".join(table.names[:20]) + (", ..." if len(table.names) > 20 else "")
        raise OptionError(
            f"--target COLUMN is missing: which column is to be predicted? perhaps {last!r}; "
            f"columns: {listed}"
        )
    for column in (name, *drop):
        if column not in table.names:
            raise unknown_column(column, table.names)
    if name in drop:
        raise OptionError(f"--drop {name}: it is the target")
    table = table.drop(drop)
    for column in table.names:  # before rows are split: an error names the row of the table
        if not is_text(table.column(column)):
            finite_numbers(column, table.column(column))
    has_target = ~missing(table.column(name))
    n_without_target = int(np.count_nonzero(~has_target))
    if n_without_target:
        table = table.take(np.flatnonzero(has_target))

    values = table.column(name)
    asked = data.task if task == "auto" and name == data.target else task
    fitted = fit_target(values, name=name, task=cast(Task, asked))
    is_classes = isinstance(fitted, ClassTarget)
    labels = fitted.encode(values) if is_classes else None
    rows = split(table.n_rows, y=labels, validation=validation, test=test, seed=seed)
    if isinstance(fitted, NumberTarget):  # its scale too is learned from the training rows
        fitted = fit_target(values[rows.train], name=name, task="regression")
    columns = fit_columns(table.take(rows.train), exclude=[name])
    return Prepared(data, table, columns, fitted, rows, n_without_target)


def ready(
    data: Data,
    choices: Choices,
    *,
    target: str | None,
    drop: Sequence[str] | None,
    task: str,
    validation: float,
    test: float,
) -> tuple[Prepared, Network, Choices]:
    """What there is before the first step: data prepared, the network, and no choice left open.

    The arguments are those of `prepare`, and raise what it raises, or `build`.
    """
    prepared = prepare(
        data,
        target=target,
        drop=drop or [],
        task=task,
        validation=validation,
        test=test,
        seed=choices.seed,
    )
    choices = choices.for_task(prepared.task, len(prepared.rows.train))
    return prepared, build(prepared, choices), choices


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model, how training went, and how well it does.

    - `losses`: of the training rows after each epoch, without penalty, as comparable with
      `history.validation_J`; empty if they were not asked for.
    - `J_before`, `J_after`: J of the training rows before the first step, and with the model's
      weights; of an even choice among many rows.
    - `test`, `baseline`: scores of the test rows, empty without; `guess`: the baseline in words.
    """

    model: TableModel
    history: History
    J_before: float
    J_after: float
    losses: list[float] = field(default_factory=list)
    test: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    guess: str = ""

    @property
    def is_diverged(self) -> bool:
        """Whether training left J higher than it was, or no number; its steps were too long."""
        return not self.J_after <= self.J_before


def build(prepared: Prepared, choices: Choices) -> Network:
    """The network for the data. Raises OptionError for choices that make none."""
    is_classes = isinstance(prepared.target, ClassTarget)
    n_outputs = len(prepared.target.classes) if isinstance(prepared.target, ClassTarget) else 1
    assert choices.hidden is not None and choices.activation is not None
    return MLP(
        [len(prepared.columns.feature_names), *choices.hidden, n_outputs],
        activation=choices.activation,
        output="softmax" if is_classes else "identity",
        seed=choices.seed,
    )


def fit(
    prepared: Prepared,
    network: Network,
    choices: Choices,
    *,
    observe: bool,
    statistics: bool,
    progress: bool,
) -> Fit:
    """Train and score.

    `observe`: record the training rows' loss after each epoch. `statistics`: as in `rg.train`.
    """
    X, Y = prepared.arrays(prepared.rows.train)
    held_out_X, held_out_Y = prepared.arrays(prepared.rows.validation)
    has_validation = len(held_out_X) > 0
    observed: list[float] = []
    _require_two_classes(prepared.target, Y)
    J = _objective_of(network, X, Y)
    l2 = choices.l2 or 0.0
    J_before = J(l2)

    def observer(network: Network, history: History) -> None:
        observed.append(J(0.0))

    history = _trained(
        prepared,
        network,
        X,
        Y,
        optimizer=choices.make_optimizer(),
        epochs=choices.epochs,
        batch_size=choices.batch_size,
        l2=l2,
        validation=(held_out_X, held_out_Y) if has_validation else None,
        score="loss",  # smoother than accuracy, whose best value is reached by chance
        patience=choices.patience if has_validation else None,
        max_seconds=choices.max_seconds,
        seed=choices.seed,
        callbacks=[observer] if observe else [],
        statistics=statistics,
        progress=progress,
        engine=choices.engine,
    )
    model = TableModel(
        network, prepared.columns, prepared.target, prepared.data.name, prepared.units
    )
    test, baseline, guess = _test(prepared, model)
    model = replace(
        model,
        settings=_settings(prepared, choices, history, observed),
        # A score that overflows is printed; a file holds finite numbers.
        scores={f"test {name}": value for name, value in test.items() if math.isfinite(value)},
    )
    return Fit(model, history, J_before, J(l2), observed, test, baseline, guess)


def _trained(prepared: Prepared, network: Network, X: Array, Y: Array, **options: Any) -> History:
    """`rg.train`; an error names rows as those of the table, from 1."""
    try:
        return train(network, X, Y, **options)
    except DivergenceError as error:
        origin = error.origin
        if origin is not None and origin.row is not None:
            numbers = prepared.table.row_numbers[prepared.rows.train] + 1
            origin = replace(origin, row=int(numbers[origin.row]), rows=numbers[origin.rows])
        # The command has no option that clips.
        message = str(error).replace(str(error.origin), str(origin)).replace(f", or {CLIPPED}", "")
        raise DivergenceError(message, epoch=error.epoch, step=error.step, origin=origin) from None


def training_step(prepared: Prepared, network: Network, choices: Choices) -> tuple[str, Step]:
    """The step that `fit` runs again and again, and its name."""
    X, Y = prepared.arrays(prepared.rows.train)
    _require_two_classes(prepared.target, Y)
    loss = loss_for("auto", network)
    rows = check_rows(network, loss, X, Y)
    network.parameters.cast(rows.X.dtype)
    J = objective(network, loss, rows.target, is_penalised=bool(choices.l2))
    optimizer = choices.make_optimizer()
    if isinstance(optimizer, Optimizer):
        return "train", descent_steps(J, optimizer)["train"]
    if isinstance(optimizer, LevenbergMarquardt):
        return "jacobian", least_squares_steps(J, loss)["jacobian"]
    return "gradient", descent_steps(J, None)["gradient"]


def _require_two_classes(target: Target, Y: Array) -> None:
    if isinstance(target, ClassTarget) and (Y == Y[0]).all():
        raise DataError(
            f"target {target.name!r}: all rows to train on have the class "
            f"{target.classes[Y[0]]!r}; give more rows of the others"
        )


def _objective_of(network: Network, X: Array, Y: Array) -> Callable[[float], float]:
    """A function of l2: J of the training rows, or of an even choice among many, as it is now."""
    chosen = np.unique(np.linspace(0, len(X) - 1, OBSERVED_ROWS).astype(np.int64))
    loss = loss_for("auto", network)
    x, y = X[chosen], loss.target(Y[chosen], network.n_outputs, X.dtype)
    J = objective(network, loss, y)
    function = compile([J.J], [J.inputs["x"], J.inputs["y"], J.l2, *J.parameters.values()])
    return lambda l2: float(function(x, y.array, l2, *network.parameters.values())[0])


def _test(prepared: Prepared, model: TableModel) -> tuple[dict[str, float], dict[str, float], str]:
    rows = prepared.rows.test
    if not len(rows):
        return {}, {}, ""
    values, target = prepared.values(rows), prepared.target
    words, guess = scores.baseline(target, prepared.values(prepared.rows.train), len(rows))
    answers = model.predict(prepared.table.take(rows))
    return scores.scores(target, values, answers), scores.scores(target, values, guess), words


def _settings(
    prepared: Prepared, choices: Choices, history: History, losses: list[float]
) -> dict[str, Any]:
    rows = prepared.rows
    curves = {"J": losses or history.J, "validation_J": history.validation_J}
    recorded = {
        kind: {name: [float(f"{x:.{DIGITS}g}") for x in course] for name, course in own.items()}
        for kind, own in history.statistics.items()
    }
    # A file holds finite numbers: of a training that diverged there are no curves.
    told = [*curves.values(), *(course for own in recorded.values() for course in own.values())]
    is_finite = all(map(math.isfinite, itertools.chain(*told)))
    return {
        "optimizer": choices.optimizer,
        "learning_rate": choices.learning_rate,
        "batch_size": choices.batch_size,
        "l2": choices.l2,
        "seed": choices.seed,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "rows": {
            "train": len(rows.train),
            "validation": len(rows.validation),
            "test": len(rows.test),
        },
        "curves": curves if is_finite else {},
        "statistics": recorded if is_finite else {},
    }
