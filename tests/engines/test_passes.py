"""Several passes in one run: bit for bit what a run for each gives, short last batches and all."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.arrays import SparseRows
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.errors import OptionError
from retrograd.graph.step import Step
from retrograd.run import ENGINES, find_engine

RNG = np.random.default_rng(7)
N, PASSES = 11, 4
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=20)
W = RNG.normal(size=(2, 3))
ORDERS = np.stack([[RNG.permutation(20)[:N] for _ in range(PASSES)] for _ in range(2)])


def step():
    """A step of descent on (x w - y)**2, at a rate of its own."""
    x, y = rg.variable("x", shape=(rg.rows, 3)), rg.variable("y", shape=(rg.rows,))
    w, rate = rg.variable("w", shape=(3,)), rg.variable("rate", shape=())
    e = x @ w - y
    return Step(
        inputs={"x": x, "y": y},
        scalars={"rate": rate},
        state={"w": w},
        outputs={"e": e, "J": rg.mean(rg.square(e))},
        updates={"w": w - rate * (e @ x) / rg.row_count()},
    )


def opened(engine, copies, *, X=X):
    state = {"w": W[0] if copies is None else W}
    return find_engine(engine).open({"step": step()}, state, {"x": X, "y": Y}, copies=copies)


def joined(runs):
    return {name: np.concatenate([run[name] for run in runs], axis=-1) for name in runs[0]}


def pass_by_pass(session, orders, rates, size):
    """The outputs of a run for each pass. orders: (..., passes, n), rates: (..., batches)."""
    n_batches = -(-N // size)
    return joined(
        [
            session.run(
                "step",
                orders[..., e, :],
                {"rate": rates[..., e * n_batches : (e + 1) * n_batches]},
                batch_size=size,
            )
            for e in range(orders.shape[-2])
        ]
    )


@pytest.mark.parametrize("size", [1, 3, 4, 10, 11, 64])
@pytest.mark.parametrize("copies", [None, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_passes_in_one_run_give_what_a_run_for_each_gives(engine, copies, size):
    orders = ORDERS if copies else ORDERS[0]
    rates = RNG.uniform(0.01, 0.2, (*orders.shape[:-2], PASSES * -(-N // size)))
    one, each = opened(engine, copies), opened(engine, copies)
    whole = orders.reshape(*orders.shape[:-2], -1)
    found = one.run("step", whole, {"rate": rates}, batch_size=size, pass_rows=N)
    expected = pass_by_pass(each, orders, rates, size)
    for name in ("e", "J"):
        np.testing.assert_array_equal(found[name], expected[name], strict=True)
    np.testing.assert_array_equal(one.read("w"), each.read("w"))


@pytest.mark.parametrize("engine", ENGINES)
def test_sparse_rows_go_pass_by_pass_too(engine):
    from scipy.sparse import csr_matrix

    order = ORDERS[0].ravel()
    one, dense = (opened(engine, None, X=x) for x in (SparseRows(csr_matrix(X)), X))
    options = {"scalars": {"rate": 0.1}, "batch_size": 4, "pass_rows": N}
    found, expected = (session.run("step", order, **options) for session in (one, dense))
    for name in ("e", "J"):
        np.testing.assert_array_equal(found[name], expected[name], strict=True)
    assert len(found["J"]) == PASSES * 3


@pytest.mark.parametrize("n_asked", [1, 2, 3, 5])
@pytest.mark.parametrize("copies", [None, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_is_stopped_within_a_pass_has_the_rows_that_ran(engine, copies, n_asked):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == n_asked

    orders = np.tile(ORDERS if copies else ORDERS[0], (50, 1))
    whole = orders.reshape(*orders.shape[:-2], -1)
    session = opened(engine, copies)
    found = session.run("step", whole, {"rate": 0.1}, batch_size=4, pass_rows=N, stop=stop)
    n_ran = found["J"].shape[-1]
    if engine == "numpy":  # which asks before each batch; the other at times
        assert len(asked) == n_asked
    passed, more = divmod(n_ran, 3)
    n_rows = passed * N + more * 4
    assert 0 < n_ran <= 3 * orders.shape[-2]
    assert found["e"].shape[-1] == n_rows
    other = opened(engine, copies)
    other.run("step", whole[..., : passed * N], {"rate": 0.1}, batch_size=4, pass_rows=N)
    if more:
        other.run("step", whole[..., passed * N : n_rows], {"rate": 0.1}, batch_size=4)
    np.testing.assert_array_equal(session.read("w"), other.read("w"))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_that_share_a_batch_agree_on_where_it_starts(n_threads):
    X, Y = RNG.normal(size=(700, 3)), RNG.normal(size=700)
    order = np.concatenate([RNG.permutation(700) for _ in range(40)])
    session = CpuEngine(n_threads=n_threads).open({"step": step()}, {"w": W[0]}, {"x": X, "y": Y})
    reference = find_engine("numpy").open({"step": step()}, {"w": W[0]}, {"x": X, "y": Y})
    options = {"scalars": {"rate": 0.01}, "batch_size": 300, "pass_rows": 700}
    found, expected = (one.run("step", order, **options) for one in (session, reference))
    np.testing.assert_allclose(found["J"], expected["J"], rtol=1e-12)
    np.testing.assert_allclose(found["e"], expected["e"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pass_rows", [0, 4, 23, -11])
@pytest.mark.parametrize("copies", [None, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_order_that_is_not_whole_passes_is_refused(engine, copies, pass_rows):
    order = ORDERS[0, 0] if copies is None else ORDERS[:, 0]
    with pytest.raises(OptionError, match="whole passes; 11 rows are none of pass_rows"):
        opened(engine, copies).run("step", order, {"rate": 0.1}, pass_rows=pass_rows)
