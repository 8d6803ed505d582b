"""The trace of networks and estimators: the lectures' formulas, every kind of layer, one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.console import Console

import retrograd as rg
from retrograd.errors import DataError, OptionError, UnknownNameError
from retrograd.inspect.passes import passes
from retrograd.inspect.sweep import sweep
from retrograd.pictures.scene import of_nodes

RNG = np.random.default_rng(65)
X = RNG.normal(size=(10, 3))
Y = RNG.normal(size=(10, 2))
LABELS = RNG.integers(0, 4, 10)


def test_the_delta_rule_holds_layer_by_layer():
    """L1.5, L1.6, L2.5, L4.2 to L4.5, with 1/m, as J is the mean."""
    net = rg.MLP([3, 5, 6, 4], activation="tanh", output="softmax")
    t = rg.trace(net, X, LABELS)
    m, p = len(X), net.parameters
    one, two, three = t.layers
    np.testing.assert_allclose(one.z, X @ p["W1"] + p["b1"], rtol=1e-12)
    np.testing.assert_allclose(one.a, np.tanh(one.z), rtol=1e-12)
    np.testing.assert_allclose(t.output, net.predict(X), rtol=1e-12)
    np.testing.assert_allclose(three.delta, (t.output - np.eye(4)[LABELS]) / m, rtol=1e-10)
    np.testing.assert_allclose(two.e, three.delta @ p["W3"].T, rtol=1e-10)
    np.testing.assert_allclose(two.delta, two.e * (1 - two.a**2), rtol=1e-10)
    np.testing.assert_allclose(one.delta, (two.delta @ p["W2"].T) * (1 - one.a**2), rtol=1e-10)
    for layer, x in zip(t.layers, [X, one.a, two.a], strict=True):
        np.testing.assert_allclose(layer.dW, x.T @ layer.delta, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(layer.db, layer.delta.sum(axis=0), rtol=1e-9, atol=1e-15)
    assert pytest.approx(t.losses.mean()) == t.J


def layers_of_every_kind() -> Any:
    shared = rg.Dense(6, 6, "tanh")
    return [
        rg.Concatenate(
            [rg.Select(3, [0]), rg.Embedding(4, 2)],
            [rg.Select(3, [1]), rg.Periodic(1, 1)],
            [rg.Select(3, [2]), rg.PiecewiseLinear([[-1.0, 0.0, 1.0]])],
        ),
        rg.BatchNorm(6),
        shared,
        rg.Residual([rg.LayerNorm(6), rg.Dense(6, 6), rg.PReLU(6)]),
        rg.Dropout(0.4),
        shared,
        rg.Scale(6),
        rg.Dense(6, 2),
    ]


@pytest.mark.parametrize("mode", ["train", "predict"])
@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_every_kind_of_layer_is_traced(mode: str, engine: str):
    net = rg.Network(layers_of_every_kind())
    x = np.column_stack([RNG.integers(0, 4, 10), X[:, 1:]])
    t = rg.trace(net, x, Y, mode=mode, engine=engine)
    places = [layer.place for layer in t.layers]
    assert places[-12:] == ["1", "2", "3", "4.1", "4.2", "4.3", "4", "5", "6", "7", "8"][-12:] or (
        places[-11:] == ["1", "2", "3", "4.1", "4.2", "4.3", "4", "5", "6", "7", "8"]
    )
    for layer in t.layers:
        assert layer.z.shape == layer.delta.shape and layer.a.shape == layer.e.shape
        names = set(layer.layer.shapes) - set(layer.layer.statistics)
        assert set(layer.gradients) == (set() if layer.layer.parts else names)
    np.testing.assert_array_equal(t.layer(3).dW, t.layer(6).dW)  # of both places together
    np.testing.assert_allclose(t.layer("4.2").db, t.layer("4.2").delta.sum(axis=0), atol=1e-14)
    if mode == "predict":
        np.testing.assert_allclose(t.output, net.predict(x), rtol=1e-9)
    else:
        assert (t.layer(5).a == 0).any()
        np.testing.assert_allclose(t.layer(2).a.mean(axis=0), np.zeros(6), atol=1e-12)


def test_both_engines_trace_the_same():
    net = rg.Network([rg.Dense(3, 4), rg.BatchNorm(4), rg.Dropout(0.5), rg.Dense(4, 2, "tanh")])
    a, b = (rg.trace(net, X, Y, engine=engine, seed=3).arrays() for engine in ("numpy", "cpu"))
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-9, atol=1e-13)


def test_frozen_parameters_have_no_gradient():
    t = rg.trace(rg.MLP([3, 4, 2]), X, Y, frozen=["*1"])
    assert t.layer(1).gradients == {} and t.layer(2).dW.shape == (4, 2)
    with pytest.raises(OptionError, match="layer 1: W is frozen"):
        _ = t.layer(1).dW


@pytest.mark.parametrize("output", ["identity", "softmax"])
def test_an_example_is_without_the_mean_and_the_penalty(output: str):
    y = Y if output == "identity" else LABELS % 2
    net = rg.Network([rg.Dense(3, 5, "tanh"), rg.Dropout(0.3), rg.Dense(5, 2)], output=output)
    t = rg.trace(net, X, y, l2=0.5, seed=4)
    ones = [t.example(i) for i in range(10)]
    for i, one in enumerate(ones):
        np.testing.assert_allclose(one.layer(3).delta, 10 * t.layer(3).delta[i : i + 1], rtol=1e-9)
        np.testing.assert_allclose(one.layer(1).a, t.layer(1).a[i : i + 1], rtol=1e-9)
        assert pytest.approx(t.losses[i]) == one.J
    for place in (1, 3):
        mean = np.mean([one.layer(place).dW for one in ones], axis=0)
        rest = t.layer(place).dW - 0.5 * net.parameters[f"W{place}"]
        np.testing.assert_allclose(mean, rest, rtol=1e-8, atol=1e-12)


def test_an_example_draws_what_its_row_drew_in_the_batch():
    network = rg.Network([rg.Dense(3, 16, "tanh"), rg.Dropout(0.5), rg.Dense(16, 1)])
    X = np.random.default_rng(0).normal(size=(8, 3))
    batch = rg.trace(network, X, X[:, :1])
    one = batch.example(3)
    np.testing.assert_array_equal(one.layer(2).a == 0, batch.layer(2).a[3:4] == 0)
    np.testing.assert_array_equal(one.example(0).layer(2).a, one.layer(2).a)


def test_an_example_of_a_network_whose_rows_depend_on_each_other_is_refused():
    net = rg.Network([rg.Dense(3, 4), rg.BatchNorm(4), rg.Dense(4, 2)])
    with pytest.raises(OptionError, match=r'layer 2 is an rg.BatchNorm.*mode="predict"'):
        rg.trace(net, X, Y).example(0)
    one = rg.trace(net, X, Y, mode="predict").example(9)
    np.testing.assert_allclose(one.output, net.predict(X[9:]), rtol=1e-12)


def test_the_trace_stays_as_it_was_when_the_network_changes():
    net = rg.MLP([3, 4, 2])
    t = rg.trace(net, X, Y)
    before = t.layer(1).W.copy(), t.example(2).layer(1).dW
    net.parameters["W1"][...] = 7.0
    np.testing.assert_array_equal(t.layer(1).W, before[0])
    np.testing.assert_array_equal(t.example(2).layer(1).dW, before[1])


def test_an_estimator_is_traced_with_its_own_loss_and_targets():
    labels = np.array(["a", "b", "c"])[LABELS % 3]
    clf = rg.MLPClassifier((4,), solver="lbfgs", max_iter=400, random_state=0).fit(X, labels)
    t = rg.trace(clf, X, labels)
    np.testing.assert_allclose(t.output, clf.predict_proba(X), rtol=1e-9)
    np.testing.assert_array_equal(t.layer(1).W, clf.coefs_[0])


def test_arrays_frames_and_tables_say_the_same():
    t = rg.trace(rg.MLP([3, 4, 2]), X, Y)
    arrays = t.arrays()
    assert {"X", "output", "losses", "z1", "a1", "delta1", "e1", "W1", "dW1", "db2"} <= set(arrays)
    frame = t.to_frame()
    line = frame[(frame.layer == "2") & (frame.array == "delta")].iloc[0]
    assert line["norm"] == pytest.approx(np.linalg.norm(t.layer(2).delta))
    assert line["high"] == t.layer(2).delta.max() and line["shape"] == (10, 2)
    assert "delta" in str(t) and str(t).startswith("10 rows, half_squared_error, J ")
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(t)
    assert "delta" in console.export_text()
    console.file.close()


def test_of_a_graph_too_there_are_arrays_and_a_frame():
    x = rg.variable("x", [1.0, 2.0])
    t = rg.trace(rg.sum(x * x))
    assert t.arrays()["d(x)"].tolist() == [2.0, 4.0]
    assert t.to_frame().iloc[0]["gradient"].tolist() == [2.0, 4.0]


def test_a_recorder_traces_the_epochs_that_were_asked_for():
    net, seen = rg.MLP([3, 4, 2]), {}
    record = rg.Recorder(X, Y, epochs=[1, 3])
    every = rg.Recorder(X, Y, every=2, mode="predict")

    def note(network: Any, history: Any) -> None:
        seen[history.epochs] = network.parameters["W1"].copy()

    rg.train(net, X, Y, epochs=4, callbacks=[record, every, note], engine="numpy")
    assert list(record.traces) == [1, 3] and list(every.traces) == [2, 4]
    for epoch, t in {**record.traces, **every.traces}.items():
        np.testing.assert_array_equal(t.layer(1).W, seen[epoch])


def test_wrong_arguments_are_errors():
    net = rg.MLP([3, 4, 2])
    t = rg.trace(net, X, Y)
    with pytest.raises(UnknownNameError, match="unknown layer '3'"):
        t.layer(3)
    with pytest.raises(OptionError, match="row is from 0 to 9, got 10"):
        t.example(10)
    with pytest.raises(UnknownNameError, match="gradient of layer 1"):
        _ = rg.trace(rg.MLP([3, 4, 2], bias=False), X, Y).layer(1).db
    with pytest.raises(OptionError, match="give epochs"):
        rg.Recorder(X, Y)
    with pytest.raises(UnknownNameError, match="mode"):
        rg.trace(net, X, Y, mode="test")
    with pytest.raises(DataError, match="give X and Y"):
        rg.trace(net, mode="predict")
    with pytest.raises(UnknownNameError, match=r"argument of trace 'criterion'.*'loss'"):
        rg.trace(net, X, Y, criterion="mse")
    with pytest.raises(UnknownNameError, match=r"argument of Recorder 'criterion'.*'loss'"):
        rg.Recorder(X, Y, every=1, criterion="mse")
    with pytest.raises(UnknownNameError, match=r"argument of check_gradient 'criterion'.*'loss'"):
        rg.check_gradient(net, X, Y, criterion="mse")


@pytest.mark.parametrize("level", ["layers", "nodes"])
def test_a_picture_shows_what_the_trace_found_and_computes_only_the_rest(level: str):
    net = rg.MLP([3, 5, 2], activation="tanh", output="softmax")
    x = np.linspace(-1, 1, 12).reshape(4, 3)
    t = rg.trace(net, x, [0, 1, 1, 0], l2=0.1)
    t.layer(1).a[...] = 7.5
    for slope in (t.layer(2).delta, t.layer(2).e):  # of one node: its activation is none
        slope[...] = -0.125
    shown = t.picture(level=level).to_mermaid()
    assert "all 7.5" in shown and "all −0.125" in shown


def test_a_picture_of_a_pass_has_the_values_and_gradients_of_its_graph():
    layers = [rg.Dense(3, 4, "relu"), rg.Dropout(0.3), rg.BatchNorm(4), rg.Dense(4, 1)]
    net = rg.Network(layers)
    x = np.linspace(-1, 1, 18).reshape(6, 3)
    t = rg.trace(net, x, x[:, :1] ** 2, seed=3, sample_weight=np.arange(1.0, 7.0))
    made = passes(t._subject)
    _, values, gradients = sweep(made.objective.J, made.values(t._subject, seed=3))
    shown = of_nodes([made.objective.J], values=values, gradients=gradients)
    assert t.picture(level="nodes").scene.wires == shown.wires


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_number_of_the_rich_table_is_broken_in_two(width):
    X = np.random.default_rng(0).normal(size=(256, 3)) * 1e-7
    t = rg.trace(rg.MLP([3, 128, 1], activation="tanh"), X, X[:, :1])
    console = Console(width=width, record=True, file=None)
    with console.capture() as captured:
        console.print(t)
    printed = captured.get().split()
    for row in t.table()[1:]:
        assert {*row[4:]} <= {*printed}


def test_what_a_layer_has_not_is_told_with_what_it_has():
    X = np.ones((4, 2))
    layer = rg.trace(rg.MLP([2, 3, 1]), X, X[:, :1]).layer(1)
    with pytest.raises(AttributeError, match="no 'dz'; it has place, kind, layer, z, a, delta, e"):
        layer.dz
    assert not hasattr(layer, "dz")


def test_an_infinite_J_is_an_error_about_the_rows_that_were_given():
    X = -np.ones((4, 2))
    net = rg.MLP([2, 3, 1], activation=rg.log)
    with pytest.raises(DataError, match=r"check_gradient: J is nan on these rows: .* give X and Y"):
        rg.check_gradient(net, X, X[:, :1])
