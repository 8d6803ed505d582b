"""Hostile inputs, each a row: its name, how it departs from innocent data, what must come of it.

A row's function takes the innocent `Call` (40 rows, 3 columns) and changes it. `says` are words of
the error that must come; a row without it must give a good model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
SCORE = X @ np.array([1.0, -2.0, 0.5])
LABELS = (SCORE > 0).astype(np.int64)
C, R, BOTH = ("classifier",), ("regressor",), ("classifier", "regressor")

SAME = object()  # rows to predict are those to fit


@dataclass
class Call:
    """What an estimator is given: its parameters, data to fit, data to predict."""

    kind: str
    X: Any = field(default_factory=X.copy)
    y: Any = None
    sample_weight: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    asked: Any = SAME  # rows to predict

    def __post_init__(self):
        self.y = LABELS.copy() if self.kind == "classifier" else SCORE.copy()


@dataclass(frozen=True)
class Row:
    """`says`: words of the error, None for a good model; for a classifier and for a regressor."""

    name: str
    kinds: tuple[str, ...]
    change: Callable[[Call], None]
    says: tuple[str | None, str | None] = (None, None)

    def error(self, kind):
        return self.says[BOTH.index(kind)]


def _row(kinds, change, says):
    both = says if isinstance(says, tuple) else (says, says)
    return lambda name: Row(name, kinds, change, both)


def _given(attribute, make, kinds, says):
    def change(call):
        setattr(call, attribute, make(getattr(call, attribute)))

    return _row(kinds, change, says)


def looks_up_large():
    """Whether NumPy finds unsigned integers that no signed one equals; NumPy 2.0 does not."""
    large = np.array([2**63, 2**63 + 1], np.uint64)
    try:
        return bool(np.isin(large, large).all())
    except OverflowError:
        return False


def inputs(make, kinds=BOTH, says=None):
    """X is changed."""
    return _given("X", make, kinds, says)


def targets(make, kinds=BOTH, says=None):
    """y is changed."""
    return _given("y", make, kinds, says)


def weights(make, says=None):
    """Sample weights are given."""
    return _given("sample_weight", lambda _: make(np.ones(40)), BOTH, says)


def asked(make, says=None):
    """The model is fitted on innocent rows and asked about others."""
    return _given("asked", lambda _: make(X.copy()), BOTH, says)


def params(kinds=BOTH, says=None, **changed):
    """Parameters of the constructor are changed."""
    return _row(kinds, lambda call: call.params.update(changed), says)


def holding(value, *, everywhere=False):
    """An array with one entry, or all of them, of this value."""

    def make(a):
        a = np.array(a, dtype=np.result_type(a, np.asarray(value).dtype))
        a[... if everywhere else (3,) * a.ndim if a.ndim == 1 else (3, 1)] = value
        return a

    return make


def objects(*values):
    """An array of objects, these in its first entries."""

    def make(a):
        a = a.astype(object)
        for i, value in enumerate(values):
            a.flat[i] = value
        return a

    return make


def mapped(a):
    """The array as a memory map that cannot be written."""
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.write(np.ascontiguousarray(a).tobytes())
        file.flush()
        return np.memmap(file, a.dtype, "r", shape=a.shape)


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def wide_indices(a, kind=sparse.csr_array):
    a = kind(a)
    a.indices, a.indptr = a.indices.astype(np.int64), a.indptr.astype(np.int64)
    return a


def tampered(kind, attribute, place, value):
    """A sparse matrix with an index that points beyond it."""

    def change(a):
        a = kind(a * (a > 0))
        indices = getattr(a, attribute).copy()
        indices[place] = value
        if a.format == "lil":
            a.data[place] = [1.0]
        setattr(a, attribute, indices)
        return a

    return change


def unsorted(a):
    """A sparse matrix whose rows list their columns backwards, each entry in two halves."""
    a = sparse.csr_array(a)
    indices = np.concatenate([row[::-1] for row in np.split(a.indices, a.indptr[1:-1])])
    data = np.concatenate([row[::-1] for row in np.split(a.data, a.indptr[1:-1])])
    return sparse.csr_array((np.repeat(data / 2, 2), np.repeat(indices, 2), a.indptr * 2), a.shape)


def frame(a):
    return pd.DataFrame(a, columns=["a", "b", "c"])


def nullable(a, value=None):
    a = frame(a).astype("Float64")
    if value is not None:
        a.iloc[3, 1] = value
    return a


def polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


VALUES = {
    "NaN": inputs(holding(np.nan), says="Input X contains NaN"),
    "a column of NaN": inputs(
        lambda a: np.where([True, False, False], np.nan, a), says="Input X contains NaN"
    ),
    "infinity": inputs(holding(np.inf), says="Input X contains infinity or a value too"),
    "minus infinity": inputs(holding(-np.inf), says="Input X contains infinity or a value too"),
    "NaN in float32": inputs(
        lambda a: holding(np.float32(np.nan))(a.astype(np.float32)), says="Input X contains NaN"
    ),
    "1e150 in one entry": inputs(holding(1e150)),
    "1e300 in one entry": inputs(
        holding(1e300), says=(None, "Solver produced non-finite parameter weights")
    ),
    "1e300 in every entry": inputs(
        holding(1e300, everywhere=True), says=(None, "Solver produced non-finite parameter weights")
    ),
    "the largest float64": inputs(
        holding(np.finfo(np.float64).max),
        says=(None, "Solver produced non-finite parameter weights"),
    ),
    "the largest float32": inputs(
        lambda a: holding(np.finfo(np.float32).max)(a.astype("f4")),
        says=(None, "Solver produced non-finite parameter weights"),
    ),
    "denormals": inputs(lambda a: a * 1e-310),
    "float32 denormals": inputs(lambda a: (a * 1e-40).astype(np.float32)),
    "the least positive number everywhere": inputs(holding(5e-324, everywhere=True)),
    "zeros everywhere": inputs(np.zeros_like),
    "minus zero everywhere": inputs(lambda a: np.full_like(a, -0.0)),
    "a column without variance": inputs(lambda a: np.where([True, False, False], 7.0, a)),
    "a column of 1e15": inputs(lambda a: np.where([True, False, False], 1e15, a)),
    "one row 40 times": inputs(lambda a: np.repeat(a[:1], 40, axis=0)),
}
DTYPES = {
    "float16": inputs(lambda a: a.astype(np.float16)),
    "float16 infinity": inputs(
        lambda a: holding(np.float16(np.inf))(a.astype(np.float16)),
        says="Input X contains infinity or a value too",
    ),
    "long double": inputs(lambda a: a.astype(np.longdouble)),
    "long double beyond float64": inputs(
        holding(np.longdouble(10) ** 400),
        says="Input X contains infinity or a value too",
    ),
    "complex": inputs(lambda a: a + 1j, says="Complex data not supported"),
    "booleans": inputs(lambda a: a > 0),
    "int8": inputs(lambda a: (10 * a).astype(np.int8)),
    "uint64 beyond 2**63": inputs(lambda a: np.full(a.shape, 2**64 - 1, np.uint64)),
    "Python integers beyond 2**63": inputs(objects(2**63, -(2**70))),
    "Python integers beyond floats": inputs(
        objects(10**400), says="X: has an integer beyond the largest float"
    ),
    "objects that are floats": inputs(lambda a: a.astype(object)),
    "None among floats": inputs(objects(None), says="Input X contains NaN"),
    "text among floats": inputs(objects("five"), says="could not convert string to float: 'five'"),
    "numbers as text among floats": inputs(objects("5.0")),
    "a list among floats": inputs(
        objects([1.0, 2.0]), says="X: holds sequences where numbers should be"
    ),
    "a dictionary among floats": inputs(
        objects({}), says="float() argument must be a string or a real"
    ),
    "text": inputs(lambda a: np.full(a.shape, "abc"), says="could not convert string to float"),
    "numbers as text": inputs(
        lambda a: a.astype(str), says="dtype='numeric' is not compatible with arrays"
    ),
    "bytes": inputs(lambda a: np.full(a.shape, b"abc"), says="could not convert string to float"),
    "datetimes": inputs(
        lambda a: np.full(a.shape, np.datetime64("2026-01-01")),
        says="X: expected numbers, got datetime64[D]",
    ),
    "NaT": inputs(
        lambda a: np.full(a.shape, np.datetime64("NaT")), says="X: expected numbers, got datetime64"
    ),
    "timedeltas": inputs(
        lambda a: np.full(a.shape, np.timedelta64(3, "s")),
        says="X: expected numbers, got timedelta64[s]",
    ),
    "a structured array": inputs(
        lambda a: np.zeros(40, [("a", "f8"), ("b", "f8")]),
        says="X: is a structured array; give its fields as",
    ),
    "variable-width text": inputs(
        lambda a: np.full(a.shape, "abc", np.dtypes.StringDType()),  # of NumPy 2
        says="could not convert string to float: 'abc'",
    ),
}
SHAPES = {
    "no rows": inputs(lambda a: a[:0], says="Found array with 0 sample(s) (shape=(0, 3))"),
    "no columns": inputs(lambda a: a[:, :0], says="Found array with 0 feature(s) (shape=(40, 0))"),
    "neither rows nor columns": inputs(
        lambda a: a[:0, :0], says="Found array with 0 sample(s) (shape=(0, 0))"
    ),
    "an empty list": inputs(lambda a: [], says="Expected 2D array, got 1D array instead"),
    "rows without entries": inputs(
        lambda a: [[]] * 40, says="Found array with 0 feature(s) (shape=(40, 0))"
    ),
    "one row as a vector": inputs(lambda a: a[0], says="Expected 2D array, got 1D array instead"),
    "three dimensions": inputs(
        lambda a: a[:, :, None], says="Found array with dim 3, while dim <= 2 is"
    ),
    "a number": inputs(lambda a: 5.0, says="Expected 2D array, got scalar array instead"),
    "None": inputs(lambda a: None, says="Expected 2D array, got scalar array instead"),
    "a word": inputs(lambda a: "rows", says="could not convert string to float: 'rows'"),
    "a dictionary": inputs(
        lambda a: {"a": a[:, 0]}, says="float() argument must be a string or a real"
    ),
    "a set": inputs(lambda a: {1.0, 2.0}, says="float() argument must be a string or a real"),
    "a generator": inputs(
        lambda a: (row for row in a), says="float() argument must be a string or a real"
    ),
    "rows of unequal length": inputs(
        lambda a: [[1.0, 2.0], *a.tolist()[1:]], says="X: holds sequences where numbers should be"
    ),
    "lists": inputs(lambda a: a.tolist()),
    "fewer rows than targets": inputs(
        lambda a: a[:-1], says="Found input variables with inconsistent"
    ),
    "np.matrix": inputs(np.matrix, says="np.matrix is not supported. Please convert to"),
}
LAYOUTS = {
    "big-endian": inputs(lambda a: a.astype(">f8")),
    "big-endian float32": inputs(lambda a: a.astype(">f4")),
    "read-only": inputs(read_only),
    "negative strides": inputs(lambda a: a[::-1, ::-1][::-1, ::-1][::-1]),
    "stride 0": inputs(lambda a: np.broadcast_to(a[:1], a.shape)),
    "stride 0 along columns": inputs(lambda a: np.broadcast_to(a[:, :1], a.shape)),
    "every other column": inputs(lambda a: np.repeat(a, 2, axis=1)[:, ::2]),
    "column by column": inputs(np.asfortranarray),
    "unaligned": inputs(unaligned),
    "a memory map": inputs(mapped),
    "masked entries": inputs(
        lambda a: np.ma.masked_array(a, a > 1.0), says="X: has masked entries; remove or fill them"
    ),
    "a masked array without masked entries": inputs(np.ma.masked_array),
}
SPARSE = {
    "64-bit-indexed csr": inputs(wide_indices),
    "64-bit-indexed csc": inputs(lambda a: wide_indices(a, sparse.csc_array)),
    "coo": inputs(sparse.coo_matrix),
    "lil": inputs(sparse.lil_array),
    "dok": inputs(sparse.dok_matrix),
    "dia": inputs(sparse.dia_array),
    "bsr": inputs(sparse.bsr_array),
    "unsorted with duplicates": inputs(unsorted),
    "sparse without entries": inputs(lambda a: sparse.csr_array(a.shape)),
    "sparse without rows": inputs(
        lambda a: sparse.csr_array((0, 3)), says="Found array with 0 sample(s) (shape=(0, 3))"
    ),
    "sparse integers": inputs(lambda a: sparse.csr_array((5 * a).astype(np.int64))),
    "sparse float32": inputs(lambda a: sparse.csr_array(a.astype(np.float32))),
    "sparse NaN": inputs(
        lambda a: sparse.csr_array(holding(np.nan)(a)), says="Input X contains NaN"
    ),
    "sparse infinity": inputs(
        lambda a: sparse.csc_array(holding(np.inf)(a)),
        says="Input X contains infinity or a value too",
    ),
    "sparse complex": inputs(lambda a: sparse.csr_array(a + 1j), says="Complex data not supported"),
    "csr with a column far beyond its last": inputs(
        tampered(sparse.csr_matrix, "indices", 0, 10**8), says="X: is no sound sparse matrix"
    ),
    "csc with a row below 0": inputs(
        tampered(sparse.csc_array, "indices", 3, -5), says="X: is no sound sparse matrix"
    ),
    "csr whose rows end far beyond its entries": inputs(
        tampered(sparse.csr_array, "indptr", -1, 10**6), says="X: is no sound sparse matrix"
    ),
    "csr whose rows end before they begin": inputs(
        tampered(sparse.csr_array, "indptr", 5, 10**6), says="X: is no sound sparse matrix"
    ),
    "csr without entries whose rows end far beyond them": inputs(
        tampered(lambda a: sparse.csr_array(a.shape), "indptr", 1, 10**6),
        says="X: is no sound sparse matrix",
    ),
    "lil with a column beyond its last": inputs(
        tampered(sparse.lil_matrix, "rows", 0, [77]), says="X: is no sound sparse matrix"
    ),
    "bsr with a block beyond its last": inputs(
        tampered(sparse.bsr_array, "indices", 0, 77), says="X: is no sound sparse matrix"
    ),
    "coo with a row beyond its last": inputs(
        tampered(sparse.coo_matrix, "row", 0, 40), says="X: is no sound sparse matrix"
    ),
    "one-dimensional sparse": inputs(
        lambda a: sparse.coo_array(a[:, 0]), says="Expected 2D input, got input with shape (40,)"
    ),
}
FRAMES = {
    "pandas NA": inputs(lambda a: nullable(a, pd.NA), says="Input X contains NaN"),
    "pandas nullable without NA": inputs(nullable),
    "pandas text": inputs(
        lambda a: frame(a).assign(b="abc"), says="could not convert string to float: 'abc'"
    ),
    "pandas categories": inputs(
        lambda a: frame(a).assign(b=pd.Categorical(["u", "v"] * 20)),
        says="could not convert string to float: 'u'",
    ),
    "pandas datetimes": inputs(
        lambda a: frame(a).assign(b=pd.Timestamp("2026-01-01")),
        says="X: mixes dates with numbers; turn dates to",
    ),
    "pandas booleans": inputs(lambda a: frame(a).assign(b=a[:, 1] > 0)),
    "pandas None": inputs(
        lambda a: frame(a).astype(object).replace({a[3, 1]: None}), says="Input X contains NaN"
    ),
    "pandas sparse": inputs(lambda a: frame(a).astype(pd.SparseDtype("float64", 0.0))),
    "pandas columns of one name": inputs(
        lambda a: pd.DataFrame(a, columns=["a", "a", "a"]), says="Expected unique column names, got"
    ),
    "pandas columns named by text and numbers": inputs(
        lambda a: pd.DataFrame(a, columns=["a", 1, 2]),
        says="Feature names are only supported if all input",
    ),
    "a pandas series": inputs(
        lambda a: pd.Series(a[:, 0]), says="Expected a 2-dimensional container but got"
    ),
    "polars null": inputs(
        lambda a: polars({"a": a[:, 0], "b": [None, *a[1:, 1]]}),
        says="Input X contains NaN",
    ),
    "polars text": inputs(
        lambda a: polars({"a": a[:, 0], "b": ["abc"] * 40}),
        says="could not convert string to float: 'abc'",
    ),
    "decimals of polars": inputs(
        lambda a: polars({"a": [Decimal(str(i)) for i in a[:, 0]], "b": [Decimal(2)] * 40})
    ),
    "a query of polars": inputs(
        lambda a: polars({"a": a[:, 0]}).lazy(), says="X: is a query without rows yet; give X."
    ),
    "pyarrow null": inputs(
        lambda a: pa.table({"a": a[:, 0], "b": pa.array([None, *a[1:, 1].tolist()])}),
        says="Input X contains NaN",
    ),
    "pyarrow text": inputs(
        lambda a: pa.table({"a": a[:, 0], "b": ["abc"] * 40}),
        says="could not convert string to float: 'abc'",
    ),
}
TARGETS = {
    "no targets": targets(lambda y: None, says="requires y to be passed, but the target y is"),
    "NaN as a target": targets(holding(np.nan), says="Input y contains NaN"),
    "infinity as a target": targets(
        holding(np.inf), says="Input y contains infinity or a value too"
    ),
    "None as a target": targets(
        objects(None),
        says=(
            "y: holds labels of several types, which have",
            "y: nan at row 0 (1 such entry); remove or",
        ),
    ),
    "more targets than rows": targets(
        lambda y: np.append(y, y[-1]), says="Found input variables with inconsistent"
    ),
    "targets of three dimensions": targets(
        lambda y: y[:, None, None], says="Found array with dim 3, while dim <= 2 is"
    ),
    "no columns of targets": targets(
        lambda y: np.zeros((40, 0)), says="Found array with 0 feature(s) (shape=(40, 0))"
    ),
    "one number as the targets": targets(
        lambda y: 1, says="Input should have at least 1 dimension i.e"
    ),
    "targets as lists of unequal length": targets(
        lambda y: [[1], [1, 2]] * 20, says="y: holds sequences where numbers should be"
    ),
    "complex targets": targets(lambda y: y + 1j, says="Complex data not supported"),
    "masked targets": targets(
        lambda y: np.ma.masked_array(y, np.arange(40) == 3), says="y: has masked entries"
    ),
    "read-only targets": targets(read_only),
    "big-endian targets": targets(lambda y: y.astype(y.dtype.newbyteorder(">"))),
    "backward targets": targets(lambda y: y[::-1]),
    "targets as a memory map": targets(mapped),
    "pandas NA as a target": targets(
        lambda y: pd.array([pd.NA, *y[1:].tolist()]), says="y contains NaN"
    ),
    "pandas nullable targets": targets(lambda y: pd.Series(y).convert_dtypes()),
    "sparse targets": targets(
        lambda y: sparse.csr_array(y[:, None]), says="Sparse data was passed for y, but dense data"
    ),
    "sparse targets in two columns": targets(
        lambda y: sparse.csr_matrix(np.stack([y, y], axis=1)),
        R,
        says="y: Sparse data was passed for y, but dense data",
    ),
    "text of pandas with a missing entry as targets": targets(
        lambda y: pd.Series(["a", None] * 20, dtype="string"),
        says="y: has missing entries; remove or fill them",
    ),
    "text of any width as targets": targets(
        lambda y: np.where(y > 0, "b", "a").astype(np.dtypes.StringDType()),
        says="y: is text of any width or a record array",
    ),
    "a record array as targets": targets(
        lambda y: np.rec.fromarrays([y, y], names="a, b"),
        says="y: is text of any width or a record array",
    ),
    "numbers as text of pyarrow": targets(lambda y: pa.array([str(i) for i in y]), R),
    "text as targets of a regression": targets(
        lambda y: np.where(y > 0, "b", "a"), R, says="y: expected numbers, got <U1"
    ),
    "numbers as text as targets of a regression": targets(
        lambda y: y.astype(str), R, says="y: expected numbers, got <U32"
    ),
    "datetimes as targets of a regression": targets(
        lambda y: np.datetime64("2026-01-01") + np.arange(40),
        R,
        says="y: expected numbers, got datetime64[D]",
    ),
    "1e150 as a target": targets(holding(1e150), R),
    "1e300 as a target": targets(
        holding(1e300), R, says="Solver produced a loss that is not finite"
    ),
    "1e300 as every target": targets(
        holding(1e300, everywhere=True), R, says="Solver produced a loss that is not finite"
    ),
    "float32 targets of 1e30": targets(lambda y: (y * 1e30).astype(np.float32), R),
    "denormal targets": targets(lambda y: y * 1e-310, R),
    "one target 40 times": targets(np.ones_like, R),
    "one target with stride 0": targets(lambda y: np.broadcast_to(y[:1], y.shape), R),
    "Python integers beyond 2**63 as targets": targets(objects(2**64, -(2**65)), R),
    "Python integers beyond floats as targets": targets(
        objects(10**400), R, says="y: has an integer beyond the largest float"
    ),
    "True and False as targets of a regression": targets(lambda y: y > 0, R),
    "one class": targets(np.zeros_like, C),
    "a class for each row": targets(lambda y: np.arange(40), C),
    "fractions as classes": targets(lambda y: SCORE, C, says="Unknown label type"),
    "classes as whole floats": targets(lambda y: y.astype(np.float32), C),
    "classes of text and numbers": targets(
        objects("a", 1, 2.0), C, says="y: holds labels of several types, which have"
    ),
    "classes of text": targets(lambda y: np.where(y > 0, "b", "a").astype(object), C),
    "classes of bytes": targets(
        lambda y: np.where(y > 0, b"b", b"a"), C, says="Support for labels represented as bytes is"
    ),
    "classes of datetimes": targets(lambda y: np.datetime64("2026-01-01") + y, C),
    "classes of tuples": targets(lambda y: [(int(i),) for i in y], C),
    "classes at the ends of int64": targets(
        lambda y: np.where(y > 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min), C
    ),
    "classes beyond 2**63": targets(
        lambda y: y.astype(np.uint64) + np.uint64(2**63),
        C,
        says=None if looks_up_large() else "y: has integers beyond 2**63, which this NumPy cannot",
    ),
    "Python integers beyond 2**64 as classes": targets(
        lambda y: np.array([2**70 + int(i) for i in y], object), C, says="Unknown label type"
    ),
    "pandas categories as classes": targets(
        lambda y: pd.Series(pd.Categorical(np.where(y > 0, "b", "a"))), C
    ),
    "labels in several columns of several classes": targets(
        lambda y: np.stack([y * 3, y + 1], axis=1),
        C,
        says="Multioutput target data is not supported with",
    ),
    "several labels, one never set": targets(lambda y: np.stack([y, 0 * y], axis=1), C),
    "several labels, none ever set": targets(lambda y: np.zeros((40, 2), int), C),
    "sparse labels": targets(lambda y: sparse.csr_matrix(np.stack([y, 1 - y], axis=1)), C),
}
WEIGHTS = {
    "NaN as a weight": weights(holding(np.nan), says="Input sample_weight contains NaN"),
    "infinity as a weight": weights(
        holding(np.inf), says="Input sample_weight contains infinity or a"
    ),
    "a negative weight": weights(holding(-1.0), says="Negative values in data passed to"),
    "no weight at all": weights(np.zeros_like, says="Sample weights must contain at least one"),
    "weight on one row alone": weights(lambda w: np.eye(1, 40, 3)[0]),
    "too few weights": weights(
        lambda w: w[1:], says="sample_weight.shape == (39,), expected (40,)!"
    ),
    "weights of two dimensions": weights(
        lambda w: w[:, None], says="Sample weights must be 1D array or scalar"
    ),
    "text as weights": weights(
        lambda w: ["heavy"] * 40, says="could not convert string to float: 'heavy'"
    ),
    "a number as the weights": weights(lambda w: 2.0),
    "weights of 1e300": weights(lambda w: w * 1e300),
    "denormal weights": weights(lambda w: w * 1e-310),
    "a weight of None": weights(objects(None), says="Input sample_weight contains NaN"),
    "booleans as weights": weights(lambda w: np.arange(40) > 3),
    "an integer beyond floats as a weight": weights(
        objects(10**400), says="sample_weight: has an integer beyond the largest float"
    ),
    "dates as weights": weights(
        lambda w: np.datetime64("2026-01-01") + np.arange(40),
        says="sample_weight: expected numbers, got dates",
    ),
    "masked weights": weights(
        lambda w: np.ma.masked_array(w, np.arange(40) == 3),
        says="sample_weight: has masked entries; remove or",
    ),
}
PARAMETERS = {
    "no units": params(hidden_layer_sizes=(0,), says="hidden_layer_sizes must be > 0"),
    "minus 3 units": params(hidden_layer_sizes=-3, says="The 'hidden_layer_sizes' parameter"),
    "one and a half units": params(
        hidden_layer_sizes=(1.5,), says="hidden_layer_sizes must be integers"
    ),
    "units as a word": params(hidden_layer_sizes="ten", says="The 'hidden_layer_sizes' parameter"),
    "units of None": params(hidden_layer_sizes=(None,), says="hidden_layer_sizes must be integers"),
    "no hidden layer": params(hidden_layer_sizes=()),
    "layers in layers": params(
        hidden_layer_sizes=((3, 2), 2), says="hidden_layer_sizes must be integers"
    ),
    "units as an array of two dimensions": params(
        hidden_layer_sizes=np.ones((2, 2), int), says="hidden_layer_sizes must be integers"
    ),
    "units as NumPy's integers": params(hidden_layer_sizes=np.array([4, 3], np.int8)),
    "more units than memory": params(hidden_layer_sizes=(10**12,), says="more than fit in memory"),
    "more units than an integer counts": params(
        hidden_layer_sizes=(2**70,), says="more than fit in memory"
    ),
    "a penalty of infinity": params(alpha=np.inf, says="The 'alpha' parameter"),
    "a penalty of NaN": params(alpha=np.nan, says="The 'alpha' parameter"),
    "a penalty of 1e300": params(alpha=1e300),
    "a rate of NaN": params(learning_rate_init=np.nan, says="The 'learning_rate_init' parameter"),
    "a rate of 1e300": params(
        learning_rate_init=1e300, says="Solver produced non-finite parameter weights"
    ),
    "a rate of 1e300 for sgd": params(
        learning_rate_init=1e300, solver="sgd", says="Solver produced non-finite parameter weights"
    ),
    "a rate of 1e20 for sgd": params(
        learning_rate_init=1e20,
        solver="sgd",
        says=(None, "Solver produced non-finite parameter weights"),
    ),
    "the least rate": params(learning_rate_init=5e-324),
    "a momentum of 1": params(momentum=1.0, solver="sgd"),
    "a momentum of NaN": params(momentum=np.nan, says="The 'momentum' parameter"),
    "a power of 1e300": params(power_t=1e300, solver="sgd", learning_rate="invscaling"),
    "no epochs": params(max_iter=0, says="The 'max_iter' parameter"),
    "half an epoch": params(max_iter=0.5, says="The 'max_iter' parameter"),
    "epochs without end that converge": params(max_iter=10**30, tol=10.0, n_iter_no_change=1),
    "a batch of no rows": params(batch_size=0, says="The 'batch_size' parameter"),
    "a batch of 2**70 rows": params(batch_size=2**70),
    "a batch size of a float": params(batch_size=10.0, says="The 'batch_size' parameter"),
    "a batch of one row": params(batch_size=1),
    "a tolerance of NaN": params(tol=np.nan, says="The 'tol' parameter"),
    "a tolerance of 1e300": params(tol=1e300),
    "NaN epochs without change": params(
        n_iter_no_change=np.nan, says="The 'n_iter_no_change' parameter"
    ),
    "a seed of -1": params(random_state=-1, says="The 'random_state' parameter"),
    "a seed of 2**40": params(random_state=2**40, says="The 'random_state' parameter"),
    "a seed of text": params(random_state="lucky", says="The 'random_state' parameter"),
    "verbose of a word": params(verbose="loud", says="The 'verbose' parameter"),
    "shuffle of None": params(shuffle=None, says="The 'shuffle' parameter"),
    "nothing to validate on": params(
        early_stopping=True,
        validation_fraction=0.0,
        says="test_size=0.0 should be either positive and",
    ),
    "next to nothing to validate on": params(
        early_stopping=True,
        validation_fraction=1e-9,
        says=(
            "The test_size = 1 should be greater or equal",
            "The validation set is too small. Increase",
        ),
    ),
    "nearly all to validate on": params(
        early_stopping=True,
        validation_fraction=0.999,
        says="With n_samples=40, test_size=0.999 and",
    ),
    "a beta of 1 less a rounding": params(beta_1=1 - 2**-53, beta_2=1 - 2**-53),
    "betas of 0": params(beta_1=0.0, beta_2=0.0),
    "an epsilon of 1e300": params(epsilon=1e300),
    "an epsilon of 5e-324": params(epsilon=5e-324),
    "one evaluation for lbfgs": params(solver="lbfgs", max_fun=1),
    "an unknown activation": params(activation="rellu", says="The 'activation' parameter"),
    "an activation of None": params(activation=None, says="The 'activation' parameter"),
    "an unknown solver": params(solver="newton", says="The 'solver' parameter"),
    "a momentum of True": params(momentum=True, solver="sgd"),
    "betas of False": params(beta_1=False, beta_2=False),
    "units as an array without dimensions": params(
        hidden_layer_sizes=np.array(5), says=("hidden_layer_sizes must be integers")
    ),
    "a function of one node as a loss": params(
        loss=lambda output: output, says="loss: the function is called with 2 nodes"
    ),
    "a function of two nodes as an activation": params(
        activation=lambda a, b: a, says="is called with 1 node: "
    ),
    "a class as an activation": params(activation=object, says="is called with 1 node: "),
    "a number as a loss": params(R, loss=3, says="The 'loss' parameter"),
    "counts below 0": params(R, loss="poisson", says="loss='poisson' needs y >= 0, the least is"),
}
ASKED = {
    "asked about other columns": asked(lambda a: a[:, :2], says="X has 2 features"),
    "asked about NaN": asked(holding(np.nan), says="Input X contains NaN"),
    "asked about no rows": asked(
        lambda a: a[:0], says="Found array with 0 sample(s) (shape=(0, 3))"
    ),
    "asked about a vector": asked(lambda a: a[0], says="Expected 2D array, got 1D array instead"),
    "asked about text": asked(
        lambda a: np.full(a.shape, "abc"), says="dtype='numeric' is not compatible with arrays"
    ),
    "asked about None": asked(lambda a: None, says="Expected 2D array, got scalar array instead"),
    "asked about 1e300": asked(holding(1e300)),
    "asked about the largest numbers": asked(
        lambda a: np.sign(a) * np.finfo(np.float64).max,
        says=(None, "the network's output for row 4 of X is"),
    ),
    "asked about denormals": asked(lambda a: a * 1e-310),
    "asked about float16": asked(lambda a: a.astype(np.float16)),
    "asked about integers": asked(lambda a: a.astype(np.int16)),
    "asked about complex numbers": asked(lambda a: a + 1j, says="Complex data not supported"),
    "asked about objects": asked(lambda a: a.astype(object)),
    "asked about unaligned big-endian rows": asked(lambda a: unaligned(a.astype(">f8"))),
    "asked about 64-bit-indexed sparse rows": asked(wide_indices),
    "asked about stride 0": asked(lambda a: np.broadcast_to(a[:1], a.shape)),
}
TABLES = (
    VALUES, DTYPES, SHAPES, LAYOUTS, SPARSE, FRAMES, TARGETS, WEIGHTS, PARAMETERS, ASKED,
)  # fmt: skip
ROWS = [make(name) for table in TABLES for name, make in table.items()]
