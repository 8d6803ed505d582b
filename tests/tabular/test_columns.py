"""Columns of a table to inputs of a network."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import DataError
from retrograd.files.table import Table
from retrograd.tabular import Categorical, Columns, Numeric, fit_columns


def mixed() -> Table:
    return Table.of(
        {
            "age": [31, 45, None, 20],
            "city": ["Kiel", "Bonn", None, "Kiel"],
            "size": [1.0, 2.0, 3.0, 4.0],
            "fixed": [0.1] * 4,
        }
    )


def test_the_features_are_standardised_numbers_and_one_hot_categories() -> None:
    columns = fit_columns(mixed())
    assert columns.names == ("age", "city", "size", "fixed")
    assert columns.text == ("city",)
    assert columns.feature_names == (
        "age",
        "age missing",
        "city=Bonn",
        "city=Kiel",
        "size",
        "fixed",
    )
    X = columns.transform(mixed())
    age = np.array([31, 45, 20])
    np.testing.assert_allclose(X[[0, 1, 3], 0], (age - age.mean()) / age.std(), rtol=1e-12)
    assert X[2, 0] == 0
    np.testing.assert_array_equal(X[:, 1], [0, 0, 1, 0])
    np.testing.assert_array_equal(X[:, 2:4], [[0, 1], [1, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose([X[:, 4].mean(), X[:, 4].std()], [0, 1], atol=1e-15)
    np.testing.assert_array_equal(X[:, 5], 0)


def test_columns_of_other_tables_are_taken_by_name() -> None:
    columns = fit_columns(mixed())
    other = mixed().select(["fixed", "size", "city", "age"])
    np.testing.assert_array_equal(columns.transform(other), columns.transform(mixed()))


def test_a_table_of_one_row_is_transformed_as_in_the_whole() -> None:
    columns = fit_columns(mixed())
    whole = columns.transform(mixed())
    for row in range(4):
        np.testing.assert_array_equal(columns.transform(mixed().take([row])), whole[[row]])


def test_missing_where_training_had_none_is_the_mean() -> None:
    columns = fit_columns(Table.of({"a": [1.0, 3.0]}))
    np.testing.assert_array_equal(columns.transform(Table.of({"a": [None, 3.0]})), [[0], [1]])


def test_an_unseen_and_a_missing_category_have_no_feature() -> None:
    columns = fit_columns(Table.of({"a": ["x", "y"]}))
    np.testing.assert_array_equal(columns.transform(Table.of({"a": ["z", None]})), np.zeros((2, 2)))
    np.testing.assert_array_equal(columns.transform(Table.of({"a": [None]})), np.zeros((1, 2)))


def test_unseen_categories_are_named_once_a_column() -> None:
    columns = fit_columns(Table.of({"a": ["x", "y"], "b": ["u", "v"], "n": [1, 2]}))
    other = Table.of({"a": ["z", "x", "z"], "b": ["v", None, "u"], "n": [1, 2, 3]})
    assert columns.unknown(other) == [
        "column 'a': 'z' in 2 rows was not in training, and counts as missing; known: x, y"
    ]
    many = Table.of({"a": list("abcdefgh"), "b": ["new", *"uvuvuvu"], "n": range(8)})
    first, second = columns.unknown(many)
    assert "'a', 'b', 'c', 'd', 'e', ... in 8 rows were not" in first
    assert "column 'b': 'new' in row 1 was not" in second


def test_a_constant_column_has_scale_one_whatever_its_rounding() -> None:
    for value in (0.1, 1e300, -1e-300, 0.0):
        (column,) = fit_columns(Table.of({"a": np.full(999, value)})).columns
        assert column == Numeric("a", value, 1.0, has_missing=False)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_numbers_of_any_size_are_standardised(scale: float) -> None:
    table = Table.of({"a": np.array([1.0, 2.0, 3.0, 6.0]) * scale})
    X = fit_columns(table).transform(table)
    np.testing.assert_allclose(
        X[:, 0], np.array([-2, -1, 0, 3]) / np.sqrt(3.5), rtol=1e-13, atol=1e-15
    )


def test_numbers_whose_sum_exceeds_float64_are_an_error() -> None:
    with pytest.raises(DataError, match=r"'a' runs from 1.6e\+308 to 1.7e\+308, which float64"):
        fit_columns(Table.of({"a": [1.6e308, 1.7e308]}))


def test_words_that_are_numbers_pass_for_numbers() -> None:
    columns = fit_columns(Table.of({"a": [1.0, 3.0]}))
    np.testing.assert_array_equal(columns.transform(Table.of({"a": ["3", None]})), [[1], [0]])


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"aeg": [1.0], "city": ["x"]}, "no column 'age' .did you mean 'aeg'.*'aeg', 'city'"),
        ({"age": ["3", "old"], "city": ["x"] * 2}, "'age' holds 'old' in row 2, where a number"),
        ({"age": [1.0, np.inf], "city": ["x"] * 2}, "'age' holds inf in row 2; numbers are finite"),
        ({"age": [1e308, 2], "city": ["x"] * 2}, "'age' holds 1e\\+308 in row 1, too far from"),
        ({"age": [1.0, 2.0], "city": [None, 3.0]}, "'city' held words .*3.0 in row 2.*text="),
    ],
)
def test_a_table_unlike_the_training_table_is_an_error(table: Any, problem: str) -> None:
    columns = fit_columns(Table.of({"age": [0, 1e-9], "city": ["x", "y"]}))
    with pytest.raises(DataError, match=problem):
        columns.transform(Table.of(table))


@pytest.mark.parametrize(
    ("table", "exclude", "problem"),
    [
        ({"a": []}, [], "the table has no rows"),
        ({"a": [1]}, ["a"], "no column .* left to learn from; all its columns are excluded: a"),
        ({"a": [1]}, ["b"], "no column 'b'"),
        ({"a": [1, 2], "b": [None, None]}, [], "'b' has no entries; leave it out .--drop b"),
        ({"a": [1, -np.inf]}, [], "'a' holds -inf in row 2"),
        ({"a": [f"w{i % 1001}" for i in range(2002)]}, [], "'a' has 1001 different.*--drop a"),
        ({"a": [f"w{i}" for i in range(21)]}, [], "'a' has a word of its own in each of 21 rows"),
        (
            {"a": [f"-{i},5" for i in range(21)]},
            [],
            "'a' has numbers with a decimal comma, such as '-0,5'; write them with a point",
        ),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_an_error(
    table: Any, exclude: list[str], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        fit_columns(Table.of(table), exclude=exclude)


def test_a_few_words_need_not_be_repeated_and_many_may_be_if_they_are() -> None:
    assert len(fit_columns(Table.of({"a": [f"{i}" for i in range(20)]})).feature_names) == 20
    words = [f"{i % 1000}" for i in range(1001)]
    assert len(fit_columns(Table.of({"a": words})).feature_names) == 1000


FLOATS = st.floats(-1e100, 1e100) | st.none()
WORDS = st.sampled_from(["x", "y", "ä", "1", ""]) | st.none()


@given(st.lists(st.tuples(FLOATS, WORDS), min_size=1))
def test_through_the_text_of_strict_json_columns_come_back_equal(
    rows: list[tuple[float | None, str | None]],
) -> None:
    table = Table.of(
        {"a": [*(a for a, _ in rows), 1.0], "b": [*(b for _, b in rows), "x"]},
    )
    columns = fit_columns(table)
    again = Columns.from_json(json.loads(json.dumps(columns.to_json(), allow_nan=False)))
    assert again == columns
    X = columns.transform(table)
    assert np.isfinite(X).all()
    assert X.shape == (table.n_rows, len(columns.feature_names))
    np.testing.assert_array_equal(again.transform(table), X)


def change(path: list[Any], value: Any) -> Any:
    """The JSON of two columns with one thing changed; `...` takes it away."""
    data: Any = Columns((Numeric("a", 1.5, 2.0, False), Categorical("b", ("x", "y")))).to_json()
    data = copy.deepcopy(data)
    at = data
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["more"], 1, "columns has the fields columns; got columns, more"),
        (["columns"], {}, "columns: columns is a list; got dict"),
        (["columns"], [], "at least one"),
        (["columns", 1], 3, "kind is one of numeric, categorical; got None"),
        (["columns", 0, "kind"], "other", "kind is one of .* got 'other'"),
        (["columns", 0, "kind"], [], "kind is one of .* got \\[\\]"),
        (["columns", 0, "name"], 3, "name is a string; got 3"),
        (["columns", 0, "mean"], "1", "mean is a finite number; got '1'"),
        (["columns", 0, "mean"], True, "mean is a finite number; got 'True'"),
        (["columns", 0, "mean"], float("nan"), "mean is a finite number; got 'nan'"),
        (["columns", 0, "mean"], 10**400, "mean is a finite number; got '1000"),
        (["columns", 0, "scale"], 0, "scale is above 0; got 0"),
        (["columns", 0, "scale"], -1.0, "scale is above 0; got -1.0"),
        (["columns", 0, "has_missing"], 1, "has_missing is true or false; got 1"),
        (["columns", 0, "scale"], ..., "has the fields kind, name, mean, scale, has_missing; got"),
        (["columns", 0, "extra"], 1, "a numeric column has the fields"),
        (["columns", 1, "name"], "a", "each name once"),
        (["columns", 1, "categories"], [], "at least one"),
        (["columns", 1, "categories"], ["y", "x"], "ascending"),
        (["columns", 1, "categories"], ["x", "x"], "none twice"),
        (["columns", 1, "categories"], ["x", 1], "is a string; got 1"),
        (["columns", 1, "categories"], "xy", "is a list; got str"),
    ],
)
def test_json_that_is_not_ours_is_refused(path: list[Any], value: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Columns.from_json(change(path, value))


@pytest.mark.parametrize("data", [None, [], "columns", 3])
def test_json_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match="columns is an object"):
        Columns.from_json(data)
