"""The border: what is taken, what is refused, and that nothing is copied without need."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from retrograd.arrays import (
    LOOK,
    SHORT,
    as_labels,
    as_matrix,
    as_weights,
    is_finite,
    require_finite,
    require_integer,
    require_number,
    require_same_rows,
)
from retrograd.errors import DataError, OptionError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_are_not_copied(dtype, order):
    X = np.ones((4, 3), dtype, order=order)
    assert as_matrix(X, "X") is X


@pytest.mark.parametrize("value", [[[1, 2]], np.array([[True, False]]), np.ones((1, 2), np.uint8)])
def test_integers_become_float64(value):
    assert as_matrix(value, "X").dtype == np.float64


def test_half_precision_becomes_float32():
    assert as_matrix(np.ones((2, 2), np.float16), "X").dtype == np.float32


def test_one_column_may_be_flat():
    assert as_matrix([1.0, 2.0], "Y", n_columns=1).shape == (2, 1)


def test_a_frame_is_a_matrix():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    np.testing.assert_array_equal(as_matrix(frame, "X"), [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0, np.nan]], r"X: nan at row 0, column 1 \(1 such entry\)"),
        ([[np.inf, 1.0], [-np.inf, 2.0]], r"X: inf at row 0, column 0 \(2 such entries\)"),
        ([["a", "b"]], "X: expected real numbers, got <U1"),
        ([[1j]], "X: expected real numbers, got complex128"),
        ([[1.0], [2.0, 3.0]], "X: not an array of numbers"),
        ([[None, 1.0]], "X: nan at row 0, column 0"),
        ([[10**400]], "X: not an array of numbers"),
        (pd.DataFrame({"a": ["x", "y"]}), "X: (not an array of numbers|expected real numbers)"),
        ([1.0, 2.0], r"X: expected shape \(n, columns\), one example per row, got shape \(2,\)"),
        (3.0, r"got shape \(\)"),
        (np.ones((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (np.ones((0, 2)), "X: has 0 rows, needs at least 1"),
        (scipy.sparse.eye_array(3), r"sparse matrices are not taken here; pass X\.toarray\(\)"),
        (np.ma.masked_array([[1.0, 2.0]], [[True, False]]), "X: has masked entries"),
    ],
)
def test_what_is_not_a_matrix_is_a_data_error(value, message):
    with pytest.raises(DataError, match=message):
        as_matrix(value, "X")


def test_another_number_of_columns_names_both():
    with pytest.raises(DataError, match="X: has 3 columns, expected 4"):
        as_matrix(np.ones((2, 3)), "X", n_columns=4)


def test_a_number_too_large_for_float32_says_so():
    with pytest.raises(DataError, match=r"X: has a number too large for float32.*3\.4e\+38"):
        as_matrix([[1e300]], "X", dtype=np.float32)


def test_finite_numbers_whose_sum_overflows_are_finite():
    require_finite(np.full(10, 1e308), "X")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_of_both_signs_do_not_pass_for_a_finite_sum(dtype):
    with pytest.raises(DataError, match="X: inf at row 0"):
        require_finite(np.array([np.inf, -np.inf], dtype), "X")


def test_labels_become_int64():
    labels = as_labels([[0.0], [2.0]], "Y", n_classes=3)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 2]
    assert as_labels(np.array([True, False]), "Y", n_classes=2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0, 3], "row 1 has label 3; with 3 outputs labels go from 0 to 2"),
        ([0, -1], "row 1 has label -1"),
        ([0.5, 1.0], "labels must be whole numbers, row 0 has 0.5"),
        ([0.0, 1e300], "row 1 has label 1e"),
        (np.array([2**63], np.uint64), "row 0 has label 9223372036854775808"),
        ([0.0, np.nan], "Y: nan at row 1"),
        (["a", "b"], "Y: expected real numbers"),
        ([], "Y: has 0 rows"),
        ([[0, 1]], r"expected integer labels of shape \(n,\), got shape \(1, 2\)"),
    ],
)
def test_what_is_not_a_label_is_a_data_error(value, message):
    with pytest.raises(DataError, match=message):
        as_labels(value, "Y", n_classes=3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 1.0], r"expected shape \(3,\), got \(2,\)"),
        ([1.0, -1.0, 1.0], "row 1 is negative"),
        ([0.0, 0.0, 0.0], "all weights are 0"),
        ([1.0, np.nan, 1.0], "nan at row 1"),
    ],
)
def test_what_is_not_a_weight_is_a_data_error(value, message):
    with pytest.raises(DataError, match=message):
        as_weights(value, "sample_weight", n_rows=3, dtype=np.float64)


def test_lengths_that_differ_are_named():
    with pytest.raises(DataError, match="X has 3 rows, Y has 4; they must match"):
        require_same_rows("X", 3, "Y", 4)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1.0), np.int64(1)])
def test_a_number_in_its_range_passes(value):
    require_number("train", "l2", value)


@pytest.mark.parametrize("value", ["1", None, True, [1.0], float("nan"), float("inf"), -1.0])
def test_a_number_out_of_its_range_names_the_range(value):
    with pytest.raises(OptionError, match=r"train: l2 must be in \[0, inf\), got"):
        require_number("train", "l2", value)


def test_a_range_may_have_its_upper_end_or_not_its_lower():
    require_number("SGD", "dampening", 1, high=1.0, closed_high=True)
    for value in (0.0, 1.5, True):
        with pytest.raises(OptionError, match=r"SGD: dampening must be in \(0, 1\], got"):
            require_number("SGD", "dampening", value, high=1.0, open_low=True, closed_high=True)


@pytest.mark.parametrize("value", [0, 1.5, True, "3", None])
def test_an_integer_must_be_one(value):
    with pytest.raises(OptionError, match="train: epochs must be an integer of at least 1, got"):
        require_integer("train", "epochs", value)


def test_a_single_number_that_is_not_finite_is_named_without_a_place():
    with pytest.raises(DataError, match=r"^a: is nan, not a finite number$"):
        require_finite(np.array(np.nan), "a")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [SHORT, SHORT + 1, 2 * LOOK, 2 * LOOK + 1])
def test_whether_a_long_array_is_finite_is_told_without_the_threads_of_blas(monkeypatch, dtype, n):
    vdot, array = np.vdot, np.full(n, np.finfo(dtype).max, dtype)
    lengths = [0]
    monkeypatch.setattr(np, "vdot", lambda a, b: lengths.append(len(a)) or vdot(a, b))
    assert is_finite(array)
    for place in {0, n // 2, n - 1}:
        for wrong in (np.nan, np.inf, -np.inf):
            array[place], kept = wrong, array[place]
            assert not is_finite(array) and not is_finite(array[None])
            array[place] = kept
    assert max(lengths) <= SHORT  # so many it multiplies on one


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whether_a_small_array_with_gaps_is_finite_is_told_by_its_own_entries(dtype):
    table = np.full((8, 6), np.nan, dtype)
    part = table[::2, 1:4]
    part[...] = 1.0
    assert is_finite(part) and is_finite(part.T) and is_finite(part[:, 1])
    part[1, 2] = np.finfo(dtype).max  # whose square is infinite
    assert is_finite(part)
    for wrong in (np.nan, np.inf):
        part[3, 0] = wrong
        assert not is_finite(part) and not is_finite(part[:, 0])
