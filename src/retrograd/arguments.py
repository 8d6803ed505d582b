"""Arguments by a name that nothing has: one error that names those there are, and the one meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Self

from retrograd.errors import unknown_name


class Choices:
    """The base of classes that a user makes with arguments by name: `rg.Adam(beta1=0.8)`.

    >>> from retrograd.optim.adam import Adam
    >>> Adam(lr=0.1)
    Traceback (most recent call last):
    retrograd.errors.UnknownNameError: unknown argument of Adam 'lr' (did you mean
    'learning_rate'?); known: amsgrad, beta1, beta2, epsilon, learning_rate
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """The object, before its numbers are checked; UnknownNameError for another argument."""
        if kwargs:
            require_arguments(cls.__name__, kwargs, cls.__init__)
        return super().__new__(cls)


def require_arguments(owner: str, given: Iterable[str], function: Callable[..., Any]) -> None:
    """Raise UnknownNameError unless a function takes arguments of these names."""
    names, takes_any = _taken(function)
    if not takes_any:
        require_no_others(owner, set(given).difference(names), function)


def require_no_others(owner: str, others: Iterable[str], function: Callable[..., Any]) -> None:
    """Raise UnknownNameError for an argument by a name that the function has not.

    `others`: what it was given so; of `function` the names of the others are taken.
    """
    for name in others:
        raise unknown_name(f"argument of {owner}", name, _taken(function)[0])


@lru_cache(maxsize=256)
def _taken(function: Callable[..., Any]) -> tuple[tuple[str, ...], bool]:
    """The names of a function's arguments, and whether it takes any others by name."""
    parameters = inspect.signature(function).parameters.values()
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    names = tuple(each.name for each in parameters if each.kind in kinds and each.name != "self")
    return names, any(each.kind is each.VAR_KEYWORD for each in parameters)
