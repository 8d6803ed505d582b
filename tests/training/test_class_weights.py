"""Class weights: what rows of each class count, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

import retrograd as rg
from retrograd.errors import OptionError

RNG = np.random.default_rng(4)
X = RNG.normal(size=(30, 2))
LABELS = np.array([0] * 20 + [1] * 6 + [2] * 4)
BINARY = (LABELS > 0).astype(int)


def trained(Y, output="softmax", n=3, loss="auto", **options):
    net = rg.MLP([2, n], output=output)
    rg.train(net, X, Y, loss=loss, epochs=3, **options)
    return net.parameters["W1"]


@pytest.mark.parametrize("weights", ["balanced", {0: 0.5, 2: 3.0}])
@pytest.mark.parametrize(
    ("Y", "labels", "output", "n", "loss"),
    [
        (LABELS, LABELS, "softmax", 3, "auto"),
        (np.eye(3)[LABELS], LABELS, "softmax", 3, "auto"),
        (LABELS, LABELS, "identity", 3, "hinge"),
        (LABELS, LABELS, "softmax", 3, rg.Focal()),
    ],
)
def test_they_are_sample_weights_as_scikit_learn_makes_them(Y, labels, output, n, loss, weights):
    full = weights if weights == "balanced" else {0: 0.5, 1: 1.0, 2: 3.0}
    expected = trained(Y, output, n, loss, sample_weight=compute_sample_weight(full, labels))
    np.testing.assert_array_equal(trained(Y, output, n, loss, class_weight=weights), expected)


@pytest.mark.parametrize("Y", [BINARY, BINARY[:, None], BINARY.astype(float)])
def test_a_single_output_has_the_classes_0_and_1(Y):
    expected = trained(Y, "sigmoid", 1, sample_weight=np.where(BINARY, 2.0, 1.0))
    np.testing.assert_array_equal(trained(Y, "sigmoid", 1, class_weight={1: 2.0}), expected)


def test_sample_weights_are_multiplied():
    own = RNG.uniform(size=30)
    expected = trained(LABELS, sample_weight=own * np.where(LABELS == 1, 4.0, 1.0))
    found = trained(LABELS, sample_weight=own, class_weight={1: 4.0})
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": "even"}, "class_weight is 'balanced' or {label: weight}, got 'even'"),
        ({"class_weight": {3: 1.0}}, "has the label 3; labels are integers from 0 to 2"),
        ({"class_weight": {"a": 1.0}}, "has the label 'a'"),
        ({"class_weight": {1: -1.0}}, r"class_weight\[1\] must be in \[0, inf\)"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "class_weight gives every row the weight 0"),
        (
            {"class_weight": {1: 0}, "sample_weight": 1.0 * (LABELS == 1)},
            "class_weight gives every row the weight 0",
        ),
        (
            {"class_weight": "balanced", "Y": X[:, 0], "output": "identity", "n": 1},
            "needs a loss of classes, one for each row; this is half_squared_error",
        ),
        (
            {"class_weight": "balanced", "Y": np.eye(3)[LABELS], "output": "sigmoid"},
            "this is cross_entropy of several yes-or-no outputs",
        ),
    ],
)
def test_what_cannot_be_weighed_is_an_option_error(options, message):
    with pytest.raises(OptionError, match=message):
        trained(**{"Y": LABELS, **options})


def test_balanced_weights_do_not_count_a_validation_pair():
    pair = (X[:7], np.ones(7, int))
    seen = []
    options = {"class_weight": "balanced", "callbacks": [lambda n, h: seen.append(h.J[-1])]}
    trained(LABELS, validation=pair, **options)
    trained(LABELS, **options)
    assert seen[:3] == seen[3:]


def test_balanced_weights_do_not_count_a_share_that_is_held_out():
    seen = []

    def kept(y, output):
        seen.append(y)
        return 0.0

    options = {"shuffle": False, "batch_size": None, "validation": 0.4}
    trained(LABELS, score=kept, **options)
    rest = np.bincount(LABELS, minlength=3) - np.bincount(seen[0], minlength=3)
    assert (rest != 0.6 * np.bincount(LABELS)).any()  # else all would be alike
    byhand = {label: rest.sum() / (3 * n) for label, n in enumerate(rest)}
    expected = trained(LABELS, class_weight=byhand, **options)
    found = trained(LABELS, class_weight="balanced", **options)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sides", [BINARY, 2 * BINARY - 1])
@pytest.mark.parametrize("low", [-1, 0])
def test_a_side_of_a_hinge_loss_is_called_minus_1_or_0(sides, low):
    expected = trained(sides, "identity", 1, "hinge", sample_weight=np.where(BINARY, 1.0, 3.0))
    found = trained(sides, "identity", 1, "hinge", class_weight={low: 3.0})
    np.testing.assert_array_equal(found, expected)


def test_both_names_of_one_side_are_an_error():
    with pytest.raises(OptionError, match="the labels -1 and 0, which are one class"):
        trained(BINARY, "identity", 1, "hinge", class_weight={-1: 2.0, 0: 2.0})
    with pytest.raises(OptionError, match="labels are integers from 0 to 1"):
        trained(BINARY, "sigmoid", 1, class_weight={-1: 2.0})
