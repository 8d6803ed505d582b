"""What random layers draw from while a network trains; without it they are still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retrograd.gates import row_count
from retrograd.graph.node import Node, variable

SEED, SEEN = "seed", "rows seen"
INSIDE = 2**16  # the first stream of layers inside others


@dataclass(frozen=True, eq=False)
class Noise:
    """The key of every random gate of a step (see docs/design/007-random-gates.md), as variables.

    - `seed`: one for the whole of a training.
    - `seen`: the rows that came before this batch; state, so that no two batches draw the same.
    - `rates`: of each random layer, by its place in the network. `streams`: so too.
    """

    seed: Node
    seen: Node
    rates: Mapping[str, Node]
    streams: Mapping[str, int]

    @classmethod
    def of(cls, rates: Mapping[str, float]) -> Noise:
        """Fresh variables; their values are what they are where nothing else is given."""
        found = {place: variable(rate_name(place), rate) for place, rate in rates.items()}
        # A layer's stream is its number; those inside others are numbered after all of them.
        streams = {
            place: int(place) if place.isdecimal() else INSIDE + number
            for number, place in enumerate(rates)
        }
        return cls(variable(SEED, 0.0), variable(SEEN, 0.0), found, streams)

    @property
    def scalars(self) -> dict[str, Node]:
        """The scalars of a step, by name."""
        return {SEED: self.seed, **{rate_name(place): x for place, x in self.rates.items()}}

    def numbers(self) -> dict[str, float]:
        """The rates by the names of their scalars."""
        return {str(x.name): float(x.value) for x in self.rates.values() if x.value is not None}

    @property
    def state(self) -> dict[str, Node]:
        """The state variables of a step, by name."""
        return {SEEN: self.seen}

    @property
    def updates(self) -> dict[str, Node]:
        """Their next values."""
        return {SEEN: self.seen + row_count()}


def rate_name(place: str) -> str:
    """The name of a layer's rate among the scalars of a step."""
    return f"rate{place}"
