"""Classes by the names that users give them; the module of each is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar

Kind = TypeVar("Kind")


class Registry(Mapping[str, Kind], Generic[Kind]):
    """A mapping from names to classes, most of which a program never needs.

    `places`: of each name, "module:class"; modules lie in `package`. A class takes about half a
    millisecond to load, and a training needs one optimizer of twenty.

    >>> layers = Registry("retrograd.nn", {"dense": "layers:Dense"})
    >>> layers["dense"].__name__, list(layers)
    ('Dense', ['dense'])
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package, self._places = package, places
        self._found: dict[str, Kind] = {}

    def __getitem__(self, name: str) -> Kind:
        if name not in self._found:
            module, _, attribute = self._places[name].partition(":")
            self._found[name] = getattr(import_module(f"{self._package}.{module}"), attribute)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places
