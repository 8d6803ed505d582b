"""The history of a training run, one entry for each epoch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any

from retrograd.arrays import Array
from retrograd.training.statistics import BETWEEN

STOPPED = {
    "epochs": "all epochs were run",
    "tolerance": "J no longer fell by more than the tolerance",
    "gradient": "the gradient's norm fell below its tolerance",
    "validation": "the validation score no longer improved",
    "time": "the time was up",
    "callback": "a callback asked for it",
    "interrupted": "it was interrupted",
    "converged": "the solver found no lower J",
}


class Among(Mapping[str, Array]):
    """Some of the entries of a mapping, each taken out of it when it is asked for.

    >>> dict(Among({"W1": 1.0, "t": 2.0}, ["W1"]))
    {'W1': 1.0}
    """

    def __init__(self, of: Mapping[str, Array], names: Collection[str]) -> None:
        self._of, self._names = of, tuple(names)

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        return self._of[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Checkpoint:
    """What training needs to go on exactly where it stopped.

    - `optimizer`: its name.
    - `state`: parameters and optimizer state after the last step.
    - `parameters`: what the network was left with: those, or the best by validation.
    - `seed`, `stream`: of the random numbers, and where the shuffling's generator stands.
    - `rows`: a checksum of the rows, None where they came in batches.
    """

    optimizer: str
    state: Mapping[str, Array]
    parameters: Mapping[str, Array]
    seed: int
    stream: Mapping[str, Any]
    rows: int | None = None


@dataclass(repr=False)
class History:
    """What `rg.train` returns: a list for each figure, with one entry for each epoch.

    - `J`: the mean of J over the rows of the epoch, each batch at the weights it was met with.
    - `J_of`: the same of each head by its name, without weight and penalty; empty without heads.
    - `validation_J`, `validation_score`: on the validation rows after the epoch (empty without);
      a higher score is better. `validation_J_of`: of each head by its name.
    - `gradient_norm`: the Euclidean norm of dJ/d(parameters) in the last step of the epoch. With
      one batch an epoch it is that of the whole data.
    - `learning_rate`: of the last step of the epoch.
    - `seconds`: since training began, at the end of the epoch; the time between a run and its
      resumption is left out.
    - `stopped`: why it ended: "epochs", "tolerance", "gradient", "validation", "time", "callback",
      "interrupted" or "converged".
    - `best_epoch`: the epoch, from 1, whose weights the network has: the best by validation score,
      without validation the last. 0 where no epoch was finished.
    - `starts`: for several random starts the figure by which they were compared (the validation
      score, or -J), NaN for a start that diverged; the history is that of the best.
    - `l2`, `effective_parameters`: with Bayesian regularisation the penalty that it chose, and the
      number of parameters that the data determine, after each epoch; else empty.
    - `statistics`: of the last step of each epoch, where `rg.train` was asked to record them; else
      empty. `statistics["gradient_norm"]["W1"]` is a list with one entry for each epoch; so are
      "norm" and "update_norm" of each parameter, "delta_norm" of each layer by its place ("1",
      "2.1"), "dead_share" of layers of relu, and "saturated_share" of bounded activations. NaN for
      epochs before a resumed run in which nobody asked for them. A solver of full batches tells
      them of where it is after the epoch, and "update_norm" of its way there.
    """

    J: list[float] = field(default_factory=list)
    validation_J: list[float] = field(default_factory=list)
    validation_score: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str = "epochs"
    best_epoch: int = 0
    score: str = "loss"
    starts: list[float] = field(default_factory=list)
    l2: list[float] = field(default_factory=list)
    effective_parameters: list[float] = field(default_factory=list)
    J_of: dict[str, list[float]] = field(default_factory=dict)
    validation_J_of: dict[str, list[float]] = field(default_factory=dict)
    statistics: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.J)

    def copy(self) -> History:
        """The same figures in lists of its own, without the checkpoint."""
        lists: dict[str, Any] = {
            each.name: deepcopy(getattr(self, each.name))
            for each in fields(self)
            if isinstance(getattr(self, each.name), list | dict)
        }
        return replace(self, checkpoint=None, **lists)

    def record(self, statistics: Mapping[str, float]) -> None:
        """Append the statistics of the newest epoch, by names such as "gradient_norm of W1"."""
        for name, value in statistics.items():
            what, _, of = name.partition(BETWEEN)
            own = self.statistics.setdefault(what, {}).setdefault(of, [])
            own += [math.nan] * (self.epochs - 1 - len(own))
            own.append(value)

    def __repr__(self) -> str:
        figures = [f"{self.epochs} epochs"]
        if self.J:
            figures.append(f"J {self.J[-1]:.4g}")
        if self.J and self.validation_score:
            figures.append(self._best())
        return f"<history: {', '.join(figures)}>"

    def _best(self) -> str:
        best = self.validation_score[self.best_epoch - 1]
        return f"best validation {self.score} {best:.4g} at epoch {self.best_epoch}"

    def __str__(self) -> str:
        if not self.J:
            return f"no epoch was finished: {STOPPED[self.stopped]}"
        figures = [f"J {self.J[0]:.4g} -> {self.J[-1]:.4g}"]
        if self.J_of:
            own = (f"{head} {J[0]:.4g} -> {J[-1]:.4g}" for head, J in self.J_of.items())
            figures[0] += f" ({', '.join(own)})"
        if self.validation_score:
            figures.append(self._best())
        return (
            f"{self.epochs} epochs in {self.seconds[-1]:.3g} s, {', '.join(figures)}; "
            f"stopped because {STOPPED[self.stopped]}"
        )
