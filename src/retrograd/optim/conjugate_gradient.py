"""The options of the conjugate gradient methods: with a line search, and scaled, without one."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.arrays import require_number
from retrograd.optim.full_batch import FullBatch


@dataclass(frozen=True)
class ConjugateGradient(FullBatch):
    """Non-linear conjugate gradients for full batches, by SciPy.

    ::

        p = -g + max(0, g.(g - g') / g'.g') p',  g' and p' those of the step before

    Along p a point is searched that satisfies Wolfe's strong conditions
    [Polak & Ribiere 1969; Nocedal & Wright 2006, eq. 5.45]. It needs no matrix, and no memory but
    a few vectors. Where the search along a line ends in rounding, it begins anew along -g.

    Args:
        curvature: in (1e-4, 1): a point on the line is taken where the slope along it has fallen to
            this part of the first one.

    >>> rg.ConjugateGradient(curvature=0.4)
    ConjugateGradient(curvature=0.4)
    """

    name = "conjugate_gradient"

    curvature: float = 0.1

    def __post_init__(self) -> None:
        require_number(
            "ConjugateGradient", "curvature", self.curvature, low=1e-4, high=1.0, open_low=True
        )


@dataclass(frozen=True)
class ScaledConjugateGradient(FullBatch):
    """Scaled conjugate gradients for full batches: no line search, two gradients an iteration.

    The curvature along p comes from a difference of gradients; damped, until it is positive and
    predicts J, it gives the length of the step:

        s = (g(w + sigma p / |p|) - g(w)) / (sigma / |p|)     delta = p.s + damping |p|**2
        w = w + (p.(-g) / delta) p                            [Moller 1993]

    Args:
        sigma: the length of the difference, in (0, 1e-2).
        damping: the first one, in (0, 1).

    >>> rg.ScaledConjugateGradient()
    ScaledConjugateGradient(sigma=5e-05, damping=5e-07)
    """

    name = "scaled_conjugate_gradient"

    sigma: float = 5e-5
    damping: float = 5e-7

    def __post_init__(self) -> None:
        owner = "ScaledConjugateGradient"
        require_number(owner, "sigma", self.sigma, high=1e-2, open_low=True)
        require_number(owner, "damping", self.damping, high=1.0, open_low=True)
