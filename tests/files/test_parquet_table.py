"""Reading a Parquet file."""

from __future__ import annotations

import datetime
import decimal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrograd.errors import MissingDependencyError, TableError
from retrograd.files.tables import read_table

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

DAY = datetime.date(2024, 2, 1)


def write(folder: Path, **columns: Any) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3]),
        pa.array([1, None, 3], pa.uint8()),
        pa.array([1.0, None, 3.0], pa.float32()),
        pa.array([1.0, float("nan"), 3.0]),
        pa.array([decimal.Decimal("1.00"), None, decimal.Decimal("3.00")]),
        pa.array([1, None, 3]).dictionary_encode(),
        pa.array([1, None, 3], pa.duration("s")),
    ],
    ids=lambda column: str(column.type),
)
def test_numbers_of_every_kind_become_float64(tmp_path: Path, column: Any) -> None:
    values = read_table(write(tmp_path, a=column)).column("a")
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["x", None, ""]), ["x", None, ""]),
        (pa.array(["x", None], pa.large_string()), ["x", None]),
        (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        (pa.array([True, None, False]), ["True", None, "False"]),
        (pa.array([DAY, None]), ["2024-02-01", None]),
        (pa.array([0, None], pa.timestamp("ms")), ["1970-01-01 00:00:00.000", None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_words_booleans_and_dates_become_words(
    tmp_path: Path, column: Any, expected: list[str | None]
) -> None:
    assert read_table(write(tmp_path, a=column)).column("a").tolist() == expected


def test_integers_can_be_read_as_words(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, a=[53113, None], b=[1, 2]), text=["a"])
    assert table.column("a").tolist() == ["53113", None]
    assert table.column("b").dtype == np.float64


def test_a_column_of_nulls_is_missing_numbers(tmp_path: Path) -> None:
    assert np.isnan(read_table(write(tmp_path, a=[None, None])).column("a")).all()


@pytest.mark.parametrize(
    "values", [[[1], [2]], [{"x": 1}], [b"x"]], ids=["list", "struct", "bytes"]
)
def test_a_column_of_neither_numbers_nor_words_is_named(tmp_path: Path, values: Any) -> None:
    with pytest.raises(TableError, match=r"column 'odd' holds .*neither numbers nor words"):
        read_table(write(tmp_path, a=range(len(values)), odd=values))


def test_a_stored_pandas_index_is_not_data(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, a=[1], __index_level_0__=[7])).names == ("a",)


def test_a_folder_named_like_a_partition_is_not_data(tmp_path: Path) -> None:
    folder = tmp_path / "year=2024"
    folder.mkdir()
    assert read_table(write(folder, a=[1])).names == ("a",)


def test_no_rows_and_no_columns_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no rows"):
        read_table(write(tmp_path, a=pa.array([], pa.int64())))
    with pytest.raises(TableError, match="has no columns"):
        read_table(write(tmp_path))


def test_a_name_twice_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="columns 1 and 2 are both named 'a'"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("kept", [3, 20, -9, -1])
def test_a_cut_file_is_a_typed_error_of_one_line(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path, a=[1, 2, 3])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_damaged_page_is_a_typed_error(tmp_path: Path) -> None:
    path = write(tmp_path, a=["x", "y", "z"])
    data = path.read_bytes()
    path.write_bytes(data[:4] + bytes(50) + data[54:])
    with pytest.raises(TableError, match=r"cannot be read|not a Parquet file"):
        read_table(path)


def test_without_pyarrow_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, a=[1])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "retrograd\[parquet\]"'):
        read_table(path)
