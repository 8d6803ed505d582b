"""The reference session: batches, state, and what it keeps, copies and overwrites."""

import tracemalloc

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.numpy import KEPT_SIZES, NumpyEngine
from retrograd.errors import (
    DataError,
    DtypeError,
    GraphError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from retrograd.graph.step import Step

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
W0 = rng.normal(size=(3, 2))


class Line:
    """A linear model with gradient descent: its nodes by name, its steps."""

    def __init__(self):
        self.x = rg.variable("x", shape=(rg.rows, 3))
        self.y = rg.variable("y", shape=(rg.rows, 2))
        self.W = rg.variable("W", shape=(3, 2))
        self.rate = rg.variable("rate", shape=())
        self.yhat = self.x @ self.W
        self.J = 0.5 * rg.sum(rg.square(self.yhat - self.y)) / rg.row_count()
        self.dW = rg.gradient(self.J, self.W)
        data = {"x": self.x, "y": self.y}
        self.train = Step(
            inputs=data,
            scalars={"rate": self.rate},
            state={"W": self.W},
            outputs={"J": self.J},
            updates={"W": self.W - self.rate * self.dW},
        )
        self.score = Step(
            inputs=data, state={"W": self.W}, outputs={"J": self.J, "yhat": self.yhat}
        )

    def open(self):
        steps = {"train": self.train, "score": self.score}
        return NumpyEngine().open(steps, {"W": W0}, {"x": X, "y": Y})


def by_hand(order, rates, batch_size):
    """The same training written in NumPy: losses and the final weights."""
    W, losses = W0.copy(), []
    for i, rate in zip(range(0, len(order), batch_size), rates, strict=True):
        rows = order[i : i + batch_size]
        error = X[rows] @ W - Y[rows]
        losses.append(0.5 * np.sum(error**2) / len(rows))
        W -= rate * X[rows].T @ error / len(rows)
    return losses, W


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 64])
def test_batches_are_consecutive_pieces_of_the_order_and_the_last_may_be_short(batch_size):
    order = rng.permutation(10)
    n_batches = -(-10 // batch_size)
    session = Line().open()
    result = session.run("train", order, {"rate": 0.1}, batch_size=batch_size)
    losses, W = by_hand(order, [0.1] * n_batches, batch_size)
    assert result["J"].shape == (n_batches,)
    np.testing.assert_allclose(result["J"], losses, rtol=1e-13)
    np.testing.assert_allclose(session.read("W"), W, rtol=1e-13)


def test_without_a_batch_size_the_whole_order_is_one_batch():
    session = Line().open()
    assert session.run("score", np.arange(10))["J"].shape == (1,)


def test_an_order_may_repeat_rows_and_leave_some_out():
    order = np.array([4, 4, 0, 4, 9, 0, 0])
    session = Line().open()
    result = session.run("train", order, {"rate": 0.1}, batch_size=3)
    losses, W = by_hand(order, [0.1] * 3, 3)
    np.testing.assert_allclose(result["J"], losses, rtol=1e-13)
    np.testing.assert_allclose(session.read("W"), W, rtol=1e-13)


def test_a_scalar_may_have_one_number_for_each_batch():
    order, rates = np.arange(10), np.array([0.3, 0.2, 0.1, 0.0])
    session = Line().open()
    result = session.run("train", order, {"rate": rates}, batch_size=3)
    losses, W = by_hand(order, rates, 3)
    np.testing.assert_allclose(result["J"], losses, rtol=1e-13)
    np.testing.assert_allclose(session.read("W"), W, rtol=1e-13)


def test_an_order_without_rows_runs_nothing():
    session = Line().open()
    result = session.run("score", np.array([], int), batch_size=4)
    assert (result["J"].shape, result["yhat"].shape) == ((0,), (0, 2))
    assert session.run("train", [], {"rate": 0.1})["J"].shape == (0,)
    assert np.array_equal(session.read("W"), W0)


def test_outputs_that_lead_with_rows_are_joined_and_the_others_stacked():
    order = rng.permutation(10)
    result = Line().open().run("score", order, batch_size=4)
    assert result["J"].shape == (3,)
    np.testing.assert_allclose(result["yhat"], X[order] @ W0, rtol=1e-13)


def test_steps_share_the_state():
    line = Line()
    session = line.open()
    before = session.run("score", np.arange(10))["J"]
    session.run("train", np.arange(10), {"rate": 0.1}, batch_size=2)
    after = session.run("score", np.arange(10))["J"]
    assert after < before
    np.testing.assert_allclose(
        session.run("score", np.arange(10))["yhat"], X @ session.read("W"), rtol=1e-13
    )


def test_once_stop_says_yes_no_further_batch_runs():
    asked = []

    def stop():
        asked.append(True)
        return len(asked) == 2

    session = Line().open()
    result = session.run("train", np.arange(10), {"rate": 0.1}, batch_size=2, stop=stop)
    losses, W = by_hand(np.arange(4), [0.1] * 2, 2)
    assert len(asked) == 2
    np.testing.assert_allclose(result["J"], losses, rtol=1e-13)
    np.testing.assert_allclose(session.read("W"), W, rtol=1e-13)


def test_a_stop_is_not_asked_before_the_first_batch():
    def never():
        raise AssertionError("asked")

    Line().open().run("train", np.arange(10), {"rate": 0.1}, stop=never)


# State.


def swap_step():
    a, b = rg.variable("a", shape=(2,)), rg.variable("b", shape=(2,))
    t = rg.variable("t", shape=())
    return a, b, Step(
        inputs={},
        state={"a": a, "b": b, "t": t},
        outputs={},
        updates={"a": b, "b": a, "t": t + 1.0},
    )  # fmt: skip


def test_updates_are_computed_from_the_state_before_the_step():
    *_, step = swap_step()
    state = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0]), "t": np.array(0.0)}
    session = NumpyEngine().open({"swap": step}, state, {})
    for n in range(1, 4):
        session.run("swap", np.arange(1))
        odd = n % 2 == 1
        assert np.array_equal(session.read("a"), [3, 4] if odd else [1, 2])
        assert np.array_equal(session.read("b"), [1, 2] if odd else [3, 4])
        assert session.read("t") == n


def test_updates_that_are_views_of_other_state_read_the_old_values():
    m = rg.variable("m", shape=(2, 2))
    v = rg.variable("v", shape=(4,))
    step = Step(
        inputs={},
        state={"m": m, "v": v},
        outputs={},
        updates={"m": m.T, "v": rg.reshape(m, -1)[::-1]},
    )
    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    session = NumpyEngine().open({"s": step}, {"m": start, "v": np.zeros(4)}, {})
    session.run("s", np.arange(1))
    assert np.array_equal(session.read("m"), start.T)
    assert np.array_equal(session.read("v"), [4, 3, 2, 1])


def test_a_snapshot_brings_the_state_back():
    session = Line().open()
    order = np.arange(10)
    session.run("train", order, {"rate": 0.1})
    kept = session.snapshot()
    first = session.run("train", order, {"rate": 0.1}, batch_size=3)["J"]
    session.restore(kept)
    again = session.run("train", order, {"rate": 0.1}, batch_size=3)["J"]
    assert np.array_equal(first, again)


def test_a_snapshot_is_a_copy_both_ways():
    session = Line().open()
    kept = session.snapshot()
    session.run("train", np.arange(10), {"rate": 0.1})
    assert np.array_equal(kept["W"], W0)
    session.restore(kept)
    kept["W"][:] = 9.0
    assert np.array_equal(session.read("W"), W0)


def test_read_and_write_copy():
    session = Line().open()
    read = session.read("W")
    read[:] = 7.0
    assert np.array_equal(session.read("W"), W0)
    value = np.ones((3, 2))
    session.write("W", value)
    value[:] = 5.0
    assert np.array_equal(session.read("W"), np.ones((3, 2)))
    session.write("W", [[1, 2]] * 3)
    assert session.read("W").dtype == np.float64


def test_the_users_arrays_are_left_alone():
    state, data = W0.copy(), {"x": X.copy(), "y": Y.copy()}
    line = Line()
    session = NumpyEngine().open({"train": line.train}, {"W": state}, data)
    session.run("train", np.arange(10), {"rate": 0.5}, batch_size=3)
    assert np.array_equal(state, W0)
    assert np.array_equal(data["x"], X)
    assert np.array_equal(data["y"], Y)
    state[:] = 0.0
    assert not np.array_equal(session.read("W"), state)


# What can be read after a step.


def test_any_node_of_the_last_step_has_its_value():
    line = Line()
    session = line.open()
    session.run("train", np.arange(10), {"rate": 0.1}, batch_size=7)
    rows = np.arange(7, 10)
    _, W = by_hand(np.arange(7), [0.1], 7)
    error = X[rows] @ W - Y[rows]
    np.testing.assert_allclose(session.value(line.x), X[rows])
    np.testing.assert_allclose(session.value(line.W), W, rtol=1e-13)
    np.testing.assert_allclose(session.value(line.yhat), X[rows] @ W, rtol=1e-13)
    np.testing.assert_allclose(session.value(line.dW), X[rows].T @ error / 3, rtol=1e-12)
    assert session.value(line.rate) == 0.1
    assert session.value(line.J).shape == ()


def test_a_value_is_that_of_the_state_which_the_step_used_not_of_the_next():
    line = Line()
    session = line.open()
    session.run("train", np.arange(10), {"rate": 0.1})
    assert np.array_equal(session.value(line.W), W0)
    assert not np.array_equal(session.read("W"), W0)


def test_what_was_returned_is_not_overwritten_by_the_next_step():
    line = Line()
    session = line.open()
    first = session.run("score", np.arange(5))["yhat"]
    value = session.value(line.yhat)
    kept = first.copy()
    session.run("score", np.arange(5, 10))
    assert np.array_equal(first, kept)
    assert np.array_equal(value, kept)


def test_value_before_any_step_and_of_a_foreign_node_say_so():
    line = Line()
    session = line.open()
    with pytest.raises(GraphError, match="session: no step was run yet"):
        session.value(line.W)
    session.run("score", np.arange(3))
    with pytest.raises(GraphError, match="is not computed here: no output depends on it"):
        session.value(line.dW)


# Memory.


def wide_session(width=256, n_rows=256):
    x = rg.variable("x", shape=(rg.rows, width))
    W = rg.variable("W", shape=(width, width))
    b = rg.variable("b", shape=(width,))
    a = rg.sigmoid(rg.relu(rg.tanh(x @ W + b) @ W + b) @ W + b)
    J = 0.5 * rg.mean(rg.square(a))
    dW, db = rg.gradient(J, [W, b])
    step = Step(
        inputs={"x": x},
        state={"W": W, "b": b},
        outputs={"J": J},
        updates={"W": W - 0.1 * dW, "b": b - 0.1 * db},
    )
    state = {"W": rng.normal(0, 0.1, (width, width)), "b": np.zeros(width)}
    return NumpyEngine().open({"train": step}, state, {"x": rng.normal(size=(n_rows, width))})


def test_a_step_allocates_no_array_of_the_size_of_its_values():
    session, order = wide_session(), np.arange(256)
    session.run("train", order)
    big = 256 * 256 * 8
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        session.run("train", np.tile(order, 5), batch_size=256)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - start < big / 2
    assert now - start < big / 20


def test_buffers_are_kept_for_a_few_batch_sizes_only():
    session = wide_session(32, 64)
    sizes = range(1, KEPT_SIZES + 6)
    for size in sizes:
        session.run("train", np.arange(size))
    tracemalloc.start()
    try:
        for _ in range(3):
            for size in sizes:
                session.run("train", np.arange(size))
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            for size in sizes:
                session.run("train", np.arange(size))
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert grown < 100_000


# Errors.


def opened(line, *, state=None, data=None):
    return NumpyEngine().open(
        {"train": line.train},
        {"W": W0} if state is None else state,
        {"x": X, "y": Y} if data is None else data,
    )


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"state": {}}, GraphError, "session: state W has no value"),
        ({"data": {"x": X}}, GraphError, "session: data y has no value"),
        ({"state": {"W": W0.T}}, ShapeError, r"'W': expected shape \(3, 2\), got \(2, 3\)"),
        (
            {"data": {"x": X[:, :2], "y": Y}},
            ShapeError,
            r"'x': expected shape \(rows, 3\), got \(10, 2\)",
        ),
        (
            {"data": {"x": X, "y": Y[:4]}},
            ShapeError,
            "x has 10 rows, y has 4; all must have the same number",
        ),
        (
            {"data": {"x": X.astype(np.float32), "y": Y}},
            DtypeError,
            "session: data x is float32, the step takes float64",
        ),
    ],
)
def test_a_session_that_cannot_be_opened_says_why(options, error, message):
    with pytest.raises(error, match=message):
        opened(Line(), **options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda s: s.run("tain", [0]), UnknownNameError, "unknown step 'tain' .*'train'"),
        (lambda s: s.run("score", [0], batch_size=0), OptionError, "at least 1, got 0"),
        (lambda s: s.run("score", [10]), DataError, "order names row 10 of 10 rows"),
        (lambda s: s.run("score", [3, -1]), DataError, "order names row -1 of 10 rows"),
        (lambda s: s.run("score", [[0]]), DataError, r"row of integers, got int64 \(1, 1\)"),
        (lambda s: s.run("score", [0.5]), DataError, "row of integers, got float64"),
        (lambda s: s.run("train", [0]), GraphError, "scalars without a value: rate"),
        (
            lambda s: s.run("train", np.arange(10), {"rate": [0.1, 0.2]}, batch_size=3),
            DataError,
            r"scalar rate: expected 1 or 4 numbers, got \(2,\)",
        ),
        (lambda s: s.read("w"), UnknownNameError, "unknown state variable 'w'.*known: W"),
        (lambda s: s.write("V", W0), UnknownNameError, "unknown state variable 'V'"),
        (lambda s: s.write("W", W0.T), ShapeError, r"'W': expected shape \(3, 2\), got \(2, 3\)"),
        (lambda s: s.restore({"V": W0}), UnknownNameError, "unknown state variable 'V'"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why(call, error, message):
    session = Line().open()
    with pytest.raises(error, match=message):
        call(session)
    assert np.array_equal(session.read("W"), W0)


def test_a_step_without_inputs_runs_once_for_each_batch():
    *_, step = swap_step()
    state = {"a": np.zeros(2), "b": np.zeros(2), "t": np.zeros(())}
    session = NumpyEngine().open({"swap": step}, state, {})
    session.run("swap", np.arange(6), batch_size=2)
    assert session.read("t") == 3
