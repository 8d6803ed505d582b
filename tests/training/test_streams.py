"""Batches from an iterator train as the arrays they make up would."""

from __future__ import annotations

import signal
import tracemalloc

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.numpy import NumpySession
from retrograd.errors import DataError, DivergenceError, OptionError
from retrograd.run import ENGINES

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(300, 3)), RNG.normal(size=(300, 2))
W = RNG.uniform(0.5, 2.0, size=300)
LABELS = RNG.integers(0, 2, 300)


def cut(size, *arrays):
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size)]


def both(engine, size, arrays, *, epochs=3, dtype=np.float64, output="identity", **options):
    """The network and history of the arrays in their order, and of their batches."""
    x, y, *weight = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    found = []
    for is_stream in (False, True):
        net = rg.MLP([3, 7, 2], activation="tanh", output=output, dtype=dtype)
        if is_stream:
            history = rg.train(
                net, cut(size, x, y, *weight), epochs=epochs, engine=engine, **options
            )
        else:
            own = {"sample_weight": weight[0]} if weight else {}
            history = rg.train(
                net,
                x,
                y,
                **own,
                batch_size=size,
                shuffle=False,
                epochs=epochs,
                engine=engine,
                **options,
            )
        found.append((net, history))
    return found


def require_equal(found):
    (one, expected), (other, history) = found
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(other.parameters[name], value)
    for figure in ("J", "gradient_norm", "learning_rate", "validation_J", "validation_score"):
        np.testing.assert_array_equal(getattr(history, figure), getattr(expected, figure))
    assert (history.stopped, history.best_epoch) == (expected.stopped, expected.best_epoch)
    assert all(np.isfinite(history.gradient_norm))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 64, 299, 300])
def test_batches_train_bit_for_bit_as_the_joined_arrays_do(engine, dtype, size):
    require_equal(both(engine, size, [X, Y], dtype=dtype, l2=0.01))


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_validation_and_schedules_count_as_with_arrays(engine):
    options = {
        "validation": (X[:50] + 0.1, Y[:50]),
        "optimizer": rg.SGD(rg.schedules.ReduceOnPlateau(0.5, patience=1), momentum=0.9),
    }
    require_equal(both(engine, 64, [X, Y, W], epochs=8, **options))
    require_equal(both(engine, 64, [X, Y], optimizer=rg.EMA(rg.Adam(rg.schedules.Cosine(0.1, 9)))))


@pytest.mark.parametrize("engine", ENGINES)
def test_classes_and_their_weights_count_as_with_arrays(engine):
    options = {"class_weight": {1: 3.0}, "validation": (X[:50], LABELS[:50])}
    require_equal(both(engine, 50, [X, LABELS], output="softmax", **options))


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_draws_by_the_rows_seen_as_with_arrays(engine):
    nets = []
    for data in ([X, Y], [cut(64, X, Y)]):
        layers = [rg.Dense(3, 16, "relu"), rg.Dropout(0.5), rg.Dense(16, 2)]
        nets.append(rg.Network(layers))
        rg.train(nets[-1], *data, epochs=3, batch_size=64, shuffle=False, engine=engine)
    np.testing.assert_array_equal(nets[0].parameters["W1"], nets[1].parameters["W1"])


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_may_be_of_any_size_in_any_order(engine):
    """By hand: plain descent, one batch after the other, on 1/2 (x W - y)**2."""
    sizes = [5, 5, 5, 200, 1, 5, 60]
    ends = np.cumsum(sizes)
    batches = [(X[e - n : e], Y[e - n : e]) for e, n in zip(ends, sizes, strict=True)]
    net = rg.MLP([3, 2], bias=False)
    w = net.parameters["W1"].copy()
    for _ in range(2):
        for x, y in batches:
            w -= 0.1 * x.T @ (x @ w - y) / len(x)
    rg.train(net, batches, optimizer=rg.SGD(0.1), epochs=2, engine=engine)
    np.testing.assert_allclose(net.parameters["W1"], w, rtol=1e-13)


def train(batches, **options):
    net = rg.MLP([3, 2])
    history = rg.train(net, batches, **{"engine": "numpy", "epochs": 2, **options})
    return net.parameters["W1"], history


def test_a_function_is_called_for_each_epoch():
    calls = []

    def batches():
        calls.append(1)
        yield from cut(100, X, Y)

    found, _ = train(batches)
    assert len(calls) == 2
    np.testing.assert_array_equal(found, train(cut(100, X, Y))[0])


def test_an_object_with_iter_is_gone_through_anew_for_each_epoch_and_each_start():
    class Loader:
        opened = 0

        def __iter__(self):
            self.opened += 1
            return iter([list(batch) for batch in cut(100, X, Y)])

    loader = Loader()
    _, history = train(loader, random_starts=3)
    assert loader.opened == 6
    assert len(history.starts) == 3


def test_the_memory_of_a_batch_may_be_used_for_the_next():
    def batches():
        x, y = np.empty((100, 3)), np.empty((100, 2))
        for one, other in cut(100, X, Y):
            x[:], y[:] = one, other
            yield x, y

    np.testing.assert_array_equal(train(batches)[0], train(cut(100, X, Y))[0])


def test_an_iterator_that_can_be_gone_through_once_does_for_one_epoch():
    generator = (batch for batch in cut(100, X, Y))
    _, history = train(generator, epochs=1)
    assert history.epochs == 1
    with pytest.raises(OptionError, match=r"gone through once, but 2 passes .*epochs=1"):
        train(iter(cut(100, X, Y)))
    with pytest.raises(OptionError, match="3 passes"):
        train(iter(cut(100, X, Y)), epochs=1, random_starts=3)


def test_a_function_that_gives_the_same_iterator_again_is_an_error():
    once = iter(cut(100, X, Y))
    with pytest.raises(DataError, match=r"epoch 2 has no batches: .* anew for each epoch"):
        train(lambda: once)


def test_a_function_that_forgets_to_return_is_a_data_error():
    with pytest.raises(
        DataError, match=r"must return an iterable of \(X, Y\), it returned NoneType"
    ):
        train(lambda: None)


def test_batches_beside_y_are_an_option_error():
    with pytest.raises(OptionError, match="X is a list of batches, which bring their own Y"):
        rg.train(rg.MLP([3, 2]), cut(200, X, Y), Y)


def test_no_batches_are_a_data_error():
    with pytest.raises(DataError, match="there are no batches"):
        train([])


def with_third(*batch):
    return [*cut(100, X, Y)[:2], batch]


@pytest.mark.parametrize(
    "batch, message",
    [
        ((X[:9, :2], Y[:9]), "batch 3 of epoch 1: X: has 2 columns, expected 3"),
        ((X[:9] * np.nan, Y[:9]), "batch 3 of epoch 1: X: nan at row 0, column 0"),
        ((X[:9], Y[:8]), "batch 3 of epoch 1: X has 9 rows, Y has 8"),
        ((X[:9].astype(np.float32), Y[:9]), "batch 3 of epoch 1: X is float32, .* is float64"),
        ((X[:9], Y[:9], W[:9]), "batch 3 of epoch 1: sample_weight: .* has some, .* none"),
        ((X[:9],), r"batch 3 of epoch 1: expected a tuple \(X, Y\) .*, got a tuple of 1"),
        ((np.zeros((0, 3)), Y[:0]), "batch 3 of epoch 1: X: has 0 rows"),
    ],
)
def test_a_batch_that_does_not_fit_is_named_by_its_number(batch, message):
    with pytest.raises(DataError, match=message):
        train(with_third(*batch))


def test_the_first_batch_is_checked_too():
    with pytest.raises(DataError, match=r"batch 1 of epoch 1: .* got ndarray of shape \(300, 3\)"):
        train((X, Y))


def test_a_later_batch_may_be_of_integers_and_of_any_dtype_if_the_precision_is_given():
    train(with_third(np.ones((4, 3), int), np.ones((4, 2), int)))
    found, _ = train(with_third(X[:9].astype(np.float32), Y[:9]), precision="float64")
    assert found.dtype == np.float64


def test_targets_of_another_form_are_an_error():
    net = rg.MLP([3, 2], output="softmax")
    batches = [(X[:9], LABELS[:9]), (X[:9], np.eye(2)[LABELS[:9]])]
    with pytest.raises(DataError, match=r"batch 2 of epoch 1: Y is float64 .* is int64"):
        rg.train(net, batches, engine="numpy")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optimizer": "lbfgs"}, "lbfgs needs all rows at once"),
        ({"sample_weight": W}, r"\(X, Y, sample_weight\)"),
        ({"class_weight": "balanced"}, "class_weight='balanced' needs all rows at once"),
        ({"validation": 0.2}, r"validation is a pair \(X, Y\)"),
        ({"validation": (X,)}, "a pair"),
    ],
)
def test_what_needs_all_rows_is_an_option_error(options, message):
    with pytest.raises(OptionError, match=message):
        train(cut(100, X, Y), **options)


def test_arrays_without_y_are_an_option_error():
    with pytest.raises(OptionError, match="Y is missing"):
        train(X)
    with pytest.raises(OptionError, match=r"expected arrays X and Y, or batches.* got int 5"):
        train(5)


@pytest.mark.parametrize("n_batches", [3, 30])
def test_divergence_names_epoch_and_step_and_leaves_the_last_finite_weights(n_batches):
    batches, options = cut(300 // n_batches, X, Y), {"optimizer": rg.SGD(1e30)}
    expected = rg.MLP([3, 2])
    with pytest.raises(DivergenceError) as wanted:
        rg.train(
            expected,
            X,
            Y,
            engine="numpy",
            batch_size=300 // n_batches,
            shuffle=False,
            **options,
        )
    net = rg.MLP([3, 2])
    with pytest.raises(DivergenceError, match="training diverged at epoch") as caught:
        rg.train(net, batches, engine="numpy", **options)
    assert (caught.value.epoch, caught.value.step) == (wanted.value.epoch, wanted.value.step)
    np.testing.assert_array_equal(net.parameters["W1"], expected.parameters["W1"])


def test_ctrl_c_ends_training_at_the_end_of_a_step():
    begun = []

    def batches():
        for batch in cut(50, X, Y):
            begun.append(1)
            if len(begun) == 9:  # in epoch 2; one batch is looked ahead
                signal.raise_signal(signal.SIGINT)
            yield batch

    found, history = train(batches, epochs=50)
    assert (history.epochs, history.stopped) == (1, "interrupted")
    steps = cut(50, X, Y)
    by_hand = rg.MLP([3, 2])
    rg.train(by_hand, [*steps, *steps[:2]], epochs=1, engine="numpy")
    np.testing.assert_array_equal(found, by_hand.parameters["W1"])


def test_time_and_callbacks_stop_a_run_of_batches():
    _, history = train(cut(50, X, Y), epochs=10**6, max_seconds=0.05)
    assert history.stopped == "time"
    _, history = train(cut(50, X, Y), epochs=9, callbacks=[lambda net, history: True])
    assert (history.epochs, history.stopped) == (1, "callback")


def test_batches_resume_bit_for_bit():
    whole, _ = train(cut(50, X, Y), epochs=6)
    net = rg.MLP([3, 2])
    history = rg.train(net, cut(50, X, Y), epochs=2, engine="numpy")
    history = rg.train(net, cut(50, X, Y), epochs=4, engine="numpy", resume=history)
    assert history.epochs == 6
    np.testing.assert_array_equal(net.parameters["W1"], whole)


def test_what_is_in_memory_at_a_time_is_a_few_batches(monkeypatch):
    """50 MB of rows; each batch, of 0.5 MB, is one call of the session."""
    calls = []
    run = NumpySession.run

    def counted(self, step, order, *args, **options):
        calls.append((step, len(order)))
        return run(self, step, order, *args, **options)

    def batches():
        for _ in range(100):
            yield RNG.normal(size=(1000, 64)), np.zeros((1000, 1))

    monkeypatch.setattr(NumpySession, "run", counted)
    net = rg.MLP([64, 1])
    tracemalloc.start()
    try:
        rg.train(net, batches, epochs=1, engine="numpy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16e6
    assert calls == [("train", 1000)] * 99 + [("observe", 1000)]
