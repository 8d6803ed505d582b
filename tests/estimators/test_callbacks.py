"""Callbacks between epochs: functions of the estimator, and scikit-learn's own framework."""

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV

import retrograd as rg
from retrograd.errors import OptionError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["adam", "sgd", "lbfgs", "levenberg_marquardt"]


def regressor(**params):
    return rg.MLPRegressor(
        **{"hidden_layer_sizes": (6,), "random_state": 0, "max_iter": 8, "tol": 0.0} | params
    )


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    return X, X[:, 0] + 0.1 * rng.normal(size=50)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("engine", ["cpu", "numpy"])
def test_a_callback_sees_the_model_of_the_moment(solver, engine, data):
    X, y = data
    seen = []

    def look(model):
        residual = model.predict(X) - y
        penalty = sum(np.square(w).sum() for w in model.coefs_)
        seen.append((model.n_iter_, 0.5 * np.mean(residual**2) + 0.5 * model.alpha * penalty / 50))

    model = regressor(solver=solver, engine=engine, callbacks=[look], batch_size=50, shuffle=False)
    model.fit(X, y)
    assert [n for n, _ in seen] == list(range(1, model.n_iter_ + 1))
    if solver in ("lbfgs", "levenberg_marquardt"):  # the loss is that of the point accepted
        assert seen[-1][1] == pytest.approx(model.loss_, rel=1e-9)
    else:  # the loss is that before the step
        curve = [loss for _, loss in seen[:-1]]
        np.testing.assert_allclose(curve, model.loss_curve_[1:], rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_callback_stops_training(solver, data):
    X, y = data
    model = regressor(solver=solver, callbacks=[lambda model: model.n_iter_ == 3]).fit(X, y)
    assert model.n_iter_ == 3


def test_watching_changes_nothing(task):
    watched = task.ours(max_iter=4, callbacks=[lambda model: model.predict(task.X) is None])
    assert watched.fit(task.X, task.y).loss_curve_ == (
        task.ours(max_iter=4).fit(task.X, task.y).loss_curve_
    )


@pytest.mark.parametrize("solver", ["adam", "levenberg_marquardt"])
def test_weights_assigned_by_a_callback_are_gone_on_from(solver, data):
    X, y = data

    def zero(model):
        model.coefs_ = [np.zeros_like(w) for w in model.coefs_]
        model.intercepts_ = [np.zeros_like(b) for b in model.intercepts_]

    model = regressor(solver=solver, callbacks=[zero], max_iter=1).fit(X, y)
    assert not any(w.any() for w in model.coefs_ + model.intercepts_)


@pytest.mark.parametrize("callbacks", [["print"], [1]])
def test_what_cannot_be_called_is_no_callback(callbacks, data):
    with pytest.raises(OptionError, match="functions of the estimator"):
        regressor(callbacks=callbacks).fit(*data)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_scoring_monitor_logs_each_epoch_and_the_fit(solver, data):
    X, y = data
    monitor = ScoringMonitor(scoring="r2")
    model = regressor(solver=solver).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data
    fit, epochs = log[0], log[1:]
    assert fit["r2"] == pytest.approx(model.score(X, y), rel=1e-12)
    assert [row["task_name"] for row in epochs] == ["epoch"] * model.n_iter_
    assert epochs[-1]["r2"] == pytest.approx(fit["r2"], rel=1e-12)
    assert len({row["r2"] for row in epochs}) == model.n_iter_


def test_a_scoring_monitor_scores_the_labels_of_a_classifier(tasks):
    task = tasks["multi-class"]
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    model = task.ours(max_iter=3).set_callbacks(monitor).fit(task.X, task.y)
    assert monitor.get_logs().data[0]["accuracy"] == model.score(task.X, task.y)


def test_a_monitor_follows_the_models_of_a_search(data):
    X, y = data
    monitor = ScoringMonitor(scoring="r2")
    model = regressor(max_iter=2).set_callbacks(monitor)
    GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2, refit=False).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 2 * 2 * 2


class Recorder:
    """A callback of scikit-learn's that notes what happens, and stops where it is told to."""

    def __init__(self, stop_at=None, fail_at=None):
        self.events, self.stop_at, self.fail_at = [], stop_at, fail_at

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, X=None):
        self.events.append(f"end {context.task_name} {context.task_id}")
        assert np.isfinite(fitted_estimator.predict(X)).all()
        if context.task_id == self.fail_at:
            raise RuntimeError("no more")
        return context.task_name == "epoch" and context.task_id == self.stop_at


def test_the_hooks_are_called_in_order(data):
    recorder = Recorder(stop_at=1)
    model = regressor().set_callbacks(recorder).fit(*data)
    assert model.n_iter_ == 2
    assert recorder.events == [
        "setup", "begin fit 0", "begin epoch 0", "end epoch 0", "begin epoch 1", "end epoch 1",
        "end fit 0", "teardown",
    ]  # fmt: skip


def test_a_callback_is_torn_down_whatever_happens(data):
    recorder = Recorder(fail_at=1)
    model = regressor().set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(*data)
    assert recorder.events[-1] == "teardown"
    assert not hasattr(model, "_callback_fit_ctx")
    model.set_callbacks().fit(*data)
    assert recorder.events[-1] == "teardown"


def test_partial_fit_has_callbacks_too(data):
    recorder = Recorder()
    model = regressor().set_callbacks(recorder).partial_fit(*data)
    assert recorder.events[2:4] == ["begin epoch 0", "end epoch 0"]
    assert model.n_iter_ == 1


def test_a_progress_bar_runs_along(data, capsys):
    regressor().set_callbacks(ProgressBar()).fit(*data)
    assert "fit" in capsys.readouterr().out
