"""A table and its columns in memory."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from retrograd.errors import DataError
from retrograd.files.table import Table, as_column, is_text, missing, parse_numbers


def small() -> Table:
    return Table.of({"age": [31, None, 45], "city": ["Bonn", "Kiel", None], "n": np.arange(3)})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1.0, 2.0]),
        ([1, None, 2.5], [1.0, np.nan, 2.5]),
        (np.array([1, 2], np.uint8), [1.0, 2.0]),
        (np.array([1.5], np.float16), [1.5]),
        ([None, None], [np.nan, np.nan]),
        ([], []),
    ],
)
def test_numbers_become_float64_with_nan_where_missing(values: Any, expected: list[float]) -> None:
    column = as_column(values)
    assert column.dtype == np.float64
    np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", None, float("nan")], ["a", None, None]),
        ([True, False, None], ["True", "False", None]),
        (np.array([True, False]), ["True", "False"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (["a", 1], ["a", "1"]),
        ([datetime.date(2024, 2, 1)], ["2024-02-01"]),
        (
            np.array(["2024-02-01", "NaT"], "datetime64[ns]"),
            ["2024-02-01T00:00:00.000000000", None],
        ),
    ],
)
def test_all_else_becomes_words_with_none_where_missing(values: Any, expected: list[Any]) -> None:
    column = as_column(values)
    assert is_text(column)
    assert column.tolist() == expected


def test_a_float64_array_is_not_copied() -> None:
    array = np.arange(3.0)
    assert as_column(array) is array


def test_a_matrix_is_not_a_column() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        as_column(np.zeros((2, 2)))


def test_columns_of_two_lengths_are_not_a_table() -> None:
    with pytest.raises(DataError, match="one length"):
        Table.of({"a": [1], "b": [1, 2]})


def test_select_and_drop_give_the_columns_in_order() -> None:
    assert small().select(["n", "age"]).names == ("n", "age")
    assert small().drop(["age"]).names == ("city", "n")


def test_take_gives_the_rows_in_the_order_asked_for() -> None:
    taken = small().take([2, 0])
    assert taken.n_rows == 2
    np.testing.assert_array_equal(taken.column("age"), [45, 31])
    assert taken.column("city").tolist() == [None, "Bonn"]
    assert small().take(np.array([True, False, False])).n_rows == 1


@pytest.mark.parametrize(
    "use", [Table.column, lambda t, n: t.select([n]), lambda t, n: t.drop([n])]
)
def test_an_unknown_column_is_named_with_the_known_and_the_nearest(use: Any) -> None:
    with pytest.raises(DataError) as caught:
        use(small(), "agee")
    assert str(caught.value) == (
        "the table has no column 'agee' (did you mean 'age'?); its columns: 'age', 'city', 'n'"
    )


def test_a_wide_table_does_not_list_all_its_columns() -> None:
    table = Table.of({f"pixel {i}": [0] for i in range(784)})
    with pytest.raises(DataError, match=r"\.\.\. \(784 columns\)") as caught:
        table.column("target")
    assert len(str(caught.value)) < 400


def test_missing_finds_nan_and_none() -> None:
    assert missing(small().column("age")).tolist() == [False, True, False]
    assert missing(small().column("city")).tolist() == [False, False, True]


@pytest.mark.parametrize("word", ["1_000", "one", "0x10", "1,5", "True", "1 2", "--1"])
def test_what_is_not_a_decimal_number_is_a_word(word: str) -> None:
    assert parse_numbers(["1", word]) is None


def test_numbers_are_read_as_python_reads_them() -> None:
    words = ["1", "-2.5e-3", " 7 ", "inf", "", "?", "NA", "+.5"]
    numbers = parse_numbers(words)
    np.testing.assert_array_equal(numbers, [1, -2.5e-3, 7, np.inf, np.nan, np.nan, np.nan, 0.5])
