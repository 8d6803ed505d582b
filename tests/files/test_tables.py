"""Reading a CSV file, and what is said of a file that is not a table."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import DataError, TableError
from retrograd.files import csv_table
from retrograd.files.table import MISSING, parse_numbers
from retrograd.files.tables import Table, read_table


def read(folder: Path, content: str | bytes, name: str = "t.csv", **options: Any) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, **options)


def test_numbers_and_words_and_missing_entries(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,x,True\n,NA,False\n2.5e1, y ,null\n")
    assert table.names == ("a", "b", "c")
    assert table.n_rows == 3
    np.testing.assert_array_equal(table.column("a"), [1.0, np.nan, 25.0])
    assert table.column("b").tolist() == ["x", None, "y"]
    assert table.column("c").tolist() == ["True", "False", None]


@pytest.mark.parametrize("token", sorted(MISSING))
def test_every_missing_token_is_missing_among_numbers_and_among_words(
    tmp_path: Path, token: str
) -> None:
    table = read(tmp_path, f"a,b\n1,x\n{token},{token}\n")
    assert np.isnan(table.column("a")[1])
    assert table.column("b")[1] is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    rows = [["a", "b,;\tx" if delimiter == "," else "b"], ["1", "2"]]
    text = "".join(delimiter.join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    table = read(tmp_path, text)
    assert table.names == tuple(rows[0])
    np.testing.assert_array_equal(table.column("a"), [1.0])


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "T.CSV"])
def test_a_tab_wins_over_commas_in_the_names(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, "length, m\twidth, m\n1\t2\n", name).names == ("length, m", "width, m")


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffa;b\n1;2\n").names == ("a", "b")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_and_blank_lines(tmp_path: Path, end: str) -> None:
    table = read(tmp_path, end.join(["", "a,b", "1,2", "", "3,4", ""]))
    np.testing.assert_array_equal(table.column("b"), [2.0, 4.0])


def test_quotes_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\n"x, ""y""\nz", "1"\n')
    assert table.column("a").tolist() == ['x, "y"\nz']
    np.testing.assert_array_equal(table.column("b"), [1.0])


def test_a_column_named_in_text_stays_as_written(tmp_path: Path) -> None:
    table = read(tmp_path, "code,n\n007,1\nNA,2\n", text=["code"])
    assert table.column("code").tolist() == ["007", None]


def test_a_name_in_text_that_is_no_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'zap' \(did you mean 'zip'"):
        read(tmp_path, "zip\n1\n", text=["zap"])


@pytest.mark.parametrize("position", [0, 1, 1023, 1024, 2500, 3999])
def test_one_word_anywhere_makes_a_column_of_words_as_they_were_written(
    tmp_path: Path, position: int
) -> None:
    words = [f"{i:05d}" for i in range(4000)]
    words[position] = "word"
    assert csv_table._BLOCK < 2000  # so that the positions fall into different blocks
    table = read(tmp_path, "id,a,b\n" + "".join(f"{i},{w},1\n" for i, w in enumerate(words)))
    assert table.column("a").tolist() == words
    np.testing.assert_array_equal(table.column("id"), np.arange(4000.0))
    np.testing.assert_array_equal(table.column("b"), np.ones(4000))


def test_a_column_missing_for_a_block_and_then_of_words_is_of_words(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n" + "1,\n" * 3000 + "2,x\n")
    assert table.column("b").tolist() == [None] * 3000 + ["x"]


def test_infinite_numbers_are_kept_as_numbers(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        read(tmp_path, "a\ninf\n-Infinity\n").column("a"), [np.inf, -np.inf]
    )


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False) | st.none(),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])),
        ),
        min_size=1,
    )
)
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[float | None, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("number", "word"), *rows, (1.0, "word")])
        table = read_table(path)
    numbers = [np.nan if number is None else number for number, _ in rows]
    words = [None if word.strip() in MISSING else word.strip() for _, word in rows]
    np.testing.assert_array_equal(table.column("number"), [*numbers, 1.0])
    assert table.column("word").tolist() == [*words, "word"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_shortest_text_of_a_float_is_read_back_to_the_last_bit(values: list[float]) -> None:
    numbers = parse_numbers([repr(value) for value in values])
    assert numbers is not None
    assert numbers.tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", ": the file is empty"),
        ("\n\n", ": the file is empty"),
        ("a,b\n", ": has a header and no rows"),
        ("a,b\n1,2\n\n1,2,3\n", ", line 4: 3 values where the header names 2 columns"),
        ("a,b\n1\n", ", line 2: 1 values where the header names 2 columns"),
        ('a,b\n"x\ny",1\n2\n', ", line 4: 1 values where the header names 2 columns"),
        ("a,b,a\n1,2,3\n", ": columns 1 and 3 are both named 'a'"),
        (",a\n0,1\n", ": column 1 has no name"),
        ("a, \n0,1\n", ": column 2 has no name"),
        ('a\n"open\n2\n', ", line 3: unexpected end of data"),
        ('a\n"x"y\n', ", line 2: ',' expected after '\"'"),
        (b"a,b\n1,2\nM\xfcnchen,3\n", ", line 3: is not UTF-8 text; save the table as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), ", line 1: is not UTF-8 text; save the table as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), ", line 1: is binary, not text"),
        (b"\x89PNG\r\n\x1a\n\0\0", ", line 1: is not UTF-8 text; save the table as UTF-8"),
        ("a\n" + "x" * 200_000 + "\n", ", line 2: field larger than field limit (131072)"),
    ],
)
def test_a_file_that_is_not_a_table_is_named_with_what_is_wrong(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    with pytest.raises(TableError) as caught:
        read(tmp_path, content)
    assert str(caught.value) == f"{tmp_path / 't.csv'}{problem}"


def test_the_line_that_is_not_utf8_is_found_far_into_a_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="line 5001: is not UTF-8"):
        read(tmp_path, b"a\n" + b"1\n" * 4999 + b"\xff\n" + b"1\n" * 5000)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent\.csv: no such file$"):
        read_table(tmp_path / "absent.csv")


def test_a_folder_is_not_a_table(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=r"folder\.csv: is a folder, not a table$"):
        read_table(tmp_path / "folder.csv")


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz"])
def test_an_unknown_suffix_lists_the_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match=r"one of \.csv \.tsv \.txt \.parquet, not '"):
        read(tmp_path, "a\n1\n", name)


def test_a_file_that_the_system_refuses_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "t.csv").write_text("a\n1\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TableError, match=r"t\.csv: cannot be read: Permission denied$"):
        read_table(tmp_path / "t.csv")


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    assert read_table(os.fspath(tmp_path / "t.csv")).n_rows == 1
