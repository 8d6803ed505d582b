"""Looking into networks of several inputs and heads: traces, checks, verdicts, pictures."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DivergenceError, OptionError
from retrograd.inspect.subject import subject_of
from retrograd.plots.surface import _Surface

RNG = np.random.default_rng(17)
N = 24
X = {"wide": RNG.normal(size=(N, 3)), "age": RNG.normal(size=N)}
Y = {"price": RNG.normal(size=N), "kind": RNG.integers(0, 3, N)}
LOSS = rg.Losses({"price": "squared_error", "kind": "cross_entropy"}, weights={"kind": 0.5})


def net():
    inputs = rg.Inputs({"wide": [rg.Dense(3, 4, "tanh")], "age": 1})
    heads = rg.Heads({"price": [rg.Dense(5, 1)], "kind": [rg.Dense(5, 3)]})
    return rg.Network([inputs, rg.Dense(5, 5, "tanh"), heads], output={"kind": "softmax"})


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_a_trace_has_the_deltas_of_each_head_by_their_weights(engine):
    network = net()
    t = rg.trace(network, X, Y, loss=LOSS, engine=engine)
    found = network.predict(X)
    price = 2 * (found["price"] - Y["price"][:, None]) / N
    kind = 0.5 * (found["kind"] - np.eye(3)[Y["kind"]]) / N
    np.testing.assert_allclose(t.layer("3.1").delta, price, rtol=1e-10)
    np.testing.assert_allclose(t.layer("3.2").delta, kind, rtol=1e-10)
    np.testing.assert_allclose(t.layer(3).delta, np.hstack([price, kind]), rtol=1e-10)
    np.testing.assert_allclose(t.layer("3.2").dW, t.layer(2).a.T @ kind, rtol=1e-10)
    np.testing.assert_allclose(t.output, np.hstack([*found.values()]), rtol=1e-12)
    one = t.example(4)
    np.testing.assert_allclose(one.layer("3.1").delta, N * price[4:5], rtol=1e-10)
    assert one.J == pytest.approx(t.losses[4])


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_the_gradient_of_a_network_with_heads_is_checked(engine):
    weight = {"kind": RNG.uniform(0, 2, N)}
    assert rg.check_gradient(net(), X, Y, loss=LOSS, l2=0.1, sample_weight=weight, engine=engine).ok


def test_statistics_and_verdicts_are_there():
    network = net()
    history = rg.train(network, X, Y, loss=LOSS, epochs=2, statistics=True, batch_size=None)
    deltas = history.statistics["delta_norm"]
    of_heads = [deltas[place][-1] ** 2 for place in ("3.1", "3.2")]
    assert deltas["3"][-1] == pytest.approx(np.sqrt(sum(of_heads)), rel=1e-10)
    found = rg.diagnose(network, X, Y, loss=LOSS, history=history, optimizer="adam")
    assert {verdict.ailment for verdict in found.verdicts} >= {"vanishing gradients"}


def test_slopes_of_named_inputs_are_those_of_their_columns():
    network = net()
    together = np.column_stack([X["wide"], X["age"]])
    slopes = rg.sensitivity(network, X)
    assert slopes.shape == (N, 4, 4)
    np.testing.assert_array_equal(slopes, rg.sensitivity(network, together))


def test_pictures_show_every_input_and_head():
    network = net()
    drawn = rg.trace(network, X, Y, loss=LOSS).picture().to_dot()
    for words in ("y of price", "y of kind", "1: inputs", "3: heads", "loss"):
        assert words in drawn
    own = rg.picture(network).to_dot()
    assert "output kind: softmax" in own
    assert "output price" not in own  # it is the head itself


def test_a_loss_surface_goes_by_all_heads():
    network = net()
    drawn = rg.plot_loss_surface(network, X, Y, loss=LOSS, points=5).axes[1].get_ylim()
    J = rg.trace(network, X, Y, loss=LOSS).J
    assert drawn[0] <= J <= drawn[1]
    made = _Surface.of(network, subject_of("test", network, X, Y, loss=LOSS))
    assert made.J(made.flat(network.parameters)) == pytest.approx(J, rel=1e-12)


def test_a_divergence_tells_the_targets_that_are_large():
    y = {**Y, "price": 1e300 * Y["price"]}
    with pytest.raises(DivergenceError, match=r"scaled targets \(the largest number of Y\['price"):
        rg.train(net(), X, y, loss=LOSS)


def test_a_boundary_is_of_one_output():
    heads = rg.Network([rg.Heads({"a": [rg.Dense(2, 1)], "b": [rg.Dense(2, 1)]})])
    with pytest.raises(OptionError, match="plot_boundary: takes a network of one output"):
        rg.plot_boundary(heads, [[0.0, 1.0]], [1])
