"""Narrow state matrices are kept transposed, whatever a step does with them."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan
from retrograd.plan.turn import is_turned
from tests.compare import DTYPES, require_same_runs

M, N = 40, 3


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 8), True),
        ((1000, 16), True),
        ((31, 8), False),
        ((1000, 17), False),
        ((8, 2), True),
        ((8, 7), True),
        ((7, 2), False),
        ((8, 8), False),
        ((1000, 1), False),
        ((2, 32), False),
        ((32,), False),
        ((2, 32, 2), False),
        ((rg.rows, 2), False),
    ],
)
def test_high_and_narrow_matrices_are_kept_transposed(shape, expected):
    assert is_turned(shape) is expected


def variables(dtype):
    shapes = {"x": (rg.rows, M), "d": (rg.rows, N), "W": (M, N), "m": (M, N), "b": (N,), "c": (M,)}
    return {name: rg.variable(name, shape=shape, dtype=dtype) for name, shape in shapes.items()}


def by_gradient(v):
    slope = rg.gradient(rg.mean(rg.square(v["x"] @ v["W"] - v["d"])), v["W"])
    m = 0.9 * v["m"] + slope
    return {"W": v["W"] - 0.1 * m, "m": m}


def clipped(v):
    slope = v["x"].T @ v["d"]
    return {"W": v["W"] - slope / rg.maximum(1.0, rg.sqrt(rg.sum(rg.square(slope))))}


def of_bounded_columns(v):
    lengths = rg.sqrt(rg.sum(rg.square(v["W"]), axis=0, keepdims=True))
    return {"W": v["W"] / rg.maximum(1.0, lengths), "b": rg.max(v["W"], axis=0)}


def with_what_is_repeated(v):
    by_rows = rg.reshape(v["c"], (M, 1)) * v["W"] + v["b"]
    return {"W": rg.where(rg.greater(by_rows, 0.0), by_rows, rg.broadcast_to(v["b"], (M, N)))}


def with_a_constant(v):
    mask = rg.constant(np.arange(M * N).reshape(M, N) % 2.0)
    return {"W": v["W"] * rg.cast(mask, v["W"].dtype), "c": rg.sum(v["W"] * v["m"], axis=1)}


def in_other_places(v):
    turned = rg.concatenate([v["W"][1:], v["W"][:1]], 0)
    return {"W": turned, "m": v["W"].T.T + rg.reshape(rg.reshape(v["W"], -1), (M, N))}


def exchanged(v):
    return {"W": v["m"], "m": v["W"]}


def the_same_for_two(v):
    new = v["W"] + v["m"]
    return {"W": new, "m": new}


def from_elsewhere(v):
    return {"W": v["x"].T @ v["d"], "m": rg.softmax(v["m"], axis=0), "b": v["b"] + v["W"][3]}


UPDATES = [
    by_gradient,
    clipped,
    of_bounded_columns,
    with_what_is_repeated,
    with_a_constant,
    in_other_places,
    exchanged,
    the_same_for_two,
    from_elsewhere,
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("update", UPDATES, ids=lambda f: f.__name__)
def test_whatever_a_step_does_with_them_is_that_of_the_reference(update, dtype):
    v = variables(dtype)
    inputs, state = ({name: v[name] for name in names} for names in ("xd", "Wmbc"))
    updates = update(v)
    outputs = {"W": updates.get("W", v["W"]), "old": v["m"].T, "back": v["d"] @ v["W"].T}
    step = Step(inputs, state, outputs, {}, updates)
    assert plan(step).state["W"].shape == (N, M)
    for batch_size in (1, 4, None):
        require_same_runs(CpuEngine(n_threads=1), step, batch_size=batch_size, n_rows=9, depth=16)


def test_no_step_of_a_layer_with_few_outputs_turns_anything():
    v = variables("float32")
    kept = rg.constant(np.arange(M * N).reshape(M, N) % 2.0, dtype="float32")
    hidden = rg.tanh(v["x"] * v["c"])
    J = rg.mean(rg.square(hidden @ v["W"] - v["d"]))
    of_W, of_c = rg.gradient(J, [v["W"], v["c"]])
    m = 0.9 * v["m"] + of_W
    updates = {"W": kept * (v["W"] - m), "m": m, "c": v["c"] - of_c}
    step = Step({"x": v["x"], "d": v["d"]}, {name: v[name] for name in "Wmc"}, {}, {}, updates)
    assert not any(x.gate.name == "transpose" for one in plan(step).kernels for x in one.body)


def test_a_function_reads_the_arrays_of_its_caller_as_they_lie():
    x, W = rg.variable("x", shape=(rg.rows, M)), rg.variable("W", shape=(M, N))
    X, values = np.ones((5, M)), np.arange(M * N).reshape(M, N) * 1.0
    found = CpuEngine(n_threads=1).function([x @ W], [x, W])([X, values])[0]
    np.testing.assert_array_equal(found, X @ values)


def test_users_read_and_write_them_as_they_are():
    v = variables("float64")
    step = Step({"x": v["x"]}, {"W": v["W"]}, {"y": v["x"] @ v["W"]}, {}, {"W": 2.0 * v["W"]})
    value = np.arange(M * N).reshape(M, N) * 1.0
    session = CpuEngine(n_threads=1).open({"step": step}, {"W": value}, {"x": np.ones((2, M))})
    np.testing.assert_array_equal(session.read("W"), value)
    before = session.snapshot()
    session.run("step", np.arange(2))
    np.testing.assert_array_equal(session.read("W"), 2.0 * value)
    np.testing.assert_array_equal(before["W"], value)
    session.write("W", value + 1.0)
    np.testing.assert_array_equal(session.snapshot()["W"], value + 1.0)
    session.restore(before)
    np.testing.assert_array_equal(session.read("W"), value)
    session.write("W", np.where(value == 7.0, np.nan, value))
    assert session.not_finite() == "W"
