"""What an optimizer is: slots of state for each parameter, numbers, and an update rule in gates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from retrograd.arguments import Choices
from retrograd.arrays import Array, require_number
from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape

RATE = "learning_rate"
Named = TypeVar("Named")

Rate = float | Callable[[int], float]
"""A learning rate, or a function of the step, counted from 0, that gives it."""

Nodes = Mapping[str, Node]
"""Nodes by name: slots of state, or numbers."""

Update = tuple[Node, dict[str, Node]]
"""The next value of a parameter, and of its slots by name."""


@dataclass(frozen=True)
class Slot:
    """A state variable before the first step: a shape full of one number, or a parameter's copy.

    `copy_of`: the name of the parameter that it begins as. Where a parameter is assigned between
    steps, its copies begin anew.
    """

    shape: Shape
    initial: float = 0.0
    copy_of: str | None = None


@dataclass(frozen=True, eq=False)
class Point:
    """What an optimizer sees at a step, as nodes.

    - `w`, `g`: the parameters and their gradients, by the parameter's name.
    - `state`: the optimizer's state variables by name (`m of W1`).
    - `scalars`: a 0-d node for each number of the optimizer.
    - `t`: the step, from 1.
    - `gradient(w)`: the gradients of the same batch at other parameters; costs another pass.
    """

    w: Nodes
    g: Nodes
    state: Nodes
    scalars: Nodes
    t: Node
    gradient: Callable[[Nodes], dict[str, Node]]


@dataclass(frozen=True)
class Optimizer(Choices, ABC):
    """The base of optimizers. A subclass is a frozen dataclass of its numbers.

    Its number fields become run-time scalars of the step, so a search over them compiles once; a
    field declared by `structure(...)` shapes the graph instead.

    It says `state` and `step`, for all parameters together; what looks at one parameter at a time
    is a `PerParameter` and says `slots` and `update`. What reads other weights out than it trains
    says `read`.
    """

    name: ClassVar[str]

    @abstractmethod
    def state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The state variables for parameters of these shapes, by name."""

    @abstractmethod
    def step(self, at: Point) -> dict[str, Node]:
        """The next values of the parameters and of the state, by name."""

    def read(self, w: Nodes, state: Nodes, scalars: Nodes) -> Nodes:
        """The weights to predict with: the trained ones, unless it supplies others.

        Law: where every slot that is a parameter's copy is equal to it, so is what is read.
        """
        return w

    @property
    def reads_others(self) -> bool:
        """Whether `read` gives other weights than those that are trained: where it says so."""
        return type(self).read is not Optimizer.read

    def rate_names(self, shapes: Mapping[str, Shape]) -> dict[str, str]:
        """The name, among its numbers, of the learning rate of each parameter that has one."""
        return dict.fromkeys(shapes, RATE) if RATE in self._number_names() else {}

    def parts(self) -> dict[str, Optimizer]:
        """The optimizers inside this one, by the prefix that the names of their numbers have."""
        return {}

    def numbers(self) -> dict[str, Rate]:
        """The numbers that become run-time scalars, by name."""
        own = {name: getattr(self, name) for name in self._number_names()}
        for prefix, part in self.parts().items():
            own |= {prefix + name: rate for name, rate in part.numbers().items()}
        return own

    def changed(self, change: Callable[[Any], Any]) -> Self:
        """The same with every number put through a function; the result is not checked.

        >>> rg.SGD(0.1, momentum=0.5).changed(lambda number: 2 * number)
        SGD(learning_rate=0.2, momentum=1.0, nesterov=False, dampening=0.0)
        """
        made, names = copy(self), self._number_names()
        for each in fields(self):
            value = getattr(self, each.name)
            new = change(value) if each.name in names else _changed_inside(value, change)
            object.__setattr__(made, each.name, new)
        return made

    def with_rate(self, rate: Rate) -> Self:
        """The same with another learning rate; OptionError for one that has none.

        >>> rg.Adam().with_rate(0.5).learning_rate
        0.5
        """
        if RATE not in self._number_names():
            raise OptionError(f"{type(self).__name__} has no learning rate")
        return replace(self, **{RATE: rate})

    @property
    def is_clipping(self) -> bool:
        """Whether gradients are cut to a length before the step."""
        return any(part.is_clipping for part in self.parts().values())

    def waiting(self, state: Mapping[str, Any]) -> float:
        """The batches that wait in this state for a first step that never was; mostly 0."""
        return max(
            (part.waiting(only(prefix, state)) for prefix, part in self.parts().items()),
            default=0.0,
        )

    def divisors(self) -> dict[str, Rate]:
        """Those of its numbers that keep something from being divided by 0: see `divisor`."""
        own = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.metadata.get(DIVISOR) and _is_number(getattr(self, each.name))
        }
        for prefix, part in self.parts().items():
            own |= {prefix + name: number for name, number in part.divisors().items()}
        return own

    def kinds(self) -> set[type]:
        """The classes that the graph is made by: its own and those of its parts."""
        return {type(self)}.union(*(part.kinds() for part in self.parts().values()))

    def _number_names(self) -> list[str]:
        return [
            each.name
            for each in fields(self)
            if not each.metadata.get(STRUCTURE) and _is_number(getattr(self, each.name))
        ]


@dataclass(frozen=True)
class PerParameter(Optimizer):
    """An optimizer that looks at one parameter at a time: most do."""

    def slots(self) -> tuple[str, ...]:
        """The names of the state that each parameter has, as large as it and 0 at first."""
        return ()

    def slots_of(self, name: str, shape: Shape) -> dict[str, Slot]:
        """The slots of the parameter of this name and shape, where they are not all alike."""
        return {slot: Slot(shape) for slot in self.slots()}

    @abstractmethod
    def update(self, w: Node, g: Node, slots: Nodes, scalars: Nodes, t: Node) -> Update:
        """The next value of a parameter and of its slots.

        `scalars` has a 0-d node for each number of the optimizer; `t` is the step, from 1.
        """

    def state(self, shapes: Mapping[str, Shape]) -> dict[str, Slot]:
        """The slots of every parameter, under the names that they have with it."""
        return {
            slot_name(slot, name): found
            for name, shape in shapes.items()
            for slot, found in self.slots_of(name, shape).items()
        }

    def step(self, at: Point) -> dict[str, Node]:
        """The update of every parameter."""
        updates: dict[str, Node] = {}
        for name, w in at.w.items():
            slots = {slot: at.state[slot_name(slot, name)] for slot in self.slots_of(name, w.shape)}
            updates[name], new = self.update(w, at.g[name], slots, at.scalars, at.t)
            updates |= {slot_name(slot, name): value for slot, value in new.items()}
        return updates


STRUCTURE, DIVISOR = "structure", "divisor"


def structure(default: Any) -> Any:
    """A dataclass field that is no run-time number, though it may look like one: a loop's length.

    >>> rg.Muon(iterations=4).numbers().get("iterations")
    """
    return field(default=default, metadata={STRUCTURE: True})


def divisor(default: Any) -> Any:
    """A dataclass field that keeps something from being divided by 0: an epsilon.

    >>> rg.Adam(epsilon=1e-6).divisors()
    {'epsilon': 1e-06}
    """
    return field(default=default, metadata={DIVISOR: True})


def _is_number(value: object) -> bool:
    return callable(value) or (
        isinstance(value, int | float | np.number) and not isinstance(value, bool)
    )


def _changed_inside(value: Any, change: Callable[[Any], Any]) -> Any:
    """A field that is no number: optimizers in it are changed, also in tuples."""
    if isinstance(value, Optimizer):
        return value.changed(change)
    if isinstance(value, tuple):
        return tuple(_changed_inside(each, change) for each in value)
    return value


def slot_name(slot: str, parameter: str) -> str:
    """The name of an optimizer's state variable: `m of W1`."""
    return f"{slot} of {parameter}"


def only(prefix: str, named: Mapping[str, Named]) -> dict[str, Named]:
    """What has a name with this prefix, by the rest of its name."""
    return {name[len(prefix) :]: x for name, x in named.items() if name.startswith(prefix)}


def part_of(at: Point, prefix: str, names: Iterable[str]) -> Point:
    """What an optimizer inside another sees: some of the parameters, its own state and numbers."""
    own = list(names)

    def gradient(w: Nodes) -> dict[str, Node]:
        found = at.gradient({**at.w, **w})
        return {name: found[name] for name in own}

    return Point(
        w={name: at.w[name] for name in own},
        g={name: at.g[name] for name in own},
        state=only(prefix, at.state),
        scalars=only(prefix, at.scalars),
        t=at.t,
        gradient=gradient,
    )


def require_rate(owner: str, rate: object) -> None:
    """Raise OptionError unless a learning rate is a positive number or a function of the step."""
    if isinstance(rate, str | type):
        raise OptionError(
            f"{owner}: learning_rate must be a positive number, or a function of the step such as "
            f"those in rg.schedules (rg.schedules.Cosine(0.1, steps=1000)), got {rate!r}"
        )
    if not callable(rate):
        require_number(owner, "learning_rate", rate, open_low=True)


def require_normal(optimizer: Optimizer, dtype: np.dtype[Any]) -> None:
    """Raise OptionError for a divisor below the least normal number of a dtype.

    Engines may take it for 0, and what it keeps from being divided by 0 would be.

    >>> require_normal(rg.Adam(epsilon=1e-40), np.dtype("float64"))
    """
    least = float(np.finfo(dtype).tiny)
    for name, number in optimizer.divisors().items():
        if not callable(number) and 0.0 < number < least:
            raise OptionError(
                f"{type(optimizer).__name__}: {name}={number:g} is below the least normal {dtype}, "
                f"{least:.3g}, and may count as 0; give a larger one"
            )


def at(rate: Rate, step: int) -> float:
    """A rate at a step.

    >>> at(0.1, 7), at(lambda step: 2.0 * step, 7)
    (0.1, 14.0)
    """
    return float(rate(step)) if callable(rate) else float(rate)


def parted(numbers: Mapping[str, Rate]) -> tuple[dict[str, float], dict[str, Rate]]:
    """The numbers of an optimizer: those that stay, and those that follow the steps."""
    moving: dict[str, Rate] = {x: rate for x, rate in numbers.items() if callable(rate)}
    return {name: at(numbers[name], 0) for name in numbers if name not in moving}, moving


def rates(rate: Rate, first: int, count: int) -> float | Array:
    """The rate at each of `count` steps from step `first` on: an array, or the number itself."""
    if not callable(rate):
        return float(rate)
    try:
        values = np.array([float(rate(step)) for step in range(first, first + count)])
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"the learning-rate schedule must give a number at each step: {error}"
        ) from error
    if not np.isfinite(values).all() or (values < 0).any():
        step = first + int(np.argmin(np.isfinite(values) & (values >= 0)))
        raise OptionError(f"the learning-rate schedule gives {values[step - first]} at step {step}")
    return values
