"""Validation scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import retrograd as rg
from retrograd.errors import OptionError, UnknownNameError
from retrograd.nn.losses import find_loss
from retrograd.training.scores import accuracy, find_score, label_accuracy, r2

RNG = np.random.default_rng(19)
P = RNG.dirichlet(np.ones(3), 50)
LABELS = RNG.integers(0, 3, 50)
MULTI = RNG.random((50, 3)) < 0.5


def test_accuracy_is_the_share_of_right_argmaxes():
    expected = accuracy_score(LABELS, P.argmax(axis=1))
    assert accuracy(LABELS, P) == expected
    assert accuracy(np.eye(3)[LABELS], P) == expected


def test_accuracy_of_one_column_is_by_one_half():
    y = LABELS > 0
    expected = accuracy_score(y, P[:, 0] > 0.5)
    assert accuracy(y[:, None], P[:, :1]) == accuracy(y, P[:, :1]) == expected


def test_accuracy_of_several_labels_needs_all_of_them():
    assert label_accuracy(MULTI, P) == accuracy_score(MULTI, P > 0.5)


def test_several_labels_that_happen_to_be_one_hot_are_still_several():
    y, output = np.eye(2), np.array([[0.9, 0.8], [0.2, 0.7]])
    multi = find_loss("auto", rg.MLP([2, 2], output="sigmoid"))
    single = find_loss("auto", rg.MLP([2, 2], output="softmax"))
    assert find_score("auto", multi)[1](y, output) == 0.5
    assert find_score("auto", single)[1](y, output) == 1.0


@pytest.mark.parametrize("columns", [1, 3])
def test_r2_is_scikit_learns(columns):
    y, output = RNG.normal(size=(50, columns)), RNG.normal(size=(50, columns))
    assert r2(y, output) == pytest.approx(r2_score(y, output), rel=1e-12)


def test_r2_of_a_constant_target_is_1_if_met_else_0():
    y = np.ones((5, 1))
    assert r2(y, y) == 1.0
    assert r2(y, y + 0.1) == 0.0


@pytest.mark.parametrize(
    ("output", "loss", "name"),
    [
        ("softmax", "auto", "accuracy"),
        ("identity", "auto", "r2"),
        ("softmax", "squared_error", "r2"),
        ("identity", lambda o, y: rg.sum(o - y, axis=1), "loss"),
    ],
)
def test_auto_follows_the_loss(output, loss, name):
    assert find_score("auto", find_loss(loss, rg.MLP([2, 2], output=output)))[0] == name


def test_a_score_may_be_a_function_and_has_its_name():
    def recall(y, output):
        return 0.5

    loss = find_loss("auto", rg.MLP([2, 2]))
    assert find_score(recall, loss) == ("recall", recall)
    X = RNG.normal(size=(20, 2))
    history = rg.train(rg.MLP([2, 2]), X, X, validation=0.5, score=recall, epochs=2)
    assert history.validation_score == [0.5, 0.5]
    assert history.best_epoch == 1
    assert "best validation recall 0.5 at epoch 1" in str(history)


@pytest.mark.parametrize("score", ["f1", None, 3])
def test_an_unknown_score_lists_the_known_ones(score):
    with pytest.raises(UnknownNameError, match="known: accuracy, auto, loss, r2"):
        find_score(score, find_loss("auto", rg.MLP([2, 2])))


@pytest.mark.parametrize(
    ("loss", "network", "score", "known"),
    [
        ("gaussian_nll", rg.MLP([2, 2]), "r2", "use 'loss', or"),
        ("quantile", rg.MLP([2, 3]), "r2", "use 'loss', or"),
        ("poisson", rg.MLP([2, 1]), "r2", "use 'loss', or"),
        ("cosine", rg.MLP([2, 2]), "r2", "use 'loss', or"),
        ("cross_entropy", rg.MLP([2, 2], output="softmax"), "r2", "use 'accuracy' or 'loss', or"),
        ("hinge", rg.MLP([2, 1]), "r2", "use 'accuracy' or 'loss', or"),
        ("huber", rg.MLP([2, 1]), "accuracy", "use 'r2' or 'loss', or"),
    ],
)
def test_a_score_that_does_not_fit_the_loss_is_refused_with_those_that_do(
    loss, network, score, known
):
    with pytest.raises(OptionError, match=f"{score!r} does not fit the loss {loss} .*{known}"):
        rg.train(network, [[0.0, 1.0]] * 4, [0, 1, 0, 1], loss=loss, score=score)


@pytest.mark.parametrize(
    ("loss", "network", "Y"),
    [
        ("poisson", rg.MLP([2, 1], output="exp"), MULTI[:, :1]),
        ("cross_entropy", rg.MLP([2, 1], output="sigmoid"), MULTI[:, :1]),
        ("kl_divergence", rg.MLP([2, 3], output="softmax"), P),
        (rg.Quantile(0.5), rg.MLP([2, 1]), P[:, 0]),
    ],
)
def test_r2_is_taken_where_the_output_estimates_the_target(loss, network, Y):
    X = RNG.normal(size=(50, 2))
    history = rg.train(network, X, Y, loss=loss, validation=(X, Y), score="r2", epochs=1)
    expected = r2_score(np.reshape(Y, (50, -1)), network.predict(X))
    assert history.validation_score == [pytest.approx(expected)]


def test_targets_of_another_shape_than_the_output_are_not_scored_by_r2():
    def first(output, y):
        return rg.square(output[:, 0] - y[:, 0])

    X = RNG.normal(size=(20, 2))
    with pytest.raises(OptionError, match=r"outputs of shape \(n, 2\).* Y has shape \(20, 1\)"):
        rg.train(rg.MLP([2, 2]), X, X[:, :1], loss=first, validation=0.5, score="r2")


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_a_margin_parts_two_classes_at_0(loss):
    network = rg.MLP([1, 1])
    network.parameters.update({"W1": np.array([[0.1]]), "b1": np.zeros(1)})
    X, still = np.array([[-2.0], [-1.0], [1.0], [2.0]]), rg.SGD(1e-9)
    Y = [-1, -1, 1, 1]
    history = rg.train(network, X, Y, loss=loss, optimizer=still, validation=(X, Y), epochs=1)
    assert (history.score, history.validation_score) == ("accuracy", [1.0])


@pytest.mark.parametrize("value", [None, "0.5", np.zeros(2), [1.0], 1j])
def test_a_score_that_returns_no_number_is_named(value):
    def recall(y, output):
        return value

    X = RNG.normal(size=(20, 2))
    with pytest.raises(OptionError, match="the score recall must return one number"):
        rg.train(rg.MLP([2, 2]), X, X, validation=0.5, score=recall, epochs=2)


def test_a_score_of_one_argument_is_refused_before_training():
    def recall(y):
        return 0.5

    with pytest.raises(OptionError, match=r"score\(y, output\).* recall\(y\) cannot be"):
        find_score(recall, find_loss("auto", rg.MLP([2, 2])))
