"""A fit as an attempt: one that its options or data do not allow leaves no trace."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from retrograd.errors import DataError, GraphError, OptionError


class Attempt:
    """A fit that may fail, of estimators that then are what they were: fitted or not.

    Law: whatever is raised before `has_begun`, and every error of options or data, leaves each
    attribute as it was. What else ends a training under way (a divergence, an error in a callback)
    leaves what was trained so far.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        self.has_begun = False
        self._before = [(one, dict(vars(one)), _curves(vars(one))) for one in parts]

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        is_refused = isinstance(error, OptionError | DataError | GraphError)
        if error is None or (self.has_begun and not is_refused):
            return
        for one, attributes, curves in self._before:
            vars(one).clear()
            vars(one).update(attributes)
            for own, entries in curves:
                own[:] = entries


def _curves(attributes: dict[str, Any]) -> list[tuple[list[Any], list[Any]]]:
    """The lists that a fit appends to, each with its entries."""
    fitted = [value for name, value in attributes.items() if name.endswith("_")]
    inner = [each for value in fitted if isinstance(value, dict) for each in value.values()]
    return [(own, list(own)) for own in fitted + inner if isinstance(own, list)]
