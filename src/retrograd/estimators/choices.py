"""Parameters of an estimator as strict JSON: numbers, names, and the package's own objects.

An object is written as the name of its class and its fields, and made anew by its constructor,
which checks them; only classes of the package's vocabulary are made.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from retrograd.errors import ModelFileError, OptionError
from retrograd.graph.function import GateFunction
from retrograd.nn.activations import ACTIVATIONS, activation_to_json
from retrograd.nn.losses import LOSSES
from retrograd.optim import (
    accumulate,
    averages,
    clip,
    groups,
    plateau,
    schedules,
    scikit_learn,
    sharpness,
)
from retrograd.optim.names import OPTIMIZERS

OF_FUNCTIONS = "activation"  # the parameter whose functions are written as their gates


def to_json(value: Any, name: str) -> Any:
    """A parameter or figure as strict JSON; OptionError if there is no way to write it.

    >>> to_json((100, 50), "hidden_layer_sizes")
    {'tuple': [100, 50]}
    >>> to_json(rg.AdamW(0.1), "solver")["object"]
    'AdamW'
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [to_json(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [to_json(item, name) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[to_json(k, name), to_json(v, name)] for k, v in value.items()]}
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
        return {"array": [int(item) for item in value], "dtype": value.dtype.name}
    if is_dataclass(value) and type(value) is _kinds().get(type(value).__name__):
        own = {f.name: to_json(getattr(value, f.name), name) for f in fields(value) if f.init}
        return {"object": type(value).__name__, "fields": own}
    if name == OF_FUNCTIONS and callable(value):
        found = activation_to_json(value, 1)
        if found != activation_to_json(value, 2):
            raise OptionError(
                f"{name} is a function that takes other steps for layers of other widths, which a "
                "model file does not hold; use one of each unit alone, or a name"
            )
        return {"function" if isinstance(found, str) else "gates": found}
    raise OptionError(
        f"{name} is a {type(value).__name__}, which a model file does not hold; "
        f"use set_params({name}=...) with a number, a name, None or a list of these"
    )


def from_json(value: Any) -> Any:
    """The inverse of `to_json`."""
    match value:
        case {"float": ("inf" | "-inf" | "nan") as text}:
            return float(text)
        case {"tuple": list(items)}:
            return tuple(from_json(item) for item in items)
        case {"dict": list(items)}:
            return {from_json(k): from_json(v) for k, v in items}
        case {"array": list(items), "dtype": str(dtype)}:
            return np.array(items, dtype)
        case {"object": str(kind), "fields": dict(own)}:
            if kind not in _kinds():
                raise ModelFileError(f"has the object {kind!r}, which this version does not know")
            return _kinds()[kind](**{name: from_json(item) for name, item in own.items()})
        case {"function": str(name)} if name in ACTIVATIONS:
            return ACTIVATIONS[name]
        case {"gates": gates}:
            return GateFunction.from_json(gates)
        case list(items):
            return [from_json(item) for item in items]
        case dict():
            raise ModelFileError(f"has a value of an unknown form, {str(value)[:80]}")
    return value


@lru_cache(maxsize=1)
def _kinds() -> dict[str, type]:
    """The classes whose objects parameters may be, by name."""
    found: list[Any] = [*OPTIMIZERS.values(), *LOSSES.values()]
    for module in (accumulate, averages, clip, groups, plateau, schedules, scikit_learn, sharpness):
        found += [
            kind
            for name, kind in vars(module).items()
            if isinstance(kind, type) and is_dataclass(kind) and not name.startswith("_")
        ]
    return {kind.__name__: kind for kind in found}
