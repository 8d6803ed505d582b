"""A table: named columns of numbers or words, of one length."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import DataError, TableError

Column: TypeAlias = NDArray[np.float64] | NDArray[np.object_]
"""(n_rows,): float64, NaN where missing; or object: str, None where missing."""

MISSING = frozenset(
    ("", "NA", "N/A", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?"),
)
"""What stands for a missing entry in a CSV file."""

_SHOWN = 20  # names listed in a message, at most


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of one length.

    `taken`: (n_rows,), of rows that `take` gave the number each has in the table as it was read,
    from 0: what messages call it. None where no rows were taken.

    >>> table = Table.of({"age": [31, 46, None], "city": ["Bonn", None, "Kiel"]})
    >>> table.names, table.n_rows
    (('age', 'city'), 3)
    >>> table.column("age")
    array([31., 46., nan])
    >>> table.take([2, 0]).column("city")
    array(['Kiel', 'Bonn'], dtype=object)
    """

    columns: Mapping[str, Column]
    taken: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        lengths = {name: column.shape for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1 or any(len(shape) != 1 for shape in lengths.values()):
            raise DataError(f"columns of a table are vectors of one length; these are: {lengths}")

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Table:
        """A table of sequences or arrays (n_rows,): see `as_column` for what becomes of each."""
        return cls({name: as_column(values) for name, values in columns.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self.columns)

    @property
    def n_rows(self) -> int:
        """The rows; 0 for a table without columns."""
        return next((len(column) for column in self.columns.values()), 0)

    @property
    def row_numbers(self) -> NDArray[np.int64]:
        """(n_rows,): the number that each row has in the table as it was read, from 0."""
        return np.arange(self.n_rows) if self.taken is None else self.taken

    def column(self, name: str) -> Column:
        """One column. Raises DataError for a name that the table lacks."""
        if name not in self.columns:
            raise unknown_column(name, self.names)
        return self.columns[name]

    def select(self, names: Iterable[str]) -> Table:
        """The named columns, in the order given. Nothing is copied."""
        return Table({name: self.column(name) for name in names}, self.taken)

    def drop(self, names: Iterable[str]) -> Table:
        """All but the named columns. Nothing is copied."""
        dropped = {name: self.column(name) for name in names}
        return self.select(name for name in self.names if name not in dropped)

    def take(self, rows: Any) -> Table:
        """The given rows (integers or a boolean mask), as a copy."""
        rows = np.asarray(rows)
        taken = self.row_numbers[rows]
        return Table({name: column[rows] for name, column in self.columns.items()}, taken)


def as_column(values: Any) -> Column:
    """A sequence or array (n,) as a column of a table.

    Numbers become float64; everything else becomes words, `str(value)`, booleans among them. None
    is a missing entry, and so is NaN.

    >>> as_column([True, None, False])
    array(['True', None, 'False'], dtype=object)
    >>> as_column([1, 2.5, None])
    array([1. , 2.5, nan])
    """
    # A list as objects: NumPy would make the word "nan" of a NaN among words.
    array = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, object)
    if array.ndim != 1:
        raise DataError(f"a column is a vector; got an array of shape {array.shape}")
    if array.dtype.kind in "fiu":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind in "mM":  # a date as its ISO word, not as its count of nanoseconds
        array = np.array([None if v == "NaT" else v for v in array.astype(str)], object)
    entries = [None if v is None or v != v else v for v in array.tolist()]
    if not any(isinstance(v, str | bytes | bool) for v in entries):
        try:
            return np.array([np.nan if v is None else v for v in entries], np.float64)
        except (TypeError, ValueError):
            pass  # dates and the like: words
    words = np.empty(len(entries), object)
    words[:] = [None if v is None else str(v) for v in entries]
    return words


def is_text(column: Column) -> bool:
    """Whether a column holds words."""
    return column.dtype == object


def missing(column: Column) -> NDArray[np.bool_]:
    """(n_rows,): where a column has no entry.

    >>> missing(as_column(["a", None]))
    array([False,  True])
    """
    if is_text(column):
        return np.array([value is None for value in column], bool)
    return np.isnan(column.astype(np.float64, copy=False))


def parse_numbers(words: Sequence[str]) -> NDArray[np.float64] | None:
    """The words as numbers, NaN where one is in `MISSING`; None if any is not a number.

    >>> parse_numbers(["1e3", "NA", "inf"])
    array([1000.,   nan,   inf])
    >>> parse_numbers(["1", "one"]) is None
    True
    """
    if "_" in "".join(words):  # float() reads 12_34, a code, as 1234
        return None
    try:
        return np.fromiter(map(float, words), np.float64, len(words))
    except ValueError:
        pass
    try:
        numbers = (np.nan if word.strip() in MISSING else float(word) for word in words)
        return np.fromiter(numbers, np.float64, len(words))
    except ValueError:
        return None


def unknown_column(name: object, known: Sequence[str]) -> DataError:
    """The error for a column that a table lacks: it lists those it has, and the nearest."""
    near = get_close_matches(str(name), known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    more = f", ... ({len(known)} columns)" if len(known) > _SHOWN else ""
    listed = ", ".join(map(repr, known[:_SHOWN])) or "none"
    return DataError(f"the table has no column {name!r}{hint}; its columns: {listed}{more}")


def check_names(path: Path, names: Sequence[str], text: Collection[str]) -> None:
    """That a file names each column and none twice, and has those to be read as `text`."""
    first: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise TableError(f"{path}: column {position} has no name")
        if first.setdefault(name, position) != position:
            both = f"columns {first[name]} and {position}"
            raise TableError(f"{path}: {both} are both named {name!r}")
    for name in text:
        if name not in first:
            raise unknown_column(name, names)
