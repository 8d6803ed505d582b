"""Compiled functions of arrays: any number of rows, any layout, rows anywhere."""

import threading

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.run import function as cpu_function
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


# A single row.


def single(target=None):
    """A function that a row went through already, so that the next takes the short way."""
    call = CpuEngine(target, n_threads=1).function(*network())
    call([ROWS[:1], W])
    (short,) = call._singles
    assert short.run([ROWS[1:2]]) is not None
    return call


ROWS = rng.normal(size=(40, 7)).astype(np.float32)
WHOLE = CpuEngine(n_threads=1).function(*network())([ROWS, W])


def require_rows(found, whole, i):
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other[i : i + 1], strict=True)


def test_a_single_row_gives_the_bits_that_it_has_among_others(target):
    whole = CpuEngine(target, n_threads=1).function(*network())([ROWS, W])
    call = single(target)
    for i in range(40):
        require_rows(call([ROWS[i : i + 1], W]), whole, i)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_single_row_may_lie_in_memory_in_any_way(layout):
    call = single()
    for i in (3, 4):
        require_rows(call([LAYOUTS[layout](ROWS[i : i + 1]), W]), WHOLE, i)
        require_rows(call([LAYOUTS[layout](ROWS)[i : i + 1], LAYOUTS[layout](W)]), WHOLE, i)
        require_rows(call([ROWS[i : i + 1], W]), WHOLE, i)


def test_single_rows_and_several_may_follow_each_other():
    call = single()
    for n in (1, 3, 1, 40, 1, 0, 1, 2, 1):
        found = call([ROWS[:n], W])
        for one, other in zip(found, WHOLE, strict=True):
            np.testing.assert_array_equal(one, other[:n], strict=True)


def test_a_single_row_sees_other_parameters_and_changes_in_place():
    call = single()
    for factor in range(5):  # arrays that are gone after the call: the next may lie where they did
        found = call([ROWS[:1], W * np.float32(factor)])[0]
        expected = CpuEngine().function(*network())([ROWS, W * np.float32(factor)])[0]
        np.testing.assert_array_equal(found, expected[:1])
    own, copy = W.copy(), W.copy()
    for _ in range(2):
        require_rows(call([ROWS[:1], own]), WHOLE, 0)
    own *= 2
    expected = CpuEngine().function(*network())([ROWS, own])
    require_rows(call([ROWS[:1], own]), expected, 0)
    require_rows(call([ROWS[:1], copy]), WHOLE, 0)


def test_what_a_single_row_gave_is_not_overwritten_by_the_next():
    call = single()
    found = [call([ROWS[i : i + 1], W]) for i in range(3)]
    for i, one in enumerate(found):
        require_rows(one, WHOLE, i)


def test_a_single_row_of_another_dtype_or_shape_is_cast_or_refused():
    function = rg.compile(*network(), engine="cpu")
    for _ in range(3):
        found = [function(row, W) for row in (ROWS[:1], ROWS[:1].astype(float), ROWS[:1].tolist())]
        found.append(function(ROWS[:1], W.astype(float)))
        for one in found:
            require_rows(one, WHOLE, 0)
        for bad in (ROWS[:1, :6], ROWS[0], ROWS[:1, None]):
            with pytest.raises(ShapeError, match=r"x.*expected shape \(rows, 7\)"):
                function(bad, W)
        with pytest.raises(ShapeError, match=r"w.*expected shape \(7, 5\)"):
            function(ROWS[:1], W.T)


def test_a_bound_function_gives_what_the_function_gives():
    call, own = CpuEngine(n_threads=1).function(*network()), W.copy()
    bound = call.bind([own])
    for n in (1, 3, 1, 1, 40, 0, 2, 1):
        for found, expected in zip(bound([ROWS[:n]]), call([ROWS[:n], W]), strict=True):
            np.testing.assert_array_equal(found, expected, strict=True)
    own *= 2
    require_rows(bound([ROWS[:1]]), CpuEngine().function(*network())([ROWS, own]), 0)
    for bad in (ROWS[:1, :6], ROWS[0], ROWS[:3, :6]):
        with pytest.raises(ShapeError, match=r"x.*expected shape \(rows, 7\)"):
            bound([bad])
    for n in (1, 3):
        with pytest.raises(ShapeError, match=r"w.*expected shape \(7, 5\)"):
            call.bind([np.ones((5, 7), np.float32)])([ROWS[:n]])


def test_functions_bound_to_several_arrays_may_take_turns():
    call = single()
    weights = [W, W * np.float32(2), W * np.float32(3)]
    expected = [CpuEngine().function(*network())([ROWS, w]) for w in weights]
    bound = [call.bind([w]) for w in weights]
    for i in range(12):
        which = (i * i) % 3
        require_rows(bound[which]([ROWS[i : i + 1]]), expected[which], i)
        require_rows(call([ROWS[i : i + 1], weights[i % 3]]), expected[i % 3], i)


def test_a_bound_function_keeps_its_arrays():
    call = single()
    bound = call.bind([W.copy()])
    for i in range(5):
        np.full((7, 5), np.nan, np.float32)  # lies where the array did, had it gone
        require_rows(bound([ROWS[i : i + 1]]), WHOLE, i)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_function_may_be_bound_to_an_array_of_any_layout(layout):
    call = CpuEngine(n_threads=1).function(*network())
    own = LAYOUTS[layout](W.copy())
    bound = call.bind([own])
    for n in (1, 1, 5, 1):
        for found, whole in zip(bound([ROWS[:n]]), WHOLE, strict=True):
            np.testing.assert_array_equal(found, whole[:n], strict=True)
    if own.flags.writeable:
        own *= 2
        require_rows(bound([ROWS[:1]]), CpuEngine().function(*network())([ROWS, own]), 0)


def test_any_of_the_last_inputs_may_be_bound():
    x, u = rg.variable("x", shape=(rg.rows, 3)), rg.variable("u", shape=(3, rg.rows))
    y, w = rg.variable("y", shape=(rg.rows, 3)), rg.variable("w", shape=(3,))
    inputs = [w, x, y, u]
    call = CpuEngine().function([(x + y) * w, x @ u], inputs)
    for n in (1, 1, 4, 1):
        values = [rng.normal(size=s) for s in ((3,), (n, 3), (n, 3), (3, n))]
        expected = call(values)
        for k in range(5):
            bound = call.bind(values[k:])
            for _ in range(2):
                for found, one in zip(bound(values[:k]), expected, strict=True):
                    np.testing.assert_array_equal(found, one, strict=True)
            if 1 < k < 4 and n > 1:
                with pytest.raises(ShapeError, match="rows"):
                    bound([values[0], *(v[:1] for v in values[1:k])])


def test_bound_functions_may_be_called_from_several_threads_at_once():
    call, wrong = single(), []
    weights = [(W * np.float32(i + 1)).copy() for i in range(3)]
    expected = [CpuEngine().function(*network())([ROWS, w]) for w in weights]
    bound = [call.bind([w]) for w in weights]

    def work(i):
        for turn in range(300):
            at, which = turn % 40, (i + turn // 10) % 3
            for one, whole in zip(bound[which]([ROWS[at : at + 1]]), expected[which], strict=True):
                if not np.array_equal(one, whole[at : at + 1]):
                    wrong.append((i, turn))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_single_rows_with_parameters_of_their_own_may_come_from_several_threads_at_once():
    call, wrong = single(), []
    weights = [(W * np.float32(i + 1)).copy() for i in range(2)]
    expected = [CpuEngine().function(*network())([ROWS, w]) for w in weights]

    def work(i):
        for turn in range(300):
            at = turn % 40
            w = (i + turn // 10) % 2  # now the same, now the other's
            found = call([ROWS[at : at + 1], weights[w]])
            if not all(
                np.array_equal(one, whole[at : at + 1])
                for one, whole in zip(found, expected[w], strict=True)
            ):
                wrong.append((i, turn))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_single_row_with_an_index_out_of_range_is_an_error_and_the_next_is_not():
    x, label = rg.variable("x", shape=(rg.rows, 3)), rg.variable("l", shape=(rg.rows,), dtype=int)
    table = rg.constant(np.arange(4.0))
    call = CpuEngine().function([rg.sum(x, axis=1) + rg.take(table, label)], [x, label])
    for _ in range(2):
        for i in (0, 3, -1):
            np.testing.assert_array_equal(call([np.ones((1, 3)), np.array([i])])[0], 3.0 + i % 4)
        with pytest.raises(DataError, match="take: index 4 is out of range for an axis of size 4"):
            call([np.ones((1, 3)), np.array([4])])


def test_rows_that_do_not_lead_are_counted_in_a_single_row_too():
    x, u = rg.variable("x", shape=(rg.rows, 3)), rg.variable("u", shape=(3, rg.rows))
    call = CpuEngine().function([x @ u, rg.row_count()], [x, u])
    X, U = rng.normal(size=(5, 3)), rng.normal(size=(3, 5))
    one = np.ascontiguousarray(U[:, :1])
    for _ in range(3):
        found, count = call([X[:1], one])
        assert (found.shape, float(count)) == ((1, 1), 1.0)
        require_close(found, X[:1] @ one, length=3)
        with pytest.raises(ShapeError, match="x has 1 rows, u has 5"):
            call([X[:1], U])
        with pytest.raises(ShapeError, match="x has 5 rows, u has 1"):
            call([X, one])


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_refused_between_rows_that_are(engine, bad):
    net = rg.MLP([3, 4, 2])
    x = np.ones((1, 3))
    expected = net.predict(x, engine=engine)
    for row in (x, np.asfortranarray(x), x.astype(np.float32)):
        net.predict(row, engine=engine)
        wrong = row.copy()
        wrong[0, 1] = bad
        with pytest.raises(DataError, match=f"X: {bad} at row 0, column 1"):
            net.predict(wrong, engine=engine)
        np.testing.assert_array_equal(net.predict(row, engine=engine), expected)
