"""The column to be predicted."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import DataError, UnknownNameError
from retrograd.tabular import ClassTarget, NumberTarget, Target, fit_target, target_from_json


def classes(values: Any, task: Literal["auto", "classification"] = "auto") -> Any:
    target = fit_target(values, name="t", task=task)
    return target.classes if isinstance(target, ClassTarget) else None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["no", "yes", "no"], ("no", "yes")),
        ([True, False], ("False", "True")),
        ([0, 1, 1, 0], (0, 1)),
        ([-1.0, 2.0] * 3, (-1, 2)),
        (list(range(20)) * 2, tuple(range(20))),
        (list(range(21)) * 2, None),  # too many different numbers
        ([1, 2, 3, 4, 4], None),  # too few of each
        ([0.5, 1.0] * 5, None),  # not whole
        ([1e300, 1.0] * 5, None),  # whole only because float64 ends
    ],
)
def test_auto_takes_words_and_few_whole_numbers_for_classes(values: Any, expected: Any) -> None:
    assert classes(values) == expected


def test_a_task_asked_for_is_taken_where_it_can_be() -> None:
    assert classes([1, 2, 3], task="classification") == (1, 2, 3)
    assert classes([0.5, 2], task="classification") == (0.5, 2.0)
    assert isinstance(fit_target([0, 1] * 9, name="t", task="regression"), NumberTarget)
    assert isinstance(fit_target(["1", "2.5"], name="t", task="regression"), NumberTarget)


def test_whole_classes_are_integers_and_words_are_objects() -> None:
    whole = fit_target([3, 7, 7, 3], name="t")
    assert isinstance(whole, ClassTarget)
    assert [type(one) for one in whole.classes] == [int, int]
    assert whole.decode(np.eye(2)).dtype == np.int64
    assert fit_target(["a", "b"], name="t").decode(np.eye(2)).dtype == object


@given(st.lists(st.sampled_from("abcdef"), min_size=2).filter(lambda words: len(set(words)) > 1))
def test_classes_come_back_from_the_probabilities_of_their_labels(words: list[str]) -> None:
    target = fit_target(words, name="t")
    assert isinstance(target, ClassTarget)
    labels = target.encode(words)
    assert labels.dtype == np.int64
    assert target.decode(np.eye(len(target.classes))[labels]).tolist() == words


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, unique=True))
def test_numbers_are_standardised_and_come_back(values: list[float]) -> None:
    target = fit_target(values, name="t", task="regression")
    encoded = target.encode(values)
    assert np.abs(encoded).max() <= np.sqrt(len(values)) * (1 + 1e-6)
    largest = np.abs(values).max()
    np.testing.assert_allclose(target.decode(encoded), values, rtol=0, atol=1e-14 * largest)
    np.testing.assert_array_equal(target.decode(encoded[:, None]), target.decode(encoded))


def test_the_mean_and_the_deviation_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(5, 3, 1000)
    target = fit_target(values, name="t")
    assert isinstance(target, NumberTarget)
    assert target.mean == values.mean()
    np.testing.assert_allclose(target.scale, values.std(), rtol=1e-14)


def test_a_binary_target_decodes_the_probability_of_its_second_class() -> None:
    target = ClassTarget("t", ("no", "yes"))
    expected = ["no", "no", "yes"]
    assert target.decode([0.1, 0.5, 0.9]).tolist() == expected
    assert target.decode([[0.1], [0.5], [0.9]]).tolist() == expected
    assert target.decode([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]).tolist() == expected


@pytest.mark.parametrize(
    ("target", "outputs"),
    [
        (ClassTarget("t", (0, 1, 2)), np.zeros((4, 2))),
        (ClassTarget("t", (0, 1, 2)), np.zeros(4)),
        (ClassTarget("t", (0, 1)), np.zeros((4, 3))),
        (NumberTarget("t", 0.0, 1.0), np.zeros((4, 2))),
    ],
)
def test_outputs_of_another_shape_are_an_error(target: Target, outputs: Any) -> None:
    with pytest.raises(DataError, match=r"target 't': outputs have the shape .*; got \(4"):
        target.decode(outputs)


@pytest.mark.parametrize(
    ("values", "task", "problem"),
    [
        ([], "auto", "target 't' has no rows"),
        (["a", None, "b", None], "auto", "missing in 2 of 4 rows, first in row 2; drop these rows"),
        ([1.0, np.nan], "regression", "missing in 1 of 2 rows"),
        ([1.0, np.inf], "auto", "'t' holds inf in row 2; numbers are finite"),
        (["a", "a"], "auto", "one class only, 'a'"),
        ([3, 3, 3], "auto", "one class only, 3"),
        ([3, 3, 3], "regression", "is 3.0 in every row: nothing to learn"),
        ([0.5, 0.5], "auto", "is 0.5 in every row"),
        (["1", "cheap"], "regression", "'t' holds 'cheap' in row 2, where a number is expected"),
        ([f"{i}" for i in range(1001)] * 2, "auto", "1001 different values; at most 1000"),
        ([f"w{i}" for i in range(40)], "auto", "classes must occur twice on average"),
        (np.arange(1001), "classification", "1001 different values; at most 1000"),
    ],
)
def test_a_target_that_cannot_be_learned_is_an_error(
    values: Any, task: Literal["auto", "classification", "regression"], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        fit_target(values, name="t", task=task)


def test_an_unknown_task_lists_the_known() -> None:
    task: Any = "classify"
    with pytest.raises(UnknownNameError, match=r"unknown task 'classify'.*auto, classification"):
        fit_target([1, 2], name="t", task=task)


@pytest.mark.parametrize(
    ("target", "values", "problem"),
    [
        (ClassTarget("t", ("a", "b")), ["a", "c"], "'c' in row 2 was not a class .* 'a', 'b'"),
        (ClassTarget("t", (0, 1)), [0, 2], "2.0 in row 2 was not a class"),
        (ClassTarget("t", ("0", "1")), [0, 1], "0.0 in row 1 was not a class in .* '0', '1'"),
        (ClassTarget("t", ("a", "b")), ["a", None], "missing in 1 of 2 rows"),
        (NumberTarget("t", 0.0, 1.0), ["a"], "holds 'a' in row 1, where a number is expected"),
        (NumberTarget("t", 0.0, 1.0), [np.inf], "holds inf in row 1"),
        (NumberTarget("t", 0.0, 1e-9), [1e308], "too far from the training data's"),
    ],
)
def test_values_unlike_the_training_values_are_an_error(
    target: Target, values: Any, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        target.encode(values)


@pytest.mark.parametrize(
    "target",
    [
        ClassTarget("t", ("no", "yes")),
        ClassTarget("t", (-3, 0, 7)),
        ClassTarget("t", (0.1, 0.25)),
        NumberTarget("h", 1 / 3, 1e-300),
    ],
)
def test_through_the_text_of_strict_json_a_target_comes_back_equal(target: Target) -> None:
    again = target_from_json(json.loads(json.dumps(target.to_json(), allow_nan=False)))
    assert again == target
    assert repr(again) == repr(target)  # 3 and 3.0 are equal and not the same


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "kind is one of classes, number; got None"),
        ({"kind": "class"}, "got 'class'"),
        ({"kind": "number", "name": "t", "mean": 0.0}, "has the fields kind, name, mean, scale"),
        ({"kind": "number", "name": "t", "mean": 0.0, "scale": 0.0}, "scale is above 0"),
        ({"kind": "classes", "name": "t", "classes": ["a"]}, "at least two"),
        ({"kind": "classes", "name": "t", "classes": []}, "at least two"),
        ({"kind": "classes", "name": "t", "classes": ["b", "a"]}, "ascending"),
        ({"kind": "classes", "name": "t", "classes": ["a", 1]}, "is a string; got 1"),
        ({"kind": "classes", "name": "t", "classes": [1, "a"]}, "is a finite number; got 'a'"),
        ({"kind": "classes", "name": "t", "classes": [False, True]}, "finite number; got 'False'"),
        ({"kind": "classes", "name": "t", "classes": {}}, "is a list; got dict"),
    ],
)
def test_json_that_is_not_ours_is_refused(data: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        target_from_json(data)
