"""Which parameters a training leaves as they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from retrograd.errors import OptionError, unknown_name
from retrograd.nn.network import Network


def find_frozen(
    network: Network, patterns: Sequence[str], *, owner: str = "train"
) -> frozenset[str]:
    """The names of the parameters that fit one of the patterns.

    Raises OptionError for a pattern that fits none, and where nothing is left to train.

    >>> sorted(find_frozen(rg.MLP([2, 3, 1]), ["W1", "b*"]))
    ['W1', 'b1', 'b2']
    """
    if isinstance(patterns, str) or not isinstance(patterns, Collection):
        raise OptionError(
            f"{owner}: frozen is a list of names such as ['W1', 'b*'], got {patterns!r}"
        )
    names, found = [*network.parameters], set()
    for pattern in patterns:
        fits = [name for name in names if isinstance(pattern, str) and fnmatchcase(name, pattern)]
        if not fits:
            raise unknown_name("frozen parameter", pattern, names)
        found.update(fits)
    if found and network.statistics.union(found).issuperset(names):
        raise OptionError(f"{owner}: frozen leaves nothing to train of {', '.join(names)}")
    return frozenset(found)
