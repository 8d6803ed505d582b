"""Networks with named inputs and several heads are looked at like any other."""

import numpy as np
import pytest

import retrograd as rg

RNG = np.random.default_rng(0)
X = {"a": RNG.normal(size=(40, 3)), "b": RNG.normal(size=(40, 2))}
Y = {"price": X["a"][:, :1] * 2.0, "kind": (X["b"][:, 0] > 0).astype(int)}
LOSSES = rg.Losses({"price": "squared_error", "kind": "cross_entropy"}, weights={"kind": 0.3})


@pytest.fixture(scope="module")
def network():
    heads = rg.Heads({"price": [rg.Dense(6, 1)], "kind": [rg.Dense(6, 2)]})
    layers = [rg.Inputs({"a": [rg.Dense(3, 4, "tanh")], "b": 2}), rg.Dense(6, 6, "tanh"), heads]
    return rg.Network(layers, output={"price": "identity", "kind": "softmax"}, seed=0)


def test_a_trace_has_the_weighted_sum_of_the_heads_losses(network):
    trace = rg.trace(network, X, Y, loss=LOSSES)
    found = network.predict(X)
    price = np.mean((found["price"] - Y["price"]) ** 2)
    kind = -np.mean(np.log(found["kind"][np.arange(40), Y["kind"]]))
    np.testing.assert_allclose(trace.J, price + 0.3 * kind, rtol=1e-12)
    np.testing.assert_allclose(trace.losses.mean(), trace.J, rtol=1e-12)
    one = trace.example(7)
    np.testing.assert_allclose(one.J, trace.losses[7], rtol=1e-12)


def test_the_delta_of_heads_is_that_of_each_side_by_side(network):
    trace = rg.trace(network, X, Y, loss=LOSSES)
    delta = trace.layer(3).delta
    own = [trace.layer(place).delta for place in ("3.1", "3.2")]
    np.testing.assert_array_equal(delta, np.concatenate(own, axis=1))
    assert np.abs(delta).min(axis=0).max() > 0
    np.testing.assert_array_equal(trace.layer(3).e, delta)
    again = rg.Network(network.layers, output=network.output, seed=0)
    history = rg.train(
        again, X, Y, loss=LOSSES, epochs=1, batch_size=None, statistics=True, shuffle=False
    )
    norms = history.statistics["delta_norm"]
    np.testing.assert_allclose(norms["3"], np.linalg.norm(delta), rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_the_gradient_of_all_heads_is_checked(network, engine):
    check = rg.check_gradient(network, X, Y, loss=LOSSES, engine=engine)
    assert check.ok
    assert {variable.name for variable in check.variables} == set(network.parameters)


def test_sensitivities_have_inputs_and_heads_side_by_side(network):
    slopes = rg.sensitivity(network, X)
    assert slopes.shape == (40, 3, 5)
    step = {**X, "b": X["b"] + [1e-6, 0.0]}
    moved = network.predict(step)["price"] - network.predict(X)["price"]
    np.testing.assert_allclose(slopes[:, 0, 3], moved[:, 0] / 1e-6, rtol=1e-4, atol=1e-6)
    assert rg.integrated_gradients(network, X).gap < 1e-6
    assert len(rg.nudges(network, {name: x[:1] for name, x in X.items()}).nudges) == 5


def test_a_picture_has_each_head(network):
    svg = rg.picture(network).to_svg()
    assert "output kind: softmax" in svg
    assert rg.picture(network, level="nodes").to_svg().startswith("<svg")


def test_verdicts_are_given_and_a_diverged_training_tells_its_layer(network):
    assert "nothing wrong" in str(rg.diagnose(network, X, Y, loss=LOSSES))
    copy = rg.Network(network.layers, output={"price": "identity", "kind": "softmax"}, seed=1)
    with pytest.raises(rg.errors.DivergenceError) as caught:
        rg.train(copy, X, Y, loss=LOSSES, optimizer=rg.SGD(1e300), epochs=3)
    assert caught.value.origin is not None
