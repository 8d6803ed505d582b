"""Rows apart for training, validation and test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import DataError, OptionError
from retrograd.tabular import split

SHARES = st.floats(0, 0.49)


@given(st.integers(3, 300), SHARES, SHARES, st.integers(0, 9))
def test_every_row_is_in_just_one_part_and_no_part_is_empty(
    n: int, validation: float, test: float, seed: int
) -> None:
    parts = split(n, validation=validation, test=test, seed=seed)
    rows = np.concatenate([parts.train, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(rows), np.arange(n))
    assert parts.train.dtype == parts.validation.dtype == parts.test.dtype == np.int64
    assert len(parts.train) >= 1
    for part, share in ((parts.validation, validation), (parts.test, test)):
        assert (len(part) >= 1) == (share > 0)
        assert abs(len(part) - share * n) < 2
        assert (np.diff(part) > 0).all()


@given(st.lists(st.integers(3, 60), min_size=1, max_size=6), st.integers(0, 9))
def test_every_class_has_its_share_of_every_part(counts: list[int], seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = split(len(y), y=y, seed=seed)
    for c, count in enumerate(counts):
        for part in (parts.validation, parts.test):
            assert 1 <= (y[part] == c).sum() <= max(1, 0.15 * count + 0.5)
        assert (y[parts.train] == c).any()


@pytest.mark.parametrize(
    ("n", "validation", "test", "expected"),
    [(4, 0.45, 0.45, (1, 1, 2)), (3, 0.9, 0.05, (1, 1, 1)), (3, 0.05, 0.9, (1, 1, 1))],
)
def test_shares_near_one_leave_a_row_to_train_on(
    n: int, validation: float, test: float, expected: tuple[int, int, int]
) -> None:
    parts = split(n, validation=validation, test=test)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == expected


def test_a_class_of_too_few_rows_leaves_the_split_to_chance() -> None:
    y = np.array([0] * 98 + [1] * 2)
    np.testing.assert_array_equal(split(100, y=y).train, split(100).train)


def test_words_serve_as_classes() -> None:
    parts = split(40, y=["a", "b"] * 20, validation=0, test=0.25)
    assert (parts.test % 2 == 0).sum() == 5


def test_a_seed_gives_its_split_and_another_gives_another() -> None:
    np.testing.assert_array_equal(split(100, seed=1).test, split(100, seed=1).test)
    assert set(split(100, seed=1).test) != set(split(100, seed=2).test)


def test_over_the_seeds_every_row_is_as_likely_in_the_test_part() -> None:
    hits = np.zeros(20)
    for seed in range(2000):
        hits[split(20, test=0.25, seed=seed).test] += 1
    np.testing.assert_allclose(hits / 2000, 0.25, atol=0.05)


@pytest.mark.parametrize(
    ("validation", "test", "seed", "problem"),
    [
        (-0.1, 0.1, 0, "validation is a share of the rows in .0, 1.; got -0.1"),
        (0.1, 1.0, 0, "test is a share"),
        (0.1, float("nan"), 0, "test is a share"),
        (0.5, 0.5, 0, "leave no rows to train on: 0.5 . 0.5"),
        (0.1, 0.1, -1, "seed is an integer >= 0; got -1"),
    ],
)
def test_a_share_out_of_range_is_an_error(
    validation: float, test: float, seed: int, problem: str
) -> None:
    with pytest.raises(OptionError, match=problem):
        split(10, validation=validation, test=test, seed=seed)


@pytest.mark.parametrize(("n", "validation", "n_parts"), [(2, 0.15, 3), (1, 0, 2), (0, 0.15, 3)])
def test_fewer_rows_than_parts_are_an_error(n: int, validation: float, n_parts: int) -> None:
    with pytest.raises(DataError, match=f"{n} rows cannot be split in {n_parts} parts"):
        split(n, validation=validation)


def test_labels_of_another_length_are_an_error() -> None:
    with pytest.raises(DataError, match=r"the shape \(10,\); got \(9,\)"):
        split(10, y=np.zeros(9))
