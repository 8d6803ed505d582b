"""Hostile inputs, row by row: a good model, or a clear error; no crash, raw error or garbage."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import retrograd as rg
from retrograd.errors import DataError

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
    pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning"),
]

_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
hostile = importlib.util.module_from_spec(_spec)
sys.modules["hostile"] = hostile  # dataclasses look their module up
_spec.loader.exec_module(hostile)

KINDS = {"classifier": rg.MLPClassifier, "regressor": rg.MLPRegressor}
CASES = [(row, kind) for row in hostile.ROWS for kind in row.kinds]
RAW = ("numpy", "scipy")  # no error comes from inside them


def fitted(call):
    few = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
    model = KINDS[call.kind](**few | call.params)
    return model.fit(call.X, call.y, sample_weight=call.sample_weight)


def changed(row, kind):
    call = hostile.Call(kind)
    row.change(call)
    return call


def assert_good(model, X):
    """Finite weights, loss and predictions, of the shapes and among the classes they must be."""
    assert all(np.isfinite(a).all() for a in model.coefs_ + model.intercepts_)
    assert np.isfinite(model.loss_)
    found = model.predict(X)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    assert found.shape in {(n,), (n, model.n_outputs_)}
    if isinstance(model, rg.MLPRegressor):
        assert np.isfinite(found).all()
        return
    p = model.predict_proba(X)
    assert p.shape == (n, max(len(model.classes_), 2))  # as scikit-learn: one class has two columns
    assert np.isfinite(p).all() and p.min() >= 0.0 and p.max() <= 1.0
    assert set(np.unique(found.toarray() if sparse.issparse(found) else found)) <= (
        set(model.classes_) if found.ndim == 1 else {0, 1}
    )


@pytest.mark.parametrize("row, kind", CASES, ids=[f"{row.name}, {kind}" for row, kind in CASES])
def test_what_is_hostile_gives_a_good_model_or_a_clear_error(row, kind):
    call, words = changed(row, kind), row.error(kind)
    if words is None:
        assert_good(fitted(call), call.X if call.asked is hostile.SAME else call.asked)
        return
    with pytest.raises((ValueError, TypeError)) as caught:
        fitted(call).predict(call.X if call.asked is hostile.SAME else call.asked)
    assert words in str(caught.value)
    assert not type(caught.value).__module__.startswith(RAW)


SAME_NUMBERS = [
    make(name)
    for table in (hostile.DTYPES, hostile.LAYOUTS, hostile.SPARSE, hostile.FRAMES)
    for name, make in table.items()
    if make(name).error("classifier") is None
]


@pytest.mark.parametrize("row", SAME_NUMBERS, ids=lambda row: row.name)
def test_numbers_count_and_not_how_they_lie_in_memory(row):
    odd, plain = changed(row, "classifier"), changed(row, "classifier")
    X = plain.X.toarray() if sparse.issparse(plain.X) else np.asarray(plain.X)
    dtype = np.float32 if X.dtype == np.float32 else np.float64  # as scikit-learn takes them
    plain.X = np.ascontiguousarray(X, dtype)
    assert fitted(odd).loss_curve_ == fitted(plain).loss_curve_


def test_the_table_has_at_least_120_rows_of_different_names():
    assert len({row.name for row in hostile.ROWS}) == len(hostile.ROWS) >= 120


DATA = (
    *(hostile.VALUES, hostile.DTYPES, hostile.SHAPES, hostile.LAYOUTS, hostile.SPARSE),
    *(hostile.FRAMES, hostile.TARGETS, hostile.WEIGHTS),
)
DATA_CASES = [
    (row, kind)
    for table in DATA
    for row in (make(n) for n, make in table.items())
    for kind in row.kinds
]


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("row, kind", DATA_CASES, ids=[f"{r.name}, {k}" for r, k in DATA_CASES])
def test_an_open_session_meets_what_is_hostile_as_the_first_call_does(row, kind):
    """After calls of partial_fit that went well, and left something open for the next."""
    innocent, call = hostile.Call(kind), changed(row, kind)
    model = KINDS[kind](hidden_layer_sizes=(5,), random_state=0)
    classes = {"classes": [0, 1]} if kind == "classifier" else {}
    for _ in range(2):
        model.partial_fit(innocent.X, innocent.y, **classes)
    try:
        model.partial_fit(call.X, call.y, call.sample_weight)
    except (ValueError, TypeError) as error:
        assert not type(error).__module__.startswith(RAW)
    else:
        assert_good(model, innocent.X)
    model.partial_fit(innocent.X, innocent.y)
    assert_good(model, innocent.X)


@pytest.mark.parametrize("way", ["plain", "encoded", "target"])
def test_sparse_targets_that_point_beyond_themselves_are_an_error(way):
    X = np.arange(90.0).reshape(30, 3) % 7
    y = sparse.csc_matrix((X > 3).astype(np.int64))
    y.indices = y.indices.copy()
    y.indices[0] = 77
    model = rg.MLPClassifier((3,), max_iter=2, encode_columns=way == "encoded")
    if way == "target":
        model, y = rg.MLPMultiTask(hidden_layer_sizes=(3,), max_iter=2), {"a": y, "b": X[:, 0]}
    with pytest.raises(DataError, match="y: is no sound sparse matrix"):
        model.fit(pd.DataFrame(X) if way == "encoded" else X, y)
