"""Losses of several heads: each its own, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import DTypeLike

from retrograd.arguments import Choices
from retrograd.arrays import require_number, require_same_rows
from retrograd.errors import DataError, OptionError
from retrograd.nn.architecture import Head
from retrograd.nn.losses.base import Loss
from retrograd.nn.losses.targets import Targets, of_head
from retrograd.nn.named import by_name, require_names


@dataclass(frozen=True)
class Losses(Choices):
    """A loss for each head of a network, and how much each counts.

    ::

        J = sum over heads of weight * (mean over the rows of the head's loss)

    [Keras: loss and loss_weights of several outputs]

    Args:
        losses: for each head a loss as `rg.train` takes it: a name, an object, a function of nodes,
            or "auto".
        weights: for each head a number >= 0; 1 for those that it leaves out. They are numbers of a
            run: others compile nothing. A head of weight 0 does not move the weights.

    >>> rg.Losses({"price": rg.Huber(0.5), "kind": "cross_entropy"}, weights={"kind": 0.2})
    Losses(losses={'price': Huber(delta=0.5), 'kind': 'cross_entropy'}, weights={'kind': 0.2})
    """

    losses: Mapping[str, Any]
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("losses", self.losses), ("weights", self.weights)):
            if not isinstance(value, Mapping):
                raise OptionError(f"Losses: {name} is a dict by head, got {value!r}")
            object.__setattr__(self, name, dict(value))
        for head, weight in self.weights.items():
            require_number("Losses", f"the weight of {head!r}", weight)
        if self.losses and all(self.weights.get(head, 1.0) == 0 for head in self.losses):
            raise OptionError("Losses: all weights are 0; nothing would be learned")


@dataclass(frozen=True)
class JointLoss:
    """The losses chosen for the heads of a network, as `Loss` is that of one output.

    `weights` are not compared: they are numbers of a run. Rows are scored by the weighted sum.
    """

    heads: tuple[tuple[str, Loss], ...]
    weights: Mapping[str, float] = field(compare=False)
    scored_by: str = "loss"
    scores: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is said of it: each head with the name of its loss."""
        return ", ".join(f"{head}: {loss.name}" for head, loss in self.heads)

    @property
    def by_head(self) -> dict[str, Loss]:
        """The loss of each head by name."""
        return dict(self.heads)

    def target(self, Y: Any, heads: Mapping[str, Head], dtype: DTypeLike) -> Targets:
        """The targets of all heads, checked; DataError for names that are not theirs."""
        given = by_name(Y)
        if given is None:
            names = ", ".join(f"{name!r}: ..." for name in heads)
            raise DataError(
                f"Y: the network has heads; give a dict of arrays, or a data frame: {{{names}}}"
            )
        require_names("Y", given, heads, "head")
        parts = {}
        for name, loss in self.heads:
            with of_head(name):
                parts[name] = loss.target(given[name], heads[name].n_outputs, dtype)
        (first, target), *others = parts.items()
        for name, other in others:
            require_same_rows(f"Y[{first!r}]", len(target), f"Y[{name!r}]", len(other))
        return Targets(parts)
