"""Columns of a table to inputs of a network: numbers standardised, categories one-hot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import DataError
from retrograd.files.table import Column, Table, is_text, missing
from retrograd.tabular.fields import entries, flag, number, positive, read_fields, text
from retrograd.tabular.scaling import finite_numbers, mean_and_scale, row_in_words, standardise

MOST_CATEGORIES = 1000
"""A column of more different words than this is refused."""

_MOST_UNREPEATED = 20

_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

NAMED = 5  # words of a column that a sentence names


@dataclass(frozen=True)
class Numeric:
    """A column of numbers: 1 feature, and 1 more that says "missing" if some were in training."""

    name: str
    mean: float
    scale: float
    has_missing: bool

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name a feature."""
        return (self.name, f"{self.name} missing") if self.has_missing else (self.name,)

    def transform(
        self, column: Column, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """(n, 1 or 2): the standardised numbers, 0 where missing; 1 where missing."""
        numbers = finite_numbers(self.name, column, rows)
        absent = np.isnan(numbers)
        numbers = np.where(absent, self.mean, numbers)  # the mean standardised is 0
        features = standardise(self.name, numbers, self.mean, self.scale, rows)[:, None]
        return np.column_stack((features, absent)) if self.has_missing else features


@dataclass(frozen=True)
class Categorical:
    """A column of words: 1 feature a category. `categories`: ascending, at least one."""

    name: str
    categories: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name a feature."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def transform(
        self, column: Column, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """(n, n_categories): 1 at the row's category; no 1 if it is missing or not known."""
        if not is_text(column) and not missing(column).all():
            row = int(np.flatnonzero(~missing(column))[0])
            raise DataError(
                f"column {self.name!r} held words in training and holds numbers now "
                f"({column[row]} in row {row_in_words(row, rows)}); "
                f"read them as words: read_table(path, text=[{self.name!r}])"
            )
        index = {category: j for j, category in enumerate(self.categories)}
        codes = np.array([index.get(word, -1) for word in column], np.int64)
        (known,) = np.nonzero(codes >= 0)
        features = np.zeros((len(column), len(self.categories)))
        features[known, codes[known]] = 1.0
        return features

    def unknown(self, column: Column, taken: NDArray[np.int64] | None = None) -> str | None:
        """Which words training had not, in a sentence that names the column; None where it had all.

        Such a row has no 1: it counts as one without an entry.
        """
        absent, known = missing(column), set(self.categories)
        rows = [row for row, word in enumerate(column) if not absent[row] and word not in known]
        if not rows:
            return None
        words = list(dict.fromkeys(str(column[row]) for row in rows))
        named = ", ".join(map(repr, words[:NAMED])) + (", ..." if len(words) > NAMED else "")
        are = "was" if len(words) == 1 else "were"
        where = f"row {row_in_words(rows[0], taken)}" if len(rows) == 1 else f"{len(rows)} rows"
        return (
            f"column {self.name!r}: {named} in {where} {are} not in training, and counts as "
            f"missing; known: {', '.join(self.categories[:NAMED])}"
            f"{', ...' if len(self.categories) > NAMED else ''}"
        )


@dataclass(frozen=True)
class Columns:
    """What each column of a table becomes: learned from one table, applied to others.

    Law: `Columns.from_json(columns.to_json()) == columns`, through the text of JSON too.
    """

    columns: tuple[Numeric | Categorical, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that a table must have, in the order of their features."""
        return tuple(column.name for column in self.columns)

    @property
    def text(self) -> tuple[str, ...]:
        """The columns of words: `read_table(path, text=columns.text)` reads them as such."""
        return tuple(c.name for c in self.columns if isinstance(c, Categorical))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """(n_features,): one name a feature."""
        return tuple(name for column in self.columns for name in column.feature_names)

    def transform(self, table: Table) -> NDArray[np.float64]:
        """The features (n_rows, n_features), all finite; columns that are not ours are ignored.

        Raises DataError for a column that is missing, that holds words where training had numbers
        or the reverse, or that holds an infinite number.
        """
        columns = [table.column(name) for name in self.names]
        features = np.empty((table.n_rows, len(self.feature_names)))
        start = 0
        for kind, column in zip(self.columns, columns, strict=True):
            stop = start + len(kind.feature_names)
            features[:, start:stop] = kind.transform(column, table.taken)
            start = stop
        return features

    def unknown(self, table: Table) -> list[str]:
        """A sentence for each column that has words that training had not."""
        kinds = [column for column in self.columns if isinstance(column, Categorical)]
        found = (kind.unknown(table.column(kind.name), table.taken) for kind in kinds)
        return [line for line in found if line is not None]

    def to_json(self) -> dict[str, Any]:
        """As an object of strict JSON: text, finite numbers, lists."""
        columns = []
        for column in self.columns:
            fields = {"kind": type(column).__name__.lower(), **asdict(column)}
            if isinstance(column, Categorical):
                fields["categories"] = list(column.categories)
            columns.append(fields)
        return {"columns": columns}

    @classmethod
    def from_json(cls, data: Any) -> Columns:
        """The columns that `to_json` wrote. Raises DataError for anything else."""
        given = read_fields(data, "columns", {"columns": entries})["columns"]
        columns = tuple(map(_column_from_json, given))
        if not columns or len({column.name for column in columns}) < len(columns):
            raise DataError("columns: at least one, each name once")
        return cls(columns)


def fit_columns(
    table: Table,
    *,
    exclude: Iterable[str] = (),
    weights: NDArray[Any] | None = None,
    how_to_drop: str = "--drop {name}; exclude=[{name!r}]",
) -> Columns:
    """Learn from a table of training rows what each column but the excluded becomes.

    A column of words is refused if it has more than 1000 different ones, or more than 20 and none
    of them twice: it names the rows, and a network would learn the names by heart.

    `weights`: of the rows, (n,), >= 0, not all 0: in means and deviations a row counts by its own,
    and one of the weight 0 is as if it were not there. `how_to_drop`: what messages say of how a
    column is left out, with its `{name}`.

    Raises DataError for that, for a table without rows or usable columns, for a column without
    entries, an infinite number, and an excluded column that the table lacks.

    >>> table = Table.of({"age": [31, 45, None], "city": ["Bonn", "Kiel", "Bonn"], "id": [7, 8, 9]})
    >>> columns = fit_columns(table, exclude=["id"])
    >>> columns.feature_names
    ('age', 'age missing', 'city=Bonn', 'city=Kiel')
    >>> columns.transform(table)
    array([[-1.,  0.,  1.,  0.],
           [ 1.,  0.,  0.,  1.],
           [ 0.,  1.,  1.,  0.]])
    """
    exclude = tuple(exclude)
    used = table.drop(exclude)
    if weights is not None:
        (counting,) = np.nonzero(weights)
        used, weights = used.take(counting), weights[counting]
    if not table.n_rows:
        raise DataError("the table has no rows")
    if not used.names:
        left = f"all its columns are excluded: {', '.join(exclude)}" if exclude else "it has none"
        raise DataError(f"no column of the table is left to learn from; {left}")
    return Columns(
        tuple(
            _fit(name, column, used.taken, weights, f"leave it out ({how_to_drop})")
            for name, column in used.columns.items()
        )
    )


def _fit(
    name: str,
    column: Column,
    rows: NDArray[np.int64] | None,
    weights: NDArray[Any] | None,
    advice: str,
) -> Numeric | Categorical:
    absent, advice = missing(column), advice.format(name=name)
    if absent.all():
        raise DataError(f"column {name!r} has no entries; {advice}")
    if not is_text(column):
        numbers = finite_numbers(name, column, rows)
        own = None if weights is None else weights[~absent]
        return Numeric(name, *mean_and_scale(name, numbers[~absent], own), bool(absent.any()))
    counts = Counter(column[~absent])
    is_unrepeated = len(counts) > _MOST_UNREPEATED and max(counts.values()) == 1
    if (len(counts) > MOST_CATEGORIES or is_unrepeated) and all(map(_WITH_COMMA.fullmatch, counts)):
        raise DataError(
            f"column {name!r} has numbers with a decimal comma, such as {next(iter(counts))!r}; "
            "write them with a point"
        )
    if len(counts) > MOST_CATEGORIES:
        problem = f"has {len(counts)} different words; at most {MOST_CATEGORIES} can be categories"
        raise DataError(f"column {name!r} {problem}; {advice}")
    if is_unrepeated:
        problem = f"has a word of its own in each of {len(counts)} rows, so it only names them"
        raise DataError(f"column {name!r} {problem}; {advice}")
    return Categorical(name, tuple(sorted(counts)))


def _column_from_json(data: Any) -> Numeric | Categorical:
    kind = data.get("kind") if isinstance(data, dict) else None
    readers = _READERS.get(kind) if isinstance(kind, str) else None
    if readers is None:
        raise DataError(f"a column's kind is one of {', '.join(_READERS)}; got {kind!r}")
    fields = read_fields(data, f"a {kind} column", {"kind": text, **readers})
    del fields["kind"]
    return Numeric(**fields) if kind == "numeric" else Categorical(**fields)


def _categories(value: Any) -> tuple[str, ...]:
    categories = tuple(map(text, entries(value)))
    if not categories or list(categories) != sorted(set(categories)):
        raise ValueError("are words in ascending order, at least one, none twice")
    return categories


_READERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "numeric": {"name": text, "mean": number, "scale": positive, "has_missing": flag},
    "categorical": {"name": text, "categories": _categories},
}
