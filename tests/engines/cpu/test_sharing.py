"""Where threads wait for each other: whoever reads what another writes."""

import itertools

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.abi.cut import UNIT, first_of, is_cut_across, most_of
from retrograd.engines.cpu.abi.layout import Now
from retrograd.engines.cpu.abi.table import Table
from retrograd.engines.cpu.code.sharing import Sharing
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine.target import TARGETS
from retrograd.graph.step import Step
from retrograd.plan.precision import in_bfloat16
from retrograd.plan.schedule import plan
from tests.compare import require_same_runs

M, N = 4, 40


def variables():
    shapes = {"x": (rg.rows, M), "d": (rg.rows, N), "Q": (N, N), "V": (M, N), "U": (M, N)}
    return {name: rg.variable(name, shape=shape) for name, shape in shapes.items()}


def step_of(updates):
    v = variables()
    inputs, state = ({name: v[name] for name in names} for names in ("xd", "QVU"))
    return Step(inputs, state, {}, {}, updates(v))


def waits(step):
    """For each kernel of a step its gate, whether it is cut across, and whether threads wait."""
    program = plan(step)
    sharing = Sharing(Table(program, TARGETS["avx512"]))
    for node in program.inputs.values():
        sharing.write_rows(node)
    return [
        (
            "map" if kernel.heavy is None else kernel.heavy.gate.name,
            is_cut_across(kernel),
            sharing.needs_barrier(kernel),
        )
        for kernel in program.kernels
    ]


def product_of_a_product(v):
    """Whose A has the shape of the result: each thread needs all of it."""
    return {"V": v["V"] + (v["x"].T @ v["d"]) @ v["Q"]}


def columns_of_both(v):
    """An update reads the columns of another that its own thread made."""
    U = v["U"] + v["x"].T @ v["d"]
    return {"U": U, "V": v["V"] + U * (v["x"].T @ rg.tanh(v["d"]))}


def sums_of_rows(v):
    return {"V": v["V"] + v["x"].T @ v["d"], "U": v["U"] * rg.sum(v["V"], axis=1, keepdims=True)}


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        (product_of_a_product, [("matmul", True, True), ("matmul", True, True)]),
        (columns_of_both, [("map", False, False), ("matmul", True, True), ("matmul", True, False)]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_threads_wait_for_what_others_make(updates, expected):
    assert waits(step_of(updates)) == expected


def test_packing_waits_only_where_rows_become_columns():
    """Each thread packs the rows that it made itself; all wait before they are read."""
    shapes = {"x": (rg.rows, 40), "d": (rg.rows, 40), "W": (40, 40)}
    v = {name: rg.variable(name, shape=shape, dtype="float32") for name, shape in shapes.items()}
    h = rg.tanh(v["d"])
    W = v["W"] - v["x"].T @ h
    step = in_bfloat16(Step({k: v[k] for k in "xd"}, {"W": v["W"]}, {"y": h @ W.T}, {}, {"W": W}))
    program = plan(step, packs=True)
    sharing = Sharing(Table(program, TARGETS["avx512bf16"]))
    for node in program.inputs.values():
        sharing.write_rows(node)
    found = [(one.stores[-1].gate.name, sharing.needs_barrier(one)) for one in program.kernels]
    assert [gate for gate, _ in found] == [
        *["bfloat16", "bfloat16", "pack", "subtract", "pack_turned", "matmul"]
    ]
    assert [must for _, must in found] == [False, False, False, True, True, True]


def test_no_thread_has_more_rows_than_there_is_scratch_memory_for():
    for count in range(200):
        for threads in range(1, 20):
            starts = [min(first_of(Now(), count, t, threads), count) for t in range(threads + 1)]
            assert (starts[0], starts[-1]) == (0, count)
            most = max(stop - start for start, stop in itertools.pairwise(starts))
            assert most <= most_of(Now(), count, threads) < most + UNIT


@pytest.mark.parametrize("updates", [product_of_a_product, columns_of_both, sums_of_rows])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_products_of_few_rows_are_those_of_the_reference(updates, n_threads, always_threaded):
    require_same_runs(CpuEngine(n_threads=n_threads), step_of(updates), batch_size=8, depth=64)


def test_a_large_product_of_a_product_has_the_same_bits_on_any_threads(always_threaded):
    m, n = 4, 640
    x, d = rg.variable("x", shape=(rg.rows, m)), rg.variable("d", shape=(rg.rows, n))
    Q, V = rg.variable("Q", shape=(n, n)), rg.variable("V", shape=(m, n))
    step = Step({"x": x, "d": d}, {"Q": Q, "V": V}, {}, {}, {"V": V + (x.T @ d) @ Q})
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=(128, m)), "d": rng.normal(size=(128, n))}
    state = {"Q": rng.normal(size=(n, n)), "V": np.zeros((m, n))}
    found = []
    for n_threads in (1, 2, 2, 2, 3):
        session = CpuEngine(n_threads=n_threads).open({"step": step}, state, data)
        session.run("step", np.arange(128), batch_size=8)
        found.append(session.read("V"))
    assert all(np.array_equal(each, found[0]) for each in found)
