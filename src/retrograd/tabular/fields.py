"""The fields of a JSON object, each required and of its kind, and no others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from retrograd.errors import DataError


def read_fields(
    data: Any, what: str, readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """The fields of `data`, each passed through its reader, which raises ValueError to refuse.

    >>> read_fields({"name": "age", "mean": 31}, "column", {"name": text, "mean": number})
    {'name': 'age', 'mean': 31.0}
    >>> read_fields({"name": "age"}, "column", {"name": text, "mean": number})
    Traceback (most recent call last):
    ...
    retrograd.errors.DataError: column has the fields name, mean; got name
    """
    if not isinstance(data, dict):
        raise DataError(f"{what} is an object; got {type(data).__name__}")
    if set(data) != set(readers):
        raise DataError(f"{what} has the fields {', '.join(readers)}; got {', '.join(data)}")
    fields = {}
    for name, read in readers.items():
        try:
            fields[name] = read(data[name])
        except ValueError as error:
            raise DataError(f"{what}: {name} {error}") from None
    return fields


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError(f"is a string; got {value!r}")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is true or false; got {value!r}")
    return value


def number(value: Any) -> float:
    """A finite number that float64 can hold: an integer of JSON may have any size."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise ValueError(f"is a finite number; got {str(value)[:40]!r}")


def positive(value: Any) -> float:
    """A finite number above 0."""
    if number(value) <= 0:
        raise ValueError(f"is above 0; got {value}")
    return float(value)


def entries(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError(f"is a list; got {type(value).__name__}")
    return value
