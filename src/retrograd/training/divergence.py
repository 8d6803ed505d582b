"""What to say where training leaves the finite numbers: advice that fits the data."""

from __future__ import annotations

import numpy as np

from retrograd.errors import DivergenceError
from retrograd.nn.ends import takers
from retrograd.training.origin import UPDATE, Origin
from retrograd.training.session import TrainingSession

CLIPPED = "gradients that are clipped, rg.Clip(optimizer, global_norm=1.0)"
SCALED = 10.0  # numbers of standardised columns are seldom larger


def diverged(
    session: TrainingSession,
    epoch: int,
    step: int,
    of: str,
    J: float,
    broken: str | None,
    origin: Origin | None,
) -> DivergenceError:
    """The error for a step that left the finite numbers.

    `of`: how many steps the epoch has, in words. `broken`: a state variable that is not finite.
    `origin`: the gate where the first NaN or infinity came from, if it was found.
    """
    what = f"J is {J:g}" if broken is None else f"J is {J:g}, the next {broken} is not finite"
    if origin is not None:
        what += f"; {origin}"
    where = f"training diverged at epoch {epoch}, step {step}{of}"
    return _error(session, epoch, step, where, what, origin)


def at_the_edge(session: TrainingSession, epoch: int, step: int, J: float) -> DivergenceError:
    """The error for an epoch that left the finite numbers, but not when it was run again."""
    dtype = session.rows.X.dtype
    what = (
        f"run again step by step it ended at J {J:g}, at the edge of what {dtype} holds, "
        "where rounding decides"
    )
    return _error(session, epoch, step, f"training diverged in epoch {epoch}", what)


def at_the_start(session: TrainingSession, epoch: int, origin: Origin | None) -> DivergenceError:
    """The error for J or a gradient that is not finite before a solver's first step."""
    what = "J or its gradient is not finite at the initial weights"
    if origin is not None:
        what += f"; {origin}"
    return _error(session, epoch, 1, f"training diverged at epoch {epoch}, step 1", what, origin)


def _error(
    session: TrainingSession,
    epoch: int,
    step: int,
    where: str,
    what: str,
    origin: Origin | None = None,
) -> DivergenceError:
    return DivergenceError(
        f"{where}: {what}; the network keeps the last finite weights. {_advice(session, origin)}",
        epoch=epoch,
        step=step,
        origin=origin,
    )


def _advice(session: TrainingSession, origin: Origin | None) -> str:
    """What may help: what is large already is to be scaled, else gradients are to be clipped.

    Before the first update neither clipping nor the learning rate has a part in it: there the gate
    is to be looked at.
    """
    scaled = [
        f"scaled {name} (the largest number of {symbol} is {size:.3g})"
        for symbol, name, size in _sizes(session)
        if size > SCALED
    ]
    is_first = origin is not None and (origin.epoch, origin.step) == (1, 1)
    if is_first and origin is not None and origin.phase != UPDATE:
        what = f"look at the gate {origin.gate} and what goes into it, {origin.operand}"
        rest = f"; or try {', or '.join(scaled)}" if scaled else ""
        return f"No weight was updated yet: {what}{rest}"
    usual = "smaller initial weights" if session.optimizer is None else "a smaller learning_rate"
    hints = [usual, *scaled]
    if len(hints) < 2 and session.optimizer is not None and not session.optimizer.is_clipping:
        hints.append(CLIPPED)
    return f"Try {', or '.join(hints)}"


def _sizes(session: TrainingSession) -> list[tuple[str, str, float]]:
    """The largest magnitude in X, and in Y where it is numbers; categories are none."""
    from retrograd.nn.embeddings import Embedding  # most networks load none

    X = session.rows.X
    parts = takers(session.layers, X.shape[1])
    columns = [i for own, layer in parts if not isinstance(layer, Embedding) for i in own]
    if isinstance(X, np.ndarray) and len(columns) < X.shape[1]:
        X = X[:, columns]
    found = [("X", "inputs", X)]
    for head, part in session.rows.target.parts.items():
        found.append((f"Y[{head!r}]" if head else "Y", "targets", part.array))
    return [
        (symbol, name, max(float(array.max()), -float(array.min())))
        for symbol, name, array in found
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size
    ]
