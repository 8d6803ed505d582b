"""Threads of native calls: each job runs once, whoever runs it, however many calls there are."""

from __future__ import annotations

import _thread
import gc
import os
import threading
import time
import weakref

import numpy as np
import pytest
from llvmlite import ir

from retrograd.engines.cpu.code.barrier import wait_for
from retrograd.engines.cpu.code.workers import AWAKE
from retrograd.engines.cpu.machine.compiled import load
from retrograd.engines.cpu.machine.host import host, machine_of
from retrograd.engines.cpu.machine.llvm import assemble, optimize
from retrograd.engines.cpu.run import pool
from retrograd.engines.cpu.run.memory import address
from retrograd.engines.cpu.run.pool import run_parallel
from retrograd.errors import OptionError
from retrograd.run import find_engine

I64 = ir.IntType(64)


@pytest.fixture(scope="module")
def code():
    """`task(cell, others)`: counts its cell up, then waits until `others` is that high too."""
    module = ir.Module(name="task", context=ir.Context())
    kind = ir.FunctionType(ir.VoidType(), [ir.PointerType(), ir.PointerType()])
    function = ir.Function(module, kind, "task")
    builder = ir.IRBuilder(function.append_basic_block())
    cell, other = function.args
    before = builder.atomic_rmw("add", cell, I64(1), "acq_rel")
    wait_for(builder, other, lambda now: builder.icmp_signed(">", now, before), host())
    builder.ret_void()
    machine = machine_of(host())
    return load([assemble(optimize(str(module), machine), machine)], "task")


def run(code, cells):
    """Each thread counts up its own cell, and waits for the next one's: all must run at once."""
    n = len(cells)
    where = [address(cells[i : i + 1]) for i in range(n)]
    run_parallel(code, [[(where[i], where[(i + 1) % n])] for i in range(n)])


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_jobs_run_at_the_same_time_and_all_are_done_at_the_end(code, n_threads):
    cells = np.zeros(n_threads, np.int64)
    for turn in range(1, 200):
        run(code, cells)
        assert (cells == turn).all()


def test_a_task_that_goes_on_with_an_earlier_one_waits_until_it_is_done(code):
    cells = np.zeros(4, np.int64)
    held, key, other, last = (address(cells[i : i + 1]) for i in range(4))
    tasks = [(held, key), (other, other), (last, last)]  # the first waits for the key
    for later in (None, 2):
        cells[:] = 0
        caller = threading.Thread(
            target=run_parallel,
            args=(code, [tasks] * 2),
            kwargs={"is_shared": True, "later": later},
        )
        caller.start()
        expected, begin = [1, 0, 1, int(later is None)], time.perf_counter()
        while cells.tolist() != expected and time.perf_counter() < begin + 10:
            time.sleep(0.001)  # the code of the pool may have to be made first
        time.sleep(0.05)
        assert cells.tolist() == expected
        cells[1] = 1
        caller.join()
        assert cells.tolist() == [1, 1, 1, 1]


def test_threads_that_fell_asleep_are_woken(code):
    cells = np.zeros(2, np.int64)
    for turn in range(1, 6):
        run(code, cells)
        time.sleep(0.03)  # far longer than they stay awake
        assert (cells == turn).all()


def test_a_thread_stays_awake_for_a_while(code):
    run(code, np.zeros(2, np.int64))
    begin, worker = time.perf_counter(), pool._IDLE[-1]
    while not worker.sleeps():
        assert time.perf_counter() < begin + 0.5
    assert time.perf_counter() > begin + AWAKE / 4  # clocks are faster than is supposed, or slower


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_are_woken_where_the_caller_does_not_run(code, n_threads, monkeypatch):
    allowed = os.sched_getaffinity(0)
    for here in allowed:
        monkeypatch.setattr(pool, "_processor", lambda here=here: lambda: here)
        monkeypatch.setattr(pool, "_IDLE", [])  # new ones at first, then ones that sleep
        for _ in range(2):
            run(code, np.zeros(n_threads, np.int64))
            found = [os.sched_getaffinity(worker.thread.native_id) for worker in pool._IDLE]
            free = sorted(allowed - {here})
            if len(free) >= n_threads - 1:
                assert not any(here in own for own in found)
                assert sorted(cpu for own in found for cpu in own) == free
            else:  # there are not enough of them: they stay where they may be
                assert found == [allowed] * (n_threads - 1)
            time.sleep(0.03)  # they fall asleep
            for worker in pool._IDLE:
                assert worker.sleeps()
                os.sched_setaffinity(worker.thread.native_id, allowed)
    assert os.sched_getaffinity(0) == allowed


def test_where_no_system_tells_the_processor_threads_run_anywhere(code, monkeypatch):
    monkeypatch.setattr(pool, "_processor", lambda: None)
    monkeypatch.setattr(pool, "_IDLE", [])
    cells = np.zeros(2, np.int64)
    run(code, cells)
    assert (cells == 1).all()


def test_the_pairs_of_a_job_run_one_after_another(code):
    cells = np.zeros(5, np.int64)
    places = [address(cells[i : i + 1]) for i in range(5)]
    run_parallel(code, [[(x, x) for x in places[:3]], [(x, x) for x in places[3:]]])
    run_parallel(code, [[(x, x) for x in places]])
    assert (cells == 2).all()


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_each_task_of_a_shared_job_is_done_once(code, n_threads):
    cells = np.zeros(50, np.int64)
    job = [(address(cells[i : i + 1]),) * 2 for i in range(50)]
    for turn in range(1, 50):
        run_parallel(code, [job] * n_threads, is_shared=True)
        assert (cells == turn).all()
    again = pool.ParallelCall(code, [job] * n_threads, is_shared=True)
    for turn in range(50, 100):
        again.make()
        assert (cells == turn).all()


def test_each_thread_does_shared_tasks_as_its_own_job_has_them(code):
    """Whoever takes the first waits for what the other does in the second, in memory of its own."""
    cells = np.zeros((2, 2), np.int64)
    mine, other = ([address(cells[i, j:]) for j in range(2)] for i in range(2))
    jobs = [[(mine[0], other[1]), (mine[1], other[0])], [(other[0], mine[1]), (other[1], mine[0])]]
    call = pool.ParallelCall(code, jobs, is_shared=True)
    caller = threading.Thread(target=lambda: [call.make() for _ in range(50)], daemon=True)
    caller.start()
    caller.join(30)
    assert not caller.is_alive() and cells.sum() == 100


def test_threads_are_kept_for_the_next_call(code):
    run(code, np.zeros(3, np.int64))
    before = threading.active_count()
    for _ in range(20):
        run(code, np.zeros(3, np.int64))
    assert threading.active_count() == before


def test_calls_from_several_python_threads_have_threads_of_their_own(code):
    cells = np.zeros((4, 2), np.int64)

    def work(i):
        for _ in range(100):
            run(code, cells[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cells == 100).all()


def test_ctrl_c_in_a_call_leaves_its_threads_to_the_next(code):
    run(code, np.zeros(2, np.int64))
    free, cells, gate = [*pool._IDLE], np.zeros(2, np.int64), np.zeros(1, np.int64)

    def press():
        time.sleep(0.05)
        _thread.interrupt_main()
        gate[0] = 1

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_parallel(code, [[(address(cells[i:]), address(gate))] for i in range(2)])
    thread.join()
    assert (cells == 1).all() and sorted(map(id, pool._IDLE)) == sorted(map(id, free))
    run(code, np.zeros(2, np.int64))


def test_a_job_that_cannot_be_handed_over_leaves_its_threads_to_the_next(code):
    run(code, np.zeros(2, np.int64))
    n_idle = len(pool._IDLE)
    with pytest.raises((TypeError, ValueError)):
        run_parallel(code, [[(0, 0)], [(0, None)]])
    assert len(pool._IDLE) == n_idle


def test_a_worker_that_nobody_keeps_goes_on_in_memory_of_its_own():
    control = weakref.ref(pool._Worker().control.base)
    gc.collect()
    assert control() is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_threads_of_its_own(code):
    run(code, np.zeros(2, np.int64))
    assert pool._IDLE
    child = os.fork()
    if child == 0:
        status = 1
        try:
            cells = np.zeros(2, np.int64)
            status = 2 if pool._IDLE else 1
            run(code, cells)
            status = 0 if status == 1 and (cells == 1).all() else status
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("value", ["abc", "0", "-1", "1.5", "²"])
def test_a_number_of_threads_that_is_none_names_the_variable(monkeypatch, value):
    monkeypatch.setenv("RETROGRAD_THREADS", value)
    with pytest.raises(OptionError, match=f"RETROGRAD_THREADS must be a positive .* '{value}'"):
        find_engine("auto")


def test_blanks_around_the_number_of_threads_are_no_matter(monkeypatch):
    monkeypatch.setenv("RETROGRAD_THREADS", " 3 ")
    assert pool.available() == 3
    monkeypatch.setenv("RETROGRAD_THREADS", " ")
    assert pool.available() >= 1
