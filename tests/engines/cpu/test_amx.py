"""Products by AMX, which another processor does as told by amx.c. See test_pairs for the rest."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.abi.scratch import PANELS
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine import host
from retrograd.engines.cpu.machine.target import TARGETS
from retrograd.engines.numpy import NumpyEngine
from retrograd.nn.losses import find_loss
from retrograd.plan.precision import in_bfloat16
from retrograd.training.objective import objective
from retrograd.training.step import state_at, training_steps
from tests.compare import require_close
from tests.engines.cpu.test_pairs import N, layer, run

AMX = TARGETS["amx"]
poisoned = pytest.mark.usefixtures("poisoned")


def products(m, n, k):
    """Tiles of C, times how many are added up in each."""
    return -(-m // 16) * -(-n // 16) * -(-k // 32)


@pytest.mark.parametrize(("k", "n"), [(64, 32), (33, 100), (40, 20)])
def test_each_tile_of_a_product_is_made_once(amx, k, n):
    amx.tiles_used.restype = ctypes.c_uint64
    before = amx.tiles_used()
    run(CpuEngine(AMX, 1), k, n)
    assert amx.tiles_used() - before == products(N, n, k) + products(N, k, n) + products(k, n, N)


@poisoned
@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_may_be_larger_than_what_stays_at_hand(threads, always_threaded):
    k, n = 600, 531
    assert 2 * k * n > PANELS
    found, expected = (run(engine, k, n) for engine in (CpuEngine(AMX, threads), NumpyEngine()))
    for name, length in (("z", k), ("back", n), ("W", N)):
        require_close(found[name], expected[name], length=length, depth=2, what=name)


@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rule", [rg.Adam(0.01), rg.SGD(0.1, momentum=0.9)], ids=["adam", "sgd"])
def test_a_network_is_trained_as_by_the_reference(rule, threads, always_threaded):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(150, 40)).astype(np.float32)
    y = (np.sin(x[:, :3]) + x[:, 3:6] ** 2).astype(np.float32)
    network = rg.MLP([40, 70, 33, 3], activation="tanh", seed=2, dtype=np.float32)
    loss = find_loss("squared_error", network)
    problem = objective(network, loss, loss.target(y, 3, network.dtype))
    steps = {name: in_bfloat16(step) for name, step in training_steps(problem, rule).items()}
    losses = []
    for engine in (CpuEngine(AMX, threads), NumpyEngine()):
        state = state_at(network.parameters, rule)
        session = engine.open(steps, state, {"x": x, "y": y})
        orders = np.random.default_rng(3)
        for _ in range(5):
            order = orders.permutation(len(x))
            found = session.run("train", order, {**rule.numbers(), "l2": 0.0}, batch_size=32)
        losses.append(found["J"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)


def test_code_with_infinite_numbers_keeps_them_to_their_rows(amx):
    step, state, data = layer(40, 50)
    data["x"][7, 3] = np.inf
    session = CpuEngine(AMX, 1).open({"step": step}, state, data)
    z = session.run("step", np.arange(N), batch_size=N)["z"]
    assert not np.isfinite(z[7]).any()
    assert np.isfinite(np.delete(z, 7, axis=0)).all()


def test_a_processor_that_has_amx_is_not_enough_where_linux_refuses(monkeypatch):
    everything = frozenset().union(*(target.needs for target in TARGETS.values()))
    machine = host.Machine("x86_64-unknown-linux-gnu", "sapphirerapids", "", everything)
    monkeypatch.setattr(host, "this_machine", lambda: machine)
    for may, name in ((True, "amx"), (False, "avx512bf16")):
        monkeypatch.setattr(host, "_may_use_amx", lambda may=may: may)
        assert host.runnable()[0] is TARGETS[name]
