"""What a data set is: inputs, targets, and what each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrograd.files.table import Table


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set of n rows and d features.

    `X` (n, d) float64. `y` (n,): for classification int64 labels that index `class_names`, for
    regression float64 numbers. `units`: the unit of a feature or of the target by its name, for
    those that have one. `description`: one line, with the source.
    """

    name: str
    task: Literal["classification", "regression"]
    X: NDArray[np.float64]
    y: NDArray[np.int64] | NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str
    class_names: tuple[str, ...] | None
    description: str
    units: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> Table:
        """The data set as a table: the features, then the target, classes by their names.

        >>> from retrograd.datasets import load
        >>> table = load("iris").table()
        >>> table.names[-2:], table.column("species")[0]
        (('petal width (cm)', 'species'), 'setosa')
        """
        columns: dict[str, Any] = dict(zip(self.feature_names, self.X.T, strict=True))
        target: Any = self.y
        if self.class_names is not None:
            target = np.array(self.class_names, object)[self.y]
        return Table.of(columns | {self.target_name: target})
