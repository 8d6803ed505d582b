"""Optimizers for some of the parameters each: groups by name, with their own rates and decays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.optim.adam import AdamW
from retrograd.optim.base import Nodes, Optimizer, Point, Rate, Slot, only, part_of


class Divided(Optimizer):
    """An optimizer that divides the parameters among its parts."""

    @abstractmethod
    def divide(self, shapes: Mapping[str, Shape]) -> dict[str, list[str]]:
        """The names of the parameters of each part, by its prefix."""

    def state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The state variables of every part, under its prefix."""
        found: dict[str, Slot] = {}
        for prefix, names in self.divide(shapes).items():
            slots = self.part_state(prefix, {name: shapes[name] for name in names})
            found |= {prefix + name: slot for name, slot in slots.items()}
        return found

    def step(self, at: Point) -> dict[str, Node]:
        """The next values that every part gives its parameters and its state."""
        updates: dict[str, Node] = {}
        for prefix, names in self.divide({name: w.shape for name, w in at.w.items()}).items():
            own = part_of(at, prefix, names)
            new = self.part_step(prefix, own)
            updates |= {name if name in own.w else prefix + name: x for name, x in new.items()}
        return updates

    def part_state(self, prefix: str, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The state variables of the part with this prefix."""
        return self.parts()[prefix].state(shapes)

    def part_step(self, prefix: str, at: Point) -> dict[str, Node]:
        """The step of the part with this prefix."""
        return self.parts()[prefix].step(at)

    def read(self, w: Nodes, state: Nodes, scalars: Nodes) -> Nodes:
        """What every part reads of its parameters."""
        found, parts = dict(w), self.parts()
        for prefix, names in self.divide({name: x.shape for name, x in w.items()}).items():
            if prefix in parts:
                own = {name: w[name] for name in names}
                found |= parts[prefix].read(own, only(prefix, state), only(prefix, scalars))
        return found

    @property
    def reads_others(self) -> bool:
        """Whether one of its parts does."""
        return any(part.reads_others for part in self.parts().values())

    def rate_names(self, shapes: Mapping[str, Shape]) -> dict[str, str]:
        """That of the part which a parameter belongs to."""
        parts, found = self.parts(), super().rate_names(shapes)
        for prefix, names in self.divide(shapes).items():
            if prefix in parts:
                own = parts[prefix].rate_names({name: shapes[name] for name in names})
                found |= {name: prefix + rate for name, rate in own.items()}
        return found


@dataclass(frozen=True)
class Groups(Divided):
    """Several optimizers, each for the parameters whose name fits   [Optax: multi_transform].

    A pattern is a name with `*` and `?` for any characters: "b*" are the biases, "W1" the first
    weights. The first that fits counts. The learning rate of a history is the default's.

    Args:
        groups: optimizers by pattern.
        default: the optimizer of all other parameters.

    Raises OptionError for what is not an optimizer, and in training for a pattern that fits none.

    >>> no_decay = rg.Groups({"b*": rg.AdamW(weight_decay=0.0)}, default=rg.AdamW())
    >>> no_decay.numbers()["weight_decay"], no_decay.numbers()["b*: weight_decay"]
    (0.01, 0.0)
    """

    name = "groups"

    groups: Mapping[str, Optimizer] | tuple[tuple[str, Optimizer], ...]
    default: Optimizer = AdamW()  # noqa: RUF009  # frozen, as its numbers are

    def __post_init__(self) -> None:
        pairs = tuple(self.groups.items()) if isinstance(self.groups, Mapping) else self.groups
        if not isinstance(pairs, tuple) or not pairs:
            raise OptionError(f"Groups: give optimizers by pattern, got {self.groups!r}")
        for pattern, optimizer in pairs:
            if not isinstance(pattern, str) or not pattern:
                raise OptionError(f"Groups: a pattern is a text such as 'b*', got {pattern!r}")
            require_optimizer("Groups", f"the group {pattern!r}", optimizer)
        require_optimizer("Groups", "default", self.default)
        if any(isinstance(part, Groups) for part in (self.default, *dict(pairs).values())):
            raise OptionError("Groups: a group is no Groups itself; give all patterns to one")
        object.__setattr__(self, "groups", pairs)  # hashable, and in order

    def parts(self) -> dict[str, Optimizer]:
        """The default, and each group's under its pattern."""
        return {"": self.default, **{f"{p}: ": optimizer for p, optimizer in self._pairs}}

    def divide(self, shapes: Mapping[str, Shape]) -> dict[str, list[str]]:
        """By the first pattern that fits a name. Raises OptionError for one that fits none."""
        found: dict[str, list[str]] = {prefix: [] for prefix in self.parts()}
        for name in shapes:
            fits = (f"{p}: " for p, _ in self._pairs if fnmatchcase(name, p))
            found[next(fits, "")].append(name)
        for pattern, _ in self._pairs:
            if not found[f"{pattern}: "]:
                raise OptionError(
                    f"Groups: the pattern {pattern!r} fits no parameter that is left for it; "
                    f"there are {', '.join(shapes)}"
                )
        return found

    def with_rate(self, rate: Rate) -> Self:
        """The same with another learning rate of the default."""
        return type(self)(self.groups, self.default.with_rate(rate))

    @property
    def _pairs(self) -> tuple[tuple[str, Optimizer], ...]:
        assert isinstance(self.groups, tuple)
        return self.groups


def require_optimizer(owner: str, what: str, value: object) -> None:
    """Raise OptionError unless a value is an optimizer."""
    if not isinstance(value, Optimizer):
        raise OptionError(f"{owner}: {what} must be an optimizer such as rg.Adam(), got {value!r}")
