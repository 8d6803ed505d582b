"""Batch normalisation while training: its formula, its running estimates, where they are kept."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ModelFileError, OptionError
from tests.networks import require_right_gradient, same

RNG = np.random.default_rng(5)
X, Y = RNG.normal(1.0, 2.0, size=(50, 3)), RNG.normal(size=(50, 1))
STATISTICS = ("mean2", "variance2")
ENGINES = ("cpu", "numpy")


def net(dtype=np.float64, **options):
    layers = [rg.Dense(3, 8, "tanh"), rg.BatchNorm(8, **options), rg.Dense(8, 1)]
    return rg.Network(layers, dtype=dtype)


def train(network, **options):
    chosen = {"optimizer": rg.Adam(0.01), "epochs": 3, "batch_size": 16, "seed": 4, **options}
    return rg.train(network, X, Y, **chosen)


@pytest.mark.parametrize("engine", ENGINES)
def test_predictions_take_the_running_estimates(engine):
    network = net(epsilon=0.01)
    for name in ("scale2", "shift2", *STATISTICS):
        network.parameters[name] = RNG.uniform(0.5, 2.0, 8)
    W1, b1, scale, shift, mean, variance, W3, b3 = network.parameters.arrays()
    normal = (np.tanh(X @ W1 + b1) - mean) / np.sqrt(variance + 0.01)
    expected = (normal * scale + shift) @ W3 + b3
    np.testing.assert_allclose(network.predict(X, engine=engine), expected, rtol=1e-12)
    np.testing.assert_allclose(network.predict(X[:1], engine=engine), expected[:1], rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_estimates_follow_the_batches_as_in_pytorch(engine):
    network = rg.Network([rg.BatchNorm(3, momentum=0.3), rg.Dense(3, 1)])
    batch_size, mean, variance = 16, np.zeros(3), np.ones(3)
    for _ in range(2):
        for start in range(0, 50, batch_size):
            x = X[start : start + batch_size]
            mean = 0.7 * mean + 0.3 * x.mean(0)
            variance = 0.7 * variance + 0.3 * x.var(0, ddof=1)
    train(network, epochs=2, shuffle=False, engine=engine)
    np.testing.assert_allclose(network.parameters["mean1"], mean, rtol=1e-13)
    np.testing.assert_allclose(network.parameters["variance1"], variance, rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_is_normalised_by_itself_while_training(engine):
    network = rg.Network([rg.BatchNorm(3), rg.Dense(3, 1)])
    history = train(network, optimizer=rg.SGD(1e-300), epochs=1, batch_size=None, engine=engine)
    W, b = network.parameters["W2"], network.parameters["b2"]
    output = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-5) @ W + b
    np.testing.assert_allclose(history.J, [0.5 * np.mean((output - Y) ** 2)], rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_of_one_row_leaves_the_estimates_as_they_are(engine):
    network = net()
    train(network, batch_size=1, epochs=1, engine=engine)
    np.testing.assert_array_equal(network.parameters["mean2"], 0.0)
    np.testing.assert_array_equal(network.parameters["variance2"], 1.0)


@pytest.mark.parametrize("optimizer", [rg.Adam(0.01), rg.EMA(rg.SGD(0.05)), rg.SAM(rg.SGD(0.05))])
def test_engines_agree(optimizer):
    nets = net(), net()
    J = [
        train(n, optimizer=optimizer, engine=e, l2=0.1, validation=(X, Y)).validation_J
        for n, e in zip(nets, ENGINES, strict=True)
    ]
    np.testing.assert_allclose(*J, rtol=1e-11)
    for name in nets[0].parameters:
        a, b = (n.parameters[name] for n in nets)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert not np.array_equal(nets[0].parameters["mean2"], np.zeros(8))


def test_5_and_5_epochs_are_10_bit_for_bit():
    whole, parts = net(), net()
    expected = train(whole, epochs=10)
    history = train(parts, epochs=5, resume=train(parts, epochs=5))
    assert same(whole, parts)
    assert history.J == expected.J


def test_the_best_epoch_brings_its_own_estimates():
    best, seen = net(), {}
    history = train(
        best,
        validation=0.3,
        epochs=12,
        optimizer=rg.SGD(0.3),
        callbacks=[lambda n, h: seen.update({h.epochs: dict(n.parameters)}) or False],
    )
    assert history.best_epoch < 12
    for name, value in best.parameters.items():
        np.testing.assert_array_equal(value, seen[history.best_epoch][name])


def test_several_starts_each_begin_with_fresh_estimates():
    network = net()
    history = train(network, random_starts=3, optimizer=rg.SGD(1e-300), batch_size=None, epochs=1)
    a = np.tanh(X @ network.parameters["W1"] + network.parameters["b1"])
    assert len(history.starts) == 3
    np.testing.assert_allclose(network.parameters["mean2"], 0.1 * a.mean(0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_estimates_go_through_a_file(tmp_path, dtype):
    network = net(dtype, momentum=0.2, epsilon=1e-3)
    rg.train(network, X.astype(dtype), Y, epochs=2)
    network.save(tmp_path / "a.model")
    again = rg.load(tmp_path / "a.model")
    assert again.layers == network.layers
    assert same(again, network)
    np.testing.assert_array_equal(again.predict(X), network.predict(X))


def test_a_file_without_the_estimates_is_no_network():
    network = net()
    left = {name: value for name, value in network.parameters.items() if name != "mean2"}
    with pytest.raises(ModelFileError, match="has parameters"):
        rg.Network.from_json(network.to_json(), left)


def test_the_gradient_through_the_mean_and_the_variance_of_the_batch_is_right():
    network = net()
    J = require_right_gradient(network, X, Y)
    assert set(J.parameters) - set(J.trained) == set(J.updates) == set(STATISTICS)


def test_the_estimates_have_no_optimizer_state():
    state = train(net()).checkpoint.state
    assert {"m of scale2", "mean2", "variance2"} <= set(state)
    assert "m of mean2" not in state


def test_float32_bfloat16_and_dropout_train_too():
    layers = [rg.BatchNorm(3), rg.Dense(3, 8, "relu"), rg.Dropout(0.2), rg.BatchNorm(8)]
    for precision in ("float32", "bfloat16"):
        network = rg.Network([*layers, rg.Dense(8, 1)])
        history = train(network, precision=precision, epochs=20)
        assert history.J[-1] < history.J[0]
        assert network.parameters["mean4"].any()


@pytest.mark.parametrize("solver", ["lbfgs", "conjugate_gradient", "levenberg_marquardt"])
def test_solvers_of_full_batches_refuse_it(solver):
    with pytest.raises(OptionError, match=r"no rg\.BatchNorm"):
        train(net(), optimizer=solver)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rg.BatchNorm(0), "BatchNorm: units must be an integer of at least 1"),
        (lambda: rg.BatchNorm(3, momentum=0), r"BatchNorm: momentum must be in \(0"),
        (lambda: rg.BatchNorm(3, momentum=1.5), r"BatchNorm: momentum must be in \(0, 1\]"),
        (lambda: rg.BatchNorm(3, epsilon=-1), r"BatchNorm: epsilon must be in \[0"),
    ],
)
def test_a_wrong_number_is_an_error(make, message):
    with pytest.raises(OptionError, match=message):
        make()
