"""Predictions: by the parameters as they are, with the bits of the graph, of finite numbers."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import weakref
from collections.abc import Mapping

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError
from retrograd.nn.activations import ACTIVATIONS

RNG = np.random.default_rng(7)
ENGINES = ["cpu", "numpy"]


def random_parameters(net, seed=1):
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=v.shape).astype(v.dtype) for k, v in net.parameters.items()}


def same_as_new(net, X, engine):
    """The prediction, which must be that of a network that has not predicted before."""
    new = rg.Network(net.layers, output=net.output, dtype=net.dtype)
    new.parameters.update(net.parameters)
    found = net.predict(X, engine=engine)
    np.testing.assert_array_equal(found, new.predict(X, engine=engine), strict=True)
    return found


def by_the_graph(net, X, engine):
    """The prediction by the graph of the network, in which nothing is looked for."""
    output, inputs = net.prediction()
    return rg.compile([output], inputs, engine=engine)(X, *net.parameters.values())[0]


def change_in_place(net):
    net.parameters["W2"][...] *= 2


CHANGES = {
    "assigned": lambda net: net.parameters.__setitem__("W1", 2 * net.parameters["W1"]),
    "updated": lambda net: net.parameters.update(random_parameters(net)),
    "adopted": lambda net: net.parameters.adopt(random_parameters(net)),
    "cast": lambda net: net.parameters.cast(np.float32),
    "changed in place": change_in_place,
    "trained": lambda net: rg.train(net, RNG.normal(size=(9, 3)), np.full((9, 2), 0.5), epochs=1),
    "others": lambda net: setattr(net, "parameters", rg.MLP([3, 4, 2], seed=3).parameters),
}


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_prediction_is_that_of_the_parameters_as_they_are(change, engine, n):
    net = rg.MLP([3, 4, 2], activation="tanh", output="softmax")
    X = RNG.normal(size=(n, 3))
    before = net.predict(X, engine=engine)
    CHANGES[change](net)
    after = same_as_new(net, X, engine)
    assert (after != before).any()
    change_in_place(net)  # of the arrays that are there now
    assert (same_as_new(net, X, engine) != after).any()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_does_not_predict_with_the_parameters_of_its_original(duplicate):
    net, X = rg.MLP([3, 4, 2], activation="tanh"), RNG.normal(size=(1, 3))
    before = net.predict(X)
    other = duplicate(net)
    np.testing.assert_array_equal(other.predict(X), before)
    change_in_place(other)
    assert (same_as_new(other, X, "auto") != before).all()
    np.testing.assert_array_equal(net.predict(X), before)


def test_a_copy_of_parameters_is_apart():
    net, X = rg.MLP([3, 4, 2], activation="tanh"), RNG.normal(size=(1, 3))
    before = net.predict(X)
    copy.copy(net.parameters)["W1"] = np.ones((3, 4))
    np.testing.assert_array_equal(net.predict(X), before)


def test_networks_may_share_parameters():
    logits, net = rg.MLP([3, 4, 2]), rg.MLP([3, 4, 2], output="softmax")
    logits.parameters, X = net.parameters, RNG.normal(size=(1, 3))
    for _ in range(2):
        z, y = (same_as_new(one, X, "auto") for one in (logits, net))
        np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(), y, rtol=1e-12)
        change_in_place(net)


@pytest.mark.parametrize("n", [1, 3])
def test_a_prediction_does_not_keep_parameters_that_were_replaced(n):
    net, X = rg.MLP([3, 4, 2]), RNG.normal(size=(n, 3))
    net.predict(X, engine="cpu")
    old = weakref.ref(net.parameters["W1"])
    net.parameters["W1"] = np.ones((3, 4))
    assert old() is None


class CutOff(Mapping):
    """Arrays by name, of which Ctrl-C lets only the first be read."""

    def __init__(self, arrays):
        self._arrays = arrays

    def __getitem__(self, name):
        if name != next(iter(self)):
            raise KeyboardInterrupt
        return self._arrays[name]

    def __iter__(self):
        return iter(self._arrays)

    def __len__(self):
        return len(self._arrays)


def test_after_ctrl_c_a_prediction_is_that_of_the_parameters_as_they_are():
    net, X = rg.MLP([3, 4, 2], activation="tanh"), RNG.normal(size=(1, 3))
    before = net.predict(X)
    with pytest.raises(KeyboardInterrupt):
        net.parameters.adopt(CutOff(random_parameters(net)))
    assert (same_as_new(net, X, "auto") != before).any()


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_may_predict_while_another_replaces_the_parameters(engine):
    net, X = rg.MLP([3, 40, 2]), RNG.normal(size=(1, 3))
    choices = [random_parameters(net, seed) for seed in range(2)]
    allowed = []
    for arrays in choices:
        net.parameters.adopt(arrays)
        allowed.append(net.predict(X, engine=engine).tobytes())
    found, is_over = set(), threading.Event()

    def predict():
        while not is_over.is_set():
            found.add(net.predict(X, engine=engine).tobytes())

    threads = [threading.Thread(target=predict) for _ in range(3)]
    interval, wrong = sys.getswitchinterval(), []
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for turn in range(1000):
            net.parameters.adopt(choices[turn % 2])
            if net.predict(X, engine=engine).tobytes() != allowed[turn % 2]:
                wrong.append(turn)
    finally:
        sys.setswitchinterval(interval)
        is_over.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert found <= {*allowed}


def test_parameters_that_a_thread_replaces_while_a_prediction_is_made_ready_are_the_next_ones():
    net, X = rg.MLP([3, 4, 2], activation="tanh"), RNG.normal(size=(1, 3))
    arrays = net.parameters.arrays

    def replaced_at_once():
        found = arrays()
        net.parameters.adopt(random_parameters(net))
        del net.parameters.arrays
        return found

    net.parameters.arrays = replaced_at_once
    before = net.predict(X)
    assert (same_as_new(net, X, "auto") != before).any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_in_any_form_is_predicted_alike_after_one_that_is_ready(engine, dtype):
    net, X = rg.MLP([3, 4, 2], dtype=dtype), RNG.normal(size=(5, 3)).astype(dtype)
    other = np.float64 if dtype == np.float32 else np.longdouble
    expected = net.predict(X[2:3].copy(), engine=engine)
    forms = [
        X[2:3],
        X[2:3].astype(other),
        X[2:3].tolist(),
        X[2:3].astype(X.dtype.newbyteorder()),
        np.asfortranarray(X)[2:3],
        X[::-1][2:3],
        np.repeat(X, 2, axis=1)[2:3, ::2],
        X[2:3].view(type("Own", (np.ndarray,), {})),
        np.ma.masked_array(X[2:3]),
    ]
    for form in forms:
        np.testing.assert_array_equal(net.predict(form, engine=engine), expected, strict=True)
    for bad in (X[2:3, :2], X[2], X[2:3, None], X[2, 0], X[2:3, :0], None, "row"):
        with pytest.raises(DataError, match="X: "):
            net.predict(bad, engine=engine)
        np.testing.assert_array_equal(net.predict(X[2:3], engine=engine), expected, strict=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
def test_rows_are_predicted_alike_however_they_lie(n, engine):
    """NumPy's products of vectors that have gaps have other bits."""
    for k in (2, 3, 5, 8, 13, 30):
        net, X = rg.MLP([k, 1]), RNG.normal(size=(n, k))
        expected = net.predict(X, engine=engine)
        for same in (np.asfortranarray(X), X[::-1].copy()[::-1], np.repeat(X, 2, axis=1)[:, ::2]):
            np.testing.assert_array_equal(net.predict(same, engine=engine), expected)


def test_one_column_may_be_given_without_a_second_dimension():
    net, x = rg.MLP([1, 4, 2]), RNG.normal(size=3)
    for n in (1, 3):
        np.testing.assert_array_equal(net.predict(x[:n]), net.predict(x[:n, None]), strict=True)


# The bits of the graph.


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ACTIVATIONS)
def test_to_look_for_what_is_not_finite_changes_no_bit(output, dtype, engine):
    net = rg.MLP([4, 30, 5], output=output, dtype=dtype)
    for X in (RNG.normal(size=(70, 4)), -np.abs(RNG.normal(size=(70, 4))), np.zeros((3, 4))):
        given = X.astype(dtype)
        expected = by_the_graph(net, given, engine)
        for n in (1, len(X)):
            found = net.predict(given[:n], engine=engine)
            assert found.dtype == expected.dtype
            if engine == "cpu":  # NumPy's own products of one row are not those of several
                assert found.tobytes() == expected[:n].tobytes()
            else:
                assert found.tobytes() == by_the_graph(net, given[:n], engine).tobytes()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_keeps_its_sign(dtype, engine):
    net = rg.MLP([1, 1], output=lambda z: -(z * 0.0), bias=False, dtype=dtype)
    net.parameters["W1"] = [[-1.0]]
    for x, is_negative in ((-1.0, True), (1.0, False)):
        (found,) = net.predict(np.full((1, 1), x, dtype), engine=engine)
        assert found == 0.0
        assert np.signbit(found) == is_negative


# What is not finite.

LAYERS = {
    "dense": [rg.Dense(3, 2)],
    "makes numbers of NaN": [rg.Dense(3, 2, activation=lambda z: rg.where(z > 0.0, 1.0, 0.0))],
    "does not look": [rg.Select(3, [1]), rg.Dense(1, 2)],
    "heads": [rg.Dense(3, 3), rg.Heads({"a": [rg.Dense(3, 2)], "b": [rg.Dense(3, 1)]})],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 40, 5000, 10_000])
@pytest.mark.parametrize("layers", LAYERS)
def test_what_is_not_finite_is_found_in_every_row(layers, n, dtype, engine):
    net, X = rg.Network(LAYERS[layers], dtype=dtype), RNG.normal(size=(n, 3)).astype(dtype)
    net.predict(X, engine=engine)
    for row in {0, n // 2, n - 1}:
        for bad in (np.nan, np.inf, -np.inf):
            wrong = X.copy()
            wrong[row, 2] = bad
            with pytest.raises(DataError, match=f"X: {bad} at row {row}, column 2"):
                net.predict(wrong, engine=engine)
    net.predict(X, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [1, 3, 5000])
def test_what_weights_make_of_numbers_is_returned_as_it_is(n, engine):
    net, X = rg.MLP([2, 2, 2], activation="identity", bias=False), np.ones((n, 2))
    net.parameters.update({"W1": np.full((2, 2), 1e308), "W2": [[1.0, 1.0], [-1.0, 1.0]]})
    found = net.predict(X, engine=engine)
    np.testing.assert_array_equal(found, np.tile([np.nan, np.inf], (n, 1)))
