"""Functions of nodes as data: law, storage, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DtypeError, GraphError, OptionError, RetrogradError
from retrograd.graph.function import GateFunction, call

X = np.linspace(-2.0, 2.0, 12).reshape(4, 3)

FUNCTIONS = {
    "arithmetic": lambda z: (2.0 * z - 1.0) / (1.0 + z**2) + 3.0**z,
    "kinks": lambda z: rg.maximum(z, -0.5) * rg.abs(z) + rg.clip(z, -1.0, 1.0),
    "where": lambda z: rg.where(z > 0.0, z, 0.1 * z),
    "reductions": lambda z: z - rg.mean(z, axis=1, keepdims=True) + rg.max(z, axis=1)[:, None],
    "softmax": lambda z: rg.log_softmax(z) * rg.softmax(z),
    "layout": lambda z: rg.concatenate([z[:, 1:], z[:, :1]], axis=1)[:, ::-1],
    "infinity": lambda z: rg.maximum(z, -np.inf),
    "array": lambda z: z * rg.constant([1.0, 2.0, np.inf]),
    "matmul": lambda z: z @ rg.constant(np.arange(9.0).reshape(3, 3)),
    "reshape": lambda z: rg.reshape(rg.reshape(z, (rg.rows, 3, 1)), (rg.rows, 3)),
    "identity": lambda z: z,
}


def value(function, array=X):
    z = rg.variable("z", shape=(rg.rows, 3), dtype=array.dtype)
    return rg.evaluate(function(z), {z: array})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_through_json_computes_the_same(name):
    traced = GateFunction.trace(FUNCTIONS[name], rg.variable("z", shape=(rg.rows, 3)))
    text = json.dumps(traced.to_json(), allow_nan=False)
    back = GateFunction.from_json(json.loads(text))
    assert back.to_json() == traced.to_json()
    np.testing.assert_array_equal(value(back), value(FUNCTIONS[name]))


def test_a_function_keeps_float32():
    traced = GateFunction.trace(FUNCTIONS["where"], rg.variable("z", shape=(rg.rows, 3)))
    found = value(traced, X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, value(FUNCTIONS["where"], X.astype(np.float32)))


def test_a_function_can_be_called_twice_in_one_graph():
    traced = GateFunction.trace(rg.tanh, rg.variable("z", shape=(rg.rows, 3)))
    np.testing.assert_array_equal(value(lambda z: traced(traced(z))), np.tanh(np.tanh(X)))


def test_a_function_of_a_foreign_variable_cannot_be_stored():
    w = rg.variable("w", 2.0)
    with pytest.raises(GraphError, match="uses the variable 'w'"):
        GateFunction.trace(lambda z: w * z, rg.variable("z", shape=(rg.rows, 3)))


def test_another_number_of_arguments_is_an_error():
    traced = GateFunction.trace(rg.tanh, rg.variable("z", shape=(rg.rows, 3)))
    with pytest.raises(GraphError, match="takes 1 nodes, got 2"):
        traced(rg.variable("a", 1.0), rg.variable("b", 1.0))


GOOD = {"n_inputs": 1, "steps": [{"gate": "tanh", "inputs": [0], "params": {}}], "result": 1}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        GOOD | {"steps": None},
        GOOD | {"steps": [7]},
        GOOD | {"result": 2},
        GOOD | {"result": -1},
        GOOD | {"steps": [{"gate": "tanh", "inputs": [1], "params": {}}]},
        GOOD | {"steps": [{"gate": "tanh", "inputs": [-1], "params": {}}]},
        GOOD | {"steps": [{"gate": "tanh", "inputs": [0]}]},
        GOOD | {"steps": [{"gate": "teleport", "inputs": [0], "params": {}}]},
        GOOD | {"steps": [{"constant": 1.0, "dtype": "object"}]},
    ],
)
def test_json_that_is_no_function_is_an_error(bad):
    with pytest.raises(RetrogradError):
        GateFunction.from_json(bad)


def test_good_json_is_a_function():
    np.testing.assert_array_equal(value(GateFunction.from_json(GOOD)), np.tanh(X))


@pytest.mark.parametrize("function", [np.exp, lambda z: np.maximum(z, 0), lambda z: np.abs(z) + 1])
def test_a_call_of_numpy_on_a_node_is_named(function):
    with pytest.raises(OptionError, match=r"f calls a function of NumPy; write it with rg's"):
        call(function, rg.variable("z", shape=(rg.rows, 3)), what="f")


@pytest.mark.parametrize("result", [None, 1.0, np.ones(3)])
def test_a_function_must_return_a_node(result):
    with pytest.raises(OptionError, match="f must return a node, it returned"):
        call(lambda z: result, rg.variable("z", shape=(rg.rows, 3)), what="f")


def test_a_function_must_return_floats():
    with pytest.raises(OptionError, match="f must return floats, it returned bool"):
        call(lambda z: z > 0.0, rg.variable("z", shape=(rg.rows, 3)), what="f")


def test_a_function_of_other_arguments_is_an_option_error():
    with pytest.raises(OptionError, match=r"f is called with 1 node: .*takes 0 positional"):
        call(lambda: None, rg.variable("z", shape=(rg.rows, 3)), what="f")


def test_a_type_error_of_ones_own_stays_what_it_is():
    with pytest.raises(TypeError, match="has no len"):
        call(lambda z: len(3), rg.variable("z", shape=(rg.rows, 3)), what="f")
    with pytest.raises(DtypeError, match="no truth value"):
        call(lambda z: rg.exp(z) if z else z, rg.variable("z", shape=(rg.rows, 3)), what="f")
