"""Validation scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import retrograd as rg
from retrograd.errors import UnknownNameError
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
