"""The parameters of a network: ordinary arrays by name, at rest as the user sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import Array, as_numbers, cast, require_finite
from retrograd.errors import OptionError, ShapeError, unknown_name


class Parameters(MutableMapping[str, Array]):
    """The parameters of a network by name, W1, b1, W2, ...: ordinary arrays.

    Assigning checks the shape and copies, in C order; the names are fixed. `rg.train` puts new
    arrays in place, so an array taken out before training keeps the values of then.

    `derived`: what others have made of the arrays and keep here, by names of theirs. It is another
    dict once an array is replaced, not when one is changed in place. So who fills it takes the dict
    first, and then the arrays. A copy begins without.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = dict(arrays)
        self.derived: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            raise unknown_name("parameter", name, self._arrays)
        return self._arrays[name]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        old = self[name]
        given = cast(as_numbers(value, f"parameter {name}"), f"parameter {name}", old.dtype)
        new = np.array(given, order="C")
        if new.shape != old.shape:
            raise ShapeError(f"parameter {name}: expected shape {old.shape}, got {new.shape}")
        require_finite(new, f"parameter {name}")
        self.adopt({name: new})

    def __delitem__(self, name: str) -> None:
        raise OptionError(f"parameter {name} cannot be deleted: the network needs it")

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter, or the default where the network has none of this name."""
        return self._arrays.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name} {value.shape}" for name, value in self._arrays.items())
        return f"<parameters {inside}>"

    def adopt(self, arrays: Mapping[str, Array]) -> None:
        """Put new arrays in place as they are: of the right shapes and dtype, and nobody else's."""
        try:
            self._arrays.update(arrays)
        finally:  # Ctrl-C may come in between
            self.derived = {}

    def arrays(self) -> list[Array]:
        """The arrays themselves, in the order of their names."""
        return [*self._arrays.values()]

    def cast(self, dtype: DTypeLike) -> None:
        """Bring every parameter to a dtype."""
        self.adopt({k: cast(value, f"parameter {k}", dtype) for k, value in self._arrays.items()})

    def __getstate__(self) -> dict[str, Any]:
        return {"_arrays": dict(self._arrays), "derived": {}}
