"""What an estimator does to X before its network sees it: columns scaled, or encoded as a table's.

Learned from the rows of the first fit, and applied to all that come after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError
from retrograd.files.table import Table
from retrograd.tabular import Columns, Numeric, fit_columns
from retrograd.tabular.scaling import mean_and_scale


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
            return self.columns.transform(table_of(X, names))
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


def learn(X: Any, names: list[str], rows: Array, *, encode: bool) -> Inputs:
    """What becomes of columns like these in these rows."""
    if encode:
        return Inputs(columns=fit_columns(table_of(X, names).take(rows)))
    if not isinstance(X, np.ndarray):
        raise OptionError(
            "standardize=True takes no sparse X: its zeros would not stay; scale it before, as "
            "with sklearn.preprocessing.MaxAbsScaler"
        )
    return Inputs(scale=Scale.of(X[rows]))


def table_of(X: Any, names: list[str]) -> Table:
    """The columns of a data frame or an array (n, n_features) as a table."""
    if hasattr(X, "toarray"):
        raise OptionError("encode_columns=True takes a data frame or an array, got a sparse matrix")
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        columns = [X[name] for name in getattr(X, "column_names", None) or X.columns]
    else:
        array = X if hasattr(X, "dtype") else np.asarray(X, object)
        if array.ndim != 2:
            raise DataError(f"X: expected rows and columns, got shape {array.shape}")
        columns = list(array.T)
    return Table.of(dict(zip(names, map(_entries, columns), strict=True)))


def _entries(column: Any) -> Any:
    """The entries of a column, None where missing; categories as words, whatever they are."""
    kind = str(getattr(column, "dtype", ""))
    if hasattr(column, "isna"):  # pandas, whose own missing value cannot be compared
        values = column.astype(object).where(~column.isna(), None)
        return (values.map(str, na_action="ignore") if kind == "category" else values).tolist()
    return np.asarray(column).tolist()
