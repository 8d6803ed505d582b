"""Losses: values and gradients against formulas, and the targets each takes."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError, ShapeError, UnknownNameError
from retrograd.nn.losses import find_loss
from retrograd.training.session import TrainingSession, check_rows
from retrograd.training.step import steps_of

RNG = np.random.default_rng(3)
X = RNG.normal(size=(7, 4))
LABELS = np.array([0, 2, 1, 1, 2, 0, 2])
ONE_HOT = np.eye(3)[LABELS]
SOFT = RNG.dirichlet(np.ones(3), 7)
MULTI = (RNG.random((7, 3)) < 0.5).astype(float)
NUMBERS = RNG.normal(size=(7, 3))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def session_of(net, Y, loss="auto", *, weights=None, l2=0.0):
    chosen = find_loss(loss, net)
    rows = check_rows(net, chosen, X, Y, weights)
    return TrainingSession(net, rows, loss=chosen, optimizer=None, l2=l2)


# name: (output, targets, loss, J as a function of z, delta * B as a function of z)
CASES = {
    "half_squared_error": (
        "identity",
        NUMBERS,
        "half_squared_error",
        lambda z: 0.5 * ((z - NUMBERS) ** 2).sum(axis=1),
        lambda z: z - NUMBERS,
    ),
    "squared_error": (
        "identity",
        NUMBERS,
        "squared_error",
        lambda z: ((z - NUMBERS) ** 2).sum(axis=1),
        lambda z: 2 * (z - NUMBERS),
    ),
    "half_squared_error of a sigmoid": (
        "sigmoid",
        MULTI,
        "half_squared_error",
        lambda z: 0.5 * ((sigmoid(z) - MULTI) ** 2).sum(axis=1),
        lambda z: (sigmoid(z) - MULTI) * sigmoid(z) * (1 - sigmoid(z)),
    ),
    "labels": (
        "softmax",
        LABELS,
        "cross_entropy",
        lambda z: -np.log(softmax(z)[np.arange(7), LABELS]),
        lambda z: softmax(z) - ONE_HOT,
    ),
    "one-hot": (
        "softmax",
        ONE_HOT,
        "cross_entropy",
        lambda z: -np.log(softmax(z)[np.arange(7), LABELS]),
        lambda z: softmax(z) - ONE_HOT,
    ),
    "probabilities": (
        "softmax",
        SOFT,
        "cross_entropy",
        lambda z: -(SOFT * np.log(softmax(z))).sum(axis=1),
        lambda z: softmax(z) - SOFT,
    ),
    "multi-label": (
        "sigmoid",
        MULTI,
        "cross_entropy",
        lambda z: -(MULTI * np.log(sigmoid(z)) + (1 - MULTI) * np.log(1 - sigmoid(z))).sum(axis=1),
        lambda z: sigmoid(z) - MULTI,
    ),
    "a function": (
        "identity",
        NUMBERS,
        lambda output, y: rg.sum(rg.softplus(output - y), axis=1),
        lambda z: np.log1p(np.exp(z - NUMBERS)).sum(axis=1),
        lambda z: sigmoid(z - NUMBERS),
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("name", CASES)
def test_J_and_its_gradient_are_the_formulas(name, l2, weighted):
    output, Y, loss, per_row, slope = CASES[name]
    w = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.0]) if weighted else np.ones(7)
    net = rg.MLP([4, 3], output=output)
    session = session_of(net, Y, loss, weights=w if weighted else None, l2=l2)
    J, g = session.gradient(np.arange(7))
    W, z = net.parameters["W1"], X @ net.parameters["W1"] + net.parameters["b1"]
    delta = slope(z) * (w / w.sum())[:, None]
    expected_J = (w * per_row(z)).sum() / w.sum() + 0.5 * l2 * (W**2).sum()
    np.testing.assert_allclose(J, expected_J, rtol=1e-13)
    np.testing.assert_allclose(g["W1"], X.T @ delta + l2 * W, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(g["b1"], delta.sum(axis=0), rtol=1e-11, atol=1e-14)


def test_a_binary_loss_takes_labels_columns_and_probabilities():
    net = rg.MLP([4, 1], output="sigmoid")
    z = X @ net.parameters["W1"]
    y = (LABELS > 0)[:, None]
    expected = np.mean(np.log1p(np.exp(z)) - y * z)
    for Y in (y, y[:, 0], y.astype(int), y[:, 0].astype(np.float32)):
        assert session_of(net, Y).gradient(np.arange(7))[0] == pytest.approx(expected, rel=1e-13)


def test_a_loss_of_logits_neither_overflows_nor_takes_the_log_of_0():
    for output, Y in [("softmax", LABELS % 2), ("sigmoid", np.eye(2)[LABELS % 2])]:
        net = rg.MLP([4, 2], output=output)
        net.parameters["W1"] = 1e6 * net.parameters["W1"]
        J, g = session_of(net, Y).gradient(np.arange(7))
        assert np.isfinite(J)
        assert np.isfinite(g["W1"]).all()


def test_weight_2_is_the_row_twice():
    net, twice = rg.MLP([4, 3]), [0, 1, 2, 2, 3, 4, 5, 6]
    once, _ = session_of(net, NUMBERS), None
    weights = np.array([1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    J, g = session_of(net, NUMBERS, weights=weights).gradient(np.arange(7))
    J2, g2 = once.gradient(np.array(twice))
    assert pytest.approx(J2, rel=1e-14) == J
    np.testing.assert_allclose(g["W1"], g2["W1"], rtol=1e-12, atol=1e-15)


def test_a_batch_of_zero_weights_has_no_loss_and_no_gradient():
    net = rg.MLP([4, 3])
    weights = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    J, g = session_of(net, NUMBERS, weights=weights).gradient(np.array([0, 1]))
    assert J == 0.0
    assert not g["W1"].any()


@pytest.mark.parametrize(
    ("output", "name"), [("softmax", "cross_entropy"), ("tanh", "half_squared_error")]
)
def test_auto_follows_the_output(output, name):
    assert find_loss("auto", rg.MLP([4, 3], output=output)).name == name


@pytest.mark.parametrize(
    ("output", "Y", "message"),
    [
        ("softmax", [0, 1, 2, 3, 0, 0, 0], "Y: row 3 has label 3"),
        (
            "softmax",
            ONE_HOT * 2,
            "Y: 2 at row 0, column 0; cross_entropy takes numbers",
        ),
        ("softmax", ONE_HOT * 0.5, "Y: row 0 sums to 0.5; probabilities sum to 1"),
        ("softmax", ONE_HOT[:, :2], "Y: has 2 columns, expected 3"),
        ("softmax", LABELS[:6], "X has 7 rows, Y has 6; they must match"),
        ("softmax", list("abcabca"), "Y: expected real numbers"),
        ("sigmoid", MULTI - 1, "cross_entropy takes numbers from 0 to 1$"),
        ("sigmoid", LABELS, r"Y: expected shape \(n, 3\)"),
        ("identity", NUMBERS[:, :2], "Y: has 2 columns, expected 3"),
        ("identity", NUMBERS * np.inf, "Y: (inf|-inf|nan) at row 0"),
        ("identity", [[1.0], [2.0, 3.0]], "Y: not an array of numbers"),
    ],
)
def test_targets_that_do_not_fit_are_a_data_error(output, Y, message):
    with pytest.raises(DataError, match=message):
        session_of(rg.MLP([4, 3], output=output), Y)


def test_one_class_is_refused_by_training_and_not_by_scoring():
    for output, Y in [
        ("softmax", np.ones(7, int)),
        ("softmax", np.eye(3)[np.ones(7, int)]),
        ("sigmoid", np.ones(7)),
    ]:
        net = rg.MLP([4, 1 if output == "sigmoid" else 3], output=output)
        with pytest.raises(DataError, match="Y: every row has label 1; a classifier needs two"):
            rg.train(net, X, Y, epochs=1)
        session_of(net, Y).score(np.arange(7))
    rg.train(rg.MLP([4, 3], output="sigmoid"), X, np.ones((7, 3)), epochs=1)  # three yeses


def test_what_is_no_loss_is_an_error():
    net = rg.MLP([4, 3])
    with pytest.raises(
        UnknownNameError, match="known: absolute_error, auto, cosine, cross_entropy"
    ):
        find_loss("mse", net)
    with pytest.raises(OptionError, match="cross_entropy needs a network with output='softmax'"):
        find_loss("cross_entropy", net)
    with pytest.raises(OptionError, match="softmax over 1 output is always 1"):
        find_loss("cross_entropy", rg.MLP([4, 1], output="softmax"))


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda o, y: np.abs(o - y), OptionError, "calls a function of NumPy"),
        (lambda o, y: rg.mean(rg.square(o - y)), ShapeError, r"shape \(rows,\); it returned \(\)"),
        (lambda o, y: rg.square(o - y), ShapeError, r"it returned \(rows, 3\)"),
        (lambda o, y: None, OptionError, "must return a node, it returned NoneType"),
        (lambda o, y: rg.sum(o, axis=1) > 0.0, OptionError, "must return floats"),
    ],
)
def test_a_function_that_is_no_loss_is_named(loss, error, message):
    with pytest.raises(error, match=message):
        session_of(rg.MLP([4, 3]), NUMBERS, loss)


def test_a_function_gets_flat_targets_of_one_output_as_a_column():
    """(n, 1) - (n,) would be (n, n), and train on nonsense without a word."""
    net, y = rg.MLP([4, 1]), NUMBERS[:, 0]
    J, _ = session_of(net, y, lambda o, y: rg.sum(rg.abs(o - y), axis=1)).gradient(np.arange(7))
    assert pytest.approx(np.abs(net.predict(X)[:, 0] - y).mean(), rel=1e-13) == J


def test_a_function_gets_integers_as_integers():
    def picked(output, y):
        return -rg.sum(rg.one_hot(y, 3) * rg.log_softmax(output), axis=1)

    own = session_of(rg.MLP([4, 3]), LABELS, picked).gradient(np.arange(7))
    named = session_of(rg.MLP([4, 3], output="softmax"), LABELS).gradient(np.arange(7))
    assert pytest.approx(named[0], rel=1e-14) == own[0]


def test_an_object_has_numbers_of_its_own_and_a_name_the_usual_ones():
    net = rg.MLP([4, 3])
    by_name, by_object = session_of(net, NUMBERS, "huber"), session_of(net, NUMBERS, rg.Huber(1.0))
    rows = np.arange(7)
    assert by_name.gradient(rows)[0] == by_object.gradient(rows)[0]
    assert session_of(net, NUMBERS, rg.Huber(0.1)).gradient(rows)[0] < by_name.gradient(rows)[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rg.Huber(0.0), r"Huber: delta must be in \(0, inf\), got 0.0"),
        (lambda: rg.Quantile([0.1, 1.0]), r"Quantile: each of quantiles must be in \(0, 1\)"),
        (lambda: rg.Quantile([]), "Quantile: quantiles must name at least one"),
        (lambda: rg.Quantile("median"), "each of quantiles must be in .*, got 'median'"),
        (lambda: rg.Tweedie(2.0), r"Tweedie: power must be in \(1, 2\), got 2.0"),
        (lambda: rg.GaussianNLL(epsilon=0), r"GaussianNLL: epsilon must be in \(0, inf\)"),
        (lambda: rg.CrossEntropy(1.0), r"CrossEntropy: label_smoothing must be in \[0, 1\)"),
        (lambda: rg.Focal(-1), r"Focal: gamma must be in \[0, inf\), got -1"),
        (lambda: rg.Focal(alpha=1.5), "Focal: alpha must be in"),
    ],
)
def test_a_number_out_of_range_is_an_option_error(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize(
    ("loss", "n", "output", "message"),
    [
        (rg.Huber, 1, "identity", r"loss: pass an instance, Huber\(\), not the class"),
        (
            "quantile",
            4,
            "identity",
            "3 quantiles need 3 outputs for each target; .* has 4",
        ),
        ("poisson", 1, "softplus", "poisson takes the logarithm of the mean .*output='softplus'"),
        ("gaussian_nll", 3, "identity", "two outputs for each target, .* the network has 3"),
        ("gaussian_nll", 2, "exp", "gaussian_nll needs a network with output='identity'"),
        ("focal", 3, "identity", "focal needs a network with output='softmax'"),
        (rg.Focal(alpha=0.5), 3, "softmax", "Focal: alpha weighs yes and no of a sigmoid output"),
        (
            "hinge",
            3,
            "sigmoid",
            "hinge: .* of 3 outputs needs output=.identity. or .softmax.",
        ),
        ("squared_hinge", 1, "softmax", "squared_hinge: .* needs output='identity' or 'sigmoid'"),
        ("kl_divergence", 3, "sigmoid", "kl_divergence needs a network with output='softmax'"),
    ],
)
def test_a_loss_that_does_not_fit_the_network_says_what_would(loss, n, output, message):
    with pytest.raises(OptionError, match=message):
        find_loss(loss, rg.MLP([4, n], output=output))


@pytest.mark.parametrize(
    ("loss", "n", "output", "Y", "message"),
    [
        ("poisson", 1, "exp", -np.ones(7), "Y: -1 at row 0, column 0; poisson takes numbers >= 0"),
        ("tweedie", 1, "exp", -np.ones(7), "tweedie takes numbers >= 0"),
        ("gamma", 1, "exp", np.zeros(7), "Y: 0 at row 0, column 0; gamma takes numbers > 0"),
        ("focal", 3, "softmax", SOFT, "column 0; focal takes labels or one-hot"),
        ("hinge", 1, "identity", LABELS, "Y: 2 at row 1, column 0; hinge takes 0 and 1, or -1"),
        ("squared_hinge", 3, "identity", SOFT, "squared_hinge takes labels or one-hot"),
        ("cosine", 3, "identity", 0 * NUMBERS, "Y: row 0 is all 0; cosine needs a direction"),
        ("kl_divergence", 3, "softmax", 2 * SOFT, "kl_divergence takes numbers from 0 to 1$"),
        ("kl_divergence", 3, "softmax", LABELS, r"Y: expected shape \(n, 3\)"),
        ("gaussian_nll", 2, "identity", NUMBERS, "Y: has 3 columns, expected 1"),
        ("quantile", 3, "identity", NUMBERS, "Y: has 3 columns, expected 1"),
    ],
)
def test_what_a_loss_does_not_take_is_a_data_error(loss, n, output, Y, message):
    with pytest.raises(DataError, match=message):
        session_of(rg.MLP([4, n], output=output), Y, loss)


def test_the_sides_of_a_hinge_are_0_and_1_or_minus_1_and_1():
    net = rg.MLP([4, 1])
    sides = (LABELS > 0).astype(float)
    rows = np.arange(7)
    first, second = (session_of(net, Y, "hinge").gradient(rows) for Y in (sides, 2 * sides - 1))
    assert first[0] == second[0]
    z = net.predict(X)[:, 0]
    assert first[0] == pytest.approx(np.maximum(0, 1 - (2 * sides - 1) * z).mean(), rel=1e-14)


def test_one_hot_rows_are_labels_to_a_loss_of_labels():
    for loss in ("focal", "hinge"):
        net, rows = rg.MLP([4, 3], output="softmax"), np.arange(7)
        assert (
            session_of(net, LABELS, loss).gradient(rows)[0]
            == session_of(net, ONE_HOT, loss).gradient(rows)[0]
        )


def test_binary_cross_entropy_of_a_logit_of_0_has_the_gradient_of_both_sides():
    """A form with |z| would have a kink there, where every network of zeros begins."""
    net = rg.MLP([4, 1], output="sigmoid", initializer="zeros")
    _, g = session_of(net, np.ones(7)).gradient(np.arange(7))
    assert g["b1"][0] == -0.5


def test_an_output_of_zeros_has_no_direction_and_no_gradient():
    net = rg.MLP([4, 3], initializer="zeros")
    J, g = session_of(net, NUMBERS, "cosine").gradient(np.arange(7))
    assert J == 1.0
    assert not g["W1"].any()


def test_equal_losses_share_their_steps():
    def steps(loss):
        net = rg.MLP([4, 3])
        chosen = find_loss(loss, net)
        return steps_of(net, chosen, chosen.target(NUMBERS, 3, float), rg.SGD(0.1))

    assert steps(rg.Huber(0.5)) is steps(rg.Huber(0.5))
    assert steps(rg.Huber(0.5)) is not steps(rg.Huber(0.25))
    assert steps("log_cosh") is steps("log_cosh")


def test_quantiles_of_two_targets_lie_side_by_side():
    """Fitted to columns of constant noise, the outputs are the quantiles of each."""
    rng = np.random.default_rng(1)
    Y = np.stack([rng.uniform(0, 1, 4000), rng.uniform(10, 20, 4000)], axis=1)
    net = rg.MLP([1, 4])
    net.parameters["b1"] = [0.25, 0.9, 12.5, 19.0]
    chosen = find_loss(rg.Quantile([0.25, 0.9]), net)
    data = check_rows(net, chosen, np.zeros((4000, 1)), Y)
    session = TrainingSession(net, data, loss=chosen, optimizer=None)
    _, g = session.gradient(np.arange(4000))
    assert np.abs(g["b1"]).max() < 0.03  # the share below each is what it should be


def test_a_gaussian_learns_its_variance():
    rng = np.random.default_rng(1)
    y = 3.0 + 0.5 * rng.normal(size=500)
    net = rg.MLP([1, 2])
    rg.train(net, np.zeros((500, 1)), y, loss="gaussian_nll", optimizer="lbfgs", epochs=100)
    mean, log_variance = net.predict([[0.0]])[0]
    assert mean == pytest.approx(y.mean(), rel=1e-4)
    assert np.exp(log_variance) + 1e-6 == pytest.approx(y.var(), rel=1e-3)


def test_cosine_learns_directions_and_leaves_the_length_free():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 3))
    y = x @ rng.normal(size=(3, 2))
    nets = [rg.MLP([3, 2], bias=False) for _ in range(2)]
    options = {"loss": "cosine", "optimizer": "lbfgs", "epochs": 200}
    for net, targets in zip(nets, (y, 100.0 * y), strict=True):
        assert rg.train(net, x, targets, **options).J[-1] < 1e-8
    outputs = [net.predict(x) for net in nets]
    np.testing.assert_allclose(*outputs, rtol=1e-6)  # 100 times the targets say the same
    lengths = [np.linalg.norm(a, axis=1, keepdims=True) for a in (outputs[0], y)]
    np.testing.assert_allclose(outputs[0] / lengths[0], y / lengths[1], atol=1e-3)
