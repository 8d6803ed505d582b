"""What is looked at: a network with rows, a loss and a penalty, whatever model it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arrays import Array, require_number
from retrograd.errors import DataError, OptionError
from retrograd.files.table import Table
from retrograd.graph.node import Node
from retrograd.nn.losses import JointLoss, Loss, LossChoice, find_loss
from retrograd.nn.network import Network
from retrograd.tabular.model import TableModel
from retrograd.training.objective import WEIGHT, Objective, of
from retrograd.training.rows import Rows, check_rows

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, checked rows of data, its loss and the l2 of its penalty.

    - `parameters`: copies, so that what is seen stays as it was when the network changes.
    - `columns`: of X, the names that the data have for them; empty where they have none.
    - `numbers`: of the rows in a table, (B,); None where they are those of X.
    """

    network: Network
    rows: Rows
    loss: Loss | JointLoss
    l2: float
    parameters: Mapping[str, Array]
    columns: tuple[str, ...] = ()
    numbers: Array | None = None

    @classmethod
    def of(cls, network: Network, rows: Rows, loss: Loss | JointLoss, l2: float = 0.0) -> Subject:
        """The network as it is now."""
        parameters = {name: value.copy() for name, value in network.parameters.items()}
        return cls(network, rows, loss, l2, parameters)

    @property
    def X(self) -> Array:
        """The rows that go in, (B, I)."""
        return dense(self.rows)

    def kept(self) -> Subject:
        """The same with rows of its own: what is seen stays as it was when the user's change."""
        rows = self.rows
        own = replace(
            rows,
            X=np.array(self.X),
            target=rows.target.each(lambda _, part: part.array.copy()),
            sample_weight=None if rows.sample_weight is None else rows.sample_weight.copy(),
            weights_of={head: w.copy() for head, w in rows.weights_of.items()},
        )
        return replace(self, rows=own)

    def values(self, made: Objective) -> dict[Node, Array]:
        """The values of an objective's variables but for the parameters and random layers."""
        rows = {**self.rows.named(), "x": self.X}
        weights = {of(WEIGHT, head): weight for head, weight in self.loss.weights.items()}
        return (
            {made.inputs[name]: array for name, array in rows.items()}
            | {made.weights[name]: np.array(weight) for name, weight in weights.items()}
            | {made.l2: np.array(self.l2)}
        )


@runtime_checkable
class Inspectable(Protocol):
    """A fitted model that is a network inside: an estimator."""

    def _as_network(self) -> Network:
        """The network with its weights."""
        ...

    def _inputs_for(self, X: Any) -> Any:
        """A user's X as that network takes it: encoded or scaled where the model does so."""
        ...

    def _subject(self, X: Any, y: Any, sample_weight: Any = None) -> Subject:
        """The network, its loss and penalty, and these rows as it takes them."""
        ...


def subject_of(
    owner: str,
    model: Any,
    X: Any,
    Y: ArrayLike | None = None,
    *,
    loss: LossChoice = AUTO,
    l2: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> Subject:
    """What a user's model and rows stand for.

    Args:
        owner: who asks, named in errors.
        model: a network, a fitted estimator, or a table model.
        X, Y: as its training takes them; for a table model a table with its target.
        loss: of a network; estimators and table models have their own.
        l2: the penalty's; None for that of an estimator or table model, 0 for a network.
        sample_weight: (n,), >= 0.
    """
    if l2 is not None:
        require_number(owner, "l2", l2)
    if isinstance(model, TableModel):
        _require_own_loss(owner, loss, model)
        found = _of_table(owner, model, X)
    elif Y is None:
        raise DataError(f"{owner}: give X and Y, the rows to look at and their targets")
    elif isinstance(model, Network):
        chosen = find_loss(loss, model)
        rows = check_rows(model, chosen, X, Y, sample_weight, dtype=model.dtype)
        found = Subject.of(model, rows, chosen)
    elif isinstance(model, Inspectable):
        _require_own_loss(owner, loss, model)
        found = model._subject(X, Y, sample_weight)
    else:
        raise _no_model(owner, model)
    if not found.columns:
        found = replace(found, columns=_column_names(found.network, X))
    return found if l2 is None else replace(found, l2=float(l2))


def _column_names(network: Network, X: Any) -> tuple[str, ...]:
    """What a user's X calls the columns that go in: by inputs with names, or as a data frame."""
    if network.inputs:
        return tuple(
            name if n == 1 else f"{name}[{column}]"
            for name, n in network.inputs.items()
            for column in range(n)
        )
    names = tuple(map(str, getattr(X, "columns", ())))
    return names if len(names) == network.n_inputs else ()


def network_of(owner: str, model: Any) -> Network:
    """The network in a model; OptionError for what is none."""
    if isinstance(model, Network):
        return model
    if isinstance(model, TableModel):
        return model.network
    if isinstance(model, Inspectable):
        return model._as_network()
    raise _no_model(owner, model)


def rows_of(model: Any, X: Any) -> Any:
    """What goes into the network for a user's X: of a table model the columns of a table."""
    if isinstance(model, TableModel):
        return model.columns.transform(X)
    return X if isinstance(model, Network) else model._inputs_for(X)


def hint_of_members(model: object) -> str:
    """What to say of an ensemble: that its members are what is looked at."""
    return "; give one of its members, estimators_" if hasattr(model, "estimators_") else ""


def _no_model(owner: str, model: Any) -> OptionError:
    return OptionError(
        f"{owner}: expected a network (rg.MLP, rg.Network), a fitted estimator or a table "
        f"model, got {type(model).__name__}{hint_of_members(model)}"
    )


def dense(rows: Rows) -> Array:
    """X as an ordinary array."""
    if isinstance(rows.X, np.ndarray):
        return rows.X
    return rows.X.take(np.arange(len(rows)))


def _require_own_loss(owner: str, loss: LossChoice, model: Any) -> None:
    if loss != AUTO:
        raise OptionError(
            f"{owner}: {type(model).__name__} has a loss of its own; leave `loss` out"
        )


def _of_table(owner: str, model: TableModel, table: Any) -> Subject:
    if not isinstance(table, Table):
        raise DataError(f"{owner}: a table model takes a table, got {type(table).__name__}")
    part = table.take(model.rows_with_target(table, f"{owner}:"))
    network = model.network
    loss = find_loss(AUTO, network)
    X = model.columns.transform(part)
    y = model.target.encode(part.column(model.target.name), part.taken)
    rows = check_rows(network, loss, X, y, dtype=network.dtype)
    found = Subject.of(network, rows, loss, float(model.settings.get("l2") or 0.0))
    return replace(found, columns=model.columns.feature_names, numbers=part.row_numbers)
