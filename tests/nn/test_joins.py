"""Layers that hold layers, and layers at several places: formulas, names, gradients, files."""

import pickle

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ModelFileError, OptionError, ShapeError
from tests.networks import require_right_gradient, same

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(40, 4)), RNG.normal(size=(40, 1))


def joined():
    inside = rg.Residual([rg.Dense(6, 5, "tanh"), rg.Dense(5, 6)])
    return rg.Network(
        [rg.Dense(4, 6), rg.Concatenate([], [inside, rg.Dense(6, 3, "tanh")]), rg.Dense(9, 1)]
    )


def random_inside():
    residual = rg.Residual([rg.Dropout(0.4), rg.Dense(6, 6, "tanh"), rg.BatchNorm(6)])
    return rg.Network([rg.Dense(4, 6), residual, rg.Dropout(0.2), rg.Dense(6, 1)])


def shared():
    dense = rg.Dense(6, 6, "tanh")
    return rg.Network([rg.Dense(4, 6), dense, rg.Residual([dense, rg.Dense(6, 6)]), rg.Dense(6, 1)])


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_prediction_is_the_formula(engine):
    net = joined()
    p = net.parameters
    h = X @ p["W1"] + p["b1"]
    inside = h + np.tanh(h @ p["W2.1.1"] + p["b2.1.1"]) @ p["W2.1.2"] + p["b2.1.2"]
    side = np.hstack([h, np.tanh(inside @ p["W2.2"] + p["b2.2"])])
    expected = side @ p["W3"] + p["b3"]
    np.testing.assert_allclose(net.predict(X, engine=engine), expected, rtol=1e-12)
    np.testing.assert_allclose(net.predict(X[:1], engine=engine), expected[:1], rtol=1e-12)


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_a_layer_at_two_places_has_one_set_of_parameters(engine):
    net = shared()
    p = net.parameters
    assert list(p) == ["W1", "b1", "W2", "b2", "W3.2", "b3.2", "W4", "b4"]
    h = np.tanh((X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
    h = h + np.tanh(h @ p["W2"] + p["b2"]) @ p["W3.2"] + p["b3.2"]
    expected = h @ p["W4"] + p["b4"]
    np.testing.assert_allclose(net.predict(X, engine=engine), expected, rtol=1e-12)


def test_two_layers_that_are_equal_are_two():
    net = rg.Network([rg.Dense(4, 4), rg.Dense(4, 4)])
    assert list(net.parameters) == ["W1", "b1", "W2", "b2"]
    dense = rg.Dense(4, 4)
    tied = rg.Network([dense, dense])
    assert list(tied.parameters) == ["W1", "b1"]
    # Their layers are equal, what is kept of a training is not.
    J = [rg.train(n, X, X, epochs=1, optimizer=rg.SGD(1e-300)).J for n in (net, tied, net)]
    assert J[0] == J[2] != J[1]


@pytest.mark.parametrize("make", [joined, shared, random_inside])
def test_engines_agree_in_training(make):
    nets = make(), make()
    J = [
        rg.train(n, X, Y, epochs=3, l2=0.1, engine=e).J
        for n, e in zip(nets, ("cpu", "numpy"), strict=True)
    ]
    np.testing.assert_allclose(*J, rtol=1e-11)
    for name in nets[0].parameters:
        a, b = (n.parameters[name] for n in nets)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("make", [joined, shared, random_inside])
def test_the_gradient_is_right(make):
    require_right_gradient(make(), X, Y)


@pytest.mark.parametrize("make", [joined, shared, random_inside])
def test_a_file_and_a_pickle_bring_them_back(make, tmp_path):
    net = make()
    rg.train(net, X, Y, epochs=1)
    net.save(tmp_path / "a.model")
    for again in (rg.load(tmp_path / "a.model"), pickle.loads(pickle.dumps(net))):
        assert again.layers == net.layers
        assert again.to_json() == net.to_json()
        assert same(again, net)
        np.testing.assert_array_equal(again.predict(X), net.predict(X))


def test_statistics_and_noise_inside_work_as_outside():
    net = random_inside()
    assert net.statistics == {"mean2.3", "variance2.3"}
    J = [rg.train(net, X, Y, optimizer=rg.SGD(1e-300), batch_size=None, epochs=2).J]
    assert J[0][0] != J[0][1]  # other entries are dropped
    assert net.parameters["mean2.3"].any()
    noise = net.noise()
    assert noise.streams["3"] == 3
    assert noise.streams["2.1"] not in (1, 2, 3, 4)


def test_names_inside_can_be_frozen_and_are_penalised():
    net, before = joined(), dict(joined().parameters)
    rg.train(net, X, Y, epochs=1, frozen=["*2.1.*"])
    stayed = {name for name, w in before.items() if np.array_equal(w, net.parameters[name])}
    assert stayed == {"W2.1.1", "b2.1.1", "W2.1.2", "b2.1.2"}
    J = [rg.train(joined(), X, Y, epochs=1, optimizer=rg.SGD(1e-300), l2=l2).J for l2 in (0.0, 1.0)]
    weights = sum(np.sum(w**2) for name, w in before.items() if name.startswith("W"))
    np.testing.assert_allclose(J[1][0] - J[0][0], 0.5 * weights, rtol=1e-9)


def test_a_shared_parameter_counts_once_in_the_summary():
    lines = shared().summary().lines
    assert [line.n_parameters for line in lines] == [30, 42, 42, 7, 0, 121]
    assert shared().n_parameters == 121


def test_sizes_are_those_that_come_out():
    assert joined().sizes == (4, 6, 9, 1)
    net = rg.Network([rg.Dense(4, 6), rg.Concatenate([], [rg.LayerNorm(6)])], output="softmax")
    assert (net.n_outputs, net.predict(X).shape) == (12, (40, 12))
    assert net.sizes == (4, 6, 12)


def test_unit_variance_passes_through_a_join():
    net = joined()
    rg.unit_variance(net, X)
    z = X @ net.parameters["W1"] + net.parameters["b1"]
    np.testing.assert_allclose(z.std(0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(net.predict(X).std(0), 1.0, rtol=1e-12)


def test_a_layer_of_the_users_inside_a_join_is_asked_anew():
    factor = [1.0]

    class Times(rg.Dense):
        def z(self, x, parameters):
            return factor[0] * super().z(x, parameters)

    J = []
    for value in (1.0, 2.0):
        factor[0] = value
        net = rg.Network([rg.Residual([Times(4, 4)]), rg.Dense(4, 1)])
        J.append(rg.train(net, X, Y, epochs=1).J)
    assert J[0] != J[1]


def test_a_wrong_place_in_a_file_is_no_network():
    net = shared()
    spec = net.to_json()
    assert spec["shared"] == {"3.1": "2"}
    with pytest.raises(ModelFileError, match="does not describe a network"):
        rg.Network.from_json({**spec, "shared": {"3.1": "7"}}, net.parameters)
    with pytest.raises(ModelFileError, match="has parameters"):
        rg.Network.from_json({**spec, "shared": {}}, net.parameters)


NORM = rg.BatchNorm(4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rg.Residual([]), OptionError, "Residual: give at least one layer"),
        (lambda: rg.Residual(rg.Dense(2, 2)), OptionError, "Residual: give lists of layers"),
        (lambda: rg.Residual(["relu"]), OptionError, "Residual: a layer is an rg.Dense"),
        (lambda: rg.Residual([rg.Dense(2, 3)]), ShapeError, "take 2 inputs and give 3 units"),
        (
            lambda: rg.Residual([rg.Dense(2, 3), rg.Dense(4, 2)]),
            ShapeError,
            "Residual: layer 1 has 3 units, layer 2 takes 4 inputs",
        ),
        (lambda: rg.Concatenate([rg.Dense(2, 3)]), OptionError, "at least two lists"),
        (lambda: rg.Concatenate([], []), ShapeError, "none of its lists says how many"),
        (
            lambda: rg.Concatenate([rg.Dense(2, 3)], [rg.Dense(4, 1)]),
            ShapeError,
            "its lists take 2 and 4 inputs",
        ),
        (
            lambda: rg.Network([rg.Dense(2, 4), NORM, rg.Residual([NORM])]),
            OptionError,
            r"one rg.BatchNorm stands at the places 2 and 3.1",
        ),
    ],
)
def test_a_wrong_choice_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()
