"""Data sets by name."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets

from retrograd.datasets import load, names
from retrograd.errors import UnknownNameError
from retrograd.files.table import is_text

SHAPES = {
    "digits": (1797, 64),
    "iris": (150, 4),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
    "fin": (1000, 8),
    "two_spirals": (194, 2),
    "parity": (64, 6),
}


def test_the_names_are_those_that_load() -> None:
    assert names() == tuple(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_data_set_is_whole(name: str) -> None:
    data = load(name)
    assert data.name == name
    assert data.X.shape == SHAPES[name]
    assert data.X.dtype == np.float64
    assert np.isfinite(data.X).all()
    assert data.y.shape == (len(data.X),)
    assert len(set(data.feature_names)) == data.X.shape[1]
    assert data.target_name not in data.feature_names
    assert set(data.units) <= {*data.feature_names, data.target_name}
    assert data.description
    assert "\n" not in data.description
    if data.task == "classification":
        assert data.class_names is not None
        assert data.y.dtype == np.int64
        assert np.unique(data.y).tolist() == list(range(len(data.class_names)))
    else:
        assert data.class_names is None
        assert data.y.dtype == np.float64


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_the_numbers_are_scikit_learns(name: str) -> None:
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    np.testing.assert_array_equal(load(name).X, X)
    np.testing.assert_array_equal(load(name).y, y)


@pytest.mark.parametrize("name", SHAPES)
def test_as_a_table_the_target_is_the_last_column(name: str) -> None:
    data = load(name)
    table = data.table()
    assert table.names == (*data.feature_names, data.target_name)
    np.testing.assert_array_equal(table.column(data.feature_names[0]), data.X[:, 0])
    target = table.column(data.target_name)
    assert is_text(target) == (data.task == "classification")
    if data.class_names is not None:
        assert target[-1] == data.class_names[data.y[-1]]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown data set 'iriss' .did you mean 'iris'"):
        load("iriss")
