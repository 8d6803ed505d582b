"""Layers other than dense ones: their formulas, their errors, their way through a file."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ModelFileError, OptionError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(13, 4))


def mixed(dtype=np.float64):
    layers = [
        rg.Dropout(0.1),
        rg.Dense(4, 6, activation="tanh"),
        rg.LayerNorm(6),
        rg.Dropout(0.5),
        rg.Dense(6, 2),
    ]
    net = rg.Network(layers, output="softmax", dtype=dtype)
    net.parameters["scale3"] = RNG.uniform(0.5, 2, 6)
    net.parameters["shift3"] = RNG.normal(size=6)
    return net


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_prediction_is_the_formula_and_drops_nothing(engine):
    net = mixed()
    W2, b2, scale, shift, W5, b5 = net.parameters.arrays()
    a = np.tanh(X @ W2 + b2)
    normal = (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 1e-5)
    e = np.exp((normal * scale + shift) @ W5 + b5)
    expected = e / e.sum(1, keepdims=True)
    np.testing.assert_allclose(net.predict(X, engine=engine), expected, rtol=1e-13)
    np.testing.assert_allclose(net.predict(X[0:1], engine=engine), expected[:1], rtol=1e-13)


def test_parameters_are_numbered_by_their_layer():
    net = mixed()
    assert list(net.parameters) == ["W2", "b2", "scale3", "shift3", "W5", "b5"]
    assert (net.n_inputs, net.n_outputs, net.sizes) == (4, 2, (4, 6, 2))
    assert repr(net) == "<network 4-6-2, output softmax, 56 parameters>"


def test_layer_normalisation_begins_as_the_plain_one():
    layer = rg.LayerNorm(5, epsilon=0.0)
    values = layer.initial(RNG)
    x = rg.variable("x", RNG.normal(3, 2, (4, 5)))
    z = rg.evaluate(layer.z(x, {name: rg.constant(value) for name, value in values.items()}))
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-15)
    np.testing.assert_allclose(z.var(1), 1, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_of_all_layers_survives_a_file(tmp_path, dtype):
    net = mixed(dtype)
    net.save(tmp_path / "a.model")
    again = rg.load(tmp_path / "a.model")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(X), net.predict(X))


def test_a_layer_that_is_not_known_is_no_network():
    spec = mixed().to_json()
    spec["layers"][0]["kind"] = "drop_out"
    with pytest.raises(ModelFileError, match=r"unknown layer 'drop_out'.*mean 'dropout'"):
        rg.Network.from_json(spec, mixed().parameters)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rg.Dropout(1.0), OptionError, r"Dropout: rate must be in \[0, 1\), got 1.0"),
        (lambda: rg.Dropout(-0.1), OptionError, r"Dropout: rate must be in \[0, 1\), got -0.1"),
        (lambda: rg.Dropout("half"), OptionError, r"Dropout: rate must be in \[0, 1\)"),
        (lambda: rg.LayerNorm(0), OptionError, "LayerNorm: units must be an integer of at least 1"),
        (lambda: rg.LayerNorm(3, epsilon=-1), OptionError, r"LayerNorm: epsilon must be in \[0"),
        (
            lambda: rg.Network([rg.Dense(3, 4), rg.Dropout(0.5), rg.Dense(5, 2)]),
            ShapeError,
            "layer 1 has 4 units, layer 3 takes 5 inputs",
        ),
        (
            lambda: rg.Network([rg.Dense(3, 4), rg.LayerNorm(3)]),
            ShapeError,
            "layer 1 has 4 units, layer 2 takes 3 inputs",
        ),
    ],
)
def test_what_is_no_layer_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()
