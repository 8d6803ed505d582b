"""What a process keeps: executables by structure, their measurements, a batch that comes alone."""

import gc
import os
import pickle
import signal
import threading
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.code import emit
from retrograd.engines.cpu.code.builder import lanes
from retrograd.engines.cpu.code.functions import exponential
from retrograd.engines.cpu.code.loops import product
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine import cache, target
from retrograd.engines.cpu.run import autotune, calls, executable
from retrograd.engines.cpu.run.state import StateSnapshot
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError, GraphError
from retrograd.graph.step import Step
from retrograd.graph.structure import LIMIT
from retrograd.plan import schedule
from tests.compare import require_close

rng = np.random.default_rng(0)
N, I, O = 60, 5, 3
X = rng.normal(size=(N, I))
STATE = {"W": rng.normal(size=(I, O)), "t": np.zeros(())}


def step(factor=0.5):
    x, rate = rg.variable("x", shape=(rg.rows, I)), rg.variable("rate", shape=())
    W, t = rg.variable("W", shape=(I, O)), rg.variable("t", shape=())
    z = rg.tanh(x @ W) * factor
    J = rg.mean(rg.square(z))
    updates = {"W": W - rate * rg.gradient(J, W), "t": t + 1.0}
    return Step({"x": x}, {"W": W, "t": t}, {"J": J, "z": z}, {"rate": rate}, updates)


def opened(factor=0.5, *, n_threads=1):
    return CpuEngine(n_threads=n_threads).open({"step": step(factor)}, STATE, {"x": X})


@pytest.fixture
def planned(monkeypatch):
    """The structures that are planned, from an empty memory on."""
    seen, plan_of = [], executable.plan_of
    monkeypatch.setattr(
        executable,
        "plan_of",
        lambda graph, **options: (seen.append(graph), plan_of(graph, **options))[1],
    )
    executable._kept.cache_clear()
    return seen


@pytest.fixture
def copied(monkeypatch):
    """The snapshots that are copied."""
    seen, keep = [], StateSnapshot.keep
    monkeypatch.setattr(StateSnapshot, "keep", lambda self: (seen.append(self), keep(self))[1])
    return seen


# Executables.


def test_an_equal_step_is_planned_once(planned):
    results = [opened().run("step", np.arange(N), {"rate": 0.1})["z"] for _ in range(3)]
    assert len(planned) == 1
    np.testing.assert_array_equal(results[0], results[2])


def test_another_constant_is_another_program(planned):
    found = [opened(c).run("step", np.arange(N), {"rate": 0.1})["z"] for c in (0.5, 0.25)]
    assert len(planned) == 2
    np.testing.assert_array_equal(found[0], 2.0 * found[1])


def test_functions_of_equal_graphs_share_their_code_but_not_their_arguments(planned):
    def function():
        x, w = rg.variable("x", shape=(rg.rows, 2)), rg.variable("w", shape=(2,))
        return rg.compile([x * w], [x, w], engine="cpu")

    one, other = function(), function()
    x = np.ones((3, 2))
    assert len(planned) == 1
    for value in (2.0, 3.0):
        np.testing.assert_array_equal(one(x, np.full(2, value))[0], value * x)
        np.testing.assert_array_equal(other(x, np.full(2, -value))[0], -value * x)


def test_executables_are_bounded_and_a_large_array_is_not_kept_alive(planned):
    assert executable._kept.cache_info().maxsize == executable.KEPT_PLANS
    x = rg.variable("x", shape=(rg.rows, LIMIT))
    c = rg.constant(np.ones(LIMIT))
    function = rg.compile([x * c], [x], engine="cpu")
    np.testing.assert_array_equal(function(np.ones((2, LIMIT)))[0], np.ones((2, LIMIT)))
    assert len(planned) == 1
    assert executable._kept.cache_info().currsize == 0
    large = weakref.ref(c.value)
    planned.clear()
    del x, c, function
    gc.collect()
    assert large() is None


def test_sessions_of_several_threads_may_make_the_same_executable_at_once(planned):
    expected = opened().run("step", np.arange(N), {"rate": 0.1}, batch_size=7)["z"]
    executable._kept.cache_clear()
    found, barrier = [], threading.Barrier(4)

    def work():
        barrier.wait()
        found.append(opened().run("step", np.arange(N), {"rate": 0.1}, batch_size=7)["z"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for each in found:
        np.testing.assert_array_equal(each, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_goes_on_with_what_is_kept(planned):
    expected = opened().run("step", np.arange(N), {"rate": 0.1})["z"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            found = opened().run("step", np.arange(N), {"rate": 0.1})["z"]
            np.testing.assert_array_equal(found, expected)
            opened(0.125).run("step", np.arange(N), {"rate": 0.1})
            status = 0 if len(planned) == 2 else 1
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


# Autotuner.


def test_a_new_session_goes_on_with_what_was_measured(monkeypatch, planned):
    monkeypatch.setattr(autotune, "WORTH", 0.0)
    monkeypatch.setattr(autotune, "TRIAL", 0.0)
    monkeypatch.setattr(autotune, "WAKING", 0.0)
    monkeypatch.setattr(autotune, "SLICE", 1e9)
    made, call = [], calls._call

    def counted(executable, copies, first, last, n_threads):
        made.append((last - first, n_threads))
        call(executable, copies, first, last, n_threads)

    monkeypatch.setattr(calls, "_call", counted)

    def run():
        made.clear()
        session = opened(n_threads=2)
        order = np.tile(np.arange(N), 200)
        session.run("step", order, {"rate": 0.1}, batch_size=N, stop=lambda: False)
        return list(made)

    first = run()
    assert first[0] == (1, 1)  # the first batch is cold
    assert {n_threads for _, n_threads in first} == {1, 2}
    assert [n_batches for n_batches, _ in run()] == [200]


def test_the_number_of_threads_that_is_not_used_is_tried_again_as_often_as_costs_little():
    found = autotune.Autotuner(2, flops=0.0)
    spent = {1: 0.0, 2: 0.0}
    for _ in range(1000):
        n_batches, n_threads = found.next(1000, is_stoppable=False)
        seconds = n_batches * {1: 1e-3, 2: 2e-3}[n_threads]
        spent[n_threads] += seconds
        found.note(n_threads, n_batches, seconds)
    assert 0.001 < spent[2] / spent[1] < 0.05


def test_a_step_that_is_surely_worth_it_is_not_tried_on_one_thread_first():
    found = autotune.Autotuner(2, flops=autotune.SPEED * 0.1)
    for _ in range(5):
        assert found.next(1000, is_stoppable=False)[1] == 2
        found.note(2, 1, 0.05)


def test_a_machine_that_changes_is_found_out():
    found, seconds = autotune.Autotuner(2, flops=0.0), {1: 1e-3, 2: 2e-3}
    used: list[int] = []
    for turn in range(2000):
        if turn == 1000:
            seconds = {1: 1e-3, 2: 6e-4}
        n_batches, n_threads = found.next(50, is_stoppable=False)
        found.note(n_threads, n_batches, n_batches * seconds[n_threads])
        used.append(n_threads)
    assert used[900:1000].count(1) > 70
    assert used[1900:].count(2) > 70


def test_the_paces_of_an_executable_are_bounded(planned):
    session = opened(n_threads=2)
    for size in range(1, 3 * executable.SIZES):
        session.run("step", np.arange(N), {"rate": 0.1}, batch_size=size)
    found = executable.executable_of(step().structure, CpuEngine()._target).autotuner.cache_info()
    assert 0 < found.currsize <= executable.SIZES


# Runs of equal size.


def test_batches_one_by_one_compute_what_they_compute_in_one_run():
    orders = [rng.permutation(N)[:12] for _ in range(6)]
    rates = [0.1, 0.2, 0.1, 0.3, 0.0, 0.1]
    alone, together = opened(), opened()
    found = [
        alone.run("step", order, {"rate": rate}) for order, rate in zip(orders, rates, strict=True)
    ]
    expected = together.run(
        "step", np.concatenate(orders), {"rate": np.array(rates)}, batch_size=12
    )
    for name, value in expected.items():
        joined = np.concatenate([one[name] for one in found])
        np.testing.assert_array_equal(joined, value, strict=True)
    for name in STATE:
        np.testing.assert_array_equal(alone.read(name), together.read(name))


def test_sizes_and_kinds_of_runs_may_follow_each_other_in_any_way():
    session, reference = opened(), NumpyEngine().open({"step": step()}, STATE, {"x": X})
    many = [(4, None), (4, None), (4, 9), (4, 4), (60, 7), (4, None), (5, None), (5, None), (4, 2)]
    for n, size in [*many, (4, None), (0, None), (4, None), (4, 1), (60, None), (60, 60)]:
        order = rng.permutation(N)[:n]
        found, expected = (
            s.run("step", order, {"rate": 0.1}, batch_size=size) for s in (session, reference)
        )
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert found[name].shape == value.shape
            if value.size:
                require_close(found[name], value, length=N, depth=100, what=name)


def test_what_was_returned_and_what_was_given_belong_to_the_caller():
    session, order = opened(), np.arange(12)
    results = [session.run("step", order, {"rate": 0.0}) for _ in range(3)]
    order[:] = 0
    results[2]["z"][:] = np.nan
    np.testing.assert_array_equal(results[0]["z"], results[1]["z"])
    again = session.run("step", np.arange(12), {"rate": 0.0})
    np.testing.assert_array_equal(again["z"], results[0]["z"])


@pytest.mark.parametrize("n", [12, 500])
@pytest.mark.parametrize("bad", [-1, N, 1 << 40, -(1 << 40)])
def test_an_order_that_was_good_is_looked_at_again(bad, n):
    session, order = opened(), np.arange(n) % N
    for _ in range(3):
        session.run("step", order, {"rate": 0.1}, batch_size=50)
    order[7] = bad
    with pytest.raises(DataError, match=rf"order names row {bad} of {N} rows"):
        session.run("step", order, {"rate": 0.1}, batch_size=50)


def test_a_stop_is_honoured_in_runs_of_equal_size_too(monkeypatch):
    monkeypatch.setattr(autotune, "SLICE", 0.0)
    session, order = opened(), np.arange(50)
    session.run("step", order, {"rate": 0.1}, batch_size=7, stop=lambda: False)  # measured
    for _ in range(3):
        answers = iter([False, False, True])
        start = session.snapshot()
        found = session.run(
            "step", order, {"rate": 0.1}, batch_size=7, stop=lambda answers=answers: next(answers)
        )
        assert found["J"].shape == (3,)
        assert found["z"].shape == (21, O)
        session.restore(start)
        expected = session.run("step", order[:21], {"rate": 0.1}, batch_size=7)
        np.testing.assert_array_equal(found["z"], expected["z"])
        session.restore(start)


def test_a_missing_rate_or_one_of_another_shape_is_an_error_at_any_time():
    session, order = opened(), np.arange(12)
    for _ in range(3):
        session.run("step", order, {"rate": 0.1})
    with pytest.raises(GraphError, match="without a value: rate"):
        session.run("step", order, {})
    with pytest.raises(DataError, match="scalar rate: expected 1 or 1 numbers"):
        session.run("step", order, {"rate": np.ones(5)})


def test_several_threads_compute_the_same_for_a_batch_alone(monkeypatch):
    monkeypatch.setattr(
        autotune.Autotuner, "next", lambda self, n_left, **_: (n_left, self._n_threads)
    )
    results = []
    for n_threads in (1, 2):
        session = opened(n_threads=n_threads)
        results.append([session.run("step", np.arange(48), {"rate": 0.1}) for _ in range(3)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one["z"], other["z"])


# Snapshots.


def test_a_snapshot_hands_out_arrays_of_its_own():
    session = opened()
    snapshot = session.snapshot()
    W = snapshot["W"]
    assert W.flags.c_contiguous and W.flags.owndata
    W[:] = 7.0
    session.run("step", np.arange(N), {"rate": 0.5})
    np.testing.assert_array_equal(snapshot["W"], STATE["W"])
    session.restore(snapshot)
    np.testing.assert_array_equal(session.read("W"), STATE["W"])
    with pytest.raises(KeyError):
        snapshot["V"]


def test_a_snapshot_may_be_restored_in_another_session():
    one, other = opened(), opened()
    one.run("step", np.arange(N), {"rate": 0.5})
    other.restore(one.snapshot())
    np.testing.assert_array_equal(other.read("W"), one.read("W"))


@pytest.mark.parametrize("name", STATE)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_session_knows_what_is_not_finite_whatever_the_padding_holds(name, bad, poisoned):
    session = opened()
    assert session.not_finite() is None
    value = session.read(name)
    session.write(name, np.full_like(value, 1e200))
    assert session.not_finite() is None
    value.flat[-1] = bad
    session.write(name, value)
    assert session.not_finite() == name


def test_a_snapshot_may_be_taken_into_the_memory_of_an_older_one():
    session = opened()
    old = session.snapshot()
    session.run("step", np.arange(N), {"rate": 0.5})
    assert session.snapshot(into=old) is old
    np.testing.assert_array_equal(old["W"], session.read("W"))
    assert opened().snapshot(into=old) is not old


CHANGES = {
    "run": lambda session, old: session.run("step", np.arange(N), {"rate": 0.5}),
    "write": lambda session, old: session.write("W", 2.0 * STATE["W"]),
    "restore": lambda session, old: session.restore(old),
    "restore by name": lambda session, old: session.restore(dict(old)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_snapshot_keeps_the_state_of_then_whatever_changes_it(change):
    session = opened()
    old = session.snapshot()
    session.run("step", np.arange(N), {"rate": 0.1})
    expected = session.read("W")
    first, second = session.snapshot(), session.snapshot()
    for _ in range(2):
        CHANGES[change](session, old)
        assert not np.array_equal(session.read("W"), expected)
        np.testing.assert_array_equal(first["W"], expected)
        np.testing.assert_array_equal(second["W"], expected)
    np.testing.assert_array_equal(old["W"], STATE["W"])
    session.restore(first)
    np.testing.assert_array_equal(session.read("W"), expected)


def test_a_snapshot_is_copied_once_the_state_changes_and_only_while_somebody_has_it(copied):
    session = opened()
    kept = session.snapshot()
    session.snapshot()
    session.restore(kept)
    assert kept["t"] == 0.0 and session.not_finite() is None
    assert copied == []
    for _ in range(3):
        session.run("step", np.arange(N), {"rate": 0.1})
    assert len(copied) == 1


def test_a_snapshot_may_be_pickled():
    session = opened()
    found = pickle.loads(pickle.dumps(session.snapshot()))
    session.run("step", np.arange(N), {"rate": 0.1})
    np.testing.assert_array_equal(found["W"], STATE["W"])
    assert found.keys() == STATE.keys()


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, np.nan])
@pytest.mark.parametrize("is_led", [False, True])
def test_a_state_may_begin_with_one_number_in_every_place(value, is_led):
    W = np.broadcast_to(np.full(STATE["W"].shape[1:] if is_led else (), value), STATE["W"].shape)
    session = CpuEngine(n_threads=1).open(
        {"step": step(0.5)}, {"W": W, "t": np.zeros(())}, {"x": X}
    )
    np.testing.assert_array_equal(session.read("W"), W)


def test_a_cache_folder_may_be_named_from_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("RETROGRAD_CACHE", "~/kept")
    assert Path(cache.folder()) == tmp_path / "kept"


def test_code_is_made_anew_after_a_change_anywhere_in_plan_or_generator():
    modules = (emit, product, exponential, lanes, schedule, target, executable)
    assert {Path(module.__file__) for module in modules} <= {*map(Path, cache.sources())}
