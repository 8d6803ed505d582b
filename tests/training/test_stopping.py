"""When training stops: at the right epoch, not before, and with the right weights."""

from __future__ import annotations

import time

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError, UnknownNameError
from retrograd.training.history import History
from retrograd.training.stopping import Rules, Watch

RNG = np.random.default_rng(12)
X = RNG.normal(size=(40, 2))
Y = X @ [[1.0], [-2.0]] + 0.3


def linear():
    return rg.MLP([2, 1])


def watched(rules, Js, scores=(), norms=()):
    """The epoch after which the watch says stop, with the reason, and the best epoch."""
    history, watch = History(), Watch(Rules(epochs=100, **rules))
    for i, J in enumerate(Js):
        history.J.append(J)
        history.gradient_norm.append(norms[i] if norms else 1.0)
        if scores:
            history.validation_score.append(scores[i])
        watch.see(history, i + 1)
        reason = watch.reason(history)
        if reason:
            return i + 1, reason, watch.best_epoch
    return None, None, watch.best_epoch


@pytest.mark.parametrize(
    ("rules", "Js", "scores", "norms", "expected"),
    [
        ({}, [1, 1, 1], (), (), (None, None, 3)),
        ({"tolerance": 0.0, "patience": 2}, [3, 2, 1, 1, 1], (), (), (5, "tolerance", 5)),
        ({"tolerance": 0.5, "patience": 2}, [3, 2.6, 2.4, 2.2, 2.0], (), (), (4, "tolerance", 4)),
        # A slow fall counts by its sum: 0.4 + 0.4 is more than 0.5.
        ({"tolerance": 0.5, "patience": 2}, [3, 2.6, 2.2, 1.8, 1.4], (), (), (None, None, 5)),
        ({"tolerance": 0.1}, [1] * 10, (), (), (None, None, 10)),
        ({"tolerance": 0.1}, [1] * 11, (), (), (11, "tolerance", 11)),
        ({"gradient_tolerance": 0.5}, [1] * 3, (), [1, 0.6, 0.5], (3, "gradient", 3)),
        ({"patience": 2}, [1] * 5, [1, 2, 2, 1, 3], (), (4, "validation", 2)),
        ({"patience": 3}, [1] * 5, [1, 2, 2, 1, 3], (), (None, None, 5)),
        ({"patience": 1}, [1] * 3, [1, 2, 2], (), (3, "validation", 2)),
        ({"patience": 2}, [1] * 4, [float("nan"), 0.5, 0.4, 0.6], (), (None, None, 4)),
    ],
)
def test_a_rule_stops_when_it_should_and_not_before(rules, Js, scores, norms, expected):
    got = watched(rules, Js, scores, norms)
    assert got == expected


def test_tolerance_stops_a_run():
    history = rg.train(
        linear(),
        X,
        Y,
        optimizer=rg.SGD(0.1),
        epochs=500,
        batch_size=None,
        tolerance=1e-6,
        patience=3,
    )
    J = np.array(history.J)
    assert history.stopped == "tolerance"
    assert 10 < history.epochs < 500
    assert J[-4] - J[-1] <= 1e-6 < J[-5] - J[-2]


def test_a_gradient_norm_stops_a_run():
    history = rg.train(
        linear(), X, Y, optimizer=rg.SGD(0.1), epochs=500, batch_size=None, gradient_tolerance=1e-3
    )
    assert history.stopped == "gradient"
    assert history.gradient_norm[-1] <= 1e-3 < min(history.gradient_norm[:-1])


def test_the_best_weights_by_validation_come_back():
    """A rate that grows makes J fall, then rise: the best epoch is in the middle."""
    seen = {}

    def note(net, history):
        seen[history.epochs] = net.parameters["W1"].copy()

    net = linear()
    history = rg.train(
        net,
        X,
        Y,
        optimizer=rg.SGD(lambda step: 0.02 * 1.1**step),
        epochs=60,
        batch_size=None,
        validation=(X, Y),
        patience=5,
        callbacks=[note],
    )
    assert history.stopped == "validation"
    assert 1 < history.best_epoch == history.epochs - 5
    assert history.best_epoch == int(np.argmax(history.validation_score)) + 1
    np.testing.assert_array_equal(net.parameters["W1"], seen[history.best_epoch])
    assert "best validation r2" in str(history)


def test_the_time_stops_a_run_in_the_middle_of_an_epoch():
    begin = time.perf_counter()
    net = rg.MLP([2, 50, 1])
    before = net.parameters["W1"].copy()
    many = np.tile(X, (30000, 1))
    history = rg.train(net, many, many[:, :1], batch_size=1, epochs=10, max_seconds=0.2)
    assert time.perf_counter() - begin < 5
    assert history.stopped == "time"
    assert history.epochs == 0
    assert "no epoch was finished" in str(history)
    assert (net.parameters["W1"] != before).any()
    assert np.isfinite(net.parameters["W1"]).all()


def test_the_time_stops_full_batches_after_the_step():
    history = rg.train(linear(), X, Y, batch_size=None, epochs=10**6, max_seconds=0.3)
    assert history.stopped == "time"
    assert 0 < history.epochs < 10**6


def test_time_enough_stops_nothing():
    assert rg.train(linear(), X, Y, epochs=2, max_seconds=1e3).stopped == "epochs"


def test_a_share_is_held_out_once_and_the_rest_is_trained_on():
    seen = []

    def score(y, output):
        seen.append(np.sort(y[:, 0]))
        return 0.0

    net = linear()
    rg.train(net, X, Y, validation=0.25, score=score, epochs=3)
    assert [len(y) for y in seen] == [10, 10, 10]
    np.testing.assert_array_equal(seen[0], seen[2])
    # The held-out rows have no influence: training on the others alone gives the same weights.
    held = np.isin(Y[:, 0], seen[0])
    kwargs = {"optimizer": rg.SGD(0.1), "epochs": 3, "batch_size": None}
    one, two, rising = linear(), linear(), []

    def later_is_better(y, output):
        rising.append(0)
        return float(len(rising))

    rg.train(one, X, Y, validation=0.25, score=later_is_better, **kwargs)
    rg.train(two, X[~held], Y[~held], **kwargs)
    np.testing.assert_allclose(one.parameters["W1"], two.parameters["W1"], rtol=1e-12)


def test_a_validation_pair_is_scored_and_not_trained_on():
    net, other = linear(), linear()
    kwargs = {"optimizer": rg.SGD(0.1), "epochs": 3, "batch_size": 7}
    history = rg.train(net, X, Y, validation=(X[:5], Y[:5] + 1), **kwargs)
    rg.train(other, X, Y, **kwargs)
    np.testing.assert_allclose(net.parameters["W1"], other.parameters["W1"], rtol=1e-13)
    e = other.predict(X[:5]) - (Y[:5] + 1)
    assert history.validation_J[-1] == pytest.approx(0.5 * (e**2).sum(axis=1).mean(), rel=1e-12)
    r2 = 1 - (e**2).sum() / ((Y[:5] - Y[:5].mean()) ** 2).sum()
    assert history.validation_score[-1] == pytest.approx(r2, rel=1e-12)


def test_validation_J_has_no_penalty_and_no_weights():
    net = linear()
    history = rg.train(
        net, X, Y, validation=(X, Y), l2=5.0, sample_weight=np.arange(40.0), epochs=1
    )
    e = net.predict(X) - Y
    assert history.validation_J[0] == pytest.approx(0.5 * (e**2).mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, OptionError, "epochs must be an integer of at least 1"),
        ({"epochs": 2.5}, OptionError, "epochs must be an integer"),
        ({"batch_size": 0}, OptionError, "batch_size must be an integer of at least 1"),
        ({"batch_size": 2.0}, OptionError, "batch_size must be an integer"),
        ({"random_starts": 0}, OptionError, "random_starts must be an integer of at least 1"),
        ({"patience": 0, "tolerance": 0.1}, OptionError, "patience must be an integer"),
        ({"patience": 3}, OptionError, "patience needs validation rows, or a tolerance in J"),
        ({"tolerance": -1.0}, OptionError, "tolerance must be in"),
        ({"gradient_tolerance": "small"}, OptionError, "gradient_tolerance must be in"),
        ({"max_seconds": 0}, OptionError, r"max_seconds must be in \(0, inf\)"),
        ({"l2": -0.1}, OptionError, "l2 must be in"),
        ({"seed": -3}, OptionError, "seed must be an integer of at least 0"),
        ({"seed": "x"}, OptionError, "seed must be an integer"),
        ({"validation": 1.0}, OptionError, r"validation must be in \(0, 1\)"),
        ({"validation": True}, OptionError, r"validation must be in \(0, 1\)"),
        ({"validation": (X,)}, OptionError, r"a pair \(X, Y\); got 1 things"),
        ({"validation": 0.001}, DataError, "leaves 40 to train on and 0 to validate"),
        ({"validation": (X[:3], Y[:2])}, DataError, "validation X has 3 rows, Y has 2"),
        ({"validation": ([["a", "b"]], [[1.0]])}, DataError, "validation X: expected real numbers"),
        ({"validation": (X[:, :1], Y)}, DataError, "validation X: has 1 columns, expected 2"),
        ({"score": "f1"}, UnknownNameError, "known: accuracy, auto, loss, r2"),
        ({"precision": "half"}, UnknownNameError, "known: auto, bfloat16, float32, float64"),
        ({"engine": "fpga"}, UnknownNameError, "unknown engine 'fpga'"),
        ({"optimizer": "tiger"}, UnknownNameError, "unknown optimizer 'tiger'"),
        ({"loss": "mse"}, UnknownNameError, "unknown loss 'mse'"),
        ({"resume": 3}, OptionError, "resume needs a history"),
        ({"resume": History()}, OptionError, "resume needs a history that rg.train returned"),
        ({"sample_weight": [1.0]}, DataError, r"sample_weight: expected shape \(40,\)"),
    ],
)
def test_an_argument_out_of_place_is_named_before_anything_moves(options, error, message):
    net = linear()
    before = net.parameters["W1"].copy()
    with pytest.raises(error, match=message):
        rg.train(net, X, Y, **options)
    np.testing.assert_array_equal(net.parameters["W1"], before)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:-1], "X has 40 rows, Y has 39; they must match"),
        (X[:0], Y[:0], "X: has 0 rows, needs at least 1"),
        (X[:, :1], Y, "X: has 1 columns, expected 2"),
        (np.where(X > 1, np.nan, X), Y, "X: nan at row"),
        (X, np.full_like(Y, np.inf), r"Y: inf at row 0, column 0 \(40 such entries\)"),
    ],
)
def test_data_that_cannot_be_used_is_named(x, y, message):
    with pytest.raises(DataError, match=message):
        rg.train(linear(), x, y)


def test_something_else_than_a_network_is_named():
    with pytest.raises(OptionError, match=r"expected a network \(rg\.MLP, rg\.Network\), got None"):
        rg.train(None, X, Y)
