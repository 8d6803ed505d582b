"""Slopes, integrated gradients and nudges: against differences, completeness, and the lecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, GraphError, OptionError, ShapeError
from retrograd.graph.shape import rows

RNG = np.random.default_rng(64)
X = RNG.normal(size=(6, 3))

NETWORKS: dict[str, Any] = {
    "tanh": rg.MLP([3, 8, 2], activation="tanh", seed=1),
    "softmax": rg.MLP([3, 8, 4], activation="gelu", output="softmax", seed=2),
    "noisy": rg.Network([rg.Dense(3, 8, "tanh"), rg.Dropout(0.5), rg.BatchNorm(8), rg.Dense(8, 2)]),
}


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
@pytest.mark.parametrize("name", NETWORKS)
def test_slopes_are_those_of_predictions(name: str, engine: str):
    net, h = NETWORKS[name], 1e-6
    S = rg.sensitivity(net, X, engine=engine)
    assert S.shape == (6, net.n_outputs, 3)
    for i in range(3):
        step = h * np.eye(3)[i]
        numeric = (net.predict(X + step) - net.predict(X - step)) / (2 * h)
        np.testing.assert_allclose(S[:, :, i], numeric, atol=1e-8)
    np.testing.assert_array_equal(rg.sensitivity(net, X, output=1, engine=engine), S[:, 1])


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_are_complete(name: str):
    net, baseline = NETWORKS[name], np.array([0.5, -0.5, 0.1])
    found = rg.integrated_gradients(net, X, baseline=baseline)
    change = net.predict(X) - net.predict(baseline[None])
    np.testing.assert_allclose(found.values.sum(axis=2), change, atol=1e-10)
    assert found.gap < 1e-10


def test_more_steps_bring_a_network_with_kinks_nearer_to_completeness():
    net = rg.MLP([3, 16, 1])
    few, many = (
        rg.integrated_gradients(net, X, baseline=[0.7, 0.2, -1.0], steps=steps).gap
        for steps in (4, 512)
    )
    assert many < few / 10


def test_an_input_that_does_not_count_has_no_share():
    net = rg.MLP([3, 8, 1], activation="tanh")
    net.parameters["W1"] = net.parameters["W1"] * [[1.0], [0.0], [1.0]]
    assert (rg.integrated_gradients(net, X).values[:, :, 1] == 0).all()


def test_of_a_linear_network_each_share_is_weight_times_change():
    net = rg.MLP([3, 1], seed=5)
    shares = rg.integrated_gradients(net, X, output=0).values
    np.testing.assert_allclose(shares, X * net.parameters["W1"].T, rtol=1e-12)


def test_estimators_have_slopes_and_shares():
    y = (X[:, 0] > 0).astype(int)
    clf = rg.MLPClassifier((4,), solver="lbfgs", random_state=0).fit(X, y)
    assert rg.sensitivity(clf, X).shape == (6, 1, 3)
    shares = rg.integrated_gradients(clf, X, output=0)
    np.testing.assert_allclose(shares.outputs, clf.predict_proba(X)[:, 1])


def test_the_lecture_function_is_lowered_against_the_sign_of_each_slope():
    w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    found = rg.nudges((w + x * y) * z)
    assert found.f == 44.0
    slopes = {nudge.variable: nudge.slope for nudge in found.nudges}
    assert slopes == {"y": 12.0, "z": 11.0, "x": 8.0, "w": 4.0}
    for nudge in found.nudges:
        assert nudge.change == -0.001 and nudge.found < 44.0
        assert nudge.expected == pytest.approx(44.0 - 0.001 * nudge.slope, rel=1e-14)
        assert nudge.found == pytest.approx(nudge.expected, rel=1e-9)


def test_a_negative_slope_is_lowered_by_a_step_up():
    x = rg.variable("x", [1.0, 2.0])
    up, down = rg.nudges(rg.sum(x * [-3.0, 1.0]), step=0.5).nudges
    assert (up.index, up.change, up.found) == ((0,), 0.5, -2.5)
    assert (down.index, down.change, down.found) == ((1,), -0.5, -1.5)


def test_of_a_network_the_inputs_of_one_row_are_nudged():
    net = rg.MLP([3, 4, 2], activation="tanh")
    found = rg.nudges(net, X[0], output=1)
    assert {(x.variable, x.index) for x in found.nudges} == {("x", (i,)) for i in range(3)}
    assert found.f == pytest.approx(net.predict(X[:1])[0, 1])
    assert all(x.found < found.f for x in found.nudges)


def test_of_several_rows_each_number_is_named_by_its_row():
    x = rg.variable("x", shape=(rows, 2))
    found = rg.nudges(rg.sum(x * x), {x: [[1.0, 2.0], [3.0, 4.0]]})
    assert [nudge.index for nudge in found.nudges] == [(1, 1), (1, 0), (0, 1), (0, 0)]


def test_wrong_arguments_are_errors():
    net = NETWORKS["tanh"]
    with pytest.raises(OptionError, match="output is from 0 to 1, got 2"):
        rg.sensitivity(net, X, output=2)
    with pytest.raises(ShapeError, match=r"the baseline has shape \(2,\), a row \(3,\)"):
        rg.integrated_gradients(net, X, baseline=[0.0, 0.0])
    with pytest.raises(ShapeError, match="give one row, got 6"):
        rg.nudges(net, X)
    with pytest.raises(GraphError, match="needs a value"):
        rg.nudges(rg.sum(rg.variable("x", shape=(2,))))
    with pytest.raises(OptionError, match="expected a network"):
        rg.sensitivity(3.0, X)
    x = rg.variable("x", 1.0)
    with pytest.raises(GraphError, match="values are for variables, got one for 'x'"):
        rg.nudges(x * x, {"x": 2.0})


def test_a_baseline_of_named_inputs_is_a_dict():
    net = rg.Network([rg.Inputs({"place": 2, "age": 1}), rg.Dense(3, 4, "tanh"), rg.Dense(4, 1)])
    x = np.random.default_rng(0).normal(size=(5, 3))
    named = rg.integrated_gradients(net, x, baseline={"age": 0.5, "place": [0.1, 0.2]})
    plain = rg.integrated_gradients(net, x, baseline=[0.1, 0.2, 0.5])
    np.testing.assert_array_equal(named.values, plain.values)
    with pytest.raises(DataError, match="baseline: nothing is given for the input 'age'"):
        rg.integrated_gradients(net, x, baseline={"place": [0.1, 0.2]})
    with pytest.raises(ShapeError, match=r"the baseline\['place'\] has shape \(3,\), a row \(2,\)"):
        rg.integrated_gradients(net, x, baseline={"age": 0.5, "place": [0.1, 0.2, 0.3]})
    with pytest.raises(DataError, match="baseline: is a dict, but the network takes one array"):
        rg.integrated_gradients(rg.MLP([3, 1]), x, baseline={"age": 0.5})


def test_a_baseline_is_finite():
    with pytest.raises(DataError, match="baseline: nan at row 2"):
        rg.integrated_gradients(rg.MLP([4, 1]), np.ones((2, 4)), baseline=[1, 2, np.nan, 3])


def looked_up() -> rg.Network:
    ends = rg.Inputs({"age": 1, "town": [rg.Embedding(5, 3)]})
    return rg.Network([ends, rg.Dense(4, 6, "tanh"), rg.Dense(6, 1)])


def test_a_column_of_categories_has_no_slope():
    x = np.c_[X[:, 0], np.arange(6) % 5]
    S = rg.sensitivity(looked_up(), x)
    assert np.isnan(S[:, :, 1]).all() and np.isfinite(S[:, :, 0]).all()
    side = rg.Concatenate([rg.Select(2, [1]), rg.Embedding(5, 3)], [rg.Select(2, [0])])
    assert np.isnan(rg.sensitivity(rg.Network([side, rg.Dense(4, 1)]), x)[:, :, 1]).all()


def test_integrated_gradients_do_not_run_between_categories():
    net, x = looked_up(), np.c_[X[:, 0], np.arange(6) % 5]
    with pytest.raises(OptionError, match="column 1 of X is looked up by an Embedding"):
        rg.integrated_gradients(net, x)
    found = rg.integrated_gradients(net, x, baseline=x * [0.0, 1.0])
    assert found.gap < 1e-10 and (found.values[:, :, 1] == 0).all()
