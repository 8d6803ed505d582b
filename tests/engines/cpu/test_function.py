"""Compiled functions of arrays: any number of rows, any layout, rows anywhere."""

import threading

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu import function as cpu_function
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError, ShapeError
from tests.compare import require_close
from tests.engines.cpu.test_session import LAYOUTS

rng = np.random.default_rng(0)
W, B = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)


def network():
    x = rg.variable("x", shape=(rg.rows, 7), dtype="float32")
    w, b = rg.variable("w", shape=W.shape, dtype="float32"), rg.variable("b", B)
    return [rg.softmax(rg.tanh(x @ w + b)), rg.sum(x, axis=1)], [x, w]


def require_same(outputs, inputs, values, **options):
    found, expected = (
        engine.function(outputs, inputs)([np.asarray(v) for v in values])
        for engine in (CpuEngine(**options), NumpyEngine())
    )
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        require_close(one, other, length=100, depth=8)


@pytest.mark.parametrize("n", [0, 1, 2, 127, 128, 129, 300])
def test_rows_that_do_not_need_each_other_are_worked_on_in_blocks(n):
    x = rng.normal(size=(n, 7)).astype(np.float32)
    require_same(*network(), [x, W])


def test_each_row_is_predicted_alike_whatever_comes_with_it():
    call = CpuEngine().function(*network())
    x = rng.normal(size=(300, 7)).astype(np.float32)
    whole = call([x, W])[0]
    for part in (slice(0, 1), slice(5, 6), slice(130, 147)):
        np.testing.assert_array_equal(call([x[part], W])[0], whole[part])


def test_several_threads_give_the_same_bits_as_one(monkeypatch):
    x = rng.normal(size=(1000, 7)).astype(np.float32)
    expected = CpuEngine(n_threads=1).function(*network())([x, W])
    monkeypatch.setattr(cpu_function, "SHARED", 0)
    for found, one in zip(
        CpuEngine(n_threads=3).function(*network())([x, W]), expected, strict=True
    ):
        np.testing.assert_array_equal(found, one)


def test_one_function_may_be_called_from_several_threads_at_once():
    call = CpuEngine(n_threads=1).function(*network())
    data = [rng.normal(size=(50 + i, 7)).astype(np.float32) for i in range(4)]
    expected = [call([x, W])[0] for x in data]
    wrong = []

    def work(i):
        found = [call([data[i], W])[0] for _ in range(100)]
        wrong.extend(i for one in found if not np.array_equal(one, expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("n", [0, 1, 40])
def test_rows_may_be_summed_over_and_stand_anywhere(n):
    x, u = rg.variable("x", shape=(rg.rows, 3)), rg.variable("u", shape=(3, rg.rows))
    outputs = [rg.sum(x), rg.sum(x, axis=0), rg.mean(x), x.T * 2.0, x @ u, u @ x, rg.row_count()]
    require_same(outputs, [x, u], [rng.normal(size=(n, 3)), rng.normal(size=(3, n))])


def test_there_is_no_largest_entry_of_no_rows():
    x = rg.variable("x", shape=(rg.rows, 3))
    assert CpuEngine().function([rg.max(x, axis=1)], [x])([np.zeros((0, 3))])[0].shape == (0,)
    for y in (rg.max(x), rg.max(x, axis=0)):
        for engine in (CpuEngine(), NumpyEngine()):
            with pytest.raises(DataError, match="max: there is no largest entry of no rows"):
                engine.function([y], [x])([np.zeros((0, 3))])


def test_numbers_go_in_and_come_out():
    s, t = rg.variable("s", shape=()), rg.variable("t", shape=(), dtype="int64")
    outputs = [s * 2.0, rg.cast(t, "float64") * s, rg.less(s, 1.0), s, t, rg.constant([1.0, 2.0])]
    require_same(outputs, [s, t], [4.0, 3])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arguments_may_lie_in_memory_in_any_way(layout):
    x = rng.normal(size=(40, 7)).astype(np.float32)
    require_same(*network(), [LAYOUTS[layout](x), LAYOUTS[layout](W)])


def test_an_argument_may_change_between_calls():
    call = CpuEngine().function(*network())
    x = rng.normal(size=(4, 7)).astype(np.float32)
    first = call([x, W])[1]
    x += 1
    np.testing.assert_allclose(call([x, W])[1], first + 7, rtol=1e-5)


def test_an_argument_of_another_shape_is_a_typed_error():
    with pytest.raises(ShapeError, match=r"x.*expected shape \(rows, 7\), got \(3, 4\)"):
        CpuEngine().function(*network())([np.zeros((3, 4), np.float32), W])


def test_the_first_largest_row_is_one_of_all_rows():
    """More rows than are worked on at once: each piece must not have its own."""
    x = rg.variable("x", shape=(rg.rows, 3))
    slope = rg.gradient(rg.sum(rg.max(x, axis=0)), x)
    X = rng.normal(size=(300, 3))
    found = CpuEngine().function([slope], [x])([X])[0]
    assert np.array_equal(found, (X.max(axis=0) == X).astype(float))


def test_a_number_may_be_looked_up_among_one():
    x, i = rg.variable("x", shape=(rg.rows,)), rg.variable("i", shape=(), dtype="int64")
    one = rg.variable("one", shape=(1,))
    number = rg.exp(rg.take(rg.tanh(one), i))
    require_same([x * number], [x, one, i], [np.arange(5.0), [0.5], 0])
