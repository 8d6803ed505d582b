"""Copies of one program: each computes what it computes alone, bit for bit."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.copies import CopiedSession
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.numpy import NumpyEngine
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
M = 3
X, Y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
STATE = {"W": rng.normal(size=(M, 3, 2)), "t": np.arange(float(M))}
ONE_FOR_ALL = rng.permutation(10)
ONE_FOR_EACH = np.stack([rng.permutation(10) for _ in range(M)])


def steps(dtype=np.float64):
    """Training of a bent linear model that counts its steps, and its score."""
    x = rg.variable("x", shape=(rg.rows, 3), dtype=dtype)
    y = rg.variable("y", shape=(rg.rows, 2), dtype=dtype)
    W = rg.variable("W", shape=(3, 2), dtype=dtype)
    t, rate = (rg.variable(name, shape=(), dtype=dtype) for name in ("t", "rate"))
    yhat = rg.tanh(x @ W)
    J = 0.5 * rg.sum(rg.square(yhat - y)) / rg.row_count(dtype=dtype)
    data = {"x": x, "y": y}
    return {
        "train": Step(
            inputs=data,
            scalars={"rate": rate},
            state={"W": W, "t": t},
            outputs={"J": J, "dW": rg.gradient(J, W)},
            updates={"W": W - rate * rg.gradient(J, W), "t": t + 1.0},
        ),
        "score": Step(inputs=data, state={"W": W}, outputs={"J": J, "yhat": yhat}),
    }


def opened(*, state=STATE, data=None, copies=M):
    data = {"x": X, "y": Y} if data is None else data
    return NumpyEngine().open(steps(data["x"].dtype), state, data, copies=copies)


def alone(m, dtype=np.float64):
    state = {name: value[m] for name, value in STATE.items()}
    data = {"x": X.astype(dtype), "y": Y.astype(dtype)}
    return NumpyEngine().open(steps(dtype), state, data)


def of(m, value):
    """The part of an order or of scalars that is a copy's own."""
    return value[m] if np.ndim(value) == 2 else value


def require_equal(found, expected):
    assert set(found) == set(expected[0])
    for name, value in found.items():
        np.testing.assert_array_equal(value, np.stack([one[name] for one in expected]), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rates", [0.1, np.array([0.3, 0.2, 0.1]), rng.random((M, 3))])
@pytest.mark.parametrize("order", [ONE_FOR_ALL, ONE_FOR_EACH])
def test_copies_give_bit_for_bit_what_as_many_sessions_give(order, rates, dtype):
    copied = opened(data={"x": X.astype(dtype), "y": Y.astype(dtype)})
    single = [alone(m, dtype) for m in range(M)]
    for _ in range(2):
        found = copied.run("train", order, {"rate": rates}, batch_size=4)
        expected = [
            session.run("train", of(m, order), {"rate": of(m, rates)}, batch_size=4)
            for m, session in enumerate(single)
        ]
        require_equal(found, expected)
        require_equal(copied.snapshot(), [session.snapshot() for session in single])
    assert found["J"].shape == (M, 3)
    assert found["dW"].shape == (M, 3, 3, 2)
    assert copied.read("W").dtype == dtype


@pytest.mark.parametrize("batch_size", [None, 1, 4, 64])
@pytest.mark.parametrize("order", [ONE_FOR_ALL, ONE_FOR_EACH, np.empty((M, 0), int), []])
def test_the_axis_of_copies_comes_before_the_rows_of_joined_outputs(order, batch_size):
    found = opened().run("score", order, batch_size=batch_size)
    n = np.shape(order)[-1]
    expected = [alone(m).run("score", of(m, order), batch_size=batch_size) for m in range(M)]
    require_equal(found, expected)
    assert found["yhat"].shape == (M, n, 2)


ENGINES = {"numpy": NumpyEngine, "cpu": CpuEngine}


VIEWS = {
    "begin": ONE_FOR_EACH[:, :7],
    "end": ONE_FOR_EACH[:, 3:],
    "every second": ONE_FOR_EACH[:, ::2],
    "backwards": ONE_FOR_EACH[:, ::-1],
    "by column": np.asfortranarray(ONE_FOR_EACH),
    "one for all": np.broadcast_to(ONE_FOR_ALL, (M, 10)),
    "last copy first": ONE_FOR_EACH[::-1],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("view", VIEWS)
def test_orders_may_lie_in_memory_as_they_do(engine, view):
    data, order = {"x": X, "y": Y}, VIEWS[view]
    session = ENGINES[engine]().open(steps(), STATE, data, copies=M)
    other = ENGINES[engine]().open(steps(), STATE, data, copies=M)
    found = session.run("train", order, {"rate": 0.1}, batch_size=4)
    expected = other.run("train", order.copy(order="C"), {"rate": 0.1}, batch_size=4)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(session.read("W"), other.read("W"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("only", [[2], [0, 2], [2, 0, 1], np.array([1, 2])])
def test_only_the_copies_that_are_named_run_each_with_an_order_of_its_own(engine, only):
    data = {"x": X, "y": Y}
    session = ENGINES[engine]().open(steps(), STATE, data, copies=M)
    whole = ENGINES[engine]().open(steps(), STATE, data, copies=M)
    rates = rng.random((M, 3))
    for _ in range(2):
        found = session.run(
            "train", ONE_FOR_EACH[only], {"rate": rates[only]}, batch_size=4, only=only
        )
        expected = whole.run("train", ONE_FOR_EACH, {"rate": rates}, batch_size=4)
        for name, value in found.items():
            np.testing.assert_array_equal(value, expected[name][only], strict=True)
    for name, value in session.snapshot().items():
        after = STATE[name].copy()
        after[only] = whole.read(name)[only]
        np.testing.assert_array_equal(value, after)
    # Those that stood still see the new rows too.
    session.feed({"x": 2.0 * X, "y": Y})
    other = ENGINES[engine]().open(steps(), session.snapshot(), {"x": 2.0 * X, "y": Y}, copies=M)
    found = session.run("train", ONE_FOR_ALL, {"rate": 0.1})
    expected = other.run("train", ONE_FOR_ALL, {"rate": 0.1})
    np.testing.assert_array_equal(found["J"], expected["J"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("only", [[], [0, 0], [3], [-1]])
def test_copies_that_are_not_there_cannot_run(engine, only):
    session = ENGINES[engine]().open(steps(), STATE, {"x": X, "y": Y}, copies=M)
    with pytest.raises(OptionError, match="session: `only` names"):
        session.run("train", ONE_FOR_ALL, {"rate": 0.1}, only=only)
    single = ENGINES[engine]().open(
        steps(), {name: value[0] for name, value in STATE.items()}, {"x": X, "y": Y}
    )
    with pytest.raises(OptionError, match="some of several copies"):
        single.run("train", ONE_FOR_ALL, {"rate": 0.1}, only=[0])


@pytest.mark.parametrize("n_asked", [1, 2, 3, 9])
def test_copies_that_are_stopped_have_all_run_equally_many_batches(n_asked):
    asked = []

    def stop():
        asked.append(True)
        return len(asked) == n_asked

    n_run = min(n_asked, 4)
    copied, rates = opened(), rng.random((M, 4))
    found = copied.run("train", ONE_FOR_EACH, {"rate": rates}, batch_size=3, stop=stop)
    single = [alone(m) for m in range(M)]
    expected = [
        session.run("train", order[: n_run * 3], {"rate": rate[:n_run]}, batch_size=3)
        for session, order, rate in zip(single, ONE_FOR_EACH, rates, strict=True)
    ]
    require_equal(found, expected)
    require_equal(copied.snapshot(), [session.snapshot() for session in single])
    assert len(asked) == min(n_asked, 3)


def test_a_stop_is_not_asked_before_the_first_batch():
    def never():
        raise AssertionError("asked")

    assert opened().run("train", np.arange(10), {"rate": 0.1}, stop=never)["J"].shape == (M, 1)
    assert opened().run("train", [], {"rate": 0.1}, stop=never)["J"].shape == (M, 0)


def test_one_copy_leads_with_an_axis_of_one():
    state = {name: value[:1] for name, value in STATE.items()}
    session = opened(state=state, copies=1)
    assert session.read("W").shape == (1, 3, 2)
    require_equal(session.run("score", ONE_FOR_ALL), [alone(0).run("score", ONE_FOR_ALL)])


def test_a_snapshot_brings_every_copy_back():
    session = opened()
    session.run("train", ONE_FOR_EACH, {"rate": 0.1}, batch_size=4)
    kept = session.snapshot()
    first = session.run("train", ONE_FOR_EACH, {"rate": 0.1}, batch_size=4)["J"]
    session.restore(kept)
    again = session.run("train", ONE_FOR_EACH, {"rate": 0.1}, batch_size=4)["J"]
    assert np.array_equal(first, again)
    kept["W"][:] = 9.0
    session.restore({"t": kept["t"]})
    assert not (session.read("W") == 9.0).any()


def test_read_and_write_copy_and_cast():
    session = opened()
    session.read("W")[:] = 7.0
    assert np.array_equal(session.read("W"), STATE["W"])
    value = np.arange(M)
    session.write("t", value)
    value[:] = 5
    assert np.array_equal(session.read("t"), [0, 1, 2])
    assert session.read("t").dtype == np.float64


def test_the_users_state_is_left_alone():
    state = {name: value.copy() for name, value in STATE.items()}
    opened(state=state).run("train", ONE_FOR_ALL, {"rate": 0.5}, batch_size=3)
    for name, value in state.items():
        assert np.array_equal(value, STATE[name])


def test_a_step_without_inputs_has_copies_too():
    t = rg.variable("t", shape=())
    step = Step(inputs={}, state={"t": t}, outputs={"t": t}, updates={"t": t + 1.0})
    session = CopiedSession(NumpyEngine(), {"count": step}, {"t": np.array([0.0, 10.0])}, {}, 2)
    assert session.run("count", np.arange(6), batch_size=2)["t"].tolist() == [
        [0, 1, 2],
        [10, 11, 12],
    ]


# Errors.


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"copies": 0}, OptionError, "session: copies must be an integer of at least 1, got 0"),
        ({"copies": 2.0}, OptionError, "copies must be an integer of at least 1, got 2.0"),
        (
            {"copies": 2},
            ShapeError,
            r"'W': expected shape \(2, 3, 2\), led by 2 copies, got \(3, 3, 2\)",
        ),
        (
            {"state": STATE | {"t": np.array(0.0)}},
            ShapeError,
            r"'t': expected shape \(3,\), led by 3 copies, got \(\)",
        ),
        ({"state": {"W": STATE["W"]}}, GraphError, "session: state t has no value"),
        ({"data": {"x": X}}, GraphError, "session: data y has no value"),
        ({"data": {"x": X, "y": Y[:4]}}, ShapeError, "x has 10 rows, y has 4"),
        ({"data": {"x": X, "y": Y.astype(np.float32)}}, DtypeError, "session: data y is float32"),
    ],
)
def test_copies_that_cannot_be_opened_say_why(options, error, message):
    with pytest.raises(error, match=message):
        opened(**options)


LAST_IS_WRONG = np.array([[0, 1], [2, 3], [4, 10]])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda s: s.run("tain", [0]), UnknownNameError, "unknown step 'tain' .*'train'"),
        (lambda s: s.run("score", [0], batch_size=0), OptionError, "at least 1, got 0"),
        (
            lambda s: s.run("train", LAST_IS_WRONG, {"rate": 0.1}),
            DataError,
            "order names row 10 of 10 rows",
        ),
        (
            lambda s: s.run("train", ONE_FOR_EACH[:2], {"rate": 0.1}),
            DataError,
            r"order is a row of integers, or 3 of them, one for each copy, got int64 \(2, 10\)",
        ),
        (lambda s: s.run("score", 3), DataError, r"one for each copy, got int64 \(\)"),
        (lambda s: s.run("score", [[[0]]] * 3), DataError, r"got int64 \(3, 1, 1\)"),
        (lambda s: s.run("score", [0.5]), DataError, "row of integers, .* got float64"),
        (lambda s: s.run("train", [0]), GraphError, "scalars without a value: rate"),
        (
            lambda s: s.run("train", ONE_FOR_ALL, {"rate": np.zeros((4, 3))}, batch_size=3),
            DataError,
            r"scalar rate: expected 1 or 4 numbers, or 4 for each of 3 copies, got \(4, 3\)",
        ),
        (lambda s: s.read("w"), UnknownNameError, "unknown state variable 'w'.*known: W, t"),
        (lambda s: s.write("V", X), UnknownNameError, "unknown state variable 'V'"),
        (
            lambda s: s.write("W", STATE["W"][0]),
            ShapeError,
            r"'W': expected shape \(3, 3, 2\), led by 3 copies, got \(3, 2\)",
        ),
        (lambda s: s.restore({"V": X}), UnknownNameError, "unknown state variable 'V'"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why_and_changes_no_copy(call, error, message):
    session = opened()
    with pytest.raises(error, match=message):
        call(session)
    assert np.array_equal(session.read("W"), STATE["W"])
