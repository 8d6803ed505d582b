"""Data frames under `encode_columns`: what their columns may hold, and what of it is refused."""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import retrograd as rg
from retrograd.errors import DataError

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]

N = 40
NUMBERS = np.random.default_rng(0).normal(size=N)
WORDS = np.array(["Bonn", "Kiel"] * (N // 2), object)
y = (NUMBERS > 0) * 1
FEW = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0, "encode_columns": True}
DATES = np.datetime64("2026-01-01") + np.arange(N) % 3


def frame(**columns):
    return pd.DataFrame({"a": NUMBERS, "b": WORDS} | columns)


def masked():
    both = np.c_[NUMBERS, NUMBERS].astype(object)
    return np.ma.masked_array(both, np.arange(2 * N).reshape(N, 2) == 3)


def polars():
    return pytest.importorskip("polars")


REFUSED = {
    "masked entries": (masked, "X: has masked entries"),
    "dates": (lambda: frame(c=pd.Series(DATES)), "column 'c' holds"),
    "dates of Python": (lambda: frame(c=[datetime.date(2026, 1, 1)] * N), "column 'c' holds date"),
    "an array of dates": (lambda: np.c_[DATES, DATES], "column 'x0' holds datetime64"),
    "spans": (lambda: frame(c=pd.Series(DATES - DATES[0])), "column 'c' holds"),
    "periods": (lambda: frame(c=pd.period_range("2026", periods=N)), "column 'c' holds Period"),
    "intervals": (
        lambda: frame(c=pd.IntervalIndex.from_breaks(range(N + 1))),
        "column 'c' holds Interval",
    ),
    "complex numbers": (lambda: frame(c=NUMBERS + 1j), "column 'c' holds complex"),
    "lists": (lambda: frame(c=[[1]] * N), "column 'c' holds list"),
    "bytes": (lambda: frame(c=[b"a"] * N), "column 'c' holds bytes"),
    "an integer beyond floats": (
        lambda: frame(c=pd.Series([10**400] * N, dtype=object)),
        "column 'c' has an integer beyond",
    ),
    "a vector": (lambda: NUMBERS, "Expected 2D array, got 1D array instead"),
    "a series": (lambda: pd.Series(NUMBERS), "Expected 2D array, got 1D array instead"),
    "None": (lambda: None, "Expected 2D array, got 0D array instead"),
    "a number": (lambda: 5.0, "Expected 2D array, got 0D array instead"),
    "a dictionary": (lambda: {"a": NUMBERS}, "Expected 2D array, got 0D array instead"),
    "a generator": (lambda: (row for row in [[1.0]]), "Expected 2D array, got 0D array instead"),
    "a list of dictionaries": (lambda: [{"a": 1.0}] * N, "Expected 2D array, got 1D array instead"),
    "a structured array": (
        lambda: np.zeros(N, [("a", "f8"), ("b", "f8")]),
        "X: is a structured array",
    ),
    "an empty list": (list, "Expected 2D array, got 1D array instead"),
    "rows of unequal length": (lambda: [[1.0], [1.0, 2.0]] * 20, "got 1D array instead"),
    "no rows": (lambda: frame().iloc[:0], "Found array with 0 sample(s) (shape=(0, 2))"),
    "no columns": (lambda: frame()[[]], "Found array with 0 feature(s) (shape=(40, 0))"),
    "columns of one name": (lambda: frame().set_axis(["a", "a"], axis=1), "unique column names"),
    "a query": (lambda: polars().LazyFrame({"a": NUMBERS}), "give X.collect()"),
    "sparse": (lambda: sparse.csr_array(np.eye(N)), "got a sparse matrix"),
    "a column without entries": (
        lambda: frame(c=[None] * N),
        "column 'c' has no entries; leave it out (give X without it)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_neither_numbers_nor_words_is_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError) as caught:
        rg.MLPClassifier(**FEW).fit(make(), y)
    assert words in str(caught.value) and "--drop" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n in REFUSED if n != "a column without entries"])
def test_it_is_refused_in_prediction_too(name):
    make, _ = REFUSED[name]
    model = rg.MLPClassifier(**FEW).fit(frame(c=WORDS), y)
    with pytest.raises(ValueError):
        model.predict(make())


TAKEN = {
    "fractions": lambda: frame(c=[fractions.Fraction(i, 7) for i in range(N)]),
    "decimals": lambda: frame(c=[decimal.Decimal(i) / 7 for i in range(N)]),
    "booleans": lambda: frame(c=NUMBERS > 0),
    "categories of dates": lambda: frame(c=pd.Categorical(DATES.astype(str))),
    "pyarrow": lambda: pa.table({"a": NUMBERS.astype("f4"), "b": WORDS.tolist()}),
    "polars": lambda: polars().DataFrame({"a": NUMBERS, "b": WORDS.tolist()}),
    "lists": lambda: [list(row) for row in zip(NUMBERS, WORDS, strict=True)],
}


@pytest.mark.parametrize("name", TAKEN)
def test_numbers_words_booleans_and_categories_are_taken(name):
    X = TAKEN[name]()
    model = rg.MLPClassifier(**FEW).fit(X, y)
    assert np.isfinite(model.loss_) and len(model.predict(X)) == N


def test_no_targets_are_a_clear_error():
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        rg.MLPClassifier(**FEW).fit(frame(), None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.c_[NUMBERS, NUMBERS].astype("f4"),
        lambda: frame(a=NUMBERS.astype("f4")),
        lambda: frame(a=pd.array(NUMBERS.astype("f4"))),
        lambda: pa.table({"a": NUMBERS.astype("f4"), "b": WORDS.tolist()}),
        lambda: polars().DataFrame({"a": NUMBERS.astype("f4"), "b": WORDS.tolist()}),
    ],
)
def test_float32_stays_float32(make):
    model = rg.MLPRegressor(**FEW).fit(make(), NUMBERS)
    assert model.coefs_[0].dtype == model.predict(make()).dtype == np.float32
    both = frame(a=NUMBERS.astype("f4"), c=np.arange(N))
    assert rg.MLPRegressor(**FEW).fit(both, NUMBERS).coefs_[0].dtype == np.float64


def test_numbers_where_words_were_are_told_of_the_data_frame():
    model = rg.MLPClassifier(**FEW).fit(frame(), y)
    with pytest.raises(DataError, match="column 'b' held words when the model was fitted") as told:
        model.predict(frame(b=NUMBERS))
    assert "read_table" not in str(told.value)
