"""Going on where training stopped: 5 epochs and 5 resumed ones are 10, bit for bit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError
from tests.networks import same

RNG = np.random.default_rng(13)
X, Y = RNG.normal(size=(30, 3)), RNG.normal(size=(30, 1))

OPTIMIZERS = {
    "sgd": rg.SGD(0.05),
    "momentum": rg.SGD(0.05, momentum=0.9, nesterov=True),
    "schedule": rg.SGD(lambda step: 0.3 / (1 + step / 10), momentum=0.9),
    "adam": rg.Adam(0.05),
    "adamw": rg.AdamW(0.05),
    "nadam": rg.NAdam(0.05),
    "rprop": rg.Rprop(0.05),
    "muon": rg.Muon(0.05),
    "schedule-free": rg.ScheduleFreeAdamW(0.05),
    "ema": rg.EMA(rg.Clip(rg.SGD(0.1), global_norm=0.5), 0.8),
    "swa": rg.SWA(rg.SGD(0.1), start=8, every=3),
    "lookahead": rg.Lookahead(rg.Adam(0.05), every=3),
    "accumulate": rg.Accumulate(rg.Adam(0.05), every=3),
    "groups": rg.Groups({"b*": rg.SGD(0.1)}, default=rg.EMA(rg.Adafactor(0.05), 0.8)),
}
VALIDATIONS = {"none": {}, "share": {"validation": 0.3}, "pair": {"validation": (X[:9], Y[:9])}}


def mlp():
    return rg.MLP([3, 6, 1], activation="tanh")


@pytest.mark.parametrize("batch_size", [7, None])
@pytest.mark.parametrize("validation", VALIDATIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_5_and_5_are_10_bit_for_bit(name, validation, batch_size):
    options = {"optimizer": OPTIMIZERS[name], "batch_size": batch_size, **VALIDATIONS[validation]}
    whole, parts = mlp(), mlp()
    expected = rg.train(whole, X, Y, epochs=10, **options)
    first = rg.train(parts, X, Y, epochs=5, **options)
    history = rg.train(parts, X, Y, epochs=5, resume=first, **options)
    assert same(whole, parts)
    for figure in ("J", "validation_J", "validation_score", "gradient_norm", "learning_rate"):
        assert getattr(history, figure) == getattr(expected, figure)
    assert history.best_epoch == expected.best_epoch
    assert len(history.seconds) == 10
    assert history.seconds == sorted(history.seconds)
    assert first.epochs == 5  # the former history is left as it was


def test_the_best_of_both_parts_is_kept_where_it_lies_in_the_first():
    """The rate explodes after step 5: nothing later is better than the first part."""
    options = {
        "optimizer": rg.SGD(lambda step: 0.05 if step < 4 else 0.9, momentum=0.9),
        "batch_size": None,
        "validation": (X, Y),
        "loss": "squared_error",
    }
    whole, parts = mlp(), mlp()
    expected = rg.train(whole, X, Y, epochs=10, **options)
    first = rg.train(parts, X, Y, epochs=6, **options)
    history = rg.train(parts, X, Y, epochs=4, resume=first, **options)
    assert expected.best_epoch < 6
    assert history.best_epoch == expected.best_epoch
    assert same(whole, parts)


def test_patience_goes_on_counting():
    options = {
        "optimizer": rg.SGD(lambda step: 0.05 if step < 3 else 0.5, momentum=0.9),
        "batch_size": None,
        "validation": (X, Y),
        "patience": 4,
    }
    whole, parts = mlp(), mlp()
    expected = rg.train(whole, X, Y, epochs=30, **options)
    assert expected.stopped == "validation"
    first = rg.train(parts, X, Y, epochs=expected.epochs - 2, **options)
    history = rg.train(parts, X, Y, epochs=30, resume=first, **options)
    assert history.stopped == "validation"
    assert history.epochs == expected.epochs


def test_a_history_may_be_pickled_in_between():
    net, other = mlp(), mlp()
    history = rg.train(net, X, Y, epochs=2)
    rg.train(other, X, Y, epochs=2)
    rg.train(net, X, Y, epochs=2, resume=pickle.loads(pickle.dumps(history)))
    rg.train(other, X, Y, epochs=2, resume=history)
    assert same(net, other)


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("options", [{}, {"validation": 0.3}, {"random_starts": 3}])
def test_a_checkpoint_does_not_follow_what_is_written_into_the_network(engine, options):
    net = mlp()
    history = rg.train(net, X, Y, epochs=3, engine=engine, **options)
    W = net.parameters["W1"]
    expected = W.copy()
    assert W.flags.writeable and W.flags.c_contiguous
    W[:] = 7.0
    np.testing.assert_array_equal(history.checkpoint.parameters["W1"], expected)
    history.checkpoint.parameters["W1"][:] = 8.0
    np.testing.assert_array_equal(W, 7.0)
    if not options:
        np.testing.assert_array_equal(history.checkpoint.state["b1"], net.parameters["b1"])
    assert set(history.checkpoint.parameters) == set(net.parameters)


def test_parameters_assigned_in_between_are_gone_on_from():
    net = rg.MLP([3, 1], bias=False)
    options = {"optimizer": rg.SGD(0.1, momentum=0.5), "epochs": 1, "batch_size": None}
    history = rg.train(net, X, Y, **options)
    velocity = (rg.MLP([3, 1], bias=False).parameters["W1"] - net.parameters["W1"]) / 0.1
    W = np.ones((3, 1))
    net.parameters["W1"] = W
    rg.train(net, X, Y, resume=history, **options)
    velocity = 0.5 * velocity + X.T @ (X @ W - Y) / len(X)
    np.testing.assert_allclose(net.parameters["W1"], W - 0.1 * velocity, rtol=1e-12)


def test_without_resume_the_optimizer_starts_anew():
    net, other = mlp(), mlp()
    history = rg.train(net, X, Y, epochs=3)
    rg.train(other, X, Y, epochs=3)
    rg.train(net, X, Y, epochs=3, resume=history)
    rg.train(other, X, Y, epochs=3)
    assert not same(net, other)


def test_lbfgs_goes_on_from_where_it_stopped():
    net = mlp()
    first = rg.train(net, X, Y, optimizer="lbfgs", epochs=5)
    history = rg.train(net, X, Y, optimizer="lbfgs", epochs=5, resume=first)
    assert history.epochs == 10
    assert history.J[:5] == first.J
    assert history.J[5] < first.J[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "sgd"}, "resume continues adam, the optimizer is now sgd"),
        ({"random_starts": 2}, "random_starts must be 1"),
        ({"validation": 0.5}, "resume needs validation rows as before; the first run had none"),
    ],
)
def test_what_does_not_continue_a_run_is_an_error(options, message):
    net = mlp()
    history = rg.train(net, X, Y, epochs=1)
    with pytest.raises(OptionError, match=message):
        rg.train(net, X, Y, epochs=1, resume=history, **options)


def test_another_network_cannot_be_resumed():
    history = rg.train(mlp(), X, Y, epochs=1)
    with pytest.raises(OptionError, match="needs the network and the optimizer of the first run"):
        rg.train(rg.MLP([3, 7, 1]), X, Y, epochs=1, resume=history)


def test_momentum_cannot_begin_in_a_resumed_run():
    net = mlp()
    history = rg.train(net, X, Y, optimizer=rg.SGD(0.1), epochs=1)
    with pytest.raises(OptionError, match="velocity of W1"):
        rg.train(net, X, Y, optimizer=rg.SGD(0.1, momentum=0.5), epochs=1, resume=history)


def test_another_seed_than_the_first_runs_is_an_error_and_the_usual_one_stands_for_it():
    net, other = mlp(), mlp()
    history = rg.train(net, X, Y, epochs=1, seed=5)
    rg.train(other, X, Y, epochs=1, seed=5)
    with pytest.raises(OptionError, match="the seed of the first run, 5; the seed is now 3"):
        rg.train(net, X, Y, epochs=1, resume=history, seed=3)
    rg.train(net, X, Y, epochs=1, resume=history, seed=5)
    rg.train(other, X, Y, epochs=1, resume=history)
    assert same(net, other)


@pytest.mark.parametrize("others", [(X[:20], Y[:20]), (X + 1.0, Y), (X, Y[::-1])])
def test_other_rows_than_the_first_runs_are_an_error(others):
    net = mlp()
    history = rg.train(net, X, Y, epochs=1)
    with pytest.raises(OptionError, match="resume goes on with the rows of the first run"):
        rg.train(net, *others, epochs=1, resume=history)
    rg.train(net, X.astype(np.float32), Y, epochs=1, resume=history)


def test_other_validation_rows_are_an_error_too():
    net = mlp()
    history = rg.train(net, X, Y, epochs=1, validation=(X[:5], Y[:5]))
    with pytest.raises(OptionError, match="the validation rows are others now"):
        rg.train(net, X, Y, epochs=1, validation=(X[:6], Y[:6]), resume=history)


def test_statistics_asked_for_in_a_resumed_run_stand_at_their_own_epochs():
    network, X = rg.MLP([2, 3, 1]), np.ones((8, 2))
    first = rg.train(network, X, X[:, 0], epochs=2)
    whole = rg.train(network, X, X[:, 0], epochs=2, statistics=True, resume=first)
    norms = whole.statistics["norm"]["W1"]
    assert np.isnan(norms).tolist() == [True, True, False, False]
    assert not first.statistics
