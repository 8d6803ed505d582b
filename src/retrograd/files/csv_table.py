"""Tables from CSV files, a block of rows at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import TableError
from retrograd.files.table import MISSING, Column, Table, check_names, parse_numbers

_BLOCK = 1024  # rows held as text at a time: few enough to stay in the cache


def read_csv(path: Path, text: Collection[str]) -> Table:
    """See `read_table`. Raises TableError, OSError, and DataError for a name in `text`."""
    records = _records(path)
    names = next(records)
    check_names(path, names, text)
    columns, late = _gather(records, dict(enumerate(names)), text)
    if late:  # numbers at first, then a word: their first entries are wanted as they were written
        records = _records(path)
        next(records)
        columns |= _gather(records, late, late.values())[0]
    if not len(columns[0]):
        raise TableError(f"{path}: has a header and no rows")
    return Table({name: columns[j] for j, name in enumerate(names)})


def _gather(
    records: Iterator[list[str]], wanted: Mapping[int, str], text: Collection[str]
) -> tuple[dict[int, Column], dict[int, str]]:
    """The wanted columns by position, and those that turned out to be words too late."""
    parts: dict[int, list[NDArray[Any]]] = {j: [] for j in wanted}
    words = {j for j, name in wanted.items() if name in text}
    late: dict[int, str] = {}
    pool: dict[str, str | None] = dict.fromkeys(MISSING)  # equal words share one object
    while block := list(islice(records, _BLOCK)):
        entries = list(zip(*block, strict=True))
        for j, name in wanted.items():
            numbers = None if j in words or j in late else parse_numbers(entries[j])
            if numbers is not None:
                parts[j].append(numbers)
            elif j in words or not parts[j]:
                words.add(j)
                stripped = map(str.strip, entries[j])
                parts[j].append(np.array([pool.setdefault(w, w) for w in stripped], object))
            else:
                late[j] = name
    return {j: np.concatenate(parts.pop(j) or [np.empty(0)]) for j in wanted if j not in late}, late


def _records(path: Path) -> Iterator[list[str]]:
    """The header, then the rows, each as long as the header."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            delimiter = _delimiter(path, stream)
            # Not strict, an open quote would swallow the rest of the file without a word.
            reader = csv.reader(stream, delimiter=delimiter, strict=True, skipinitialspace=True)
            header = [name.strip() for name in next(filter(None, reader))]
            yield header
            for row in filter(None, reader):
                if len(row) != len(header):
                    problem = f"{len(row)} values where the header names {len(header)} columns"
                    raise TableError(f"{path}, line {reader.line_num}: {problem}")
                yield row
        except csv.Error as error:
            raise TableError(f"{path}, line {reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            line = _first_line_not_utf8(path)
            problem = "is not UTF-8 text; save the table as UTF-8"
            raise TableError(f"{path}, line {line}: {problem}") from error


def _delimiter(path: Path, stream: Any) -> str:
    """The delimiter of the header, outside quotes; leaves the stream at its start."""
    head = next((line for line in stream if line.strip()), None)
    stream.seek(0)
    if head is None:
        raise TableError(f"{path}: the file is empty")
    if "\0" in head:
        raise TableError(f"{path}, line 1: is binary, not text")
    bare = re.sub('"[^"]*"', "", head)
    return "\t" if "\t" in bare else max(",;", key=bare.count)  # of equals, the comma


def _first_line_not_utf8(path: Path) -> int:
    """The decoder reads ahead, so where it stopped is not the line: look for it."""
    number = 0
    with path.open("rb") as stream, suppress(UnicodeDecodeError):
        for line in stream:
            number += 1
            line.decode("utf-8")
    return number
