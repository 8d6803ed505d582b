"""Products of numbers that are bfloat16, which some processors multiply two at a time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.abi.scratch import is_in_pairs
from retrograd.engines.cpu.code import kernel
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine import compiled
from retrograd.engines.cpu.machine.host import made_for
from retrograd.engines.cpu.machine.target import TARGETS
from retrograd.engines.cpu.run import executable
from retrograd.engines.numpy import NumpyEngine
from retrograd.graph.step import Step
from retrograd.plan.precision import in_bfloat16
from retrograd.plan.schedule import plan
from tests.compare import require_close

N = 51
poisoned = pytest.mark.usefixtures("poisoned")


@pytest.fixture
def target(target_or_amx):
    return target_or_amx


def layer(k, n, dtype=np.float32):
    """What a layer multiplies, its operands rounded: x W, d W.T and x.T d; values and data."""
    x = rg.variable("x", shape=(rg.rows, k), dtype=dtype)
    d = rg.variable("d", shape=(rg.rows, n), dtype=dtype)
    w = rg.variable("W", shape=(k, n), dtype=dtype)
    outputs = {"z": x @ w + 1.0, "back": d @ w.T}
    step = in_bfloat16(Step({"x": x, "d": d}, {"W": w}, outputs, {}, {"W": w - 0.1 * (x.T @ d)}))
    rng = np.random.default_rng(k * n)
    data = {name: rng.normal(size=(N, size)).astype(dtype) for name, size in (("x", k), ("d", n))}
    return step, {"W": rng.normal(size=(k, n)).astype(dtype)}, data


def run(engine, k, n, size=N):
    step, state, data = layer(k, n)
    session = engine.open({"step": step}, state, data)
    found = session.run("step", np.arange(N), batch_size=size)
    return {**found, "W": np.array(session.read("W"))}


def products(step, target):
    kernels = plan(step, packs=target.multiplies_pairs).kernels
    return [one for one in kernels if one.heavy is not None]


@poisoned
@pytest.mark.parametrize("k", [2, 3, 16, 31, 32, 33, 64, 95])
@pytest.mark.parametrize("n", [2, 5, 16, 47, 48, 49, 131])
def test_a_layer_of_any_width_is_that_of_the_reference(target, k, n):
    found, expected = (run(engine, k, n) for engine in (CpuEngine(target, 1), NumpyEngine()))
    for name, length in (("z", k), ("back", n), ("W", N)):
        require_close(found[name], expected[name], length=length, depth=2, what=name)


@poisoned
@pytest.mark.parametrize(("k", "n"), [(33, 10), (40, 100)])
def test_a_row_has_the_same_bits_in_batches_of_every_size_and_with_threads(
    target, k, n, always_threaded
):
    whole = run(CpuEngine(target, 1), k, n)
    for engine in (CpuEngine(target, 1), CpuEngine(target, 2)):
        for size in (1, 2, 3, 7, 8, 9, 16, 17, 33, N):
            found = run(engine, k, n, size)
            alone = run(CpuEngine(target, 1), k, n, size)
            np.testing.assert_array_equal(found["W"], alone["W"])
            first = min(size, N)  # the weights are others in the next batch
            for name in ("z", "back"):
                np.testing.assert_array_equal(found[name][:first], whole[name][:first])


@poisoned
@pytest.mark.parametrize("size", [1, 2, 3, 15, 16, 17])
def test_batches_of_odd_size_lack_the_second_of_their_last_pair(target, size):
    found, expected = (
        run(engine, 20, 30, size) for engine in (CpuEngine(target, 1), NumpyEngine())
    )
    require_close(found["W"], expected["W"], length=N, depth=8)


@poisoned
@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize(("k", "n"), [(33, 20), (40, 100), (64, 131)])
def test_kernels_of_fewer_lanes_read_what_others_packed(target, k, n, lanes, monkeypatch, tmp_path):
    """As one beside doubles has, or one whose numbers are computed one by one."""
    monkeypatch.setattr(compiled, "_COMPILED", OrderedDict())
    monkeypatch.setenv("RETROGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(executable, "_kept", executable._executable)
    some = kernel.lanes_of

    def lanes_of(this, target):
        return min(lanes, some(this, target)) if this.heavy is not None else some(this, target)

    monkeypatch.setattr(kernel, "lanes_of", lanes_of)
    found, expected = (run(engine, k, n) for engine in (CpuEngine(target, 1), NumpyEngine()))
    monkeypatch.setattr(kernel, "lanes_of", lambda *_: min(lanes, some(*_)))
    monkeypatch.setattr(compiled, "_COMPILED", OrderedDict())
    monkeypatch.setenv("RETROGRAD_CACHE", "off")
    all_few = run(CpuEngine(target, 1), k, n)
    for name, length in (("z", k), ("back", n), ("W", N)):
        require_close(found[name], expected[name], length=length, depth=2, what=name)
        np.testing.assert_array_equal(all_few[name], found[name])


@poisoned
@pytest.mark.parametrize("turned", [False, True], ids=["as it lies", "turned"])
def test_a_packed_matrix_may_have_the_shape_of_the_result(target, turned):
    """And both so many bytes that the processor is asked for what is read with a block."""
    n = 96
    w, u = (rg.variable(name, shape=(n, n), dtype=np.float32) for name in "WU")
    x = rg.variable("x", shape=(rg.rows, 1), dtype=np.float32)
    new = w @ (u.T if turned else u) + w
    step = in_bfloat16(Step({"x": x}, {"W": w, "U": u}, {"total": rg.sum(x)}, {}, {"W": new}))
    rng = np.random.default_rng(n)
    state = {name: rng.normal(size=(n, n)).astype(np.float32) for name in "WU"}
    found, expected = (
        engine.open({"step": step}, state, {"x": np.ones((1, 1), np.float32)})
        for engine in (CpuEngine(target, 1), NumpyEngine())
    )
    for session in (found, expected):
        session.run("step", np.arange(1), batch_size=1)
    require_close(found.read("W"), expected.read("W"), length=n, depth=2)


def test_pairs_are_made_where_both_operands_are_rounded_and_the_processor_takes_them():
    able = [name for name, target in TARGETS.items() if target.multiplies_pairs]
    assert able == ["amx", "avx512bf16"]
    step, *_ = layer(40, 50)
    for name, target in TARGETS.items():
        assert {is_in_pairs(one) for one in products(step, target)} == {name in able}
    x = rg.variable("x", shape=(rg.rows, 40), dtype=np.float32)
    w = rg.variable("w", shape=(40, 50), dtype=np.float32)
    for made in (x @ w, rg.round_bfloat16(x) @ w, x @ rg.round_bfloat16(w)):
        step = Step({"x": x}, {"w": w}, {"y": made})
        assert not any(map(is_in_pairs, products(step, TARGETS["avx512bf16"])))


def test_code_with_pairs_is_kept_apart_from_code_without():
    able = replace(TARGETS["avx512bf16"], tile=(4, 3))  # so that no machine is taken for it
    assert made_for(able) != made_for(replace(able, multiplies_pairs=False))


def product(kind):
    """A product of rounded numbers that does not go in pairs, its operands, and their values."""
    one, two = {
        "one column": ((rg.rows, 40), (40, 1)),
        "double": ((rg.rows, 40), (40, 30)),
        "stack": ((3, 20, 40), (3, 40, 30)),
        "rows by rows": ((rg.rows, 40), (rg.rows, 40)),
    }[kind]
    dtype = np.float64 if kind == "double" else np.float32
    a, b = rg.variable("a", shape=one, dtype=dtype), rg.variable("b", shape=two, dtype=dtype)
    left, right = rg.round_bfloat16(a), rg.round_bfloat16(b)
    rng = np.random.default_rng(5)
    sizes = [[13 if size is rg.rows else size for size in shape] for shape in (one, two)]
    values = [rng.normal(size=shape).astype(dtype) for shape in sizes]
    y = rg.sum(left @ right.T, axis=1) if kind == "rows by rows" else left @ right
    return y, [a, b], values


@pytest.mark.parametrize("kind", ["one column", "double", "stack", "rows by rows"])
def test_other_products_of_rounded_numbers_go_one_by_one(target, kind):
    y, (a, b), values = product(kind)
    named = {node.name: node for node in (a, b)}
    rows = {name: node for name, node in named.items() if node.shape[0] is rg.rows}
    step = Step(rows, {k: v for k, v in named.items() if k not in rows}, {"y": y})
    assert not any(map(is_in_pairs, products(step, target)))
    engines = CpuEngine(target, 1), NumpyEngine()
    found, expected = (engine.function([y], [a, b])(values)[0] for engine in engines)
    require_close(found, expected, length=40)
