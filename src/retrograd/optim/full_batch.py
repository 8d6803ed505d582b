"""What solvers of full batches share: they drive whole passes from outside."""

from __future__ import annotations

from typing import ClassVar

from retrograd.arguments import Choices


class FullBatch(Choices):
    """The base of solvers that take all rows at once; training/solvers runs them.

    A subclass is a frozen dataclass of its numbers. An epoch is one point that it accepts; J is
    deterministic, so it converges to many digits where the network is small. There is no learning
    rate, no batch and no shuffling.
    """

    name: ClassVar[str]
    needs_residuals: ClassVar[bool] = False  # each row's own, not J and its gradient alone
