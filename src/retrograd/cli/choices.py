"""How to train: what the options say, and what is taken for a task where they say nothing."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from retrograd.arrays import require_number
from retrograd.errors import OptionError, unknown_name
from retrograd.optim.base import Optimizer, at
from retrograd.optim.full_batch import FullBatch
from retrograd.optim.names import OPTIMIZERS, with_usual_momentum
from retrograd.run import find_engine

# The batch size by the number of training rows, up to each: few rows need many steps an epoch.
BATCH_SIZES = {300: 8, 10_000: 32, math.inf: 256}


@dataclass(frozen=True)
class Defaults:
    """What is taken for a task where no option says otherwise."""

    hidden: tuple[int, ...]
    activation: str
    l2: float


DEFAULTS = {
    "classification": Defaults(hidden=(300,), activation="relu", l2=2e-3),
    "regression": Defaults(hidden=(64, 64), activation="tanh", l2=1e-5),
}


@dataclass(frozen=True)
class Choices:
    """How to train; None where it depends on the task, the optimizer or the number of rows."""

    hidden: tuple[int, ...] | None
    activation: str | None
    optimizer: str
    l2: float | None
    seed: int
    epochs: int = 200
    batch_size: int | None = None
    learning_rate: float | None = None
    patience: int | None = None
    max_seconds: float | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if self.is_full_batch and self.learning_rate is not None:
            raise OptionError(f"--learning-rate: {self.optimizer} has none, it finds its own steps")
        if self.is_full_batch and self.batch_size is not None:
            raise OptionError(f"--batch-size: {self.optimizer} takes all rows at once")
        if self.learning_rate is not None:
            require_number("train", "--learning-rate", self.learning_rate, open_low=True)
        if self.l2 is not None:
            require_number("train", "--l2", self.l2)
        if self.max_seconds is not None:
            require_number("train", "--max-seconds", self.max_seconds, open_low=True)
        find_engine(self.engine)

    @property
    def is_full_batch(self) -> bool:
        """Whether the optimizer takes all rows at once."""
        return issubclass(OPTIMIZERS[self.optimizer], FullBatch)

    def for_task(self, task: str, n_rows: int) -> Choices:
        """The same with every None replaced that has a default."""
        defaults = DEFAULTS[task]
        batch_size, rate = self.batch_size, self.learning_rate
        made = OPTIMIZERS[self.optimizer]()
        if isinstance(made, Optimizer):
            batch_size = batch_size or next(b for n, b in BATCH_SIZES.items() if n_rows <= n)
            rate = at(made.numbers()["learning_rate"], 0) if rate is None else rate
        return replace(
            self,
            hidden=defaults.hidden if self.hidden is None else self.hidden,
            activation=self.activation or defaults.activation,
            l2=defaults.l2 if self.l2 is None else self.l2,
            batch_size=batch_size,
            learning_rate=rate,
        )

    def make_optimizer(self) -> Optimizer | FullBatch:
        """The optimizer by its name, with its learning rate; momentum 0.9 for sgd."""
        return with_usual_momentum(self.optimizer, self.learning_rate)


def command_line(data: str, choices: Choices, given: Mapping[str, Any]) -> str:
    """The command that trains the same again, with every choice spelt out.

    `given`: the other options by name, True for a flag; None and "auto" are left out.
    """
    options = {**given, **asdict(choices)}
    hidden = choices.hidden
    options["hidden"] = None if hidden is None else ",".join(map(str, hidden)) or "0"
    words = ["retrograd", "train", data]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, "auto"):
                words.append(f"--{name.replace('_', '-')}")
                words += [] if one is True else [str(one)]
    return shlex.join(words)
