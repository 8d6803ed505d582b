"""What random gates draw is the same on every engine, for any batches, threads and copies."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.numpy import NumpyEngine
from retrograd.graph.step import Step
from tests.engines.cpu.conftest import always_threaded, target  # noqa: F401  # fixtures

N, COLUMNS, SEED = 103, 37, 9


def noisy_step(dtype):
    """Outputs made of random gates, over rows that are counted from batch to batch.

    The step is keyed as in training: the seed is a scalar, the rows so far are state.
    """
    x = rg.variable("x", shape=(rg.rows, COLUMNS), dtype=dtype)
    W = rg.variable("W", shape=(COLUMNS, COLUMNS), dtype=dtype)
    seed, seen = rg.variable("seed", shape=()), rg.variable("seen", shape=())
    key = {"seed": seed, "offset": seen, "dtype": dtype}
    mask = rg.bernoulli(0.4, x.shape, **key)
    outputs = {
        "u": rg.uniform(x.shape, **key, stream=1),
        "column": rg.uniform((rg.rows,), **key, stream=2),
        "cube": rg.uniform((rg.rows, 3, 5), **key, stream=3),
        "mask": mask,
        "dropped": rg.where(mask, x @ W, 0.0),  # in the epilogue of a product
        "z": rg.normal(x.shape, **key, stream=4),
    }
    updates = {"seen": seen + rg.row_count()}
    return Step({"x": x}, {"seen": seen, "W": W}, outputs, {"seed": seed}, updates)


def run(engine, dtype, batch_sizes, copies=None):
    rng = np.random.default_rng(0)
    step = noisy_step(dtype)
    data = {"x": rng.normal(size=(N, COLUMNS)).astype(dtype)}
    state = {"seen": np.zeros(()), "W": np.eye(COLUMNS, dtype=dtype)}
    if copies is not None:
        state = {name: np.stack([value] * copies) for name, value in state.items()}
    session = engine.open({"step": step}, state, data, copies=copies)
    order, parts = np.arange(N), []
    for start, stop, size in batch_sizes:
        parts.append(session.run("step", order[start:stop], {"seed": float(SEED)}, batch_size=size))
    axis = 0 if copies is None else 1
    return {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}


WHOLE = [(0, N, N)]
SPLITS = {
    "batches of 32": [(0, N, 32)],
    "single rows": [(0, N, 1)],
    "two calls": [(0, 64, 16), (64, N, 20)],
    "a call for each batch": [(i, min(i + 10, N), 10) for i in range(0, N, 10)],
}
EXACT = ["u", "column", "cube", "mask", "dropped"]


def require_same(found, expected):
    for name in EXACT:
        np.testing.assert_array_equal(found[name], expected[name], name)
    z, exact = found["z"], expected["z"]
    assert np.abs(z - exact).max() <= 4 * np.spacing(np.abs(exact)).max()
    assert (np.abs(z - exact) <= 8 * np.spacing(np.abs(exact))).all()


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.mark.parametrize("split", SPLITS)
def test_the_reference_draws_the_same_for_any_split(dtype, split):
    expected = run(NumpyEngine(), dtype, WHOLE)
    found = run(NumpyEngine(), dtype, SPLITS[split])
    for name, value in expected.items():
        if name != "dropped":  # a product may round otherwise for another number of rows
            np.testing.assert_array_equal(found[name], value, name)


def test_every_processor_draws_the_bits_of_the_reference(dtype, target):  # noqa: F811  # a fixture
    engine = CpuEngine(target, n_threads=1)
    require_same(run(engine, dtype, WHOLE), run(NumpyEngine(), dtype, WHOLE))


@pytest.mark.parametrize("split", SPLITS)
def test_the_compiled_engine_draws_the_same_bits_for_any_split(dtype, split):
    expected, found = (run(CpuEngine(n_threads=1), dtype, s) for s in (WHOLE, SPLITS[split]))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.usefixtures("always_threaded")
@pytest.mark.parametrize("n_threads", [2, 3, 4])
def test_any_number_of_threads_draws_the_same_bits(dtype, n_threads):
    expected = run(CpuEngine(n_threads=1), dtype, WHOLE)
    for split in (WHOLE, SPLITS["batches of 32"]):
        found = run(CpuEngine(n_threads=n_threads), dtype, split)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize("engine", [NumpyEngine(), CpuEngine()], ids=lambda engine: engine.name)
def test_each_copy_draws_what_it_would_alone(dtype, engine):
    alone = run(engine, dtype, SPLITS["batches of 32"])
    together = run(engine, dtype, SPLITS["batches of 32"], copies=3)
    for name, value in alone.items():
        np.testing.assert_array_equal(together[name], np.stack([value] * 3), name)


def test_a_function_of_many_rows_draws_the_same_bits_as_the_reference(dtype):
    x = rg.variable("x", shape=(rg.rows, 5), dtype=dtype)
    y = x * rg.uniform(x.shape, seed=3, offset=11, dtype=dtype)
    for n_rows in (1, 5, 1000):
        values = {x: np.ones((n_rows, 5))}
        found, expected = (rg.evaluate(y, values, engine=e) for e in ("cpu", "numpy"))
        np.testing.assert_array_equal(found, expected)
