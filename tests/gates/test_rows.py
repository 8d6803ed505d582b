"""`rows`, the size known only when a graph runs, through every gate that changes shapes."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.gates import scatter_add
from retrograd.graph.shape import with_rows

x = rg.variable("x", shape=(rg.rows, 6))
w = rg.variable("w", np.arange(12.0).reshape(6, 2))
i = rg.variable("i", shape=(rg.rows,), dtype="int64")

CASES = {
    "reshape": (lambda: rg.reshape(x, (rg.rows, 2, 3)), lambda v: v.reshape(-1, 2, 3)),
    "reshape to -1": (lambda: rg.reshape(x, (-1, 3, 2)), lambda v: v.reshape(-1, 3, 2)),
    "reshape the rest": (lambda: rg.reshape(x, (rg.rows, -1, 1)), lambda v: v[:, :, None]),
    "transpose": (lambda: x.T, lambda v: v.T),
    "transposed reshape": (lambda: rg.reshape(x.T, (2, 3, -1)), lambda v: v.T.reshape(2, 3, -1)),
    "gram": (lambda: x.T @ x, lambda v: v.T @ v),
    "row products": (lambda: x @ x.T, lambda v: v @ v.T),
    "sum of row products": (lambda: rg.sum(x @ x.T, axis=1), lambda v: (v @ v.T).sum(axis=1)),
    "mean of row products": (lambda: rg.mean(x @ x.T), lambda v: (v @ v.T).mean()),
    "matmul": (lambda: x @ w, lambda v: v @ np.arange(12.0).reshape(6, 2)),
    "sum over rows": (lambda: rg.sum(x, axis=0), lambda v: v.sum(axis=0)),
    "mean over rows": (lambda: rg.mean(x, axis=0), lambda v: v.mean(axis=0)),
    "mean over all": (lambda: rg.mean(x), lambda v: v.mean()),
    "mean over the rest": (lambda: rg.mean(x, axis=1), lambda v: v.mean(axis=1)),
    "mean, kept": (lambda: rg.mean(x, 0, keepdims=True), lambda v: v.mean(0, keepdims=True)),
    "centred": (lambda: x - rg.mean(x, axis=0), lambda v: v - v.mean(axis=0)),
    "max over rows": (lambda: rg.max(x, axis=0), lambda v: v.max(axis=0)),
    "softmax over rows": (
        lambda: rg.softmax(x, axis=0),
        lambda v: np.exp(v) / np.exp(v).sum(axis=0),
    ),
    "logsumexp": (lambda: rg.logsumexp(x, 1), lambda v: np.log(np.exp(v).sum(axis=1))),
    "broadcast": (lambda: rg.broadcast_to([1.0, 2.0], (rg.rows, 2)) * rg.sum(x, 1, keepdims=True),
                  lambda v: np.array([1.0, 2.0]) * v.sum(1, keepdims=True)),
    "concatenate": (lambda: rg.concatenate([x, x * 2], 1), lambda v: np.hstack([v, 2 * v])),
    "slice": (lambda: x[:, 1:4], lambda v: v[:, 1:4]),
    "take of columns": (lambda: rg.take(x, [3, 0, 3], 1), lambda v: v[:, [3, 0, 3]]),
    "take of rows": (lambda: rg.take(x, [1, 0, 1]), lambda v: v[[1, 0, 1]]),
    "scatter by row": (
        lambda: rg.cast(rg.row_count(), "float64") + scatter_add(x * 1.0, i, 4),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n_rows", [2, 5])
def test_a_gate_works_for_any_number_of_rows(name, n_rows):
    make, oracle = CASES[name]
    rng = np.random.default_rng(n_rows)
    value, picks = rng.uniform(-1, 1, (n_rows, 6)), rng.integers(0, 4, n_rows)
    y = make()
    values = {x: value, i: picks}
    found = rg.evaluate(y, values)
    if oracle is None:
        expected = np.zeros((4, 6))
        np.add.at(expected, picks, value)
        expected += n_rows
    else:
        expected = oracle(value)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    assert np.shape(found) == with_rows(y.shape, n_rows)


@pytest.mark.parametrize("name", CASES)
def test_its_gradient_does_too(name):
    rng = np.random.default_rng(1)
    value, picks = rng.uniform(-1, 1, (3, 6)), rng.integers(0, 4, 3)
    y = CASES[name][0]()
    total = rg.sum(rg.square(y)) / 2.0
    dx = rg.gradient(total, x)
    assert dx.shape == x.shape
    found = rg.evaluate(dx, {x: value, i: picks})
    function, h = rg.compile([total], [x, i]), 1e-5
    for at in np.ndindex(value.shape):
        step = np.zeros_like(value)
        step[at] = h
        slope = function(value + step, picks)[0] - function(value - step, picks)[0]
        assert found[at] == pytest.approx(slope / (2 * h), rel=1e-6, abs=1e-6)


def test_the_mean_over_rows_divides_by_their_number_in_the_dtype_of_its_operand():
    single = rg.variable("x", shape=(rg.rows,), dtype="float32")
    mean = rg.mean(single)
    assert mean.dtype == np.float32
    assert rg.evaluate(mean, {single: [1.0, 2.0, 6.0]}) == 3.0


def test_no_rows_give_empty_results_and_sums_of_zero():
    none = np.zeros((0, 6))
    y, total = rg.evaluate([rg.tanh(x @ w), rg.sum(x @ w, axis=0)], {x: none})
    assert y.shape == (0, 2)
    assert np.array_equal(total, [0, 0])
    assert np.isnan(rg.evaluate(rg.mean(x), {x: none}))
    assert rg.evaluate(rg.logsumexp(x), {x: none}) == -np.inf
    assert np.array_equal(
        rg.evaluate(rg.gradient(rg.sum(rg.softmax(x @ w)), w), {x: none}), np.zeros((6, 2))
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_have_as_many_rows_as_what_they_are_added_to(dtype):
    v = np.arange(12, dtype=dtype).reshape(2, 6)
    own = rg.variable("x", shape=(rg.rows, 6), dtype=dtype)
    blank = rg.zeros((rg.rows, 6), dtype=dtype)
    assert blank.shape == (rg.rows, 6)
    found = rg.evaluate(
        rg.concatenate([own + blank, rg.zeros((rg.rows, 2), dtype)], axis=1), {own: v}
    )
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, np.concatenate([v, np.zeros((2, 2))], axis=1))
