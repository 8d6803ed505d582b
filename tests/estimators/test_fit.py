"""What fit does with precision, sparse rows, weights in the open, interruption and divergence."""

import os
import pickle
import signal
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_array
from sklearn.base import clone

import retrograd as rg
from retrograd.arrays import SparseRows
from retrograd.errors import FitDivergenceError, RetrogradError
from retrograd.estimators import descent
from retrograd.training.session import TrainingSession

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def fitted(task):
    return task.pair(max_iter=5)[0].fit(task.X, task.y)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_float32_stays_float32(task, solver):
    model = task.pair(max_iter=5, solver=solver)[0].fit(task.X.astype(np.float32), task.y)
    assert {w.dtype for w in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    if task.kind == "regressor":
        assert model.predict(task.X.astype(np.float32)).dtype == np.float32
        assert model.predict(task.X).dtype == np.float64


@pytest.mark.parametrize("container", [csr_array, csc_matrix])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_give_what_dense_rows_give(task, solver, container):
    a, b = (task.pair(max_iter=5, solver=solver)[0] for _ in range(2))
    a.fit(task.X, task.y)
    b.fit(container(task.X), task.y)
    assert a.loss_ == b.loss_
    for one, other in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(a.predict(task.X), b.predict(container(task.X)))


def test_sparse_rows_are_expanded_a_batch_at_a_time(monkeypatch, tasks):
    sizes = []
    take = SparseRows.take
    monkeypatch.setattr(
        SparseRows,
        "take",
        lambda self, rows, *a, **k: sizes.append(len(rows)) or take(self, rows, *a, **k),
    )
    task = tasks["binary"]
    task.pair(max_iter=2, batch_size=32)[0].fit(csr_array(task.X), task.y)
    assert sizes == [32, 32, 32, 32, 2] * 2


def test_weights_can_be_assigned_and_changed_in_place(fitted, task):
    if task.kind == "regressor" and fitted.loss == "squared_error":
        before = fitted.predict(task.X)
        fitted.intercepts_[-1] += 1.0
        np.testing.assert_allclose(fitted.predict(task.X), before + 1.0)
    fitted.coefs_ = [np.zeros_like(w) for w in fitted.coefs_]
    fitted.intercepts_ = [np.zeros_like(b) for b in fitted.intercepts_]
    assert len(np.unique(fitted.predict(task.X))) == 1
    fitted.partial_fit(task.X, task.y)  # goes on from the assigned ones
    assert np.abs(fitted.coefs_[0]).max() < 0.01


def test_a_pickled_copy_predicts_and_trains_the_same(fitted, task):
    for copy in (pickle.loads(pickle.dumps(fitted)), deepcopy(fitted)):
        np.testing.assert_array_equal(copy.predict(task.X), fitted.predict(task.X))
        original = deepcopy(fitted).partial_fit(task.X, task.y)
        assert copy.partial_fit(task.X, task.y).loss_curve_ == original.loss_curve_


def test_a_clone_has_the_parameters_and_nothing_learned(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coefs_")


def test_a_batch_of_rows_without_weight_changes_nothing_but_the_penalty(tasks):
    task = tasks["one output"]
    weight = np.ones(130)
    weight[65:] = 0.0
    params = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "max_iter": 1, "alpha": 0.5}
    half = task.pair(batch_size=65, **params)[0].fit(task.X[:65], task.y[:65])
    both = task.pair(batch_size=65, **params)[0].fit(task.X, task.y, sample_weight=weight)
    for a, b in zip(half.coefs_, both.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_negative_weights_are_an_error(task):
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        task.pair()[0].fit(task.X, task.y, sample_weight=np.full(len(task.X), -1.0))


def test_negative_counts_are_an_error(tasks):
    task = tasks["counts"]
    with pytest.raises(RetrogradError, match="needs y >= 0"):
        task.pair()[0].fit(task.X, -task.y)


def test_divergence_names_epoch_and_step_and_keeps_finite_weights(tasks):
    task = tasks["three outputs"]
    model = task.pair(solver="sgd", learning_rate_init=1e90, batch_size=65)[0]
    with pytest.raises(FitDivergenceError, match="non-finite parameter weights") as caught:
        model.fit(task.X, task.y)
    assert isinstance(caught.value, ValueError)
    assert caught.value.epoch >= 1 and 1 <= caught.value.step <= 2
    assert all(np.isfinite(w).all() for w in model.coefs_ + model.intercepts_)


def test_divergence_with_early_stopping_keeps_the_best_weights(tasks):
    task = tasks["three outputs"]
    model = task.pair(solver="sgd", learning_rate_init=1e90, early_stopping=True)[0]
    model.fit(task.X, task.y)
    assert np.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.predict(task.X)).all()


def test_divergence_in_the_first_epoch_with_early_stopping_keeps_the_initial_weights(tasks):
    task = tasks["one output"]
    params = {"solver": "sgd", "learning_rate_init": 1e300, "early_stopping": True, "batch_size": 5}
    model = task.pair(**params)[0].fit(task.X, task.y)
    assert model.n_iter_ == 1 and np.isnan(model.validation_scores_[0])
    assert np.abs(np.concatenate([w.ravel() for w in model.coefs_])).max() < 1.0


def test_a_warm_start_with_other_sizes_is_an_error(fitted, task):
    fitted.set_params(warm_start=True, hidden_layer_sizes=(3,))
    with pytest.raises(RetrogradError, match=r"sizes \(64, 12, 7, \d+\)"):
        fitted.fit(task.X, task.y)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_keeps_the_model(solver, monkeypatch, tasks):
    task = tasks["binary"]
    model = task.pair(solver=solver, max_iter=1000, tol=0.0, verbose=True)[0]
    lines = []

    def press(line):
        lines.append(line)
        if len(lines) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("builtins.print", press)
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(task.X, task.y)
    assert model.n_iter_ == 3
    monkeypatch.undo()
    of_three = model.set_params(verbose=False, max_iter=3)
    for kept, w in zip(model.coefs_, clone(of_three).fit(task.X, task.y).coefs_, strict=True):
        np.testing.assert_array_equal(kept, w)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "conjugate_gradient"])
def test_ctrl_c_ends_all_starts(solver, monkeypatch, tasks):
    lines = []

    def press(line):
        lines.append(line)
        if len(lines) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("builtins.print", press)
    task = tasks["binary"]
    model = task.ours(solver=solver, random_starts=4, max_iter=5, tol=0.0, verbose=True)
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(task.X, task.y)
    assert len(lines) == model.n_iter_ == 3


def test_importing_retrograd_does_not_import_scikit_learn():
    code = "import sys, retrograd; print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_package_knows_no_other_names():
    assert {"MLPClassifier", "MLPRegressor"} <= set(dir(rg))
    with pytest.raises(AttributeError, match="no attribute 'MLPTransformer'"):
        _ = rg.MLPTransformer


AT_ONCE = {
    "adam": {},
    "several whole batches": {"batch_size": 26},
    "a short last batch": {"batch_size": 50},
    "stops": {"tol": 1e-2, "n_iter_no_change": 1, "learning_rate_init": 0.05, "max_iter": 60},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.2,
        "tol": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 60,
    },
    "a schedule": {"learning_rate": rg.schedules.Cosine(0.02, steps=20)},
    "dropout": {"dropout": 0.3},
    "without end": {"n_iter_no_change": np.inf},
}


@pytest.fixture
def runs(monkeypatch):
    """The rows of each native run of training."""
    found = []
    for name in "epoch", "epochs":
        own = getattr(TrainingSession, name)

        def counted(self, orders, *args, own=own, **kwargs):
            found.append(orders.size)
            return own(self, orders, *args, **kwargs)

        monkeypatch.setattr(TrainingSession, name, counted)
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("params", AT_ONCE.values(), ids=AT_ONCE)
def test_epochs_that_run_at_once_are_those_that_run_one_by_one(
    params, weighted, runs, monkeypatch, tasks
):
    task = tasks["multi-class"]
    weight = np.linspace(0.1, 2.0, 130) if weighted else None
    params = {"max_iter": 20} | params
    model = task.ours(**params).fit(task.X, task.y, weight)
    assert len(runs) < 0.75 * model.n_iter_ and max(runs) > 130
    del runs[:]
    monkeypatch.setattr(descent, "AT_ONCE", 0)
    other = task.ours(**params).fit(task.X, task.y, weight)
    assert set(runs) == {130} and len(runs) == other.n_iter_
    assert model.loss_curve_ == other.loss_curve_ and model.t_ == other.t_
    assert model._no_improvement_count == other._no_improvement_count
    for own, one in zip(model.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(own, one)


class Pressed:
    """Ctrl-C that comes with the first batch."""

    def __enter__(self):
        return lambda: True

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize("batch_size", [130, 50])
def test_where_epochs_run_at_once_ctrl_c_leaves_what_it_leaves_one_by_one(
    batch_size, runs, monkeypatch, tasks
):
    task, models = tasks["multi-class"], []
    monkeypatch.setattr(descent, "Interrupt", Pressed)
    for most in (descent.AT_ONCE, 0):
        monkeypatch.setattr(descent, "AT_ONCE", most)
        model = task.ours(max_iter=20, batch_size=batch_size, engine="numpy")
        with pytest.warns(UserWarning, match="Training interrupted by user."):
            models.append(model.fit(task.X, task.y))
    one, other = models
    assert max(runs) > 130 and one.n_iter_ == other.n_iter_ == (batch_size == 130)
    assert one.loss_curve_ == other.loss_curve_
    for own, known in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(own, known)


def test_where_epochs_run_at_once_divergence_is_named_as_where_they_run_one_by_one(
    runs, monkeypatch, tasks
):
    task, found = tasks["one output"], []
    for most in (descent.AT_ONCE, 0):
        monkeypatch.setattr(descent, "AT_ONCE", most)
        model = task.ours(solver="sgd", activation="identity", learning_rate_init=1.0)
        with pytest.raises(FitDivergenceError) as info:
            model.fit(task.X, 1e6 * task.y)
        found.append((str(info.value), model.loss_curve_, [w.tolist() for w in model.coefs_]))
    assert max(runs) > 130 and info.value.epoch > 1
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "params",
    [{"verbose": True}, {"early_stopping": True}, {"callbacks": [lambda model: None]}],
)
def test_epochs_run_one_by_one_where_something_looks_between_them(params, runs, tasks):
    model = tasks["binary"].ours(max_iter=10, **params).fit(tasks["binary"].X, tasks["binary"].y)
    assert len(runs) == model.n_iter_ == 10
