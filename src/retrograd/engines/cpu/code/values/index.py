"""Where a value is asked for: along each axis a place, and whether the lanes step along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograd.engines.cpu.code.builder.integers import Int
from retrograd.graph.shape import Shape


@dataclass(frozen=True)
class At:
    """A place along an axis; `step` is 1 where lanes lie along it, else 0."""

    base: Int
    step: int = 0

    @property
    def key(self) -> object:
        """What tells two places apart."""
        return (self.base if isinstance(self.base, int) else id(self.base)), self.step


Index = tuple[At, ...]
HERE = At(0)


def broadcast_index(index: Index, shape: Shape) -> Index:
    """The index of an input that is broadcast to its node: from the right, 0 along sizes of 1."""
    mine = index[len(index) - len(shape) :]
    return tuple(HERE if size == 1 else at for at, size in zip(mine, shape, strict=True))


def short_index(index: Index, shape: Shape) -> list[At]:
    """The places along the axes that are longer than 1."""
    return [at for at, size in zip(index, shape, strict=True) if size != 1]


def full_index(short: Sequence[At], shape: Shape) -> Index:
    """The index in a shape, from the places along its axes longer than 1."""
    places = iter(short)
    return tuple(HERE if size == 1 else next(places) for size in shape)
