"""How a model is looked at: the options that `rg.trace` and `rg.check_gradient` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from numpy.typing import ArrayLike

from retrograd.arrays import require_integer
from retrograd.errors import require_known, unknown_name
from retrograd.inspect.subject import AUTO, Subject, subject_of
from retrograd.nn.losses import LossChoice
from retrograd.nn.network import Network
from retrograd.training.frozen import find_frozen

TRAIN, PREDICT = MODES = "train", "predict"


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """What J is, and which pass of it.

    - `loss`: of a network, as in `rg.train`; other models have their own.
    - `l2`: the penalty's; by default 0 for a network, else the model's own.
    - `sample_weight`: (B,), >= 0.
    - `frozen`: parameters without a gradient, as in `rg.train`.
    - `mode`: "train": `rg.Dropout` draws and `rg.BatchNorm` takes the batch's mean and variance;
      "predict": as in predictions.
    - `engine`: "numpy" or "cpu".
    """

    loss: LossChoice = AUTO
    l2: float | None = None
    sample_weight: ArrayLike | None = None
    frozen: Sequence[str] = ()
    mode: str = TRAIN
    engine: str = "numpy"

    @classmethod
    def of(cls, owner: str, given: Mapping[str, Any], *others: str) -> Self:
        """The options given by name; UnknownNameError for a name that is none.

        `others`: what else `owner` takes by name, told with the known ones.
        """
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise unknown_name(f"argument of {owner}", name, [*known, *others])
        return cls(**given)

    def __post_init__(self) -> None:
        require_known("mode", self.mode, MODES)

    @property
    def is_still(self) -> bool:
        """Whether the pass is that of predictions."""
        return self.mode == PREDICT

    def subject(self, owner: str, model: Any, X: Any, Y: ArrayLike | None) -> Subject:
        """The model with rows, its loss and its penalty."""
        options: dict[str, Any] = {"loss": self.loss, "l2": self.l2}
        return subject_of(owner, model, X, Y, **options, sample_weight=self.sample_weight)

    def held(self, network: Network) -> frozenset[str]:
        """The names of the parameters that are frozen."""
        return find_frozen(network, self.frozen)


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceOptions(Options):
    """Those of `rg.trace`. `seed`: of what random layers draw, below 2**53."""

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_integer("trace", "seed", self.seed, low=0)
