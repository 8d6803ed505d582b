"""partial_fit on the session that is open: it leaves the model as the long way does."""

import copy
import gc
import os
import pickle
import threading
import weakref
from contextlib import suppress

import numpy as np
import pytest
from sklearn.base import clone

import retrograd as rg
from retrograd.errors import DataError, FitDivergenceError, ShapeError
from retrograd.estimators import ongoing
from retrograd.estimators.notes import Notes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CASES = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "adamw": {"solver": "adamw", "learning_rate": rg.schedules.Cosine(0.01, steps=20)},
    "average": {"solver": rg.EMA(rg.SGD(0.1), decay=0.5)},
    "in batches": {"batch_size": 10},
    "reference": {"engine": "numpy"},
}


@pytest.fixture
def count(monkeypatch):
    """How often the short way was taken."""
    taken = []
    go = ongoing.Ongoing._go
    monkeypatch.setattr(
        ongoing.Ongoing, "_go", lambda self, *args: taken.append(1) or go(self, *args)
    )
    return taken


def batches(kind, n=7):
    rng = np.random.default_rng(0)
    for i in range(n):
        size = 32 if i != 4 else 19
        X = rng.normal(size=(size, 5))
        yield X, (X[:, 0] > 0) * 2 + (X[:, 1] > 0) if kind == "classifier" else X[:, 0]


def test_many_rows_are_not_copied(count, monkeypatch):
    (X, y), *_ = batches("regressor", 1)
    X, y = np.tile(X, (500, 1)), np.tile(y, 500)
    monkeypatch.setattr(ongoing, "COPIED", 1000)
    model, _ = makers("regressor")
    fed = []
    model.partial_fit(X, y)
    session = model._ongoing.session
    feed = session.feed
    monkeypatch.setattr(session, "feed", lambda rows: fed.append(rows) or feed(rows))
    model.partial_fit(X, y).partial_fit(X[:32], y[:32]).partial_fit(X[32:64], y[32:64])
    assert len(count) == 3 and [len(rows) for rows in fed] == [len(X), 1, 32]
    assert fed[0].X is X and not np.shares_memory(fed[2].X, X)


def test_no_rows_and_no_models_are_kept_alive(monkeypatch, count):
    monkeypatch.setattr(ongoing, "COPIED", 1000)
    (X, y), *_ = batches("regressor", 1)
    model, _ = makers("regressor")
    for n in (1, 500):  # small rows and large ones; the first call of each kind, and a later one
        for _ in range(2):
            rows = np.tile(X, (n, 1))
            kept = weakref.ref(rows)
            model.partial_fit(rows, np.tile(y, n))
            del rows
            assert kept() is None
    assert len(count) == 3
    gc.disable()
    try:
        kept = weakref.ref(model)
        del model
        assert kept() is None
    finally:
        gc.enable()


def test_who_looks_at_a_model_in_training_changes_nothing(count):
    def watching(model, seen):
        def rate(step):
            if hasattr(model[0], "coefs_"):
                seen.append(np.linalg.norm(model[0].coefs_[0]))
            return 0.01

        return rate

    models, seen = [], ([], [])
    for looks in seen:
        here = []
        params = {"solver": "sgd", "learning_rate": watching(here, looks)}
        here.append(makers("regressor", **params)[0])
        models += here
    for X, y in batches("regressor"):
        models[0].partial_fit(X, y)
        models[1].partial_fit(X.tolist(), y.tolist())
    assert len(count) == 6 and len(seen[0]) > 6
    assert_equal_models(*models)


LOOKS = {
    "copies": copy.deepcopy,
    "pickles": pickle.dumps,
    "saves": lambda model: model.save(os.devnull),
}


@pytest.mark.parametrize("look", LOOKS)
def test_who_copies_a_model_in_training_leaves_it_as_it_goes_on(look, count):
    here = []

    def rate(step):
        if here and step % 3 == 2 and hasattr(here[0], "t_"):
            with suppress(Exception):  # a schedule that is a function has no file
                LOOKS[look](here[0])
        return 0.01

    model = makers("regressor", solver="sgd", learning_rate=rate)[0]
    other = makers("regressor", solver="sgd", learning_rate=lambda step: 0.01)[0]
    here.append(model)
    for X, y in batches("regressor"):
        model.partial_fit(X, y)
        other.partial_fit(X, y)
    assert count
    assert_equal_models(model, other)


def test_a_child_of_a_fork_in_training_has_the_last_state_that_is_whole(count):
    (X, y), *_ = batches("regressor", 1)
    model, _ = makers("regressor")
    model.partial_fit(X, y).partial_fit(X, y).partial_fit(X, y)
    run, before = model._ongoing._run, [own.copy() for own in model.coefs_]
    model._ongoing._is_running = True  # as a child finds it whose parent had another thread in it
    run.session.engine.write("W1", np.full_like(before[0], 9.0))
    model._ongoing.renew()
    assert not model._ongoing._is_running
    found = model._ongoing.session.parameters()
    np.testing.assert_array_equal(found["W1"], before[0])
    assert model.partial_fit(X, y).t_ == 4 * len(X)


def test_another_thread_may_look_at_a_model_in_training(count):
    (X, y), *_ = batches("regressor", 1)
    X, y = np.tile(X, (20, 1)), np.tile(y, 20)
    model, other = (makers("regressor", batch_size=10)[0] for _ in range(2))
    model.partial_fit(X, y)
    is_over, errors = threading.Event(), []

    def look():
        while not is_over.is_set():
            try:
                model.predict(X[:1])
            except Exception as error:  # noqa: BLE001  # whatever it is, the test shall see it
                errors.append(error)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(60):
            model.partial_fit(X, y)
    finally:
        is_over.set()
        watcher.join()
    for _ in range(61):
        other.partial_fit(X, y)
    assert not errors and len(count) == 120
    assert_equal_models(model, other)


def test_what_a_model_has_can_be_listed():
    (X, y), *_ = batches("regressor", 1)
    model, _ = makers("regressor")
    assert "coefs_" not in dir(model)
    model.partial_fit(X, y).partial_fit(X, y)
    assert {"coefs_", "intercepts_"} <= {*dir(model)}
    assert "intercepts_" in makers("regressor")[0].partial_fit(X, y).partial_fit(X, y)._repr_html_()


@pytest.mark.parametrize("wrong", [None, 7, [[[1.0, 2.0], [3.0]], [[1.0]]], [[np.ones(2), "a"]]])
@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_assigned_weights_that_are_no_arrays_are_a_clear_error(name, wrong):
    (X, y), *_ = batches("regressor")
    model, _ = makers("regressor")
    for _ in range(3):
        model.partial_fit(X, y)
    own = getattr(model, name)
    setattr(model, name, wrong)
    for call in (
        lambda: model.partial_fit(X, y),
        lambda: model.partial_fit(X, y, sample_weight=np.ones(len(X))),
        lambda: model.predict(X),
    ):
        with pytest.raises((DataError, ShapeError), match=name):
            call()
    setattr(model, name, own)
    assert np.isfinite(model.partial_fit(X, y).predict(X)).all()


def test_assigned_weights_of_other_sizes_are_refused_as_on_the_long_way(count):
    (X, y), *_ = batches("regressor", 1)
    for change in (
        lambda own: [*own, np.full((1, 1), 2.0)],
        lambda own: own[:1],
        lambda own: [np.ones((5, 9)), own[1]],
    ):
        model, _ = makers("regressor")
        model.partial_fit(X, y).partial_fit(X, y)
        coefs = change(model.coefs_)
        model.coefs_, model.intercepts_ = coefs, [np.ones(W.shape[1]) for W in coefs]
        with pytest.raises(ShapeError, match=r"coefs_|sizes"):
            model.partial_fit(X, y)
    assert len(count) == 3


def test_two_classes_take_the_short_way(count):
    model, other = (rg.MLPClassifier((8,), random_state=0) for _ in range(2))
    first = {"classes": ["no", "yes"]}
    for X, _ in batches("regressor"):
        y = np.where(X[:, 0] > 0, "yes", "no ").astype("U3")
        y = np.char.strip(y)
        model.partial_fit(X, y, **first)
        other.partial_fit(X.tolist(), y.tolist(), **first)
        first = {}
    assert len(count) == 6
    assert_equal_models(model, other)
    with pytest.raises(ValueError, match="maybe"):
        model.partial_fit(X, np.array(["maybe"] * len(X)))


def makers(kind, **params):
    if kind == "classifier":
        return rg.MLPClassifier((8,), random_state=0, **params), {"classes": [0, 1, 2, 3]}
    return rg.MLPRegressor(hidden_layer_sizes=(8,), random_state=0, **params), {}


def assert_equal_models(a, b):
    assert a.loss_curve_ == b.loss_curve_ and (a.t_, a.n_iter_) == (b.t_, b.n_iter_)
    for one, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_the_short_way_is_the_long_way(kind, name, count):
    model, first = makers(kind, **CASES[name])
    other = clone(model)
    for X, y in batches(kind):
        model.partial_fit(X, y, **first)
        other.partial_fit(X.tolist(), y.tolist(), **first)  # lists need all checks
        first = {}
    assert len(count) == 6
    assert_equal_models(model, other)
    twin = pickle.loads(pickle.dumps(model))
    for X, y in batches(kind, 2):
        twin.partial_fit(X, y)
        model.partial_fit(X, y)
    assert_equal_models(model, twin)


def test_weights_changed_in_between_are_gone_on_from(count):
    model, _ = makers("regressor", solver="sgd", momentum=0.0)
    other = clone(model)
    for i, (X, y) in enumerate(batches("regressor")):
        for each, rows in ((model, (X, y)), (other, (X.tolist(), y.tolist()))):
            each.partial_fit(*rows)
            if i % 2:
                each.coefs_[0][:, 2] += 0.5
            else:
                each.intercepts_ = [b + 0.1 for b in each.intercepts_]
    assert len(count) == 6
    assert_equal_models(model, other)


def test_what_differs_takes_the_long_way(count):
    (X, y), *_ = batches("classifier")
    model, first = makers("classifier")
    model.partial_fit(X, y, **first)
    model.set_params(alpha=0.1).partial_fit(X, y)
    model.partial_fit(X.astype(np.float32), y)
    model.partial_fit(X, y, sample_weight=np.ones(32))
    model.partial_fit(X, y)
    assert not count
    model.partial_fit(X, y)
    assert len(count) == 1
    for wrong_X, wrong_y in (
        (X[:, :3], y),
        (X * np.nan, y),
        (X, y + 9),
        (X, y[:3]),
        (X[:0], y[:0]),
        (X[:1], np.array(1)),
    ):
        with pytest.raises((ValueError, TypeError), match=r"[Ii]nput|y|X"):
            model.partial_fit(wrong_X, wrong_y)
    assert len(count) == 1
    model.set_params(alpha=-1.0)
    with pytest.raises(ValueError, match="alpha"):
        model.partial_fit(X, y)


def test_rows_that_lie_apart_are_as_those_that_lie_close(count):
    models = [makers("regressor")[0] for _ in range(2)]
    for X, y in batches("regressor"):
        table = np.full((2 * len(X), 9), np.nan)
        table[::2, 2:7] = X
        for model, rows in zip(models, (X, table[::2, 2:7]), strict=True):
            model.partial_fit(rows, y)
    assert len(count) == 12
    for own, other in zip(*(model.coefs_ for model in models), strict=True):
        np.testing.assert_array_equal(own, other)


def test_after_rows_that_were_refused_training_goes_on_as_if_they_had_not_come(count):
    models = [makers("classifier") for _ in range(2)]
    for i, (X, y) in enumerate(batches("classifier")):
        for j, (model, first) in enumerate(models):
            model.partial_fit(X, y, **({} if i else first))
            if i == 2 and j:
                with pytest.raises(ValueError, match="NaN"):
                    model.partial_fit(np.where(X > 0, X, np.nan), y)
    assert len(count) > 8
    for own, other in zip(*(model.coefs_ for model, _ in models), strict=True):
        np.testing.assert_array_equal(own, other)


def test_divergence_on_the_short_way_keeps_finite_weights(count):
    (X, y), *_ = batches("regressor")
    model, _ = makers("regressor", solver="sgd", learning_rate_init=0.5)
    model.partial_fit(X, y)
    with pytest.raises(FitDivergenceError):
        model.partial_fit(1e200 * X, 1e200 * y)
    assert count and np.isfinite(model.predict(X)).all()


def test_a_fit_and_a_file_see_the_state_of_the_short_way(tmp_path):
    model, _ = makers("regressor")
    for X, y in batches("regressor"):
        model.partial_fit(X, y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert_equal_models(model.partial_fit(X, y), loaded.partial_fit(X, y))
    assert model.fit(X, y).loss_curve_ == clone(model).fit(X, y).loss_curve_


def test_ctrl_c_within_a_call_leaves_a_whole_model(monkeypatch, count):
    model, _ = makers("regressor")
    other = clone(model)
    (X, y), (X2, y2), (X3, y3) = batches("regressor", 3)
    for each in (model, other):
        each.partial_fit(X, y).partial_fit(X2, y2)
    note = Notes.epochs

    def press(self, losses, **how):
        monkeypatch.setattr(Notes, "epochs", note)
        raise KeyboardInterrupt

    monkeypatch.setattr(Notes, "epochs", press)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.partial_fit(X3, y3)
    other.partial_fit(X3, y3)
    for a, b in zip(
        model.coefs_ + model.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(a, b)  # the step had run
    assert model.partial_fit(X, y).loss_ == other.partial_fit(X, y).loss_
    assert len(count) == 6


def test_arrays_that_a_user_has_stay_as_they_are(count):
    model, _ = makers("regressor")
    (X, y), *_ = batches("regressor", 1)
    model.partial_fit(X, y).partial_fit(X, y)
    own, before = model.coefs_[0], model.coefs_[0].copy()
    assert model.coefs_[0] is own
    model.partial_fit(X, y)
    assert (own == before).all() and (model.coefs_[0] != before).any()
    mine = np.zeros_like(own)
    model.coefs_[0] = mine
    model.partial_fit(X, y)
    assert (mine == 0).all() and model.coefs_[0] is not mine and len(count) == 3


@pytest.mark.parametrize("read", ["coefs_", "intercepts_"])
def test_weights_are_read_from_the_session_when_asked_for(read, count):
    model, _ = makers("regressor")
    assert not hasattr(model, read)
    with pytest.raises(AttributeError, match=f"'MLPRegressor' object has no attribute '{read}'"):
        getattr(model, read)
    other = clone(model)
    for X, y in batches("regressor", 3):
        model.partial_fit(X, y)
        other.partial_fit(X.tolist(), y.tolist())
    assert len(count) == 2 and read not in vars(model)
    setattr(model, read, [2.0 * each for each in getattr(other, read)])  # the other stays unread
    setattr(other, read, [2.0 * each for each in getattr(other, read)])
    model.partial_fit(X, y)
    other.partial_fit(X.tolist(), y.tolist())
    assert_equal_models(model, other)
    twin = copy.copy(model.partial_fit(X, y))
    assert_equal_models(twin, other.partial_fit(X, y))


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_the_rate_of_a_schedule_follows_the_short_way(kind, count):
    schedule = rg.schedules.Cosine(0.01, steps=50)
    model, first = makers(kind, learning_rate=schedule)
    for n, (X, y) in enumerate(batches(kind), start=1):
        model.partial_fit(X, y, **(first if n == 1 else {}))
        assert model._optimizer.learning_rate == schedule(n)
    assert count
