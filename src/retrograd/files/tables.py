"""Tables from files, CSV and Parquet: which reader, and the errors of the file itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from retrograd.errors import TableError
from retrograd.files.atomic import require_path
from retrograd.files.csv_table import read_csv
from retrograd.files.parquet_table import read_parquet
from retrograd.files.table import Table

__all__ = ["SUFFIXES", "Table", "read_table"]

_READERS: dict[str, Callable[[Path, Collection[str]], Table]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".parquet": read_parquet,
}
SUFFIXES = tuple(_READERS)
"""What the name of a table ends in."""


def read_table(path: str | os.PathLike[str], *, text: Collection[str] = ()) -> Table:
    r"""Read a CSV (.csv, .tsv, .txt) or Parquet (.parquet) file.

    A CSV file is UTF-8 and its first line names the columns; the delimiter is a tab if that line
    has one, else a comma or a semicolon, whichever it has more of. Blanks around an entry are not
    part of it. A column is numeric if each of its entries is a number or missing (see `MISSING`).
    Parquet's booleans and dates become the words that a CSV file has for them.

    `text`: names of columns to read as words even if all their entries are numbers, as for postal
    codes. Raises TableError, which names the file and where it can the line; DataError for a name
    in `text` that is not a column's; MissingDependencyError for Parquet without pyarrow.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fins.csv")
    ...     _ = path.write_text("h;alloy;length\n25;steel;0.04\n31.5;;NA\n")
    ...     table = read_table(path)
    >>> table.column("h"), table.column("alloy"), table.column("length")
    (array([25. , 31.5]), array(['steel', None], dtype=object), array([0.04,  nan]))
    """
    require_path(path)
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        known = " ".join(SUFFIXES)
        raise TableError(f"{path}: a table's suffix is one of {known}, not {path.suffix!r}")
    try:
        if path.is_dir():
            raise TableError(f"{path}: is a folder, not a table")
        if path.stat().st_size == 0:
            raise TableError(f"{path}: the file is empty")
        return read(path, text)
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise TableError(f"{path}: cannot be read: {reason}") from error
