"""Descent against hand-written loops: orders, batches, the short last batch, weights, history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import retrograd as rg
from retrograd.errors import OptionError
from retrograd.training.starts import begin

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(23, 3)), RNG.normal(size=(23, 2))


def mlp(**options):
    return rg.MLP([3, 4, 2], activation="tanh", **options)


def gradient(p, x, y, w, l2):
    """J and its gradient by hand: 3-4-2, tanh, half the squared error  [L1.5, L1.6]."""
    share = (w / w.sum())[:, None]
    a = np.tanh(x @ p["W1"] + p["b1"])
    e = a @ p["W2"] + p["b2"] - y
    J = 0.5 * (share * e**2).sum() + 0.5 * l2 * sum((p[k] ** 2).sum() for k in ("W1", "W2"))
    delta2 = share * e
    delta1 = (delta2 @ p["W2"].T) * (1 - a**2)
    return J, {
        "W1": x.T @ delta1 + l2 * p["W1"],
        "b1": delta1.sum(axis=0),
        "W2": a.T @ delta2 + l2 * p["W2"],
        "b2": delta2.sum(axis=0),
    }


def orders(seed, epochs, *, shuffle):
    """The orders of rows that training draws."""
    rng = begin(None, rg.SGD(), 1, seed, validates=False).shuffling(0)
    rows = np.arange(len(X))
    return [rng.permutation(rows) if shuffle else rows for _ in range(epochs)]


def by_hand(net, batch_size, epochs, *, seed=0, shuffle=True, weights=None, l2=0.0, rate=0.1):
    p = {name: value.copy() for name, value in net.parameters.items()}
    w = np.ones(len(X)) if weights is None else weights
    Js, norms = [], []
    for order in orders(seed, epochs, shuffle=shuffle):
        total = 0.0
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            J, g = gradient(p, X[rows], Y[rows], w[rows], l2)
            total += J * w[rows].sum()
            p = {name: p[name] - rate * g[name] for name in p}
        Js.append(total / w.sum())
        norms.append(np.sqrt(sum((v**2).sum() for v in g.values())))
    return p, Js, norms


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5, 22, 23, 24, 1000, None])
def test_descent_is_the_loop_written_by_hand(batch_size, shuffle):
    net = mlp()
    size = len(X) if batch_size is None else batch_size
    # Where every row is in each batch, the order is left alone if batch_size is None.
    shuffled = shuffle and batch_size is not None
    p, Js, norms = by_hand(net, size, 4, shuffle=shuffled)
    history = rg.train(
        net, X, Y, optimizer=rg.SGD(0.1), epochs=4, batch_size=batch_size, shuffle=shuffle
    )
    for name, value in p.items():
        np.testing.assert_allclose(net.parameters[name], value, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(history.J, Js, rtol=1e-12)
    np.testing.assert_allclose(history.gradient_norm, norms, rtol=1e-11)


def test_the_short_last_batch_is_the_mean_over_its_own_rows():
    """23 rows in batches of 22: the last row alone moves the weights as a batch of one does."""
    net = mlp()
    p, _, _ = by_hand(net, 22, 1, shuffle=False)
    rg.train(net, X, Y, optimizer=rg.SGD(0.1), epochs=1, batch_size=22, shuffle=False)
    np.testing.assert_allclose(net.parameters["W1"], p["W1"], rtol=1e-12)


def test_weights_and_l2_count_as_in_the_formula():
    net, weights = mlp(), RNG.integers(1, 4, 23).astype(float)
    p, Js, _ = by_hand(net, 6, 3, weights=weights, l2=0.05)
    history = rg.train(
        net,
        X,
        Y,
        optimizer=rg.SGD(0.1),
        epochs=3,
        batch_size=6,
        sample_weight=weights,
        l2=0.05,
    )
    np.testing.assert_allclose(net.parameters["W2"], p["W2"], rtol=1e-11)
    np.testing.assert_allclose(history.J, Js, rtol=1e-12)


def test_a_batch_of_zero_weights_moves_nothing():
    net, weights = mlp(), np.r_[np.zeros(5), np.ones(18)]
    other = mlp()
    kwargs = {"optimizer": rg.SGD(0.1), "epochs": 2, "batch_size": 5, "shuffle": False}
    history = rg.train(net, X, Y, sample_weight=weights, **kwargs)
    rg.train(other, X[5:], Y[5:], **kwargs)
    np.testing.assert_allclose(net.parameters["W1"], other.parameters["W1"], rtol=1e-12)
    assert np.isfinite(history.J).all()


def test_the_seed_decides_the_order_and_nothing_else_does():
    def run(**options):
        net = mlp()
        rg.train(net, X, Y, epochs=3, batch_size=5, **options)
        return net.parameters["W1"]

    np.testing.assert_array_equal(run(seed=4), run(seed=4))
    assert (run(seed=4) != run(seed=5)).any()
    assert (run(seed=None) != run(seed=None)).any()


def test_a_history_has_one_entry_an_epoch():
    history = rg.train(
        mlp(), X, Y, epochs=4, validation=0.3, optimizer=rg.SGD(lambda s: 1 / (s + 9))
    )
    for figure in ("J", "validation_J", "validation_score", "gradient_norm", "seconds"):
        assert len(getattr(history, figure)) == 4
    assert history.learning_rate == [1 / 9, 1 / 10, 1 / 11, 1 / 12]  # 16 rows are one batch of 32
    assert history.seconds == sorted(history.seconds)
    assert history.epochs == 4
    assert history.stopped == "epochs"
    assert "4 epochs in" in str(history)
    assert "all epochs were run" in str(history)


def test_the_form_of_a_history_is_one_line_of_what_matters():
    long = [1.0 / (1 + i) for i in range(5000)]
    history = rg.History(J=long, validation_J=long, validation_score=[-J for J in long])
    history.best_epoch = 5000
    assert (
        repr(history)
        == "<history: 5000 epochs, J 0.0002, best validation loss -0.0002 at epoch 5000>"
    )
    assert repr(rg.History()) == "<history: 0 epochs>"
    assert repr(rg.History(J=[0.5])) == "<history: 1 epochs, J 0.5>"


def test_without_validation_its_figures_are_empty():
    history = rg.train(mlp(), X, Y, epochs=2)
    assert history.validation_J == history.validation_score == []
    assert history.best_epoch == 2


def test_train_changes_neither_X_nor_Y():
    x, y = X.copy(), Y.copy()
    x.setflags(write=False)
    y.setflags(write=False)
    rg.train(mlp(), x, y, epochs=2, batch_size=5)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1][::-1],
        pd.DataFrame,
        lambda X: X.tolist(),
    ],
)
def test_the_form_of_X_does_not_matter(form):
    net, other = mlp(), mlp()
    rg.train(net, form(X), form(Y), epochs=2, batch_size=5)
    rg.train(other, X, Y, epochs=2, batch_size=5)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


def test_integers_are_trained_on_as_floats():
    net, other = mlp(), mlp()
    rg.train(net, np.rint(X).astype(int), Y, epochs=2)
    rg.train(other, np.rint(X), Y, epochs=2)
    np.testing.assert_array_equal(net.parameters["W1"], other.parameters["W1"])


@pytest.mark.parametrize(("dtype", "precision"), [("float32", "auto"), ("float64", "float32")])
def test_float32_is_trained_in_and_stays_near_float64(dtype, precision):
    net, other = mlp(), mlp()
    rg.train(net, X.astype(dtype), Y, epochs=5, batch_size=5, precision=precision)
    rg.train(other, X, Y, epochs=5, batch_size=5)
    assert net.dtype == np.float32
    assert net.predict(X).dtype == np.float32
    assert np.abs(net.parameters["W1"] - other.parameters["W1"]).max() < 1e-5


def test_float64_may_be_asked_for():
    net = mlp(dtype=np.float32)
    rg.train(net, X.astype(np.float32), Y, epochs=1, precision="float64")
    assert net.dtype == np.float64


@pytest.mark.parametrize("name", ["shuffle", "progress"])
def test_a_choice_that_is_neither_true_nor_false_is_an_error(name):
    with pytest.raises(OptionError, match=f"train: {name} must be True or False, got 'no'"):
        rg.train(rg.MLP([1, 1]), [[1.0]], [1.0], **{name: "no"})
