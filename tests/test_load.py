"""Networks to a file and back, and what a file must not be."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import FileError, ModelFileError, OptionError
from retrograd.files import container
from retrograd.files.tables import read_table
from retrograd.nn.activations import ACTIVATIONS

X = np.random.default_rng(2).normal(size=(6, 3))


def swish(z):
    return z * rg.sigmoid(z)


def there_and_back(net, folder):
    net.save(folder / "a.model")
    return rg.load(folder / "a.model")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_comes_back_the_same(tmp_path, name, dtype, bias):
    net = rg.MLP([3, 4, 2], activation=name, output=name, dtype=dtype, bias=bias, seed=9)
    back = there_and_back(net, tmp_path)
    assert back.layers == net.layers
    assert back.dtype == net.dtype
    assert dict(back.parameters).keys() == dict(net.parameters).keys()
    np.testing.assert_array_equal(back.predict(X), net.predict(X))


@pytest.mark.parametrize("function", [swish, lambda z: rg.maximum(z, -np.inf) + 1e-300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_python_activation_comes_back_as_its_gates(tmp_path, function, dtype):
    net = rg.MLP([3, 4, 2], activation=function, output=function, dtype=dtype)
    back = there_and_back(net, tmp_path)
    np.testing.assert_array_equal(back.predict(X), net.predict(X))
    again = there_and_back(back, tmp_path)
    np.testing.assert_array_equal(again.predict(X), net.predict(X))


@pytest.mark.parametrize("activation", ["tanh", swish])
def test_a_loaded_network_trains_on_as_the_saved_one(tmp_path, activation):
    net = rg.MLP([3, 4, 1], activation=activation)
    rg.train(net, X, X[:, :1], epochs=3)
    back = there_and_back(net, tmp_path)
    for one in (net, back):
        rg.train(one, X, X[:, :1], epochs=3)
    np.testing.assert_array_equal(back.parameters["W1"], net.parameters["W1"])


def spec():
    net = rg.MLP([3, 4, 2], activation="tanh")
    return net.to_json(), dict(net.parameters)


def broken():
    json, arrays = spec()
    first, second = json["layers"]
    steps = [{"gate": "tanh", "inputs": [0], "params": {}}]
    function = {"n_inputs": 1, "steps": steps, "result": 1}
    yield "no layers", json | {"layers": []}, arrays
    yield "layers of another kind", json | {"layers": 3}, arrays
    yield "no output", {k: v for k, v in json.items() if k != "output"}, arrays
    yield "unknown output", json | {"output": "teleport"}, arrays
    yield "unknown dtype", json | {"dtype": "int8"}, arrays
    yield "a size of another kind", json | {"layers": [first | {"fan_in": "3"}, second]}, arrays
    yield "a huge size", json | {"layers": [first | {"fan_in": 10**12}, second]}, arrays
    yield "a chain that breaks", json | {"layers": [first, second | {"fan_in": 5}]}, arrays
    yield "an unknown choice", json | {"layers": [first | {"colour": 1}, second]}, arrays
    yield "a bias of another kind", json | {"layers": [first | {"bias": "no"}, second]}, arrays
    yield (
        "an unknown initializer",
        json | {"layers": [first | {"initializer": "x"}, second]},
        arrays,
    )
    yield "a missing array", json, {k: v for k, v in arrays.items() if k != "W2"}
    yield "an array too many", json, arrays | {"W3": np.ones(2)}
    yield "an array of another shape", json, arrays | {"b1": np.ones(5)}
    yield "an array with NaN", json, arrays | {"b1": np.full(4, np.nan)}
    for name, change in {
        "an unknown gate": {"steps": [steps[0] | {"gate": "teleport"}]},
        "an input from nowhere": {"steps": [steps[0] | {"inputs": [4]}]},
        "two inputs for one": {"steps": [steps[0] | {"inputs": [0, 0]}]},
        "a parameter too many": {"steps": [steps[0] | {"params": {"axis": 1}}]},
        "no result": {"result": 7},
    }.items():
        bad = first | {"activation": function | change}
        yield f"a function with {name}", json | {"layers": [bad, second]}, arrays


@pytest.mark.parametrize(("json", "arrays"), [pytest.param(j, a, id=n) for n, j, a in broken()])
def test_wrong_content_is_a_model_file_error_that_names_the_file(tmp_path, json, arrays):
    path = tmp_path / "bad.model"
    container.write(path, "network", json, arrays)
    with pytest.raises(ModelFileError, match=r"bad\.model: "):
        rg.load(path)


def test_an_unknown_kind_lists_the_known_ones(tmp_path):
    container.write(tmp_path / "b.model", "sonnet", {}, {})
    with pytest.raises(ModelFileError, match="holds a sonnet, which this version does not know; k"):
        rg.load(tmp_path / "b.model")


def test_no_file_is_a_file_error(tmp_path):
    with pytest.raises(FileError):
        rg.load(tmp_path / "none.model")


def test_saving_into_no_folder_is_a_file_error(tmp_path):
    with pytest.raises(FileError):
        rg.MLP([2, 1]).save(tmp_path / "none" / "a.model")


@pytest.mark.parametrize("path", [None, 3, ["a"], b"a.model"])
def test_what_is_no_path_is_an_option_error(path):
    for use in (rg.load, rg.MLP([2, 1]).save, read_table):
        with pytest.raises(OptionError, match="expected a text or a pathlib"):
            use(path)
