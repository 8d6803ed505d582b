"""Losses of outputs that are parameters of a distribution: its negative log-likelihood.

Constants, and terms of y alone, are left out. Where the mean mu is positive the last layer's result
is its logarithm, z = log(mu): give the network output="exp" and its predictions are means; with
output="identity" they are their logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.nn.losses.base import Formula
from retrograd.nn.losses.targets import Target, number_target, require_entries
from retrograd.nn.network import Forward, Network


@dataclass(frozen=True)
class _LogMean(Formula):
    """A loss of z = log(mu)."""

    def require(self, network: Network) -> None:
        """Raise OptionError unless predictions are means or their logarithms."""
        if network.output not in ("exp", gates.exp, "identity"):
            raise OptionError(
                f"{self.name} takes the logarithm of the mean from the last layer: the network "
                f"needs output='exp' (to predict means) or 'identity' (their logarithms); "
                f"this one has output={network.output!r}"
            )

    def scores(self, network: Network) -> tuple[str, ...]:
        """r2 where predictions are means, not their logarithms."""
        return () if network.output == "identity" else ("r2",)

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Numbers >= 0."""
        target = number_target(Y, n_outputs, dtype)
        require_entries(target.array, target.array >= 0, f"{self.name} takes numbers >= 0")
        return target


@dataclass(frozen=True)
class Poisson(_LogMean):
    """Of counts: the sum over outputs of mu - y log(mu).  dJ/dz = (mu - y) / B

    [McCullagh & Nelder 1989, ch. 6]; O times PyTorch's PoissonNLLLoss, which takes z too. y >= 0.
    """

    name = "poisson"

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z = forward.logits
        return gates.sum(gates.exp(z) - y * z, axis=1)


@dataclass(frozen=True)
class Gamma(_LogMean):
    """Of positive amounts: the sum over outputs of y / mu + log(mu).  dJ/dz = (1 - y / mu) / B

    [McCullagh & Nelder 1989, ch. 8]; half the gamma deviance but for terms of y; scikit-learn's
    HalfGammaLoss. y > 0.
    """

    name = "gamma"

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Numbers > 0."""
        target = number_target(Y, n_outputs, dtype)
        require_entries(target.array, target.array > 0, "gamma takes numbers > 0")
        return target

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z = forward.logits
        return gates.sum(z + y * gates.exp(-z), axis=1)


@dataclass(frozen=True)
class Tweedie(_LogMean):
    """Of amounts that are often 0: the sum of mu**(2-p) / (2-p) + y mu**(1-p) / (p-1), p the power.

    [Jorgensen 1987]; half the Tweedie deviance but for terms of y; scikit-learn's HalfTweedieLoss.
    dJ/dz = (mu**(2-p) - y mu**(1-p)) / B. The variance grows as mu**p: Poisson's for p = 1, gamma's
    for p = 2, which are losses of their own. y >= 0.

    Args:
        power: in (1, 2).

    >>> rg.Tweedie(power=1.3)
    Tweedie(power=1.3)
    """

    name = "tweedie"

    power: float = 1.5

    def __post_init__(self) -> None:
        require_number("Tweedie", "power", self.power, low=1.0, high=2.0, open_low=True)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        z, p = forward.logits, float(self.power)
        z_of_some = gates.where(y > 0.0, z, 0.0)  # 0 times an infinite mu**(1-p) is 0 here
        most = gates.exp((2.0 - p) * z) / (2.0 - p)
        return gates.sum(most + y * gates.exp((1.0 - p) * z_of_some) / (p - 1.0), axis=1)


@dataclass(frozen=True)
class GaussianNLL(Formula):
    """Of numbers whose spread is to be learned: the sum of (log(v) + (mean - y)**2 / v) / 2.

    [Nix & Weigend 1994]; T times PyTorch's GaussianNLLLoss for T targets. The network has
    2T outputs: T means, then T numbers s with the variance v = e**s + epsilon. So a prediction's
    means are `output[:, :T]`, their variances `np.exp(output[:, T:]) + epsilon`. PyTorch's loss is
    given v itself, and holds it above epsilon.

    Args:
        epsilon: > 0, the least variance, in the squared unit of the targets.

    >>> rg.GaussianNLL()
    GaussianNLL(epsilon=1e-06)
    """

    name = "gaussian_nll"

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        require_number("GaussianNLL", "epsilon", self.epsilon, open_low=True)

    def require(self, network: Network) -> None:
        """Raise OptionError unless there is a mean and a variance for each target."""
        if network.n_outputs % 2:
            raise OptionError(
                "gaussian_nll needs two outputs for each target, a mean and a variance; "
                f"the network has {network.n_outputs}"
            )
        if network.output != "identity":
            raise OptionError(
                "gaussian_nll needs a network with output='identity'; "
                f"this one has output={network.output!r}"
            )

    def target(self, Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
        """Finite numbers, one for every two outputs."""
        return number_target(Y, n_outputs // 2, dtype)

    def __call__(self, forward: Forward, y: Node) -> Node:
        """The loss of each example, (rows,)."""
        n = y.shape[1]
        mean, s = forward.output[:, :n], forward.output[:, n:]
        log_v = _log_sum(s, math.log(self.epsilon))
        return 0.5 * gates.sum(log_v + gates.square(mean - y) * gates.exp(-log_v), axis=1)


def _log_sum(s: Node, c: float) -> Node:
    """log(e**s + e**c) = max(s, c) + log(1 + e**-|s - c|)"""
    d = s - c
    return gates.maximum(s, c) + gates.softplus(gates.where(d >= 0.0, -d, d))
