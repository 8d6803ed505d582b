"""Many fits at once: as many threads as there are processors, and the same results."""

import multiprocessing.process
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import retrograd as rg
from retrograd.engines.cpu.run import calls, pool
from retrograd.training import step

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regressor(**params):
    return rg.MLPRegressor(
        **{"hidden_layer_sizes": (20,), "random_state": 0, "max_iter": 5} | params
    )


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(300, 6))
    return X, X[:, 0] * X[:, 1]


def test_fits_in_threads_at_once_are_those_of_one_after_another(data):
    alphas = [0.0, 0.1, 1.0, 10.0]
    one_by_one = [regressor(alpha=a).fit(*data).loss_curve_ for a in alphas]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(lambda a: regressor(alpha=a).fit(*data).loss_curve_, alphas))
    assert at_once == one_by_one


def test_where_others_run_a_call_has_one_thread(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 64))
    shared = []
    make = pool.ParallelCall.make
    monkeypatch.setattr(pool.ParallelCall, "make", lambda call: shared.append(1) or make(call))
    model = regressor(hidden_layer_sizes=(256,), n_threads=2, batch_size=1000, max_iter=12)
    alone = model.fit(X, X[:, 0]).loss_curve_
    assert shared
    shared.clear()
    monkeypatch.setattr(calls, "_RUNNING", {None})  # as of a call in another thread
    assert model.fit(X, X[:, 0]).loss_curve_ == alone
    assert not shared and calls._RUNNING == {None}


@pytest.mark.parametrize(("given", "n"), [(None, 1), ("1", 1), ("0", 1), ("many", 1)])
def test_a_process_of_a_pool_has_one_thread_or_what_the_pool_gives(monkeypatch, given, n):
    monkeypatch.delenv("RETROGRAD_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    whole = pool.available()
    monkeypatch.setattr(multiprocessing.process, "parent_process", object)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert pool.available() == n
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert pool.available() == whole
    monkeypatch.setenv("RETROGRAD_THREADS", "3")
    assert pool.available() == 3


def test_a_search_in_processes_finds_what_one_process_finds(data):
    scores = [
        GridSearchCV(regressor(max_iter=2), {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n)
        .fit(*data)
        .cv_results_["mean_test_score"]
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    "params", [{}, {"dropout": 0.1}, {"solver": "adamw"}, {"clip_norm": 1.0}, {"loss": "huber"}]
)
def test_a_network_seen_before_builds_no_steps_again(params, data):
    X, y = data
    regressor(**params).fit(X, y)
    before = step._kept_steps.cache_info().misses
    regressor(alpha=0.5, learning_rate_init=0.01, **params).fit(X, y)
    several = regressor(**params).fit(X, np.stack([y, y], axis=1))
    after = step._kept_steps.cache_info().misses
    assert several.n_outputs_ == 2 and after - before <= 1
    regressor(**params).fit(X[:100], np.stack([y, y], axis=1)[:100])
    assert step._kept_steps.cache_info().misses == after
