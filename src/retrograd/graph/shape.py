"""Shapes with one symbolic size: `rows`, the number of examples, known only when a graph runs."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

from retrograd.errors import ShapeError


class Rows:
    """The symbolic size: how many rows a batch has. There is one instance, `rows`."""

    _instance: Rows | None = None

    def __new__(cls) -> Rows:
        """The one instance."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "rows"

    def __reduce__(self) -> str:
        return "rows"


rows: Final = Rows()

Size = int | Rows
Shape = tuple[Size, ...]


def as_shape(shape: object) -> Shape:
    """A tuple of sizes from an integer, `rows`, or a sequence of these.

    >>> as_shape([rows, 3])
    (rows, 3)
    """
    return tuple(as_size(size, shape) for size in entries_of(shape))


def entries_of(shape: object) -> Sequence[Any]:
    """The entries of a list or a tuple; anything else, as the only one."""
    return shape if isinstance(shape, Sequence) else (shape,)


def as_size(size: Any, shape: object) -> Size:
    """One size, an integer or `rows`, of a shape; ShapeError for what is neither.

    >>> as_size(rows, (rows, 3)), as_size(3, 3)
    (rows, 3)
    """
    if isinstance(size, Rows):
        return size
    try:
        number = operator.index(size)
    except TypeError:
        raise ShapeError(
            f"a size is an integer or `rows`, got {size!r} in shape {shape!r}"
        ) from None
    if number < 0:
        raise ShapeError(f"a size is at least 0, got {number} in shape {shape!r}")
    return number


def show(shape: Shape) -> str:
    """The shape as text: `(rows, 3)`."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def broadcast(*shapes: Shape) -> Shape:
    """The shape that operands take together, by NumPy's rule; `rows` meets only itself and 1.

    >>> broadcast((rows, 3), (3,))
    (rows, 3)
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    length = max(map(len, shapes))
    padded = [(1,) * (length - len(shape)) + shape for shape in shapes]
    result: list[Size] = []
    for sizes in zip(*padded, strict=True):
        large = {size for size in sizes if size != 1}
        if len(large) > 1:
            clash = " and ".join(str(size) for size in sizes if size != 1)
            raise ShapeError(f"sizes {clash} differ and none of them is 1")
        result.append(large.pop() if large else 1)
    return tuple(result)


def broadcast_axes(small: Shape, large: Shape) -> tuple[int, ...]:
    """The axes of `large` along which `small` was repeated to reach it.

    >>> broadcast_axes((1, 3), (rows, 2, 3))
    (0, 1)
    """
    extra = len(large) - len(small)
    stretched = [
        extra + axis for axis, size in enumerate(small) if size == 1 and large[extra + axis] != 1
    ]
    return (*range(extra), *stretched)


def as_axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes as sorted, non-negative numbers; None means all of them.

    >>> as_axes(-1, 3), as_axes(None, 2)
    ((2,), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    given = tuple(entries_of(axis))
    axes = [as_axis(number, ndim) for number in given]
    if len(set(axes)) < len(axes):
        raise ShapeError(f"axes {given} name one axis twice")
    return tuple(sorted(axes))


def as_axis(axis: Any, ndim: int) -> int:
    """One axis as a non-negative number; ShapeError for one that is not there, or no integer.

    >>> as_axis(-1, 3)
    2
    """
    try:
        number = operator.index(axis)
    except TypeError:
        raise ShapeError(f"an axis is an integer, got {axis!r}") from None
    if not -ndim <= number < ndim:
        raise ShapeError(f"axis {number} is out of range for {ndim} dimensions")
    return number % ndim


def known(size: Size) -> int:
    """A size that is not `rows`, as those of parameters and columns are.

    >>> known(3)
    3
    """
    assert not isinstance(size, Rows)
    return size


def size_of(shape: Shape, n_rows: int) -> int:
    """How many entries an array of this shape has when a batch has `n_rows` rows."""
    return math.prod(n_rows if isinstance(size, Rows) else size for size in shape)


def with_rows(value: Any, n_rows: int) -> Any:
    """A gate's parameter with `rows` replaced by its number; what has no `rows` is returned as is.

    >>> with_rows((rows, 3), 8)
    (8, 3)
    """
    if isinstance(value, Rows):
        return n_rows
    if isinstance(value, tuple):
        return tuple(with_rows(entry, n_rows) for entry in value)
    return value


def has_rows(value: Any) -> bool:
    """Whether a parameter (or a shape) contains `rows`."""
    return isinstance(value, Rows) or (isinstance(value, tuple) and any(map(has_rows, value)))
