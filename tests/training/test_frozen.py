"""Frozen parameters: they stay as they are, and nothing is kept or counted for them."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, UnknownNameError

RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 1))


def train(network, **options):
    chosen = {"optimizer": rg.Adam(0.01), "epochs": 4, "batch_size": 16, "seed": 4, **options}
    return rg.train(network, X, Y, **chosen)


def net():
    return rg.MLP([3, 5, 4, 1], activation="tanh")


OPTIMIZERS = [
    rg.Adam(0.01),
    rg.EMA(rg.SGD(0.1)),
    rg.SAM(rg.SGD(0.1)),
    rg.Clip(rg.SGD(0.1), global_norm=0.5),
    "lbfgs",
    "levenberg_marquardt",
]


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_parameters_stay_and_the_others_learn(optimizer, engine):
    network, before = net(), dict(net().parameters)
    history = train(network, optimizer=optimizer, frozen=["W1", "b*"], l2=0.01, engine=engine)
    stayed = {name for name, w in before.items() if np.array_equal(w, network.parameters[name])}
    assert stayed == {"W1", "b1", "b2", "b3"}
    assert history.J[-1] < history.J[0]


def test_what_is_left_learns_as_it_would_on_the_frozen_part_s_output():
    whole, tail = net(), rg.MLP([5, 4, 1], activation="tanh")
    for name in ("W", "b"):
        for number in (1, 2):
            tail.parameters[f"{name}{number}"] = whole.parameters[f"{name}{number + 1}"]
    a = np.tanh(X @ whole.parameters["W1"] + whole.parameters["b1"])
    options = {"optimizer": rg.Clip(rg.Adam(0.01), global_norm=0.1), "l2": 0.1, "epochs": 4}
    J = rg.train(whole, X, Y, frozen=["*1"], **options).J
    expected = rg.train(tail, a, Y, **options)
    np.testing.assert_allclose(J, expected.J, rtol=1e-12)
    np.testing.assert_allclose(whole.predict(X), tail.predict(a), rtol=1e-11)


def test_the_optimizer_keeps_nothing_for_them():
    state = train(net(), frozen=["*2"]).checkpoint.state
    assert {"m of W1", "W2", "b2"} <= set(state)
    assert not {"m of W2", "v of b2"} & set(state)


def test_resuming_and_several_starts_leave_them_as_they_are():
    whole, parts = net(), net()
    expected = train(whole, frozen=["W1"])
    half = train(parts, frozen=["W1"], epochs=2)
    assert train(parts, frozen=["W1"], epochs=2, resume=half).J == expected.J
    started = net()
    figures = train(started, frozen=["W1"], random_starts=3).starts
    np.testing.assert_array_equal(started.parameters["W1"], net().parameters["W1"])
    assert len(set(figures)) == 3


def test_a_frozen_batch_normalisation_is_as_in_predictions():
    network = rg.Network([rg.Dense(3, 5, "tanh"), rg.BatchNorm(5), rg.Dense(5, 1)])
    network.parameters["mean2"] = RNG.normal(size=5)
    before = dict(network.parameters)
    half = 0.5 * np.mean((network.predict(X) - Y) ** 2)
    history = train(network, frozen=["*2"], batch_size=None, epochs=2)
    np.testing.assert_allclose(history.J[0], half, rtol=1e-12)
    for name in ("scale2", "shift2", "mean2", "variance2"):
        np.testing.assert_array_equal(network.parameters[name], before[name])
    # Without running estimates to follow the batches, solvers take it too.
    assert train(network, frozen=["*2"], optimizer="lbfgs").J[-1] < half


@pytest.mark.parametrize(
    ("frozen", "error", "message"),
    [
        ("W1", OptionError, r"frozen is a list of names such as \['W1', 'b\*'\], got 'W1'"),
        (3, OptionError, "frozen is a list of names"),
        (["w1"], UnknownNameError, "unknown frozen parameter 'w1'.*W1"),
        ([1], UnknownNameError, "unknown frozen parameter 1"),
        (["?1", "*2", "*3"], OptionError, "frozen leaves nothing to train of W1, b1"),
    ],
)
def test_what_cannot_be_frozen_is_an_error(frozen, error, message):
    with pytest.raises(error, match=message):
        train(net(), frozen=frozen)
