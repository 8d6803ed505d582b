"""Kernels that go row by row, on each instruction set: any number of rows and of columns."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine.host import runnable
from retrograd.engines.numpy import NumpyEngine
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan
from tests.compare import require_close, require_same_runs

rng = np.random.default_rng(0)
COLUMNS = [2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 33, 65, 128]


def given(n, dtype):
    x, w = (rg.variable(name, shape=s, dtype=dtype) for name, s in (("x", (rg.rows, n)), ("w", n)))
    label = rg.variable("label", shape=(rg.rows,), dtype="int64")
    u = rg.variable("u", shape=(rg.rows,), dtype=dtype)
    return {"x": x, "w": w, "label": label, "u": u}


def outputs_of(x, w, label, u):
    """Losses with sample weights, a normalisation with weights of the columns, a draw: several."""
    n = x.shape[1]
    one_hot = rg.one_hot(label, n, x.dtype)
    log_p = rg.log_softmax(x)
    smooth = 0.9 * one_hot + 0.1 / n
    focal = -rg.sum(one_hot * rg.square(1.0 - rg.exp(log_p)) * log_p, 1)
    centered = x - rg.mean(x, 1, keepdims=True)
    scale = rg.sqrt(rg.mean(rg.square(centered), 1, keepdims=True) + 1e-3)
    layer = centered / scale * rg.sqrt(1.0 + rg.square(w)) + w
    hinge = rg.square(rg.relu(1.0 + rg.max(x - one_hot * 2.0, 1) - rg.sum(one_hot * x, 1)))
    J = rg.sum(u * (focal - rg.sum(smooth * log_p, 1)))
    noise = rg.uniform((rg.rows, n), seed=3, dtype=x.dtype)
    return {
        "loss": u * focal + hinge,
        "J": J,
        "slope": rg.gradient(J, x),
        "layer": layer,
        "slope of layer": rg.gradient(rg.sum(layer * rg.tanh(x)), x),
        "drawn": rg.softmax(x + noise),
        "logsumexp": rg.logsumexp(x, 1, keepdims=True),
        "row": rg.less(rg.max(x, 1), rg.sum(x, 1)),
        "cut": cut(centered),
    }


def cut(x):
    """Which entries are large is dear to tell, and asked for by two sweeps over the columns."""
    is_large = rg.greater(rg.square(x) * 2.0 + x, 0.5)
    kept = rg.where(is_large, x, 0.1 * x)
    rest = kept - rg.mean(kept, 1, keepdims=True)
    return rg.sum(rg.where(is_large, rg.square(rest), rest), 1)


def step_of(n, dtype):
    nodes = given(n, dtype)
    inputs = {name: node for name, node in nodes.items() if name != "w"}
    return Step(inputs, {"w": nodes["w"]}, outputs_of(**nodes))


def test_the_step_has_a_kernel_over_rows_with_several_results():
    kernels = [kernel for kernel in plan(step_of(10, "float32")).kernels if kernel.is_by_row]
    assert max(len(kernel.stores) for kernel in kernels) > 3


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [2, 3, 9, 10, 17, 33])
def test_any_number_of_rows_and_columns_is_that_of_the_reference(target, n, dtype):
    engine, step = CpuEngine(target, n_threads=1), step_of(n, dtype)
    lanes = target.bytes // np.dtype(dtype).itemsize
    for n_rows in (0, 1, 3, lanes - 1, lanes, lanes + 1, 2 * lanes + 5, 200):
        require_same_runs(engine, step, n_rows=n_rows, seed=n_rows, length=4 * n * n_rows, depth=8)


@pytest.mark.parametrize("n", COLUMNS)
def test_a_functions_rows_are_those_of_the_reference(target, n):
    inputs = given(n, "float32")
    outputs = [*outputs_of(*inputs.values()).values()]
    call, reference = (
        engine.function(outputs, [*inputs.values()])
        for engine in (CpuEngine(target, n_threads=1), NumpyEngine())
    )
    for n_rows in (1, 6, 31, 70):
        values = values_of(n, n_rows)
        for found, expected in zip(call(values), reference(values), strict=True):
            require_close(found, expected, length=n * n_rows, depth=32)


def values_of(n, n_rows):
    x = 3 * rng.normal(size=(n_rows, n)).astype(np.float32)
    w, u = (rng.normal(size=size).astype(np.float32) for size in (n, n_rows))
    return [x, w, rng.integers(0, n, n_rows), u]


def by_row_function(engine, n):
    """What each row alone decides."""
    inputs = given(n, "float32")
    outputs = outputs_of(*inputs.values())
    del outputs["J"], outputs["drawn"]
    return engine.function([*outputs.values()], [*inputs.values()])


@pytest.mark.parametrize("n", [3, 10, 17, 40])
def test_a_row_has_the_same_bits_whatever_comes_with_it(target, n):
    call = by_row_function(CpuEngine(target, n_threads=1), n)
    x, w, label, u = values_of(n, 71)
    whole = call([x, w, label, u])
    for start, stop in [(0, 1), (5, 6), (30, 35), (60, 71), (3, 20), (0, 64)]:
        rows = slice(start, stop)
        for found, expected in zip(call([x[rows], w, label[rows], u[rows]]), whole, strict=True):
            np.testing.assert_array_equal(found, expected[rows])


@pytest.mark.parametrize("n", COLUMNS)
def test_instruction_sets_with_fma_agree_to_the_last_bit(n):
    x = 3 * rng.normal(size=(40, n)).astype(np.float32)
    node = rg.variable("x", shape=(rg.rows, n), dtype="float32")
    outputs = [rg.softmax(node), rg.log_softmax(node), rg.logsumexp(node, 1)]
    first, *others = (
        CpuEngine(target).function(outputs, [node])([x]) for target in runnable() if target.has_fma
    )
    for other in others:
        for found, expected in zip(other, first, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_rows", [1, 20])
def test_rows_of_nan_and_of_infinities_are_as_on_the_reference(target, n_rows):
    x = rng.normal(size=(n_rows, 10)).astype(np.float32)
    for row, value in enumerate([np.nan, np.inf, -np.inf]):
        x[row % n_rows, 3] = value
        x[(row + 4) % n_rows, :] = value
        node = rg.variable("x", shape=(rg.rows, 10), dtype="float32")
        slope = rg.gradient(rg.sum(rg.square(rg.log_softmax(node))), node)
        outputs = [rg.softmax(node), rg.log_softmax(node), rg.logsumexp(node, 1), slope]
        found, expected = (
            engine.function(outputs, [node])([x])
            for engine in (CpuEngine(target, n_threads=1), NumpyEngine())
        )
        for one, other in zip(found, expected, strict=True):
            require_close(one, other, length=10, depth=16)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_several_threads_give_the_same_bits_as_one(n_threads, always_threaded):
    x, w, label, u = values_of(10, 150)
    first, second = (
        CpuEngine(n_threads=n)
        .open({"step": step_of(10, "float32")}, {"w": w}, {"x": x, "label": label, "u": u})
        .run("step", np.arange(150), batch_size=90)
        for n in (1, n_threads)
    )
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, name)


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_every_precision_trains_as_on_the_reference(precision):
    X, Y = rng.normal(size=(50, 7)), rng.integers(0, 5, 50)
    losses = []
    for engine in ("cpu", "numpy"):
        net = rg.MLP([7, 6, 5], output="softmax", seed=1)
        history = rg.train(net, X, Y, precision=precision, engine=engine, epochs=3, batch_size=19)
        losses.append(history.J)
    require_close(*map(np.asarray, losses), depth=1000, made_in=np.float32)
