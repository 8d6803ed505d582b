"""The benchmark's workloads and its NumPy by hand beside the reference engine, without peers."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    if not (ROOT / "benchmarks" / "workloads.py").exists():
        pytest.skip("the benchmarks are not in the source archive")
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))


def small(name, batches=3):
    from benchmarks.workloads import TASKS

    work = TASKS[name]
    return replace(work, batches=batches, batch=min(work.batch, 40), precision="float32")


@pytest.mark.parametrize("name", ["A", "B1", "B", "C", "F", "G", "H", "I", "K", "L"])
def test_our_session_reaches_the_loss_of_numpy_by_hand(name):
    from benchmarks.peers import Setting, numpy_peer
    from benchmarks.peers.retrograd_peer import SessionTraining

    work, setting = small(name), Setting(engine="numpy")
    problem = work.problem()
    ours = SessionTraining(work, problem, setting)
    exact = numpy_peer.Training(work, problem, setting, dtype=np.float64)
    plain = numpy_peer.Training(work, problem, setting)
    first = ours.run(1)
    assert first == pytest.approx(exact.run(1), rel=1e-5)
    assert first == pytest.approx(plain.run(1), rel=1e-5)
    assert ours.run(3) == pytest.approx(exact.run(3), rel=1e-4)
    ours.reset()
    assert ours.run(1) == first


def test_a_workload_in_double_precision_is_one_for_all():
    from benchmarks.peers import Setting, numpy_peer
    from benchmarks.peers.retrograd_peer import SessionTraining, UserTraining

    work = replace(small("H"), precision="float64")
    problem, setting = work.problem(), Setting(engine="numpy")
    assert {x.dtype for x in (problem.X, *problem.weights)} == {np.dtype(np.float64)}
    by_hand, ours = (
        numpy_peer.Training(work, problem, setting),
        SessionTraining(work, problem, setting),
    )
    assert by_hand.w.dtype == np.float64
    assert ours.run(2) == pytest.approx(by_hand.run(2), rel=1e-12)
    user = UserTraining(work, problem, setting)
    user.reset()
    user.run(1)
    assert all(w.dtype == np.float64 for w in user.network.parameters.values())


def test_the_copies_of_numpy_by_hand_are_what_each_would_be_alone():
    from benchmarks.peers import Setting, numpy_peer
    from benchmarks.workloads import Problem

    work = replace(small("G"), copies=3)
    problem = work.problem()
    together = numpy_peer.Training(work, problem, Setting()).run(2)
    alone = [
        Problem(problem.X, problem.Y, problem.order[i], tuple(w[i] for w in problem.weights))
        for i in range(3)
    ]
    one = replace(work, copies=1)
    J = [numpy_peer.Training(one, each, Setting()).run(2) for each in alone]
    assert together == pytest.approx(np.mean(J), rel=1e-5)


def test_what_a_user_waits_for_trains_on_the_same_rows():
    from benchmarks.peers import Setting
    from benchmarks.peers.retrograd_peer import UserTraining

    work = small("A", batches=8)
    training = UserTraining(work, work.problem(), Setting(engine="numpy"))
    training.reset()
    start = training.run(1)
    training.reset()
    assert training.run(20) < start


def test_a_precision_that_is_not_there_is_a_row_with_its_reason():
    from benchmarks.peers import NotAvailable, Setting
    from benchmarks.peers.retrograd_peer import SessionTraining

    work = replace(small("A"), precision="float8")
    with pytest.raises(NotAvailable, match="float8"):
        SessionTraining(work, work.problem(), Setting(engine="numpy"))


def test_the_flops_are_those_of_the_products_that_are_needed():
    work = small("A")
    forward = 2 * 32 * (8 * 32 + 32 * 32 + 32 * 1)
    assert work.flops == 3 * forward - 2 * 32 * 8 * 32
    assert replace(work, copies=32).flops == 32 * work.flops


def test_a_worker_that_cannot_is_a_row_with_its_reason():
    from benchmarks.measure import compare
    from benchmarks.peers import Peer
    from benchmarks.pool import Worker
    from benchmarks.workloads import TASKS

    lost = Worker("training", Peer("nobody", "nowhere", "None_"), 1, "numpy")
    (row,) = compare(TASKS["A"], [lost], rounds=1).rows
    lost.close()
    assert not row.counts
    assert "StopIteration" in row.problem


def test_the_table_of_the_estimators_compares_equal_fits():
    from benchmarks import estimators

    for name, solver in (("iris", "adam"), ("make_friedman1", "lbfgs")):
        found = estimators.compare(name, solver, range(2), max_iter=2)
        np.testing.assert_allclose(*found.scores, atol=1e-6)
        assert len(found.cells()) == len(estimators.HEAD)
    assert set(estimators.NAMES) >= set("digits breast_cancer wine iris diabetes fin".split())


def test_the_docs_have_a_row_for_each_data_set_and_solver():
    from benchmarks import estimators

    page = estimators.PAGE.read_text("utf-8")
    table = page.partition(estimators.MARKS[0])[2].partition(estimators.MARKS[1])[0]
    rows = {tuple(cell.strip() for cell in line.split("|")[1:3]) for line in table.splitlines()}
    assert rows >= {(name, solver) for name in estimators.NAMES for solver in estimators.SOLVERS}
