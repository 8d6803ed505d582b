"""The optimizers against their peers: 100 steps, stored (make_trajectories.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import retrograd as rg

STORED = np.load(Path(__file__).with_name("trajectories.npz"))
NAMES = ("W1", "b1", "W2", "b2")
OPTIMIZERS = {
    "sgd": rg.SGD(0.1),
    "momentum": rg.SGD(0.05, momentum=0.9),
    "nesterov": rg.SGD(0.05, momentum=0.9, nesterov=True),
    "dampening": rg.SGD(0.1, momentum=0.9, dampening=0.4),
    "rmsprop": rg.RMSprop(0.01),
    "rmsprop_centered": rg.RMSprop(0.002, rho=0.9, epsilon=1e-3, momentum=0.8, centered=True),
    "adagrad": rg.Adagrad(0.05, initial=0.1),
    "adadelta": rg.Adadelta(),
    "adam": rg.Adam(0.01),
    "adam_other": rg.Adam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-4),
    "amsgrad": rg.Adam(0.03, beta1=0.8, beta2=0.9, amsgrad=True),
    "adamw": rg.AdamW(0.01, weight_decay=0.1),
    "adamax": rg.Adamax(0.02),
    "nadam": rg.NAdam(0.01),
    "radam": rg.RAdam(0.02, beta2=0.99),
    "lion": rg.Lion(0.01, weight_decay=0.1),
    "lamb": rg.LAMB(0.02, weight_decay=0.1),
    "adafactor": rg.Adafactor(0.05, weight_decay=0.1),
    "muon": rg.Muon(0.02, weight_decay=0.1, fallback=rg.AdamW(0.01, weight_decay=1e-4)),
    "rprop": rg.Rprop(0.01),
    "schedule_free_adamw": rg.ScheduleFreeAdamW(
        lambda step: 0.05 * min(1.0, (step + 1) / 20), weight_decay=0.1
    ),
    "l2": rg.SGD(0.1),
    "schedule": rg.SGD(lambda step: 0.1 / (1 + step / 20), momentum=0.5),
    "decay": rg.Groups({"W*": rg.Decay(rg.Adam(0.01), l2=0.03)}, default=rg.Adam(0.01)),
    "groups": rg.Groups(
        {"b*": rg.AdamW(0.005, weight_decay=0.0)}, default=rg.AdamW(0.02, weight_decay=0.1)
    ),
    "clip_value": rg.Clip(rg.SGD(0.1), value=0.05),
    "clip_norm": rg.Clip(rg.SGD(0.1, momentum=0.5), norm=0.1),
    "clip_global_norm": rg.Clip(rg.SGD(0.1, momentum=0.5), global_norm=0.2),
    "accumulate": rg.Accumulate(rg.Adam(0.01), every=4),
    "ema": rg.EMA(rg.SGD(0.1), 0.9),
    "swa": rg.SWA(rg.SGD(0.1), start=40, every=3),
    "lookahead": rg.Lookahead(rg.SGD(0.1), every=6, alpha=0.7),
    "sam": rg.SAM(rg.SGD(0.1, momentum=0.5), rho=0.2),
}
PEERS = ["torch 2.13.0", "optax 0.2.8", "jax 0.10.2", "schedulefree 1.4.1", "numpy 2.4.6"]


def flat(net):
    return np.concatenate([net.parameters[name].ravel() for name in NAMES])


def trajectory(name, dtype, engine="auto", *, moved=()):
    """The parameters after every tenth step; some begin at the next number."""
    net = rg.MLP([3, 5, 2], activation="tanh", dtype=dtype)
    for parameter in NAMES:
        start = STORED[parameter]
        net.parameters[parameter] = np.nextafter(start, np.inf) if parameter in moved else start
    found = [flat(net)]

    def note(net, history):
        if history.epochs % 10 == 0:
            found.append(flat(net))

    rg.train(
        net,
        STORED["X"].astype(dtype),
        STORED["Y"],
        optimizer=OPTIMIZERS[name],
        epochs=100,
        batch_size=5 if name == "accumulate" else None,
        shuffle=False,
        l2=0.03 if name == "l2" else 0.0,
        callbacks=[note],
        engine=engine,
    )
    return np.array(found)


def test_the_file_was_made_with_the_version_its_script_names():
    assert [str(v).split("+")[0] for v in STORED["versions"]] == PEERS
    script = Path(__file__).with_name("make_trajectories.py").read_text()
    assert all(peer.replace("torch 2.13.0", "torch 2.13.0 (CPU)") in script for peer in PEERS)


def test_every_stored_trajectory_is_compared():
    stored = {name for name in STORED if STORED[name].shape == (11, 32)}
    assert stored == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_trajectory_of_100_steps_is_its_peers(name):
    found = trajectory(name, np.float64)
    assert found.shape == STORED[name].shape
    error = np.abs(found - STORED[name]).max(axis=1)
    if name == "adafactor":
        assert error[:4].max() <= 1e-14  # then it swings about the minimum
        assert error.max() <= of_a_last_digit(name)
    else:
        assert error.max() <= 1e-12
    assert np.abs(found[-1] - found[0]).max() > 0.1  # it went somewhere


def of_a_last_digit(name):
    """What becomes, on the reference, of a last digit of the weights at the start."""
    as_it_is = trajectory(name, np.float64, "numpy")
    moved = trajectory(name, np.float64, "numpy", moved=("W1", "W2"))
    return np.abs(moved - as_it_is).max()


# Where a sign or a branch decides, a last digit may move a weight by a whole step; Adafactor swings
# about the minimum, and its epsilon1 is the dtype's.
UNSTEADY = {"lion", "rprop", "radam", "adafactor"}


@pytest.mark.parametrize("name", sorted({*OPTIMIZERS} - UNSTEADY))
def test_a_trajectory_in_float32_stays_near_that_in_float64(name):
    # On the reference: near its end adam_other swings about a minimum, where a last digit that an
    # engine rounds otherwise grows a hundredfold in ten steps.
    found = trajectory(name, np.float32, engine="numpy")
    assert found.dtype == np.float32
    scale = np.abs(STORED[name]).max()
    # Adam divides by the root of what may be nearly 0, so a rounding counts more than once a step.
    assert np.abs(found - STORED[name]).max() <= 400 * np.finfo(np.float32).eps * scale


def test_the_rule_itself_is_one_line_of_numpy():
    """One step of each, with the equations written out again."""
    net = rg.MLP([3, 2], bias=False)
    X, Y, W = STORED["X"], STORED["Y"], net.parameters["W1"].copy()
    g = X.T @ (X @ W - Y) / len(X)
    rg.train(net, X, Y, optimizer=rg.Adam(0.1), epochs=1, batch_size=None)
    m, v = 0.1 * g, 0.001 * g**2
    after = W - 0.1 * (m / (1 - 0.9)) / (np.sqrt(v / (1 - 0.999)) + 1e-8)
    np.testing.assert_allclose(net.parameters["W1"], after, rtol=1e-13, atol=1e-15)
