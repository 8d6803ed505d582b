"""Each ailment is found in a network built to have it, and nothing in 20 healthy ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.datasets import load as dataset
from retrograd.errors import DataError, OptionError
from retrograd.inspect.evidence import Evidence
from retrograd.inspect.subject import subject_of
from retrograd.inspect.verdicts import AILMENTS

RNG = np.random.default_rng(61)
X = RNG.normal(size=(160, 4))
Y = np.tanh(X[:, :1] - X[:, 1:2]) + 0.5 * X[:, 2:3] * X[:, 3:]
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)


def found(diagnosis: Any) -> set[str]:
    return {verdict.ailment for verdict in diagnosis.found}


def trained(net: Any, x: Any = X, y: Any = Y, **options: Any) -> Any:
    usual = {"epochs": 40, "engine": "numpy", "statistics": True, "optimizer": rg.Adam(0.005)}
    return rg.train(net, x, y, **{**usual, **options})


# Each ailment.


def test_a_deep_sigmoid_network_has_vanishing_gradients():
    deep = rg.MLP([4, *[8] * 12, 1], activation="sigmoid")
    verdict = rg.diagnose(deep, X, Y).verdict("vanishing gradients")
    assert verdict.is_found and verdict.where == "layer 1"
    t = rg.trace(deep, X, Y)
    first, last = (np.linalg.norm(t.layer(k).delta) for k in (1, 13))
    assert verdict.figure == pytest.approx(first / last)


def test_large_weights_make_gradients_explode():
    deep = rg.MLP([4, *[16] * 8, 1], activation="relu")
    for name in deep.parameters:
        if name.startswith("W"):
            deep.parameters[name] = 6.0 * deep.parameters[name]
    verdict = rg.diagnose(deep, X, Y).verdict("exploding gradients")
    assert verdict.is_found and verdict.where == "layer 1"


def test_dead_units_are_named():
    net = rg.MLP([4, 10, 1])
    net.parameters["b1"] = np.where(np.arange(10) % 2, 0.0, -100.0)
    verdict = rg.diagnose(net, X, Y).verdict("dead units")
    assert verdict.is_found and verdict.where == "layer 1"
    assert verdict.figure == 0.5 and verdict.items == (0, 2, 4, 6, 8)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_tanh"])
def test_saturated_units_are_named(activation: str):
    net = rg.MLP([4, 6, 1], activation=activation)
    net.parameters["b1"] = [50.0, -50.0, 50.0, 50.0, 0.0, 50.0]
    verdict = rg.diagnose(net, X, Y).verdict("saturated units")
    assert verdict.is_found and {0, 1, 2, 3, 5} <= set(verdict.items)


def test_updates_as_large_as_the_weights_are_found_from_the_history():
    history = trained(rg.MLP([4, 16, 1]), optimizer=rg.Adam(1.0))
    assert "updates too large" in found(rg.diagnose(history=history))


def test_updates_as_large_as_the_weights_are_found_from_one_pass():
    net = rg.MLP([4, 16, 1])
    assert "updates too large" in found(rg.diagnose(net, X, Y, optimizer=rg.Adam(0.5)))
    assert "updates too large" not in found(rg.diagnose(net, X, Y, optimizer=rg.Adam(0.001)))


def test_looking_changes_no_parameter():
    net = rg.MLP([4, 16, 1])
    before = {name: value.copy() for name, value in net.parameters.items()}
    rg.diagnose(net, X, Y, optimizer="adam")
    for name, value in before.items():
        np.testing.assert_array_equal(net.parameters[name], value)


def test_updates_next_to_nothing_are_found():
    history = trained(rg.MLP([4, 16, 1]), optimizer=rg.SGD(1e-9))
    assert "updates too small" in found(rg.diagnose(history=history))


def test_a_plateau_is_found():
    net = rg.MLP([4, 16, 1])
    net.parameters["b1"] = np.full(16, -100.0)  # nothing gets through
    diagnosis = rg.diagnose(net, X, Y, history=trained(net))
    assert {"plateau", "dead units"} <= found(diagnosis)


def test_divergence_is_found():
    net = rg.MLP([4, 1])
    steepest = np.linalg.eigvalsh(X.T @ X / len(X)).max()
    history = trained(net, optimizer=rg.SGD(2.2 / steepest), batch_size=None, epochs=30)
    diagnosis = rg.diagnose(history=history)
    assert "divergence" in found(diagnosis)
    verdict = diagnosis.verdict("divergence")
    assert verdict.figure == pytest.approx(history.J[-1] / history.J[0])


def test_overfitting_is_found():
    few = slice(0, 24)
    noise = np.random.default_rng(3).normal(size=(24, 1))
    history = trained(
        rg.MLP([4, 64, 64, 1]),
        X[few],
        Y[few] + noise,
        validation=(X[24:], Y[24:]),
        optimizer=rg.Adam(0.01),
        epochs=150,
    )
    verdict = rg.diagnose(history=history).verdict("overfitting")
    assert verdict.is_found and verdict.figure > 1.2


@pytest.mark.parametrize("scale", [1000.0, 1e-3])
def test_unscaled_inputs_are_found(scale: float):
    verdict = rg.diagnose(rg.MLP([4, 8, 1]), scale * X, Y).verdict("unscaled inputs")
    assert verdict.is_found


def test_the_unscaled_column_is_named():
    x = X * [1.0, 1.0, 5000.0, 1.0]
    verdict = rg.diagnose(rg.MLP([4, 8, 1]), x, Y).verdict("unscaled inputs")
    assert verdict.items == (2,) and verdict.where == "column 2"


def test_a_column_has_the_name_that_the_data_have():
    pd = pytest.importorskip("pandas")
    x = pd.DataFrame(X * [1.0, 1.0, 5000.0, 1.0], columns=["a", "b", "c", "d"])
    verdict = rg.diagnose(rg.MLP([4, 8, 1]), x, Y).verdict("unscaled inputs")
    assert verdict.where == "column c" and verdict.listed() == "columns: c"
    clf = rg.MLPClassifier((4,), max_iter=3)
    with pytest.warns(Warning, match="Maximum iterations"):
        clf.fit(x, LABELS)
    assert rg.diagnose(clf, x, LABELS).verdict("unscaled inputs").where == "column c"


def test_unscaled_columns_of_named_inputs_are_named():
    ends = rg.Inputs({"place": [rg.Dense(2, 4, "relu")], "age": 1, "size": [rg.LayerNorm(1)]})
    net = rg.Network([ends, rg.Dense(6, 1)])
    x = {"place": X[:, :2] * [1.0, 1000.0], "age": 900.0 * X[:, 2], "size": 1e6 * X[:, 3:]}
    verdict = rg.diagnose(net, x, Y).verdict("unscaled inputs")
    assert verdict.items == (1, 2) and verdict.listed() == "columns: place[1], age"
    normed = rg.Network(
        [rg.Inputs({"place": 2, "age": 1, "size": 1}), rg.BatchNorm(4), rg.Dense(4, 1)]
    )
    assert rg.diagnose(normed, x, Y).verdict("unscaled inputs") is None


def test_inputs_of_a_network_that_normalises_them_are_not_judged():
    net = rg.Network([rg.BatchNorm(4), rg.Dense(4, 1)])
    diagnosis = rg.diagnose(net, 1e4 * X, Y)
    assert diagnosis.verdict("unscaled inputs") is None
    assert "unscaled inputs" in dict(diagnosis.not_judged)


def test_a_rate_so_high_that_J_jumps_is_found():
    history = trained(rg.MLP([4, 16, 1], activation="tanh"), optimizer=rg.SGD(0.5))
    assert "learning rate too high" in found(rg.diagnose(history=history))


def test_a_rate_so_low_that_J_hardly_falls_is_found():
    history = trained(rg.MLP([4, 16, 1], activation="tanh"), optimizer=rg.SGD(1e-4))
    assert "learning rate too low" in found(rg.diagnose(history=history))


def test_flipped_labels_are_named():
    wrong = [7, 100, 33]
    side = (X[:, 0] + X[:, 1] > 0).astype(int)
    far = np.abs(X[:, 0] + X[:, 1]) > 0.3
    x, y = X[far], side[far]
    net = rg.MLP([4, 16, 2], output="softmax")
    trained(net, x, y, epochs=150, optimizer=rg.Adam(0.02))
    y[wrong] = 1 - y[wrong]
    verdict = rg.diagnose(net, x, y).verdict("suspect labels")
    assert verdict.is_found and set(verdict.items) == set(wrong)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "both"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_wrong_labels_among_those_trained_on_are_named(seed: int, output: str, l2: float):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 2))
    x[:, 0] += 2 * np.sign(x[:, 0])
    labels = (x[:, 0] > 0).astype(int)
    labels[[7, 50, 300]] ^= 1
    y = {"softmax": labels, "sigmoid": labels[:, None], "both": np.c_[labels, x[:, 1] > 0]}[output]
    n_outputs = 1 if output == "sigmoid" else 2
    kind = "softmax" if output == "softmax" else "sigmoid"
    net = rg.MLP([2, 16, n_outputs], output=kind, seed=seed)
    rg.train(net, x, y, epochs=40, l2=l2, optimizer=rg.Adam(0.01), engine="numpy")
    verdict = rg.diagnose(net, x, y).verdict("suspect labels")
    assert verdict.is_found and set(verdict.items) == {7, 50, 300}


def test_a_wrong_number_is_named():
    net = rg.MLP([4, 24, 1], activation="tanh")
    trained(net, epochs=100, optimizer=rg.Adam(0.01))
    y = Y.copy()
    y[40] += 50.0
    verdict = rg.diagnose(net, X, y).verdict("suspect labels")
    assert verdict.is_found and verdict.items == (40,) and verdict.where == "row 40"


def test_every_ailment_is_tested_here():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in AILMENTS)


# Healthy networks.

IRIS = dataset("iris")
DIGITS = dataset("digits")


def standard(x: Any) -> Any:
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


SETS: dict[str, Any] = {
    "smooth": (X, Y, 1, "identity"),
    "classes": (X, LABELS, 3, "softmax"),
    "sides": (X, (LABELS > 0).astype(float)[:, None], 1, "sigmoid"),
    "iris": (standard(IRIS.X), IRIS.y, 3, "softmax"),
    "digits": (DIGITS.X[:400] / 16.0, DIGITS.y[:400], 10, "softmax"),
}
HEALTHY = [
    ("smooth", [16], "tanh", {}),
    ("smooth", [32], "relu", {}),
    ("smooth", [16, 16], "silu", {}),
    ("smooth", [16], "sigmoid", {"optimizer": rg.Adam(0.02)}),
    ("smooth", [16], "tanh", {"optimizer": rg.SGD(0.05, momentum=0.9)}),
    ("smooth", [24, 24, 24], "gelu", {"optimizer": rg.AdamW(0.003)}),
    ("smooth", [], "relu", {"optimizer": rg.SGD(0.05)}),
    ("classes", [16], "relu", {}),
    ("classes", [16, 16], "tanh", {"validation": 0.2}),
    ("classes", [32], "elu", {"optimizer": rg.RMSprop(0.003)}),
    ("classes", [16], "relu", {"optimizer": rg.SGD(0.1), "batch_size": 16}),
    ("sides", [16], "relu", {}),
    ("sides", [16], "tanh", {"l2": 1e-3, "validation": 0.2}),
    ("iris", [10], "relu", {}),
    ("iris", [10], "tanh", {"validation": 0.2}),
    ("iris", [8, 8], "softplus", {"optimizer": rg.Adam(0.01)}),
    ("iris", [10], "sigmoid", {"optimizer": rg.NAdam(0.01)}),
    ("digits", [32], "relu", {"optimizer": rg.Adam(0.002), "validation": 0.2}),
    ("digits", [32], "tanh", {"optimizer": rg.Adam(0.002)}),
    ("digits", [32, 32], "leaky_relu", {"optimizer": rg.SGD(0.1, momentum=0.9)}),
]


@pytest.mark.parametrize("number", range(len(HEALTHY)))
def test_nothing_is_found_in_a_healthy_network(number: int):
    name, hidden, activation, options = HEALTHY[number]
    x, y, n_outputs, output = SETS[name]
    net = rg.MLP([x.shape[1], *hidden, n_outputs], activation=activation, output=output)
    before = rg.diagnose(net, x, y)
    history = trained(net, x, y, **options)
    after = rg.diagnose(net, x, y, history=history)
    assert before.ok, str(before)
    assert after.ok, str(after)
    judged = {verdict.ailment for verdict in after.verdicts}
    assert {"plateau", "divergence", "updates too large", "suspect labels"} <= judged


# What it says, and what it cannot do.


def test_without_rows_or_history_there_is_nothing_to_judge():
    with pytest.raises(OptionError, match="give rows X and Y, or a history"):
        rg.diagnose(rg.MLP([4, 1]))


def test_rows_without_targets_are_an_error():
    with pytest.raises(DataError, match="give X and Y"):
        rg.diagnose(rg.MLP([4, 1]), X)


def test_what_cannot_be_judged_says_what_is_missing():
    diagnosis = rg.diagnose(rg.MLP([4, 8, 1]), X, Y)
    assert dict(diagnosis.not_judged)["plateau"] == "needs a history of 20 epochs"
    assert diagnosis.verdict("plateau") is None


def test_batches_that_only_accumulate_are_no_updates_that_are_too_small():
    optimizer = rg.Accumulate(rg.Adam(0.01), every=5)
    history = trained(rg.MLP([4, 8, 1]), X, Y, optimizer=optimizer, batch_size=40, epochs=4)
    assert set(history.statistics["update_norm"]["W1"]) == {0.0}
    assert rg.diagnose(history=history).verdict("updates too small") is None


def test_losses_beyond_the_largest_number_are_judged_without_a_warning():
    net = rg.MLP([4, 8, 1], dtype=np.float32)
    net.parameters["W1"] *= np.float32(1e30)
    assert not rg.diagnose(net, X, Y).verdict("suspect labels").is_found


def test_printed_it_is_words_with_figure_threshold_source_and_remedy():
    deep = rg.MLP([4, *[8] * 12, 1], activation="sigmoid")
    text = str(rg.diagnose(deep, X, Y))
    assert text.startswith("1 found, ")
    assert "vanishing gradients in layer 1: the norm of delta over that of layer 13 is" in text
    assert "threshold of 0.001" in text and "Try: relu" in text and "[Glorot" in text
    assert str(rg.diagnose(rg.MLP([4, 8, 1]), X, Y)).startswith("nothing wrong found; ")


def test_an_estimator_is_diagnosed_with_its_own_loss_curve():
    clf = rg.MLPClassifier((16,), max_iter=60, learning_rate_init=0.01, tol=0, random_state=0)
    with pytest.warns(Warning, match="Maximum iterations"):
        clf.fit(X, LABELS)
    diagnosis = rg.diagnose(clf, X, LABELS)
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis.verdict("plateau") is not None


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt"])
def test_a_solvers_course_is_judged_but_for_the_learning_rate_it_has_not(optimizer: str):
    net = rg.MLP([4, 6, 4, 1], activation="tanh")
    history = trained(net, X, Y, optimizer=optimizer, validation=0.2)
    diagnosis = rg.diagnose(history=history)
    judged = {verdict.ailment for verdict in diagnosis.verdicts}
    assert judged >= {"vanishing gradients", "divergence", "overfitting"}
    why = dict(diagnosis.not_judged)
    for ailment in ("updates too large", "updates too small", "learning rate too high"):
        assert why[ailment].startswith("is of a learning rate; a solver of full batches searches")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_best_constant_guess_is_the_loss_of_a_network_without_weights(smoothing, output):
    """Only biases are trained: J ends at the loss of the best constant."""
    y = np.arange(40) % 4 == 0
    n = 2 if output == "softmax" else 1
    loss = rg.CrossEntropy(label_smoothing=smoothing)
    net = rg.MLP([4, n], output=output)
    net.parameters["W1"] *= 0.0
    target = y.astype(int) if output == "softmax" else y.astype(float)
    options = {"loss": loss, "optimizer": "lbfgs", "epochs": 50, "frozen": ["W1"]}
    history = rg.train(net, X[:40], target, **options)
    subject = subject_of("test", net, X[:40], target, loss=loss)
    assert Evidence(subject).guess == pytest.approx(history.J[-1], rel=1e-8)


@pytest.mark.parametrize(
    ("validation", "is_found"),
    [
        ([1.0, 0.5, 0.4, 0.5, 0.52, 0.55], True),
        ([1.0, 0.5, 0.4, 0.41, 0.42, 0.42], False),
        ([1.0, 0.1, 0.001, 0.01, 0.015, 0.015], False),  # 15 times the best, and next to nothing
        ([1.0, 0.1, 0.001, 0.03, 0.04, 0.04], True),
    ],
)
def test_a_figure_is_past_its_threshold_where_overfitting_is_found_alone(validation, is_found):
    history = rg.History(J=[1.0, 0.5, 0.3, 0.2, 0.1, 0.05], validation_J=validation)
    verdict = rg.diagnose(history=history).verdict("overfitting")
    assert verdict.is_found == is_found == (verdict.figure > verdict.threshold)
