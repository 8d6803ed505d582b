"""The picture of a network's pass: its layers with the values and gradients of a batch."""

from __future__ import annotations

from retrograd.inspect.passes import passes
from retrograd.inspect.subject import Subject
from retrograd.inspect.sweep import sweep
from retrograd.nn.picture import layers_of
from retrograd.pictures.picture import AUTO, LAYERS, Picture, draw


def drawn(
    subject: Subject,
    *,
    is_still: bool = False,
    frozen: frozenset[str] = frozenset(),
    seed: int = 0,
    first_row: int = 0,
    engine: str = "numpy",
    level: str = AUTO,
) -> Picture:
    """The picture of a pass, by layers unless its nodes are asked for.

    The values are those of the reference engine, whichever the trace was made on.
    """
    made = passes(subject, is_still=is_still, frozen=frozen)
    objective = made.objective
    given = made.values(subject, seed=seed, first_row=first_row)
    _, values, gradients = sweep(objective.J, given)
    return draw(
        [objective.J],
        level=LAYERS if level == AUTO else level,
        layers=layers_of(subject.network.architecture, objective.noisy, objective.J),
        values=values,
        gradients=gradients,
        title=f"{len(subject.X)} rows through a network",
    )
