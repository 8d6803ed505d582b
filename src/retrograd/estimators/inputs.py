"""What an estimator does to X before its network sees it: columns scaled, or encoded as a table's.

Learned from the rows of the first fit, and applied to all that come after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError
from retrograd.estimators.frames import table_of
from retrograd.files.table import Table, is_text, missing
from retrograd.tabular import Categorical, Columns, Numeric, fit_columns
from retrograd.tabular.scaling import mean_and_scale

LEAVE_OUT = "give X without it"


@dataclass(frozen=True, eq=False)
class Scale:
    """(values - mean) / scale for each column, and back. `mean`, `scale`: (n_columns,) float64.

    >>> scale = Scale.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale.apply(np.array([[3.0, 6.0]]))
    array([[1., 1.]])
    """

    mean: Array
    scale: Array

    @classmethod
    def of(cls, values: Array, weights: Array | None = None) -> Scale:
        """The mean and standard deviation of each column; a constant column has the scale 1.

        `weights`: of the rows, (n,), >= 0.
        """
        pairs = [
            mean_and_scale(str(j), np.asarray(column, np.float64), weights)
            for j, column in enumerate(values.T)
        ]
        mean, scale = np.array(pairs, np.float64).T
        return cls(mean, scale)

    def apply(self, values: Array) -> Array:
        """Standardised, in the dtype of the values."""
        return np.asarray((values - self.mean) / self.scale, values.dtype)

    def undo(self, values: Array) -> Array:
        """The inverse of `apply`."""
        return np.asarray(values * self.scale + self.mean, values.dtype)


@dataclass(frozen=True, eq=False)
class Inputs:
    """How X becomes the network's inputs: exactly one of the two is there."""

    scale: Scale | None = None
    columns: Columns | None = None

    @property
    def n_inputs(self) -> int:
        """The number of the network's inputs."""
        if self.columns is not None:
            return len(self.columns.feature_names)
        assert self.scale is not None
        return len(self.scale.mean)

    def apply(self, X: Any, names: list[str]) -> Array:
        """The network's inputs for X, checked before but for what is in a table's columns."""
        if self.columns is not None:
            table = table_of(X, names)
            _require_words(self.columns, table)
            return self.columns.transform(table)
        assert self.scale is not None
        return self.scale.apply(X)

    def of_features(self, gradients: Array) -> Array:
        """Gradients in the network's inputs (..., n_inputs) as gradients in the columns of X."""
        if self.columns is None:
            assert self.scale is not None
            return gradients / self.scale.scale
        found, start = [], 0
        for column in self.columns.columns:
            if not isinstance(column, Numeric):
                raise OptionError(
                    f"input_gradients: column {column.name!r} holds words, in which nothing has a "
                    "derivative"
                )
            found.append(gradients[..., start] / column.scale)
            start += len(column.feature_names)
        return np.stack(found, axis=-1)


def learn(X: Any, names: list[str], rows: Array, weights: Array | None, *, encode: bool) -> Inputs:
    """What becomes of columns like these in these rows.

    `weights`: of all rows, (n,), >= 0. A row counts by its own, as if it were there so often.
    """
    own = None if weights is None else weights[rows]
    if encode:
        table = table_of(X, names).take(rows)
        return Inputs(columns=fit_columns(table, weights=own, how_to_drop=LEAVE_OUT))
    if not isinstance(X, np.ndarray):
        raise OptionError(
            "standardize=True takes no sparse X: its zeros would not stay; scale it before, as "
            "with sklearn.preprocessing.MaxAbsScaler"
        )
    return Inputs(scale=Scale.of(X[rows], own))


def _require_words(columns: Columns, table: Table) -> None:
    """Raise DataError for numbers where training had words."""
    for kind in columns.columns:
        column = table.column(kind.name)
        if isinstance(kind, Categorical) and not is_text(column) and not missing(column).all():
            raise DataError(
                f"column {kind.name!r} held words when the model was fitted and holds numbers now; "
                "give words, as then"
            )
