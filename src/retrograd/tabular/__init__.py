"""From a table to the numbers that a network takes, and back from its outputs to answers."""

from retrograd.tabular.columns import Categorical, Columns, Numeric, fit_columns
from retrograd.tabular.split import Split, split
from retrograd.tabular.target import ClassTarget, NumberTarget, Target, fit_target, target_from_json

__all__ = [
    "Categorical",
    "ClassTarget",
    "Columns",
    "NumberTarget",
    "Numeric",
    "Split",
    "Target",
    "fit_columns",
    "fit_target",
    "split",
    "target_from_json",
]
