"""A trained network with the columns and the target it was trained on: tables in, answers out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.arrays import Array
from retrograd.errors import DataError, ModelFileError, OptionError
from retrograd.files import container
from retrograd.files.table import Table, missing
from retrograd.nn.network import Network
from retrograd.tabular.columns import Columns
from retrograd.tabular.target import ClassTarget, Target, target_from_json

KIND = "table model"  # of a model file that holds one


@dataclass(frozen=True, eq=False)
class TableModel:
    """A network that answers for rows of a table.

    - `network`: from the features of `columns` to the target: one output for each class (softmax),
      or one for a number.
    - `data`: the name of the data it was trained on. `units`: of columns and target, by name.
    - `settings`: how it was trained, and `scores`: how it did, by name, as strict JSON.

    >>> from retrograd.nn.mlp import MLP
    >>> from retrograd.tabular import fit_columns, fit_target
    >>> table = Table.of({"age": [31, 45, 60], "ill": ["no", "yes", "no"]})
    >>> columns = fit_columns(table, exclude=["ill"])
    >>> target = fit_target(table.column("ill"), name="ill")
    >>> model = TableModel(MLP([1, 2], output="softmax"), columns, target, data="patients")
    >>> model.predict(table).shape, model.predict_proba(table).shape
    ((3,), (3, 2))
    """

    network: Network
    columns: Columns
    target: Target
    data: str
    units: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_features = len(self.columns.feature_names)
        n_outputs = len(self.target.classes) if isinstance(self.target, ClassTarget) else 1
        sizes = (self.network.n_inputs, self.network.n_outputs)
        if self.network.heads:
            raise OptionError(
                f"table model: takes a network of one output; this one is {self.network!r}"
            )
        if sizes != (n_features, n_outputs):
            raise OptionError(
                f"table model: the columns make {n_features} features and the target {n_outputs} "
                f"outputs; the network has {sizes[0]} inputs and {sizes[1]} outputs"
            )

    @property
    def task(self) -> str:
        """The kind of task: "classification" or "regression"."""
        return "classification" if isinstance(self.target, ClassTarget) else "regression"

    @property
    def unit(self) -> str:
        """The target's unit; empty where it has none."""
        return self.units.get(self.target.name, "")

    def __repr__(self) -> str:
        return f"<table model of {self.data}: {self.task} of {self.target.name}, {self.network!r}>"

    def rows_with_target(self, table: Table, what: str) -> Array:
        """The numbers of the rows that have the target; DataError where none has.

        `what`: who needs it, "a report".
        """
        name = self.target.name
        if name not in table.names:
            raise DataError(f"{what} needs the target too: the data have no column {name!r}")
        found = np.flatnonzero(~missing(table.column(name)))
        if not len(found):
            raise DataError(f"{what} needs the target too: {name!r} is missing in every row")
        return found

    def outputs(self, table: Table) -> Array:
        """The network's outputs (n, n_outputs): probabilities, or standardised numbers.

        Raises DataError for a column that is missing or of another kind than in training.
        """
        return self.network.predict(self.columns.transform(table))

    def predict(self, table: Table) -> NDArray[Any]:
        """The answer for each row (n,): a class, or a number in the target's own unit.

        Warns of categories that training had not: they count as missing.
        """
        outputs = self.outputs(table)
        self._warn(table)
        return self.target.decode(outputs)

    def predict_proba(self, table: Table) -> NDArray[np.float64]:
        """The probability of each class (n, n_classes), in the order of `target.classes`.

        Raises DataError for a regression. Warns as `predict` does.
        """
        if not isinstance(self.target, ClassTarget):
            raise DataError(
                f"the model predicts {self.target.name!r}, a number: it has no probabilities"
            )
        outputs = self.outputs(table)
        self._warn(table)
        return outputs

    def _warn(self, table: Table) -> None:
        for line in self.columns.unknown(table):
            warnings.warn(line, stacklevel=3)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one file, whole or not at all; `rg.load` reads it back.

        Raises FileError if it cannot.
        """
        container.write(path, KIND, self.to_json(), dict(self.network.parameters))

    def to_json(self) -> dict[str, Any]:
        """All but the network's parameters, as strict JSON."""
        return {
            "network": self.network.to_json(),
            "columns": self.columns.to_json(),
            "target": self.target.to_json(),
            "data": self.data,
            "units": dict(self.units),
            "settings": dict(self.settings),
            "scores": dict(self.scores),
        }

    @classmethod
    def from_json(cls, spec: Any, parameters: Mapping[str, Array]) -> TableModel:
        """The model of a specification with these parameters; ModelFileError if there is none."""
        try:
            texts = [spec["data"], *spec["units"], *spec["units"].values()]
            if not all(isinstance(text, str) for text in texts):
                raise ModelFileError("data and units must be text")
            return cls(
                network=Network.from_json(spec["network"], parameters),
                columns=Columns.from_json(spec["columns"]),
                target=target_from_json(spec["target"]),
                data=spec["data"],
                units=dict(spec["units"]),
                settings=dict(spec["settings"]),
                scores=dict(spec["scores"]),
            )
        except ModelFileError:
            raise
        except (DataError, OptionError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"does not describe a table model: {error}") from error
