"""Layers that stand at several places of a network: one object, one set of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from retrograd.errors import OptionError
from retrograd.nn.layer import Layer, place_name


def walk(layers: Sequence[Layer], above: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer that holds no others, with its place: "1", "2.1", "2.2", ..."""
    for number, layer in enumerate(layers, start=1):
        place = f"{above}{number}"
        if layer.parts:
            yield from walk(layer.parts, f"{place}.")
        else:
            yield place, layer


def shared_places(layers: Sequence[Layer]) -> dict[str, str]:
    """Each further place of a layer that has parameters, with its first.

    Two layers that are equal are two; one object at two places is one.
    """
    first: dict[int, str] = {}
    found = {}
    for place, layer in walk(layers):
        if layer.shapes and first.setdefault(id(layer), place) != place:
            if layer.statistics:
                raise OptionError(
                    f"network: one rg.BatchNorm stands at the places {first[id(layer)]} and "
                    f"{place}; its running estimates need one each"
                )
            found[place] = first[id(layer)]
    return found


def aliases(layers: Sequence[Layer]) -> tuple[tuple[str, str], ...]:
    """The names that a shared parameter would have at its further places, with its own."""
    at = dict(walk(layers))
    return tuple(
        (place_name(name, place), place_name(name, owner))
        for place, owner in shared_places(layers).items()
        for name in at[owner].shapes
    )


def with_shared(layers: Sequence[Layer], shared: Mapping[str, str]) -> list[Layer]:
    """The layers with one object where `shared_places` said so."""
    known: dict[str, Layer] = {}

    def made(layer: Layer, place: str) -> Layer:
        if place in shared:
            return known[shared[place]]
        if layer.parts:
            inside = enumerate(layer.parts, start=1)
            layer = layer.with_parts([made(part, f"{place}.{n}") for n, part in inside])
        known[place] = layer
        return layer

    return [made(layer, str(number)) for number, layer in enumerate(layers, start=1)]
