"""How a model is looked at: the options that trace, check_gradient and diagnose share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from numpy.typing import ArrayLike

from retrograd.arrays import require_integer, require_number
from retrograd.engines.base import Engine
from retrograd.errors import OptionError, require_known, unknown_name
from retrograd.inspect.subject import AUTO, Subject, subject_of
from retrograd.nn.losses import LOSSES, LossChoice
from retrograd.nn.network import Network
from retrograd.run import ENGINES
from retrograd.training.frozen import find_frozen

TRAIN, PREDICT = MODES = "train", "predict"
SEEDS = 2**53  # a float64 holds every whole number below


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """What J is.

    - `loss`: of a network, as in `rg.train`; other models have their own.
    - `l2`: the penalty's; by default 0 for a network, else the model's own.
    - `sample_weight`: (B,), >= 0.
    - `engine`: "numpy" or "cpu".
    """

    loss: LossChoice = AUTO
    l2: float | None = None
    sample_weight: ArrayLike | None = None
    engine: str = "numpy"

    @classmethod
    def of(cls, owner: str, given: Mapping[str, Any], *others: str) -> Self:
        """The options given by name; OptionError for a name that is none, or a wrong value.

        `others`: what else `owner` takes by name, told with the known ones.
        """
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise unknown_name(f"argument of {owner}", name, [*known, *others])
        made = cls(**given)
        made.require(owner)
        return made

    def require(self, owner: str) -> None:
        """Raise OptionError for what is wrong whatever the model is."""
        if not isinstance(self.engine, Engine):
            require_known("engine", self.engine, [AUTO, *ENGINES])
        if isinstance(self.loss, str):
            require_known("loss", self.loss, [AUTO, *LOSSES])
        if self.l2 is not None:
            require_number(owner, "l2", self.l2)

    def subject(self, owner: str, model: Any, X: Any, Y: ArrayLike | None) -> Subject:
        """The model with rows, its loss and its penalty."""
        options: dict[str, Any] = {"loss": self.loss, "l2": self.l2}
        return subject_of(owner, model, X, Y, **options, sample_weight=self.sample_weight)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seeded(Options):
    """Those of `rg.diagnose`. `seed`: of what random layers draw, below 2**53."""

    seed: int = 0

    def require(self, owner: str) -> None:
        """The seed too."""
        super().require(owner)
        require_integer(owner, "seed", self.seed, low=0)
        if self.seed >= SEEDS:
            raise OptionError(f"{owner}: seed is below 2**53, {SEEDS}, got {self.seed}")


@dataclass(frozen=True, kw_only=True, eq=False)
class PassOptions(Options):
    """Those of `rg.check_gradient`: which pass, too.

    - `frozen`: parameters without a gradient, as in `rg.train`.
    - `mode`: "train": `rg.Dropout` draws and `rg.BatchNorm` takes the batch's mean and variance;
      "predict": as in predictions.
    """

    frozen: Sequence[str] = ()
    mode: str = TRAIN

    def require(self, owner: str) -> None:
        """The mode too."""
        super().require(owner)
        require_known("mode", self.mode, MODES)

    @property
    def is_still(self) -> bool:
        """Whether the pass is that of predictions."""
        return self.mode == PREDICT

    def held(self, network: Network) -> frozenset[str]:
        """The names of the parameters that are frozen."""
        return find_frozen(network, self.frozen)


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceOptions(PassOptions, Seeded):
    """Those of `rg.trace`, and of what traces: all of them."""
