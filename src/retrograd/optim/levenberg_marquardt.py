"""Levenberg-Marquardt's options. training/solvers runs it."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.optim.full_batch import FullBatch


@dataclass(frozen=True)
class LevenbergMarquardt(FullBatch):
    """Damped Gauss-Newton steps for small networks and a sum of squares as loss.

    With the residuals r of all rows and outputs and their Jacobian J by backpropagation

        (J.T J + damping) step = -J.T r     [Levenberg 1944; Marquardt 1963; Hagan & Menhaj 1994]

    The damping falls after a step that lowers the sum of squares as predicted, and grows until
    there is one [Nielsen 1999]. An epoch is a step taken. J.T J has a row for each parameter: there
    may be at most 5000. On targets without noise it goes down to rounding.

    Args:
        damping: of the first step, relative to the largest entry of J.T J, > 0.
        bayesian: choose the penalty as well, on all parameters: after each step gamma, the number
            of parameters that the data determine, and the l2 that makes the data most probable,
            are estimated anew [MacKay 1992; Foresee & Hagan 1997]. The history has them as
            `effective_parameters` and `l2`; the l2 of `rg.train`, where it is given, is the first.

    The loss must be "half_squared_error" or "squared_error". Classes are then -1 and 1: so the two
    spirals (2-10-10-10-1 tanh, 500 epochs) and the parity of 6 bits (6-12-1 tanh, 100 epochs) are
    learned from every one of 100 seeds (benchmarks/levenberg_marquardt.py).

    >>> X = np.linspace(-1.0, 1.0, 50)[:, None]
    >>> net = rg.MLP([1, 4, 1], activation="tanh")
    >>> history = rg.train(net, X, X**2, optimizer=rg.LevenbergMarquardt(), epochs=200)
    >>> history.J[-1] < 1e-9
    True
    """

    name = "levenberg_marquardt"
    needs_residuals = True

    damping: float = 1e-3
    bayesian: bool = False

    def __post_init__(self) -> None:
        require_number("LevenbergMarquardt", "damping", self.damping, open_low=True)
        if not isinstance(self.bayesian, bool):
            raise OptionError(
                f"LevenbergMarquardt: bayesian is True or False, got {self.bayesian!r}"
            )
