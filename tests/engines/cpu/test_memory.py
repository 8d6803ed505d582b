"""Memory: buffers that the steps of a session share."""

import gc

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.run import memory
from retrograd.engines.cpu.run.memory import Buffers
from retrograd.graph.step import Step
from retrograd.nn.losses import find_loss
from retrograd.run import find_engine
from retrograd.training.rows import check_rows
from retrograd.training.session import TrainingSession

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def test_buffers_are_shared_by_size_and_dtype_but_never_twice_by_one_memory():
    buffers = Buffers()
    first = buffers.of([(8, F32), (8, F32), (8, F64)])
    second = buffers.of([(8, F64), (8, F32), (9, F32)])
    assert first[0] is not first[1]
    assert second[0] is first[2]
    assert second[1] is first[0]
    assert [array.size for array in second] == [8, 8, 9]


def test_buffers_go_with_the_last_memory_that_has_them():
    buffers = Buffers()
    kept = buffers.of([(8, F32)])
    place = kept[0].ctypes.data
    buffers.of([(1000, F32)])
    gc.collect()
    assert [*buffers._arrays] == [((8, F32), 0)]
    assert buffers.of([(8, F32)])[0].ctypes.data == place


def test_steps_of_a_session_share_their_memory_and_compute_the_same():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(64, 5)), rng.normal(size=(64, 2))
    networks = [rg.MLP([5, 7, 2], activation="tanh", seed=0) for _ in range(2)]
    sessions = [
        TrainingSession(
            network,
            check_rows(network, find_loss("squared_error", network), X, Y),
            loss=find_loss("squared_error", network),
            optimizer=rg.SGD(0.01),
            engine=engine,
        )
        for network, engine in zip(networks, ("cpu", "numpy"), strict=True)
    ]
    order = np.arange(64)
    for session in sessions:
        for _ in range(3):
            session.epoch(order, 16, lambda: False)
            session.score(order)
    ours, reference = (session.parameters() for session in sessions)
    for name, value in reference.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-12, atol=1e-14)
    runners = sessions[0].engine._runners
    first, last = (
        {id(array) for array in runners[step]._arguments.memory.arrays.values()}
        for step in ("train", "observe")
    )
    assert first & last


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
@pytest.mark.parametrize("copies", [None, 2])
def test_a_session_runs_on_after_its_memory_was_given_back(engine, copies):
    w = rg.variable("w", shape=(), dtype=np.float64)
    x = rg.variable("x", shape=(rg.rows,), dtype=np.float64)
    step = Step(
        inputs={"x": x}, state={"w": w}, outputs={"J": w * rg.sum(x)}, updates={"w": w + 1.0}
    )
    start = np.zeros(() if copies is None else copies)
    session = find_engine(engine).open(
        {"step": step}, {"w": start}, {"x": np.arange(6.0)}, copies=copies
    )
    order = np.arange(6) if copies is None else np.tile(np.arange(6), (copies, 1))
    found = []
    for _ in range(3):
        found.append(session.run("step", order, batch_size=3)["J"])
        session.release()
    single = found if copies is None else [each[-1] for each in found]
    np.testing.assert_array_equal(single, [[0.0, 12.0], [6.0, 36.0], [12.0, 60.0]])
    assert session.read("w").ravel()[0] == 6.0


@pytest.mark.parametrize("make", [memory.allocate, memory.zeros])
@pytest.mark.parametrize("n", [0, 1, 1000, memory.LARGE // 8 - 1, memory.LARGE // 8, 1 << 20])
def test_memory_begins_on_a_line_and_large_memory_on_a_page(make, n):
    array = make(n, np.dtype(np.float64))
    assert array.shape == (n,) and array.dtype == np.float64
    unit = memory.ALIGN if array.nbytes < memory.LARGE else memory.PAGE
    assert memory.address(array) % unit == 0 or not n
    array[:] = 1.0
    assert not memory.zeros(n, array.dtype).any()
