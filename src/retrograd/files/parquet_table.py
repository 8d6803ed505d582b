"""Tables from Parquet files, by pyarrow."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from retrograd.errors import MissingDependencyError, TableError
from retrograd.files.table import Column, Table, as_column, check_names


def read_parquet(path: Path, text: Collection[str]) -> Table:
    """See `read_table`. Raises what `read_csv` raises, and MissingDependencyError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        wanted = 'pip install "retrograd[parquet]"'
        raise MissingDependencyError(f"{path}: Parquet needs pyarrow: {wanted}") from error
    try:
        # ParquetFile, by path: read_table() would make a column of a folder named "a=1", and given
        # a Python file it now and then aborts the interpreter's exit.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise TableError(f"{path}: is not a Parquet file that can be read: {reason}") from error
    # pandas stores an index that is not 0, 1, 2, ... under such a name: no data of the table's.
    names = [name for name in table.column_names if not re.fullmatch(r"__index_level_\d+__", name)]
    check_names(path, names, text)
    if not names or not table.num_rows:
        raise TableError(f"{path}: has no {'rows' if names else 'columns'}")
    positions = {name: table.column_names.index(name) for name in names}
    return Table(
        {
            name: _column(path, name, table.column(j), as_words=name in text)
            for name, j in positions.items()
        }
    )


def _column(path: Path, name: str, column: Any, *, as_words: bool) -> Column:
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kinds.is_duration(column.type):
        column = column.cast(pa.int64())  # in the file's own unit
    kind = column.type
    if kinds.is_boolean(kind):
        return as_column(column.to_pylist())
    is_number = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)
    if kinds.is_null(kind) or (is_number and not as_words):
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    is_string = kinds.is_string(kind) or kinds.is_large_string(kind)
    if is_string or is_number or kinds.is_temporal(kind):
        return np.asarray(column.cast(pa.string()).to_numpy(zero_copy_only=False), object)
    raise TableError(f"{path}: column {name!r} holds {kind}, which is neither numbers nor words")
