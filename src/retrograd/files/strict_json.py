"""Strict JSON: what is written comes back equal in any language, what is not strict is refused.

Stricter than the standard library's `json`: no NaN and no infinity (not as `1e999` either), no
key twice, no key that is not a string, no text that UTF-8 cannot hold, no nesting without end.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn, TypeAlias

from retrograd.errors import OptionError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

# A list that holds itself has no depth; a file of brackets must not exhaust the stack.
_DEEPEST = 100
# 2048 bits are 617 digits: inside the smallest limit that Python lets a user set for int(text).
_INTEGER_BITS = 2048


def dumps(value: JSON, *, name: str = "value") -> str:
    """`value` as compact JSON text with sorted keys: the same value gives the same text.

    Law: `loads(dumps(value)) == value`, to the last bit of a float and the sign of a zero.
    A tuple, a NumPy number, a NaN or any other thing that would not come back as it was is an
    OptionError that says where it stands; `name` is what the error calls `value`.

    >>> dumps({"sizes": [4, 3], "rate": 0.5})
    '{"rate":0.5,"sizes":[4,3]}'
    >>> dumps({"rates": [0.5, float("nan")]}, name="header")
    Traceback (most recent call last):
    ...
    retrograd.errors.OptionError: header['rates'][1] is nan; JSON holds finite numbers only
    """
    _check(value, name, 0)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def loads(text: str) -> JSON:
    """The value of a JSON text, or an OptionError where the text is not strict JSON.

    >>> loads('{"rate": 0.5}')
    {'rate': 0.5}
    >>> loads('{"rate": 0.5, "rate": 0.1}')
    Traceback (most recent call last):
    ...
    retrograd.errors.OptionError: not strict JSON: the key 'rate' stands twice in one object
    """
    try:
        value: JSON = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise OptionError(f"not strict JSON: nested deeper than {_DEEPEST} levels") from None
    except ValueError as error:
        raise OptionError(f"not strict JSON: {error}") from None
    _check(value, "JSON", 0)  # Python reads 1e999 as infinity and "\ud800" as half a character.
    return value


def _check(value: object, where: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise OptionError(f"{where[:80]}... is nested deeper than {_DEEPEST} levels")
    match value:
        case None | bool():
            pass
        case str():
            _check_text(value, where)
        case int():
            if value.bit_length() > _INTEGER_BITS:
                raise OptionError(f"{where} is an integer of more than {_INTEGER_BITS} bits")
        case float():
            if not math.isfinite(value):
                raise OptionError(f"{where} is {float(value)}; JSON holds finite numbers only")
        case list():
            for index, item in enumerate(value):
                _check(item, f"{where}[{index}]", depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise OptionError(
                        f"{where} has the key {key!r} ({type(key).__name__}); keys are str"
                    )
                _check_text(key, f"a key of {where}")
                _check(item, f"{where}[{key!r}]", depth + 1)
        case _:
            raise OptionError(
                f"{where} is of the type {type(value).__name__}; "
                "JSON knows None, bool, int, float, str, list and dict"
            )


def _check_text(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise OptionError(f"{where} has {character!r} in it, which UTF-8 cannot hold") from None


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:80]!r} stands twice in one object")
        result[key] = value
    return result


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")
