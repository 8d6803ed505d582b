"""Products by AMX, which another processor does as told by amx.c. See test_pairs for the rest."""

from __future__ import annotations

import ctypes
import sys

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
from tests.engines.cpu.amx import AMX, CAN_RUN, NEEDED
from tests.engines.cpu.test_pairs import N, layer, run

can_run = pytest.mark.skipif(not CAN_RUN, reason=NEEDED)
poisoned = pytest.mark.usefixtures("poisoned")


def products(m, n, k):
    """Tiles of C, times how many are added up in each."""
    return -(-m // 16) * -(-n // 16) * -(-k // 32)


@can_run
@pytest.mark.parametrize(("k", "n"), [(64, 32), (33, 100), (40, 20)])
def test_each_tile_of_a_product_is_made_once(amx, k, n):
    if amx is None:
        pytest.skip("this processor has AMX, and counts nothing")
    before = amx.tiles_used()
    run(CpuEngine(AMX, 1), k, n)
    assert amx.tiles_used() - before == products(N, n, k) + products(N, k, n) + products(k, n, N)


@can_run
@poisoned
@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_may_be_larger_than_what_stays_at_hand(threads, always_threaded):
    k, n = 600, 531
    assert 2 * k * n > PANELS
    found, expected = (run(engine, k, n) for engine in (CpuEngine(AMX, threads), NumpyEngine()))
    for name, length in (("z", k), ("back", n), ("W", N)):
        require_close(found[name], expected[name], length=length, depth=2, what=name)


@can_run
@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_learns_from_a_batch_what_it_does_by_the_reference(threads, always_threaded):
    """Where a sum is rounded otherwise, a number may become the next bfloat16: 2**-8 away."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(150, 40)).astype(np.float32)
    y = (np.sin(x[:, :3]) + x[:, 3:6] ** 2).astype(np.float32)
    network = rg.MLP([40, 70, 33, 3], activation="tanh", seed=2, dtype=np.float32)
    loss = find_loss("squared_error", network)
    problem = objective(network, loss, loss.target(y, 3, network.dtype))
    rule = rg.SGD(1.0)
    steps = {name: in_bfloat16(step) for name, step in training_steps(problem, rule).items()}
    before = state_at(network.parameters, rule)
    found, expected = {}, {}
    for engine, changes in ((CpuEngine(AMX, threads), found), (NumpyEngine(), expected)):
        session = engine.open(steps, before, {"x": x, "y": y})
        scalars = {**rule.numbers(), "l2": 0.0}
        session.run("train", np.arange(len(x)), scalars, batch_size=len(x))
        changes |= {name: session.read(name) - before[name] for name in network.parameters}
    for name, change in expected.items():
        most = np.abs(change).max()
        assert most > 0
        np.testing.assert_allclose(found[name], change, rtol=0, atol=2**-8 * most)


@can_run
@pytest.mark.usefixtures("amx")
def test_infinite_numbers_stay_in_their_rows():
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


@pytest.mark.skipif(sys.platform != "linux", reason="Linux is asked")
def test_amx_may_be_used_where_linux_knows_of_tiles():
    known = ctypes.c_uint64()
    get_supported = 0x1021  # a neighbour of the request
    asked = ctypes.CDLL(None).syscall(host.ARCH_PRCTL, get_supported, ctypes.byref(known))
    assert host._may_use_amx() == (asked == 0 and bool(known.value >> host.TILES & 1))
