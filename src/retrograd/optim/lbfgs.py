"""L-BFGS's options. It drives whole passes from outside: training/solvers runs it."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_integer
from retrograd.optim.full_batch import FullBatch


@dataclass(frozen=True)
class LBFGS(FullBatch):
    """Limited-memory BFGS for full batches, by SciPy [Byrd, Lu, Nocedal & Zhu 1995].

    ::

        W = W - length * H g,  H from the last `memory` steps and the changes of g along them

    An epoch is one of its iterations. J is deterministic, so it converges to many digits where the
    network is small; there are no batches and no shuffling.

    Args:
        memory: number of past steps that approximate the curvature, at least 1.
        max_evaluations: of J and its gradient in one iteration's line search, at least 1.

    >>> rg.LBFGS(memory=20)
    LBFGS(memory=20, max_evaluations=20)
    """

    name = "lbfgs"

    memory: int = 10
    max_evaluations: int = 20

    def __post_init__(self) -> None:
        require_integer("LBFGS", "memory", self.memory)
        require_integer("LBFGS", "max_evaluations", self.max_evaluations)
