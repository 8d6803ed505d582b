"""The learning-rate range test: J while the rate rises from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Never

import numpy as np
from numpy.typing import ArrayLike

from retrograd.arguments import require_no_others
from retrograd.arrays import Array, require_integer, require_number
from retrograd.errors import DataError, OptionError
from retrograd.nn.losses import LossChoice, find_loss
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.optim.names import find_optimizer
from retrograd.optim.schedules import Exponential
from retrograd.training.frozen import find_frozen
from retrograd.training.session import TrainingSession, check_rows

MEMORY = 0.9  # of the mean of the last J
BURST = 4.0  # where that is beyond so many times its lowest value, the test ends
WINGS = 20  # J is smoothed over a twentieth of the steps on either side


@dataclass(frozen=True, eq=False)
class RateRange:
    """What `rg.learning_rate_range` found, step by step; `rg.plot_learning_rates` draws it.

    - `rates`: (n,), rising.
    - `J`: (n,), of the batch before each step. `smooth`: its mean with the steps around it.
    - `steepest`: the rate at which `smooth` falls fastest: a good first choice.
    - `lowest`: that at which it is lowest: too large, but the largest of a cycle may be near.
    """

    rates: Array
    J: Array
    smooth: Array
    steepest: float
    lowest: float

    def __repr__(self) -> str:
        return (
            f"<learning rates {self.rates[0]:.3g} to {self.rates[-1]:.3g}: "
            f"J falls fastest at {self.steepest:.3g}, is lowest at {self.lowest:.3g}>"
        )


def learning_rate_range(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    loss: LossChoice = "auto",
    optimizer: Optimizer | str = "adam",
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int | None = 32,
    l2: float = 0.0,
    frozen: Sequence[str] = (),
    seed: int = 0,
    engine: str = "auto",
    **others: Never,
) -> RateRange:
    """Train a copy of the network while the rate rises from low to high by a constant factor.

    [Smith 2017, section 3.3]. The network stays as it is. The test ends early where J bursts.

    Args:
        network, X, Y, loss, l2, frozen, engine: as for `rg.train`.
        optimizer: any with a learning rate, which is replaced; or its name.
        low: > 0. high: > low.
        steps: at least 3.
        batch_size: rows a step; None all of them.
        seed: of the orders of the rows, and of random layers.

    Raises:
        OptionError: an argument out of its range, or an optimizer without a learning rate.
        DataError: X, Y do not fit, or J bursts within 3 steps.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> found = rg.learning_rate_range(rg.MLP([1, 8, 1], activation="tanh"), X, X**2)
    >>> found
    <learning rates 1e-06 to 2.72: J falls fastest at 0.00404, is lowest at 0.278>
    """
    owner = "learning_rate_range"
    require_no_others(owner, others, learning_rate_range)
    if not isinstance(network, Network):
        raise OptionError(f"{owner}: expected a network, got {network!r}")
    require_number(owner, "low", low, open_low=True)
    require_number(owner, "high", high, low=low, open_low=True)
    require_integer(owner, "steps", steps, low=3)
    require_number(owner, "l2", l2)
    require_integer(owner, "seed", seed, low=0)
    chosen = find_optimizer(optimizer)
    if not isinstance(chosen, Optimizer):
        raise OptionError(f"{owner}: {chosen.name} has no learning rate")
    rate = Exponential(low, factor=(high / low) ** (1.0 / (steps - 1)))
    own, own_loss = deepcopy(network), find_loss(loss, network)
    data = check_rows(own, own_loss, X, Y)
    n = len(data)
    size = n if batch_size is None else min(require_integer(owner, "batch_size", batch_size), n)
    session = TrainingSession(
        own,
        data,
        loss=own_loss,
        optimizer=chosen.with_rate(rate),
        l2=l2,
        engine=engine,
        seed=seed,
        frozen=find_frozen(own, frozen, owner=owner),
    )
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(n) for _ in range(-(-steps * size // n))])
    epoch = session.epoch(order[: steps * size], size, lambda: False, is_observed=False)
    return _found(np.array([rate(step) for step in range(steps)]), epoch.J)


def _found(rates: Array, J: Array) -> RateRange:
    n = _before_burst(J)
    if n < 3:
        raise DataError("learning_rate_range: J bursts within 3 steps; begin at a lower rate")
    rates, J = rates[:n], J[:n]
    wing = max(1, n // WINGS)
    smooth = np.array([J[max(i - wing, 0) : i + wing + 1].mean() for i in range(n)])
    fall = smooth[: -2 * wing] - smooth[2 * wing :]  # around the steps wing, wing + 1, ...
    steepest, lowest = wing + int(fall.argmax()), int(smooth.argmin())
    return RateRange(rates, J, smooth, float(rates[steepest]), float(rates[lowest]))


def _before_burst(J: Array) -> int:
    """How many steps there are before J is not finite, or far above what it was on average."""
    lowest, total, n_kept = np.inf, 0.0, 0.0
    for step, now in enumerate(J):
        total, n_kept = MEMORY * total + now, MEMORY * n_kept + 1.0
        lowest = min(lowest, total / n_kept)
        if not np.isfinite(now) or total / n_kept > BURST * abs(lowest):
            return step
    return len(J)
