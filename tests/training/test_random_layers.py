"""Dropout while training: the same entries on every engine, for any batches, and when resumed."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.machine import compiled
from retrograd.errors import OptionError
from retrograd.nn.losses import find_loss
from retrograd.nn.noise import Noise
from retrograd.training.step import objective

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 1))
STILL = rg.SGD(1e-300)  # the weights stay as they are


def net(rate=0.4, dtype=np.float64):
    layers = [rg.Dense(3, 8, "tanh"), rg.LayerNorm(8), rg.Dropout(rate), rg.Dense(8, 1)]
    return rg.Network(layers, dtype=dtype)


def train(network, **options):
    chosen = {"optimizer": rg.Adam(0.01), "epochs": 3, "batch_size": 16, "seed": 4, **options}
    return rg.train(network, X, Y, **chosen)


def same(a, b):
    return all(np.array_equal(a.parameters[name], b.parameters[name]) for name in a.parameters)


def noisy_outputs(rate, n_rows, n_seeds):
    """The output of a dropout layer alone, of ones, for several seeds: (seeds, rows, 50)."""
    layer, noise = rg.Dropout(rate), Noise.of({"1": rate})
    x = rg.variable("x", shape=(rg.rows, 50))
    function = rg.compile([layer.noisy(x, noise, "1")], [x, noise.seed], engine="cpu")
    return np.stack([function(np.ones((n_rows, 50)), seed)[0] for seed in range(n_seeds)])


def test_entries_are_zero_at_the_rate_or_enlarged_and_their_mean_is_kept():
    found = noisy_outputs(0.3, 100, 40)
    assert set(np.unique(found)) == {0.0, 1 / (1 - 0.3)}
    assert abs(np.mean(found == 0) - 0.3) < 5 * np.sqrt(0.21 / found.size)
    assert abs(found.mean() - 1) < 5 * np.sqrt(0.3 / 0.7 / found.size)
    assert not np.array_equal(found[0], found[1])


def test_engines_drop_the_same_entries():
    nets = net(), net()
    J = [train(n, engine=engine).J for n, engine in zip(nets, ("cpu", "numpy"), strict=True)]
    np.testing.assert_allclose(*J, rtol=1e-12)
    for a, b in zip(nets[0].parameters.arrays(), nets[1].parameters.arrays(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_an_entry_of_an_epoch_is_dropped_or_not_whatever_the_batch_size(engine):
    J = [
        train(net(), optimizer=STILL, batch_size=size, engine=engine).J for size in (1, 7, 16, None)
    ]
    assert len(set(J[0])) == 3  # from epoch to epoch others are dropped
    # A full batch is not shuffled: its rows are others.
    for other in J[1:3]:
        np.testing.assert_allclose(other, J[0], rtol=1e-13)
    still = [
        train(net(), optimizer=STILL, batch_size=size, engine=engine, shuffle=False).J
        for size in (16, None)
    ]
    np.testing.assert_allclose(still[0], still[1], rtol=1e-13)


def test_without_a_rate_training_is_as_without_the_layer():
    first, second = net(0.0), rg.Network([x for x in net().layers if x != rg.Dropout(0.4)])
    assert first.sizes == second.sizes
    np.testing.assert_allclose(train(first).J, train(second).J, rtol=1e-12)
    assert train(net(0.4)).J != train(net(0.0)).J


def test_another_seed_drops_other_entries_and_the_same_one_the_same():
    J = [train(net(), optimizer=STILL, shuffle=False, seed=seed).J for seed in (1, 1, 2)]
    assert J[0] == J[1]
    assert J[0] != J[2]


def test_5_and_5_epochs_are_10_bit_for_bit():
    whole, parts = net(), net()
    expected = train(whole, epochs=10)
    history = train(parts, epochs=5, resume=train(parts, epochs=5))
    assert same(whole, parts)
    assert history.J == expected.J


def test_another_rate_compiles_nothing():
    train(net(0.2))
    known = set(compiled._COMPILED)
    train(net(0.7))
    assert set(compiled._COMPILED) == known


def test_scores_and_predictions_see_a_network_that_is_still():
    trained = net()
    history = train(trained, validation=(X, Y), score="loss", optimizer=STILL, epochs=2)
    half = 0.5 * np.mean((trained.predict(X) - Y) ** 2)
    np.testing.assert_allclose(history.validation_J, [half, half], rtol=1e-12)
    assert history.J[0] != history.J[1]


def test_a_solver_sees_the_same_entries_dropped_at_each_evaluation():
    trained = net()
    history = train(trained, optimizer="lbfgs", epochs=30)
    assert np.all(np.diff(history.J) <= 0)
    assert history.J[-1] < 0.5 * history.J[0]


def test_float32_and_bfloat16_train_too():
    for precision in ("float32", "bfloat16"):
        history = train(net(), precision=precision, epochs=20)
        assert history.J[-1] < history.J[0]


def test_the_gradient_of_a_network_that_drops_is_right():
    network = net()
    loss = find_loss("half_squared_error", network)
    J = objective(network, loss, loss.target(Y, 1, X.dtype))
    values = {J.inputs["x"]: X, J.inputs["y"]: Y, J.l2: 0.01, J.noise.seed: 7, J.noise.seen: 120}
    values |= {J.parameters[name]: value for name, value in network.parameters.items()}
    assert rg.check_gradient(J.J, list(J.parameters.values()), values).ok


def test_optimizers_that_look_twice_or_average_take_random_layers():
    for optimizer in (rg.SAM(rg.SGD(0.05)), rg.EMA(rg.Adam(0.01)), rg.ScheduleFreeAdamW(0.01)):
        nets = net(), net()
        J = [
            train(n, optimizer=optimizer, engine=engine).J
            for n, engine in zip(nets, ("cpu", "numpy"), strict=True)
        ]
        np.testing.assert_allclose(*J, rtol=1e-12)
        np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), rtol=1e-9)


def test_levenberg_marquardt_refuses_a_network_that_draws():
    with pytest.raises(OptionError, match="LevenbergMarquardt: takes no random layers"):
        train(net(), optimizer="levenberg_marquardt")


def test_the_range_of_learning_rates_is_found_by_the_noise_of_its_seed():
    J = [rg.learning_rate_range(net(), X, Y, steps=5, seed=seed).J for seed in (1, 1, 2)]
    assert np.array_equal(J[0], J[1])
    assert not np.array_equal(J[0], J[2])
