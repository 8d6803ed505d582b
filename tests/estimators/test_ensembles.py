"""Ensembles: members equal fits of their own, predictions are their mean, and nothing is lost."""

import gc
import itertools
import os
import pickle
import signal
import sys
import threading
import warnings
import weakref

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

import retrograd as rg
from retrograd.errors import FitDivergenceError, ModelFileError, OptionError, ShapeError
from retrograd.estimators import together
from retrograd.estimators.epochs import draw
from retrograd.files import container
from tests.estimators.members import (
    ENSEMBLE,
    alone,
    ensemble,
    of_members,
    output,
    require_same,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PARAMS = {
    "adam": {},
    "float batches": {"batch_size": 32, "alpha": 0.1},
    "no shuffling": {"shuffle": False},
    "tanh": {"activation": "tanh", "hidden_layer_sizes": (5, 4)},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "stops each on its own": {"learning_rate_init": 0.05, "tol": 1e-2, "n_iter_no_change": 1},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.2,
        "tol": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 30,
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.2},
    "early stopping": {
        "early_stopping": True,
        "n_iter_no_change": 2,
        "validation_fraction": 0.3,
        "learning_rate_init": 0.05,
        "max_iter": 30,
    },
    "lbfgs": {"solver": "lbfgs"},
    "reference": {"engine": "numpy", "max_iter": 3},
}


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
def test_each_member_is_bit_for_bit_a_fit_with_its_seed(task, params):
    model = ensemble(task, **params).fit(task.X, task.y)
    assert len({one.random_state for one in model.estimators_}) == 3
    for m, member in enumerate(model.estimators_):
        single = alone(task, member.random_state, **params).fit(task.X, task.y)
        require_same(member, single)
        np.testing.assert_array_equal(of_members(model, task.X)[m], output(single, task.X))


def test_members_stop_at_epochs_of_their_own(tasks):
    task = tasks["multi-class"]
    model = ensemble(task, 6, **PARAMS["early stopping"]).fit(task.X, task.y)
    lengths = {member.n_iter_ for member in model.estimators_}
    assert len(lengths) > 1
    assert model.n_iter_ == max(lengths)


@pytest.mark.parametrize("params", [{}, {"batch_size": 40}, {"early_stopping": True}])
def test_sample_weights_reach_every_member(task, params):
    weight = np.random.default_rng(0).random(len(task.X))
    model = ensemble(task, **params).fit(task.X, task.y, weight)
    for member in model.estimators_:
        require_same(member, alone(task, member.random_state, **params).fit(task.X, task.y, weight))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("draws", [{"bootstrap": True}, {"max_samples": 0.5}, {"max_samples": 40}])
def test_members_of_drawn_rows_are_fits_of_those_rows(tasks, draws, solver):
    task = tasks["one output"]
    model = ensemble(task, solver=solver, **draws).fit(task.X, task.y)
    drawn = model.estimators_samples_
    assert len({tuple(sorted(rows)) for rows in drawn}) == 3
    for member, rows in zip(model.estimators_, drawn, strict=True):
        n_each = {"bootstrap": 130, "max_samples": 65 if draws.get("max_samples") == 0.5 else 40}
        assert len(rows) == n_each[next(iter(draws))]
        assert (len({*rows}) < len(rows)) == ("bootstrap" in draws)
        if solver == "lbfgs":  # with adam the order of the last epoch is not that of the draw
            single = alone(task, member.random_state, solver=solver)
            require_same(member, single.fit(task.X[rows], task.y[rows]))


def test_members_hold_out_rows_that_they_do_not_draw(tasks):
    task = tasks["multi-class"]
    model = ensemble(task, 4, bootstrap=True, early_stopping=True).fit(task.X, task.y)
    numbers, held = np.arange(130), []
    for member, rows in zip(model.estimators_, model.estimators_samples_, strict=True):
        # As a fit alone: weights are drawn first, then the rows that validate.
        rng = np.random.RandomState(member.random_state)
        for W in member.coefs_:
            rng.uniform(size=W.shape), rng.uniform(size=W.shape[1])
        train, test = train_test_split(numbers, test_size=0.1, random_state=rng)
        assert len(rows) == 117 and {*rows} <= {*train} and not {*rows} & {*test}
        accuracy = np.mean(member.predict(task.X[test]) == task.y[test])
        assert member.best_validation_score_ == accuracy
        held.append(tuple(sorted(test)))
    assert len({*held}) == 4


def test_warm_starts_and_partial_fits_go_on_as_those_of_the_members(task):
    for warm in (True, False):
        model = ensemble(task, warm_start=warm)
        singles = []
        for _ in range(3):
            if warm:
                model.fit(task.X, task.y)
            else:
                model.partial_fit(task.X, task.y, **task.first)
            if not singles:
                seeds = [one.random_state for one in model.estimators_]
                singles = [alone(task, seed, warm_start=warm) for seed in seeds]
            for member, single in zip(model.estimators_, singles, strict=True):
                if warm:
                    single.fit(task.X, task.y)
                else:
                    single.partial_fit(task.X, task.y, **task.first)
                require_same(member, single)


def test_a_rate_assigned_to_a_member_is_its_alone(tasks):
    task = tasks["one output"]
    model = ensemble(task, solver="sgd").partial_fit(task.X, task.y)
    singles = [alone(task, one.random_state, solver="sgd") for one in model.estimators_]
    for single in singles:
        single.partial_fit(task.X, task.y)
    for fitted in (model.estimators_[1], singles[1]):
        fitted._optimizer.learning_rate = 0.05
    model.partial_fit(task.X, task.y)
    for member, single in zip(model.estimators_, singles, strict=True):
        require_same(member, single.partial_fit(task.X, task.y))


def test_a_member_that_has_no_optimizer_yet_gets_a_fresh_one_not_the_state_of_the_first(tasks):
    task = tasks["one output"]
    model = ensemble(task, solver="lbfgs").fit(task.X, task.y).set_params(solver="adam")
    lead, *others = model.estimators_
    lead.set_params(solver="adam").partial_fit(task.X, task.y).partial_fit(task.X, task.y)
    singles = [lead, *(one.set_params(solver="adam") for one in others)]
    singles = [pickle.loads(pickle.dumps(one)) for one in singles]
    model.partial_fit(task.X, task.y)
    for member, single in zip(model.estimators_, singles, strict=True):
        require_same(member, single.partial_fit(task.X, task.y))


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_orders_are_given_back_without_the_garbage_collector(tasks, members, monkeypatch):
    drawn = []

    def drawing(courses, orders):
        drawn.append(weakref.ref(orders))
        draw(courses, orders)

    monkeypatch.setattr(together, "draw", drawing)
    gc.disable()
    try:
        model = ensemble(tasks["one output"], members=members)
        model.fit(tasks["one output"].X, tasks["one output"].y)
        assert drawn and all(orders() is None for orders in drawn)
    finally:
        gc.enable()


def test_what_is_kept_of_the_rows_is_there_once_for_members_of_all_rows():
    X = np.random.default_rng(0).normal(size=(4000, 3))
    model = rg.MLPEnsembleRegressor(10, hidden_layer_sizes=(2,), max_iter=1, random_state=0)
    kept = pickle.dumps(model.fit(X, X[:, 0]).estimators_samples_)
    assert len(kept) < 2 * 8 * len(X)
    assert all((rows == np.arange(len(X))).all() for rows in pickle.loads(kept))


def test_assigned_weights_of_a_member_are_predicted_and_trained_with(tasks):
    task = tasks["one output"]
    model = ensemble(task).fit(task.X, task.y)
    model.estimators_[1].coefs_[0] = np.zeros_like(model.estimators_[1].coefs_[0])
    model.estimators_[1].intercepts_[0] = np.zeros(6)
    assert np.ptp(model.predict_members(task.X)[1]) == 0.0
    assert np.ptp(model.predict_members(task.X)[0]) > 0.0
    model.partial_fit(task.X, task.y)
    assert np.isfinite(model.predict(task.X)).all()


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_the_prediction_is_the_mean_of_the_members_and_its_spread_theirs(task, members):
    model = ensemble(task, members=members).fit(task.X, task.y)
    each = np.stack([output(one, task.X) for one in model.estimators_])
    np.testing.assert_array_equal(of_members(model, task.X), each)
    if task.kind == "regressor":
        mean, std = model.predict(task.X, return_std=True)
        np.testing.assert_array_equal(model.predict(task.X), mean)
    else:
        mean, std = model.predict_proba(task.X, return_std=True)
        np.testing.assert_array_equal(model.predict_proba(task.X), mean)
        np.testing.assert_allclose(np.exp(model.predict_log_proba(task.X)), mean, rtol=1e-12)
        if task.y.ndim == 1:
            np.testing.assert_array_equal(model.predict(task.X), model.classes_[mean.argmax(1)])
        else:
            np.testing.assert_array_equal(model.predict(task.X), mean > 0.5)
    np.testing.assert_array_equal(mean, each.mean(axis=0))
    np.testing.assert_array_equal(std, each.std(axis=0))
    assert std.max() > 0.0


def test_the_spread_grows_away_from_the_data():
    X = np.linspace(-1.0, 1.0, 40)[:, None]
    model = rg.MLPEnsembleRegressor(
        8, hidden_layer_sizes=(16,), activation="tanh", solver="lbfgs", random_state=0
    ).fit(X, np.sin(3.0 * X.ravel()))
    inside, outside = (model.predict(x, return_std=True)[1].mean() for x in (X, X + 4.0))
    assert outside > 10.0 * inside


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_members_that_share_weights_learn_and_differ(task, solver):
    model = ensemble(
        task, 4, members="shared", solver=solver, learning_rate_init=0.02, max_iter=150
    ).fit(task.X, task.y)
    assert model.loss_ < 0.6 * model.estimators_[0].loss_curve_[0]
    for i in (1, 2):
        W, r, s = (model.parameters_[f"{name}{i}"] for name in "Wrs")
        for m, member in enumerate(model.estimators_):
            np.testing.assert_array_equal(member.coefs_[i - 1], r[m][:, None] * W * s[m])
            np.testing.assert_array_equal(member.intercepts_[i - 1], model.parameters_[f"b{i}"][m])


def test_a_member_that_shares_with_none_steps_along_the_gradients_of_its_own_network(tasks):
    # W_m = r * W * s: with signs as factors dJ/dW = r * (dJ/dW_m) * s     db = db_m
    # and dJ/dr, dJ/ds are sums of dJ/dW_m * W over columns and rows.
    task, rate = tasks["one output"], 1e-3
    plain = {"solver": "sgd", "learning_rate_init": rate, "max_iter": 1, "batch_size": 130}
    plain |= {"momentum": 0.0, "nesterovs_momentum": False, "alpha": 0.0}
    model = ensemble(task, 1, members="shared", **plain).fit(task.X, task.y)
    own = np.random.RandomState(model.estimators_[0].random_state)
    sizes, first = (64, 6, 1), {}  # of the weights, then of the signs
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        bound = np.sqrt(6.0 / (n_in + n_out))
        first[f"W{i}"] = own.uniform(-bound, bound, (n_in, n_out))
        first[f"b{i}"] = own.uniform(-bound, bound, n_out)
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        first[f"r{i}"] = own.choice([-1.0, 1.0], (1, n_in))[0]
        first[f"s{i}"] = own.choice([-1.0, 1.0], (1, n_out))[0]
    signs = [np.outer(first[f"r{i}"], first[f"s{i}"]) for i in (1, 2)]
    coefs = [sign * first[f"W{i}"] for i, sign in enumerate(signs, start=1)]
    intercepts = [first["b1"].copy(), first["b2"].copy()]
    single = alone(task, 0, warm_start=True, **plain).fit(task.X, task.y)
    single.coefs_, single.intercepts_ = [W.copy() for W in coefs], intercepts
    single.fit(task.X, task.y)
    for i, sign in enumerate(signs, start=1):
        W, r, s, b = (model.parameters_[f"{name}{i}"] for name in "Wrsb")
        step = single.coefs_[i - 1] - coefs[i - 1]  # -rate * dJ/dW_m
        assert np.abs(step).max() > 0.0
        np.testing.assert_allclose(b[0], single.intercepts_[i - 1], rtol=1e-12)
        np.testing.assert_allclose(W - first[f"W{i}"], sign * step, rtol=1e-9, atol=1e-15)
        slopes = step * first[f"W{i}"]
        dr, ds = slopes @ first[f"s{i}"], first[f"r{i}"] @ slopes
        np.testing.assert_allclose(r[0] - first[f"r{i}"], dr, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(s[0] - first[f"s{i}"], ds, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("params", [{"early_stopping": True}, {"batch_size": 32}])
def test_shared_members_are_trained_on_both_engines_alike(tasks, params):
    task = tasks["multi-class"]
    fits = [
        ensemble(task, members="shared", activation="tanh", engine=engine, max_iter=5, **params)
        .fit(task.X, task.y)
        .predict_proba(task.X)
        for engine in ("numpy", "cpu")
    ]
    np.testing.assert_allclose(fits[0], fits[1], rtol=1e-9)


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_sparse_input_and_float32_are_taken_as_the_members_take_them(tasks, members):
    task = tasks["multi-class"]
    dense = ensemble(task, members=members).fit(task.X, task.y)
    sparse = ensemble(task, members=members).fit(csr_array(task.X), task.y)
    np.testing.assert_allclose(
        sparse.predict_proba(csr_array(task.X)), dense.predict_proba(task.X), rtol=1e-9
    )
    single = ensemble(task, members=members).fit(task.X.astype(np.float32), task.y)
    assert single.predict_proba(task.X.astype(np.float32)).dtype == np.float32
    assert all(W.dtype == np.float32 for W in single.estimators_[0].coefs_)


@pytest.mark.parametrize("members", ["independent", "shared"])
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"solver": "sgd"}])
def test_what_is_loaded_is_what_was_saved_and_trains_on(task, members, params, tmp_path):
    model = ensemble(task, members=members, **params).fit(task.X, task.y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert type(loaded) is type(model) and loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(of_members(loaded, task.X), of_members(model, task.X))
    for one, other in zip(model.estimators_, loaded.estimators_, strict=True):
        require_same(one, other)
    loaded.save(tmp_path / "b.model")
    assert (tmp_path / "b.model").read_bytes() == (tmp_path / "a.model").read_bytes()
    if not params.get("early_stopping"):
        for each in (model, loaded):
            each.partial_fit(task.X, task.y)
        np.testing.assert_array_equal(of_members(loaded, task.X), of_members(model, task.X))


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_the_best_weights_of_calls_of_partial_fit_are_saved_too(tasks, members, tmp_path):
    task = tasks["one output"]
    given = {"X_val": task.X[90:], "y_val": np.random.default_rng(0).normal(size=40)}
    params = {"early_stopping": True, "n_iter_no_change": 2, "learning_rate_init": 0.1}
    model = ensemble(task, members=members, **params)
    model.partial_fit(task.X[:90], task.y[:90], **given)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    for _ in range(9):  # by then each has stopped, and has its best weights back
        for one in (model, loaded):
            one.partial_fit(task.X[:90], task.y[:90], **given)
    assert all(member.is_stopped_ for member in model.estimators_)
    for one, other in zip(model.estimators_, loaded.estimators_, strict=True):
        require_same(one, other)


def test_an_ensemble_that_ctrl_c_ended_before_its_first_epoch_is_saved_and_loaded(tasks, tmp_path):
    task = tasks["one output"]
    model = ensemble(task).fit(task.X, task.y)
    for member in model.estimators_:
        del member.loss_  # as it is then
    del model.loss_
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    np.testing.assert_array_equal(loaded.predict(task.X), model.predict(task.X))
    assert loaded.n_iter_ == model.n_iter_ and not hasattr(loaded, "loss_")


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_a_file_whose_parts_do_not_fit_is_an_error(tasks, members, tmp_path):
    task, path = tasks["multi-class"], tmp_path / "a.model"
    ensemble(task, members=members).fit(task.X, task.y).save(path)
    file = container.read(path)
    name = next(name for name in file.arrays if name.endswith(("1: W1", "r1")))
    for arrays in (
        {**file.arrays, name: file.arrays[name][:-1].copy()},
        {k: v for k, v in file.arrays.items() if k != name},
    ):
        container.write(path, file.kind, file.header, arrays)
        with pytest.raises(ModelFileError):
            rg.load(path)


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_copies_of_a_fitted_ensemble_predict_the_same(tasks, members):
    task = tasks["multi-label"]
    model = ensemble(task, members=members).fit(task.X, task.y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(task.X), model.predict_proba(task.X))
    fresh = clone(model)
    with pytest.raises(NotFittedError):
        fresh.predict(task.X)
    np.testing.assert_array_equal(
        fresh.fit(task.X, task.y).predict_proba(task.X), model.predict_proba(task.X)
    )


def test_a_member_that_diverges_is_named_and_all_keep_finite_weights(tasks):
    task = tasks["one output"]
    model = ensemble(task, solver="sgd", learning_rate_init=1e30, max_iter=50)
    with pytest.raises(FitDivergenceError, match=r"Member \d: training diverged at epoch") as info:
        model.fit(task.X, 1e6 * task.y)
    found = info.value
    assert found.epoch >= 1 and found.step == 1
    # As in a fit of its own: the gate that made the first infinity.
    member = model.estimators_[int(str(found).partition("Member ")[2][0])]
    single = alone(task, member.random_state, solver="sgd", learning_rate_init=1e30, max_iter=50)
    with pytest.raises(FitDivergenceError) as info:
        single.fit(task.X, 1e6 * task.y)
    assert str(found.origin) == str(info.value.origin) and found.origin.gate
    require_same(member, single)
    for member in model.estimators_:
        assert all(np.isfinite(W).all() for W in [*member.coefs_, *member.intercepts_])


def test_shared_weights_that_diverge_are_the_last_finite_ones_and_the_gate_is_named(tasks):
    task = tasks["one output"]
    model = ensemble(task, members="shared", solver="sgd", learning_rate_init=1e30, max_iter=50)
    with pytest.raises(FitDivergenceError, match="training diverged at epoch") as info:
        model.fit(task.X, 1e6 * task.y)
    assert info.value.origin.gate in str(info.value)
    assert all(np.isfinite(value).all() for value in model.parameters_.values())


def test_held_out_rows_let_the_others_go_on_where_a_member_diverges(tasks):
    task = tasks["one output"]
    model = ensemble(task, solver="sgd", learning_rate_init=1e30, max_iter=20, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match=r"Member \d stops; its best ones are kept"):
        model.fit(task.X, 1e6 * task.y)
    assert all(np.isfinite(W).all() for one in model.estimators_ for W in one.coefs_)


def test_one_warning_says_how_many_members_have_not_converged(tasks):
    task = tasks["binary"]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        ensemble(task, 4, max_iter=2).fit(task.X, task.y)
    messages = [str(one.message) for one in found if one.category is ConvergenceWarning]
    assert len(messages) == 1 and "in 4 of 4 members" in messages[0]


def test_verbose_prints_a_line_for_each_epoch(tasks, capsys):
    task = tasks["binary"]
    ensemble(task, max_iter=3, verbose=True).fit(task.X, task.y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("Iteration 1, mean loss = 0.") and lines[0].endswith(
        "3 of 3 members"
    )


HOSTILE = {
    "no members": ({"n_estimators": 0}, ValueError, "n_estimators"),
    "half a member": ({"n_estimators": 2.5}, ValueError, "n_estimators"),
    "a kind of members": ({"members": "shard"}, ValueError, "members"),
    "a share of more": ({"max_samples": 1.5}, ValueError, "max_samples"),
    "a share of none": ({"max_samples": 0.0}, ValueError, "max_samples"),
    "too many rows": ({"max_samples": 1000}, OptionError, "max_samples=1000 is more than the 130"),
    "shared and drawn": ({"members": "shared", "bootstrap": True}, OptionError, "same rows"),
    "shared lbfgs": ({"members": "shared", "solver": "lbfgs"}, OptionError, "'adam' or 'sgd'"),
    "a solver": ({"solver": "adamz"}, ValueError, "solver"),
    "sizes": ({"hidden_layer_sizes": (3, -1)}, ValueError, "hidden_layer_sizes"),
}


@pytest.mark.parametrize("params, error, message", HOSTILE.values(), ids=HOSTILE)
def test_parameters_that_cannot_be_are_clear_errors(tasks, params, error, message):
    task = tasks["one output"]
    with pytest.raises(error, match=message):
        ensemble(task).set_params(**params).fit(task.X, task.y)


HOSTILE_DATA = {
    "NaN": lambda X, y: (np.where(X > 0.9, np.nan, X), y),
    "infinity": lambda X, y: (np.where(X > 0.9, np.inf, X), y),
    "no rows": lambda X, y: (X[:0], y[:0]),
    "lengths": lambda X, y: (X, y[:-1]),
    "one dimension": lambda X, y: (X[:, 0], y),
    "text": lambda X, y: (np.full(X.shape, "a"), y),
    "masked": lambda X, y: (np.ma.masked_array(X, X > 0.9), y),
}


@pytest.mark.parametrize("members", ["independent", "shared"])
@pytest.mark.parametrize("spoil", HOSTILE_DATA.values(), ids=HOSTILE_DATA)
def test_data_that_cannot_be_learned_from_are_clear_errors(tasks, spoil, members):
    task = tasks["one output"]
    model = ensemble(task, members=members)
    with pytest.raises((ValueError, TypeError)):
        model.fit(*spoil(task.X, task.y))
    assert not hasattr(model, "estimators_")


def test_what_does_not_go_on_from_a_fit_is_a_clear_error(tasks):
    task = tasks["multi-class"]
    model = ensemble(task, warm_start=True).fit(task.X, task.y)
    with pytest.raises(OptionError, match="has 3 members, n_estimators is now 4"):
        clone(model).fit(task.X, task.y).set_params(n_estimators=4).fit(task.X, task.y)
    with pytest.raises(OptionError, match="`members` has changed"):
        clone(model).fit(task.X, task.y).set_params(members="shared").fit(task.X, task.y)
    with pytest.raises(ShapeError, match="fit with warm_start=False"):
        model.set_params(hidden_layer_sizes=(7,)).fit(task.X, task.y)
    with pytest.raises(AttributeError, match="partial_fit"):
        ensemble(task, solver="lbfgs").partial_fit
    with pytest.raises(OptionError, match="does not support early_stopping"):
        ensemble(task, early_stopping=True).partial_fit(task.X, task.y, **task.first)


CHECKED = [
    ENSEMBLE[kind](2, members=members, hidden_layer_sizes=(10,), max_iter=100, **params)
    for kind, params in (
        ("classifier", {"learning_rate_init": 0.02}),
        ("regressor", {"learning_rate_init": 0.05}),
    )
    for members in ("independent", "shared")
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_accepts_the_ensembles(estimator, check):
    check(estimator)


def press_at(n, monkeypatch):
    """Press Ctrl-C when line `n` is printed, from 1; returns the lines."""
    lines = []

    def press(line):
        lines.append(line)
        if len(lines) == n:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("builtins.print", press)
    return lines


WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C to oneself there")


@WINDOWS
@pytest.mark.parametrize("members", ["independent", "shared"])
def test_ctrl_c_keeps_every_member_as_far_as_it_is(members, monkeypatch, tasks):
    task = tasks["multi-class"]
    params = {"members": members, "tol": 0.0, "batch_size": 32}
    model = ensemble(task, max_iter=1000, verbose=True, **params)
    lines = press_at(3, monkeypatch)
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(task.X, task.y)
    monkeypatch.undo()
    assert len(lines) == 3 and model.n_iter_ == 3 and len(model.estimators_) == 3
    whole = ensemble(task, max_iter=3, **params).fit(task.X, task.y)
    for member, other in zip(model.estimators_, whole.estimators_, strict=True):
        require_same(member, other)
    assert model.loss_ == whole.loss_ and np.isfinite(model.predict_proba(task.X)).all()


@WINDOWS
def test_ctrl_c_between_epochs_that_run_at_once_keeps_whole_ones(monkeypatch, tasks):
    task = tasks["multi-class"]
    model = ensemble(task, max_iter=10**6, tol=0.0, n_iter_no_change=np.inf)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(task.X, task.y)
    n = model.n_iter_
    assert n > 10 and {member.n_iter_ for member in model.estimators_} == {n}
    whole = ensemble(task, max_iter=n, tol=0.0, n_iter_no_change=np.inf).fit(task.X, task.y)
    for member, other in zip(model.estimators_, whole.estimators_, strict=True):
        require_same(member, other)


@WINDOWS
@pytest.mark.parametrize("solver", ["lbfgs", "conjugate_gradient"])
def test_ctrl_c_keeps_the_members_that_were_reached(solver, monkeypatch, tasks):
    task = tasks["binary"]
    model = ensemble(task, solver=solver, verbose=True)
    lines = press_at(2, monkeypatch)
    with pytest.warns(UserWarning, match="2 of 3 members were trained"):
        model.fit(task.X, task.y)
    monkeypatch.undo()
    assert [line.partition(":")[0] for line in lines] == ["Member 1 of 3", "Member 2 of 3"]
    for member in model.estimators_:
        require_same(member, alone(task, member.random_state, solver=solver).fit(task.X, task.y))
    assert len(model.estimators_) == len(model.estimators_samples_) == 2
    assert np.isfinite(model.predict_proba(task.X)).all()


@pytest.mark.parametrize("solver", ["lbfgs", "conjugate_gradient"])
def test_verbose_prints_a_line_for_each_member_where_they_are_trained_in_turn(
    solver, tasks, capsys
):
    model = ensemble(tasks["binary"], solver=solver, verbose=True)
    model.fit(tasks["binary"].X, tasks["binary"].y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Member {m} of 3: {one.n_iter_} iterations, loss = {one.loss_:.8f}"
        for m, one in enumerate(model.estimators_, start=1)
    ]
