"""Networks: what they are built of, how they predict, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats

import retrograd as rg
from retrograd.errors import DataError, OptionError, ShapeError, UnknownNameError
from retrograd.nn.activations import ACTIVATIONS
from retrograd.nn.named import as_x

RNG = np.random.default_rng(5)
SELU = 1.0507009873554805, 1.6732632423543773
DEFINITIONS = {
    "celu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "exp": np.exp,
    "gelu": lambda z: z * scipy.stats.norm.cdf(z),
    "gelu_tanh": lambda z: 0.5 * z * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "hard_swish": lambda z: z * np.clip(z / 6 + 0.5, 0, 1),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "relu6": lambda z: np.clip(z, 0, 6),
    "selu": lambda z: SELU[0] * np.where(z > 0, z, SELU[1] * (np.exp(z) - 1)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}


def forward(net, X, activation, output):
    p = net.parameters
    a = DEFINITIONS[activation](X @ p["W1"] + p.get("b1", 0.0))
    return DEFINITIONS[output](a @ p["W2"] + p.get("b2", 0.0))


def test_the_activations_are_those_with_a_definition_here():
    assert set(ACTIVATIONS) == set(DEFINITIONS)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_prediction_is_the_formula(name, bias):
    net, X = rg.MLP([4, 5, 3], activation=name, output=name, bias=bias), RNG.normal(size=(9, 4))
    for parameter, value in net.parameters.items():
        net.parameters[parameter] = RNG.normal(size=value.shape)
    expected = forward(net, X, name, name)
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-12, atol=1e-14)
    assert set(net.parameters) == ({"W1", "b1", "W2", "b2"} if bias else {"W1", "W2"})


def test_each_layer_has_its_own_activation():
    layers = [rg.Dense(3, 4, activation="relu"), rg.Dense(4, 4, "tanh", bias=False), rg.Dense(4, 2)]
    net, mlp = rg.Network(layers), rg.MLP([3, 4, 4, 2], activation=["relu", "tanh"])
    mlp.parameters.update(net.parameters)
    X = RNG.normal(size=(5, 3))
    np.testing.assert_array_equal(net.predict(X), mlp.predict(X))


def test_an_activation_may_be_a_python_function():
    net = rg.MLP([3, 4, 2], activation=lambda z: z * rg.sigmoid(z), output=rg.exp)
    p, X = net.parameters, RNG.normal(size=(5, 3))
    z = X @ p["W1"]
    expected = np.exp(z * DEFINITIONS["sigmoid"](z) @ p["W2"])
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 4095, 4096, 4097, 10000])
def test_any_number_of_rows_is_predicted(n):
    net, X = rg.MLP([3, 4, 2], output="softmax"), RNG.normal(size=(n, 3))
    found = net.predict(X)
    assert found.shape == (n, 2)
    np.testing.assert_allclose(found, forward(net, X, "relu", "softmax"), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_needs_no_checks_is_predicted_as_what_does(dtype):
    net = rg.MLP([3, 4, 2], output="softmax", dtype=dtype)
    X = RNG.normal(size=(6, 3)).astype(dtype)
    found = net.predict(X)
    assert found.dtype == dtype
    for same in (X.tolist(), np.asfortranarray(X), X[::-1][::-1], X.astype(np.longdouble)):
        np.testing.assert_array_equal(net.predict(same), found)


def test_a_prediction_is_a_new_array_and_X_is_left_alone():
    net, X = rg.MLP([3, 3]), np.ones((1, 3))
    first = net.predict(X)
    kept = first.copy()
    net.predict(2.0 * X)
    np.testing.assert_array_equal(first, kept)
    first[:] = 7.0
    np.testing.assert_array_equal(net.predict(X), kept)
    np.testing.assert_array_equal(X, np.ones((1, 3)))


def test_the_graph_is_built_once_for_a_dtype_and_an_engine(monkeypatch):
    built = []
    forward = rg.Network.forward
    monkeypatch.setattr(
        rg.Network, "forward", lambda self, *nodes: built.append(1) or forward(self, *nodes)
    )
    net = rg.MLP([3, 4, 2])
    for X in (np.ones((1, 3)), np.ones((9, 3)), [[1, 2, 3]], np.ones((5000, 3))):
        net.predict(X)
        net.parameters["W1"] = RNG.normal(size=(3, 4))
    assert len(built) == 1
    net.predict(X, engine="numpy")
    net.parameters.cast(np.float32)
    assert net.predict(X).dtype == np.float32
    net.predict(X)
    assert len(built) == 3


def test_an_engine_may_be_chosen_for_a_prediction():
    net = rg.MLP([3, 2])
    np.testing.assert_array_equal(
        net.predict([[1, 2, 3]], engine="numpy"), net.predict([[1, 2, 3]])
    )
    with pytest.raises(UnknownNameError, match=r"unknown engine 'nunpy' .*'numpy'"):
        net.predict(np.ones((1, 3)), engine="nunpy")


def test_the_structure_of_a_network_is_fixed():
    net = rg.MLP([3, 2])
    with pytest.raises(AttributeError):
        net.output = "softmax"
    with pytest.raises(AttributeError):
        net.layers = (rg.Dense(3, 2),)


def test_parameters_are_kept_row_by_row():
    net = rg.MLP([3, 2])
    net.parameters["W1"] = np.ones((2, 3)).T
    assert net.parameters["W1"].flags.c_contiguous


def test_a_float32_network_predicts_in_float32():
    net = rg.MLP([3, 4, 2], dtype=np.float32)
    X = RNG.normal(size=(5, 3))
    assert net.dtype == np.float32
    assert net.predict(X).dtype == np.float32
    np.testing.assert_allclose(net.predict(X), forward(net, X, "relu", "identity"), rtol=1e-5)


def test_a_prediction_sees_parameters_assigned_or_changed_in_place():
    net = rg.MLP([2, 1])
    net.parameters["W1"] = [[1.0], [2.0]]
    assert net.predict([[1.0, 1.0]]).item() == 3.0
    net.parameters["W1"][0, 0] = 5.0
    assert net.predict([[1.0, 1.0]]).item() == 7.0


def test_assigning_copies():
    net, W = rg.MLP([2, 1]), np.ones((2, 1))
    net.parameters["W1"] = W
    W[:] = 9.0
    assert net.parameters["W1"].tolist() == [[1.0], [1.0]]


def test_what_cannot_be_a_parameter_is_refused():
    net = rg.MLP([2, 3])
    with pytest.raises(ShapeError, match=r"parameter W1: expected shape \(2, 3\), got \(3, 2\)"):
        net.parameters["W1"] = np.ones((3, 2))
    with pytest.raises(DataError, match="parameter b1: nan at row 1"):
        net.parameters["b1"] = [1.0, np.nan, 1.0]
    with pytest.raises(DataError, match="parameter b1: expected real numbers"):
        net.parameters["b1"] = ["a", "b", "c"]
    with pytest.raises(UnknownNameError, match="known: W1, b1"):
        net.parameters["W2"] = [1.0]
    with pytest.raises(OptionError, match="cannot be deleted"):
        del net.parameters["b1"]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_equal_and_apart(duplicate):
    net, X = rg.MLP([3, 4, 2]), RNG.normal(size=(5, 3))
    before = net.predict(X)
    other = duplicate(net)
    np.testing.assert_array_equal(other.predict(X), before)
    rg.train(other, X, np.ones((5, 2)), epochs=2)
    assert (other.predict(X) != before).all()
    np.testing.assert_array_equal(net.predict(X), before)


def test_several_threads_may_predict_with_one_network():
    net, X = rg.MLP([3, 40, 2]), RNG.normal(size=(500, 3))
    parts = [X[i : i + 7 * i + 1] for i in range(40)]
    expected = [net.predict(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(net.predict, parts), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rg.MLP([3]), OptionError, "sizes names inputs and outputs at least"),
        (lambda: rg.MLP(3), OptionError, "sizes names inputs and outputs at least"),
        (lambda: rg.MLP([3, 0]), OptionError, "fan_out must be an integer of at least 1, got 0"),
        (lambda: rg.MLP([3, 2.5]), OptionError, "fan_out must be an integer of at least 1"),
        (lambda: rg.MLP([3, 2, 1], activation=["relu", "tanh"]), OptionError, "1 hidden layers"),
        (lambda: rg.MLP([3, 2, 1], activation="rellu"), UnknownNameError, "mean 'relu'.*softplus"),
        (lambda: rg.MLP([3, 2, 1], activation=None), UnknownNameError, "unknown activation None"),
        (lambda: rg.MLP([3, 2], output="logits"), UnknownNameError, "unknown activation 'logits'"),
        (lambda: rg.MLP([3, 2], dtype=np.int64), OptionError, "must be float32 or float64"),
        (lambda: rg.MLP([3, 2], dtype="fast"), OptionError, "must be float32 or float64"),
        (lambda: rg.MLP([3, 2], seed=-1), OptionError, "seed must be an integer of at least 0"),
        (lambda: rg.Dense(3, 2, bias="no"), OptionError, "bias must be True or False"),
        (lambda: rg.Network([]), OptionError, "needs at least one dense layer"),
        (lambda: rg.Network([rg.Dropout(0.5)]), OptionError, "needs at least one dense layer"),
        (lambda: rg.Network(["relu"]), OptionError, "a layer is an rg.Dense, .* got 'relu'"),
        (
            lambda: rg.Network([rg.Dense(3, 4), rg.Dense(5, 2)]),
            ShapeError,
            "layer 1 has 4 units, layer 2 takes 5 inputs",
        ),
        (lambda: rg.Dense(3, 2, np.tanh), OptionError, "calls a function of NumPy"),
        (lambda: rg.Dense(3, 2, lambda z: None), OptionError, "must return a node"),
        (lambda: rg.Dense(3, 2, lambda z: z > 0.0), OptionError, "must return floats"),
        (
            lambda: rg.Dense(3, 2, lambda z: rg.sum(z, axis=1)),
            ShapeError,
            r"must keep the shape \(rows, 2\), it gives \(rows,\)",
        ),
    ],
)
def test_what_is_no_network_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_prediction_refuses_other_columns_and_numbers_that_are_none():
    net = rg.MLP([3, 2])
    with pytest.raises(DataError, match="X: has 4 columns, expected 3"):
        net.predict(np.ones((2, 4)))
    with pytest.raises(DataError, match="X: nan at row 0, column 2"):
        net.predict([[1.0, 2.0, np.nan]])
    with pytest.raises(DataError, match=r"X: expected shape \(n, 3\)"):
        net.predict([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="X: -inf at row 1, column 0"):
        net.predict(np.array([[1.0, 2.0, 3.0], [-np.inf, 0.0, np.inf]]))


def test_a_network_says_what_it_is():
    assert repr(rg.MLP([2, 5, 1])) == "<network 2-5-1, output identity, 21 parameters>"
    assert "output exp," in repr(rg.MLP([2, 5, 1], output=rg.exp))


def test_a_network_that_is_not_finite_is_not_saved_over_a_good_one(tmp_path):
    net, path = rg.MLP([2, 3, 1]), tmp_path / "a.model"
    net.save(path)
    good = path.read_bytes()
    net.parameters["W1"][0, 0] = np.nan
    with pytest.raises(DataError, match="parameter W1: nan at row 0, column 0"):
        net.save(path)
    assert path.read_bytes() == good


def test_one_layer_that_is_no_list_is_a_clear_error():
    with pytest.raises(OptionError, match=r"write rg.Network\(\[layer\]\)"):
        rg.Network(rg.Dense(3, 4))


def test_named_inputs_are_looked_through_once_and_where_they_are_used():
    x = as_x({"a": [[1.0], [np.nan]]}, {"a": 1}, 1, check_finite=False)
    assert np.isnan(x[1, 0])
    net = rg.Network([rg.Inputs({"a": 2, "b": 1}), rg.Dense(3, 1)])
    with pytest.raises(DataError, match=r"X\['b'\]: nan at row 1, column 0"):
        net.predict({"a": np.zeros((2, 2)), "b": [[0.0], [np.nan]]})
