"""Classification and regression targets together: what each target is, what they share."""

import inspect
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

import retrograd as rg
from retrograd.errors import DataError, ModelFileError, OptionError, RetrogradError
from retrograd.files import container

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ENGINES = ["cpu", "numpy"]
N = 240
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5))
KIND = np.array(["flat", "house", "villa"])[(X[:, 2] > 0) * 1 + (X[:, 3] > 0)]
PRICE = 1e5 * (X[:, 0] + np.sin(X[:, 1])) + 3e5
SOLD = X[:, 0] > X[:, 2]
Y = {"price": PRICE, "kind": KIND, "sold": SOLD}
TRAIN, TEST = slice(0, 160), slice(160, N)


def model(**params):
    return rg.MLPMultiTask(
        **{"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 8} | params
    )


def part(y, rows):
    return {name: column[rows] for name, column in y.items()}


def close(a, b, digits=12):
    np.testing.assert_allclose(a, b, rtol=10.0**-digits, atol=10.0**-digits)


# ---- one target


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive", "batch_size": 32},
        {"solver": "lbfgs"},
        {"early_stopping": True, "alpha": 0.1},
        {"dropout": 0.2, "solver": "adamw"},
    ],
    ids=lambda params: params.get("solver", "adam") + (" stopped" if len(params) == 2 else ""),
)
def test_one_target_is_learned_as_the_classifier_or_regressor_learns_it(task, params, engine):
    params = {"max_iter": 6, "engine": engine} | params
    alone = task.ours(**params).fit(task.X, task.y)
    kind = {"classifier": "classification", "regressor": "regression"}[task.kind]
    own = {"hidden_layer_sizes": (12, 7), "random_state": 3, **task.params, **params}
    plain = rg.MLPMultiTask(kind, standardize_targets=False, **own).fit(task.X, task.y)
    by_name = clone(plain).set_params(loss={"it": plain.loss}).fit(task.X, {"it": task.y})
    for one in (plain, by_name):
        close(one.loss_, alone.loss_)
        close(getattr(one, "loss_curve_", []), getattr(alone, "loss_curve_", []))
        close(
            getattr(one, "validation_scores_", None) or [],
            getattr(alone, "validation_scores_", None) or [],
        )
        for W, V in zip(one.coefs_, alone.coefs_, strict=True):
            close(W, V)
    assert plain.score(task.X, task.y) == alone.score(task.X, task.y)
    np.testing.assert_array_equal(plain.predict(task.X), alone.predict(task.X))
    np.testing.assert_array_equal(by_name.predict(task.X)["it"], alone.predict(task.X))
    assert plain.out_activation_ == alone.out_activation_
    if kind == "classification":
        np.testing.assert_array_equal(plain.classes_, alone.classes_)
        np.testing.assert_array_equal(plain.predict_proba(task.X), alone.predict_proba(task.X))
        np.testing.assert_array_equal(
            by_name.predict_log_proba(task.X)["it"], alone.predict_log_proba(task.X)
        )


def test_with_weights_of_rows_and_classes_one_target_is_still_the_classifier(tasks):
    task, weights = tasks["binary"], np.linspace(0.0, 2.0, 130)
    params = {"class_weight": {True: 3.0, False: 1.0}, "label_smoothing": 0.1, "max_iter": 5}
    alone = task.ours(**params).fit(task.X, task.y, weights)
    own = rg.MLPMultiTask(hidden_layer_sizes=(12, 7), random_state=3, **params)
    close(own.fit(task.X, task.y, weights).loss_curve_, alone.loss_curve_)
    params["class_weight"] = {"it": params["class_weight"]}
    own.set_params(**params).fit(task.X, {"it": task.y}, {"it": weights})
    close(own.loss_curve_, alone.loss_curve_)


def test_standardised_targets_are_those_of_the_regressor(tasks):
    task = tasks["one output"]
    alone = task.ours(standardize=True, max_iter=5).fit(task.X, task.y)
    own = rg.MLPMultiTask(
        hidden_layer_sizes=(12, 7), random_state=3, standardize=True, max_iter=5
    ).fit(task.X, task.y)
    close(own.loss_curve_, alone.loss_curve_)
    close(own.predict(task.X), alone.predict(task.X))


# ---- several targets


@pytest.mark.parametrize("engine", ENGINES)
def test_all_targets_are_learned_better_than_by_a_constant(engine):
    own = model(max_iter=400, learning_rate_init=0.01, alpha=0.01, engine=engine)
    own.fit(X[TRAIN], part(Y, TRAIN))
    scores = own.scores(X[TEST], part(Y, TEST))
    _, counts = np.unique(KIND[TEST], return_counts=True)
    assert scores["price"] > 0.8
    assert scores["kind"] > counts.max() / counts.sum() + 0.2
    assert scores["sold"] > 0.9
    assert own.score(X[TEST], part(Y, TEST)) == pytest.approx(np.mean([*scores.values()]))


def test_the_engines_agree():
    a, b = (model(engine=engine).fit(X, Y) for engine in ENGINES)
    close(a.loss_curve_, b.loss_curve_)
    close(a.predict(X)["price"], b.predict(X)["price"], 9)


@pytest.mark.parametrize("engine", ENGINES)
def test_j_and_its_gradient_are_the_weighted_sums_of_those_of_the_targets(engine):
    weights = {"price": 0.5, "kind": 2.0, "sold": 1.0}
    own = model(loss_weights=weights, alpha=0.0, max_iter=2, engine=engine).fit(X, Y)
    whole = rg.trace(own, X, Y)
    parts = {name: rg.trace(own.estimator_of(name), X, Y[name]) for name in own.targets_}
    close(whole.J, sum(weights[name] * parts[name].J for name in Y))
    for name in ("dW", "db"):
        shared = sum(weights[n] * getattr(parts[n].layer(1), name) for n in Y)
        close(getattr(whole.layer(1), name), shared)
    last = np.hstack([weights[name] * parts[name].layer(2).dW for name in Y])
    close(whole.layer(2).dW, last)


def test_the_loss_curve_is_the_weighted_sum_of_the_curves_of_the_targets():
    weights = {"price": 0.5, "kind": 2.0}
    own = model(loss_weights=weights, alpha=0.0).fit(X, Y)
    total = sum(weights.get(n, 1.0) * np.array(curve) for n, curve in own.loss_curves_.items())
    close(own.loss_curve_, total)
    assert [*own.loss_curves_] == [*Y]


def test_a_target_of_weight_0_has_no_part_in_the_gradient():
    a = model(loss_weights={"price": 0.0}).fit(X, Y)
    b = model(loss_weights={"price": 0.0}).fit(X, Y | {"price": np.cos(PRICE)})
    np.testing.assert_array_equal(a.predict_proba(X)["kind"], b.predict_proba(X)["kind"])


def test_the_unit_of_a_number_does_not_matter():
    a = model(max_iter=30).fit(X, Y)
    b = model(max_iter=30).fit(X, Y | {"price": PRICE / 1e5 - 3.0})
    close(a.loss_curve_, b.loss_curve_, 9)
    close(a.predict(X)["price"] / 1e5 - 3.0, b.predict(X)["price"], 9)


def test_without_standardised_targets_the_largest_numbers_have_all_of_the_gradient():
    params = {"max_iter": 200, "learning_rate_init": 0.01}
    found = [
        model(standardize_targets=s, **params).fit(X[TRAIN], part(Y, TRAIN)) for s in (True, False)
    ]
    usual, raw = (one.scores(X[TEST], part(Y, TEST)) for one in found)
    assert all(usual[name] > raw[name] + 0.1 for name in Y)
    assert found[1].loss_curves_["price"][-1] > 1e9


def test_each_target_has_an_estimator_with_a_copy_of_its_weights():
    own = model().fit(X, Y)
    found = {name: own.estimator_of(name) for name in own.targets_}
    assert [type(one) for one in found.values()] == [
        rg.MLPRegressor,
        rg.MLPClassifier,
        rg.MLPClassifier,
    ]
    for name, one in found.items():
        check_is_fitted(one)
        assert one.score(X, Y[name]) == pytest.approx(own.scores(X, Y)[name], rel=1e-12)
    close(found["price"].predict(X), own.predict(X)["price"])
    close(found["kind"].predict_proba(X), own.predict_proba(X)["kind"])
    before = own.predict(X)["price"]
    found["price"].coefs_[0][:] = 0.0
    np.testing.assert_array_equal(own.predict(X)["price"], before)
    assert found["kind"].partial_fit(X, KIND).n_iter_ == 1


def test_gradients_of_predictions_are_those_of_each_estimator():
    own = model(standardize=True).fit(X, Y)
    found, step = own.input_gradients(X[:3]), 1e-5
    assert {n: g.shape for n, g in found.items()} == {
        "price": (3, 5),
        "kind": (3, 3, 5),
        "sold": (3, 2, 5),
    }
    moved = X[:3] + step * np.eye(5)[1]
    slope = (own.predict(moved)["price"] - own.predict(X[:3])["price"]) / step
    np.testing.assert_allclose(found["price"][:, 1], slope, rtol=1e-3)


def test_assigned_weights_are_those_that_predict():
    own = model().fit(X, Y)
    own.coefs_[-1][:], own.intercepts_[-1][:] = 0.0, 0.0
    close(own.predict(X)["price"], PRICE.mean())
    close(own.predict_proba(X)["kind"], 1 / 3)
    assert own.activations(X, -1).shape == (N, 5)


# ---- what a target is


KINDS = {
    "words": (np.array(["a", "b"] * 4), "classification"),
    "objects": (np.array(["a", "b"] * 4, object), "classification"),
    "booleans": (np.array([True, False] * 4), "classification"),
    "few whole numbers": (np.arange(8), "classification"),
    "floats": (np.linspace(0, 1, 8), "regression"),
    "whole floats": (np.arange(8.0) % 2, "regression"),
    "float32": (np.linspace(0, 1, 8, dtype=np.float32), "regression"),
    "a list of floats": ([0.5] * 4 + [1.0] * 4, "regression"),
    "objects that are floats": (np.array([0.5, 1.0] * 4, object), "regression"),
    "categories of numbers": (pd.Series([10, 20] * 4, dtype="category"), "classification"),
    "nullable integers": (pd.Series([1, 2] * 4, dtype="Int64"), "classification"),
    "nullable floats": (pd.Series([1, 2.5] * 4, dtype="Float64"), "regression"),
    "several labels": (np.array([[0, 1], [1, 1]] * 4), "classification"),
    "several numbers": (
        np.eye(8)[:, :2],
        "regression",
    ),
    "a column of one": (np.linspace(0, 1, 8)[:, None], "regression"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_values_of_a_target_say_what_it_is(name):
    column, kind = KINDS[name]
    own = model(max_iter=2).fit(X[:8], {"it": column, "other": X[:8, 0]})
    assert own.targets_ == {"it": kind, "other": "regression"}
    assert len(own.predict(X)["it"]) == N


def test_a_parameter_or_the_loss_says_what_a_target_is():
    count = RNG.poisson(2.0, N)
    assert model(max_iter=2).fit(X, {"n": count, "x": PRICE}).targets_["n"] == "classification"
    for params in (
        {"targets": {"n": "regression"}},
        {"targets": "regression"},
        {"loss": {"n": "poisson"}},
        {"loss": {"n": rg.Huber(0.5)}},
    ):
        own = model(max_iter=2, **params).fit(X, {"n": count, "x": PRICE})
        assert own.targets_["n"] == "regression"
        assert own.predict(X)["n"].dtype == np.float64
    rooms = np.arange(N) % 30
    own = model(targets={"rooms": "classification"}, max_iter=2).fit(X, {"rooms": rooms})
    np.testing.assert_array_equal(own.classes_["rooms"], np.arange(30))


def test_losses_of_targets_are_those_of_their_estimators():
    loss = {"price": rg.Quantile((0.1, 0.5, 0.9)), "kind": "focal"}
    own = model(loss=loss, max_iter=5).fit(X, Y)
    assert own.n_outputs_ == 3 + 3 + 1
    low, middle, high = own.estimator_of("price").predict_quantiles(X).T
    np.testing.assert_array_equal(own.predict(X)["price"], middle)
    assert not np.array_equal(low, high)
    own = model(loss={"price": "gaussian_nll"}, max_iter=5).fit(X, Y)
    mean, std = own.estimator_of("price").predict(X, return_std=True)
    np.testing.assert_array_equal(own.predict(X)["price"], mean)
    assert (std > 0).all()


FORMS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": lambda y: pa.table({n: pa.array(c) for n, c in y.items()}),
    "records": lambda y: pd.DataFrame(y).to_records(index=False),
    "nullable": lambda y: pd.DataFrame(y).convert_dtypes(),
    "categories": lambda y: pd.DataFrame(y).astype({"kind": "category"}),
    "lists": lambda y: {name: column.tolist() for name, column in y.items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_frame_is_as_good_as_a_dict(form):
    a, b = model().fit(X, Y), model().fit(X, FORMS[form](Y))
    assert a.loss_curve_ == b.loss_curve_
    assert a.targets_ == b.targets_
    assert a.score(X, FORMS[form](Y)) == a.score(X, Y)
    np.testing.assert_array_equal(a.predict(X)["kind"], b.predict(X)["kind"])


def test_columns_are_known_by_name_not_by_place():
    own = model().fit(X, Y)
    turned = dict(reversed(Y.items()))
    assert own.score(X, turned) == own.score(X, Y)
    again = clone(own).set_params(warm_start=True).fit(X, Y)
    same = clone(again).fit(X, Y)
    assert again.fit(X, turned).loss_curve_ == same.fit(X, Y).loss_curve_


# ---- weights of rows, and targets that are not known


def test_a_target_that_is_not_known_of_a_row_does_not_count():
    known = np.arange(N) % 3 > 0
    fits = []
    for stand_in in (PRICE[1], -1e7):
        y = Y | {"price": np.where(known, PRICE, stand_in)}
        fits.append(model().fit(X, y, {"price": known}))
    a, b = fits
    close(a.loss_curve_, b.loss_curve_)
    close(a.predict(X)["price"], b.predict(X)["price"])
    assert a.scores(X, y, {"price": known})["price"] > a.scores(X, y)["price"]


def test_the_scale_of_a_regressors_targets_counts_rows_by_their_weights():
    w, scale = np.arange(N) % 3, rg.MLPRegressor(standardize=True, random_state=0, max_iter=4)
    twice = np.repeat(np.arange(N), w)
    scale.fit(X, PRICE, w)
    mean, std = PRICE[twice].mean(), PRICE[twice].std()
    by_hand = clone(scale).set_params(standardize=False)
    by_hand.fit((X - X[twice].mean(axis=0)) / X[twice].std(axis=0), (PRICE - mean) / std, w)
    close(scale.loss_curve_, by_hand.loss_curve_, 9)


def test_one_weight_for_all_targets_is_the_same_for_each():
    w = np.linspace(0.0, 2.0, N)
    a, b = model().fit(X, Y, w), model().fit(X, Y, dict.fromkeys(Y, w))
    assert a.loss_curve_ == b.loss_curve_ != model().fit(X, Y).loss_curve_


def test_a_row_of_weight_2_is_a_row_twice():
    w = np.repeat([1.0, 2.0], N // 2)
    twice = np.concatenate([np.arange(N), np.arange(N // 2, N)])
    params = {"batch_size": 2 * N, "solver": "sgd", "max_iter": 5, "shuffle": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the batch is all rows
        a = model(**params).fit(X, Y, w)
        b = model(**params).fit(X[twice], part(Y, twice))
    close(a.loss_curve_, b.loss_curve_)


def test_class_weights_are_those_of_each_target():
    rare = X[:, 4] > 1.5
    own = model(class_weight={"rare": "balanced"}, max_iter=150).fit(X, Y | {"rare": rare})
    plain = model(max_iter=150).fit(X, Y | {"rare": rare})
    assert own.predict(X)["rare"].sum() > plain.predict(X)["rare"].sum()
    for_all = model(class_weight="balanced").fit(X, Y)
    by_name = model(class_weight={"kind": "balanced", "sold": "balanced"}).fit(X, Y)
    assert for_all.loss_curve_ == by_name.loss_curve_


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_class_weights_take_the_precision_of_the_fit(precision):
    params = {"precision": precision, "max_iter": 3}
    balanced = compute_sample_weight("balanced", Y["kind"])
    a = model(class_weight={"kind": "balanced"}, **params).fit(X, Y)
    b = model(**params).fit(X, Y, {"kind": balanced})
    assert a.loss_curve_ == b.loss_curve_


# ---- validation, warm starts, partial_fit


def test_the_best_weights_are_those_with_the_best_score_on_the_validation_rows():
    own = model(max_iter=60, learning_rate_init=0.05)
    own.fit(X[TRAIN], part(Y, TRAIN), X_val=X[TEST], y_val=part(Y, TEST))
    assert len(own.validation_loss_curve_) == 60
    assert own.best_validation_score_ == max(own.validation_scores_)
    assert own.score(X[TEST], part(Y, TEST)) == pytest.approx(own.best_validation_score_)


def test_the_validation_loss_counts_each_target_by_its_weights():
    weights, known = {"price": 0.5, "kind": 2.0}, np.arange(N) % 2 > 0
    own = model(loss_weights=weights, alpha=0.0, max_iter=3, batch_size=N)
    own.fit(X, Y, X_val=X, y_val=Y, sample_weight_val={"price": known})
    own.set_params(max_iter=1, warm_start=True, learning_rate_init=1e-300)
    own.fit(X, Y, {"price": known})  # a step of nothing: the loss of the weights as they are
    best = own.validation_scores_.index(own.best_validation_score_)
    close(own.loss_curve_[-1], own.validation_loss_curve_[best])


def test_early_stopping_holds_rows_out_and_stops():
    own = model(early_stopping=True, max_iter=500, learning_rate_init=0.02).fit(X, Y)
    assert own.n_iter_ < 500
    assert own.best_validation_score_ == max(own.validation_scores_) > 0.5
    weighed = model(early_stopping=True).fit(X, Y, {"price": np.arange(N) % 2})
    assert len(weighed.validation_scores_) == weighed.n_iter_


def test_where_a_target_is_not_estimated_the_loss_judges():
    own = model(loss={"price": "quantile"}, max_iter=4).fit(X, Y, X_val=X, y_val=Y)
    assert own.validation_scores_ == [-loss for loss in own.validation_loss_curve_]


def test_a_loss_of_ones_own_is_a_function_of_nodes():
    def squares(output, y):
        return 0.5 * rg.sum(rg.square(output - y), axis=1)

    own = model(loss={"price": squares}, standardize_targets=False).fit(X, Y | {"price": X[:, 0]})
    usual = model(standardize_targets=False).fit(X, Y | {"price": X[:, 0]})
    close(own.loss_curve_, usual.loss_curve_)


def test_partial_fit_learns_all_targets_batch_by_batch():
    own = model(learning_rate_init=0.02)
    classes = {"kind": ["flat", "house", "villa"], "sold": [False, True]}
    for epoch in range(40):
        for rows in (slice(0, 120), slice(120, N)):
            own.partial_fit(X[rows], part(Y, rows), classes=classes if epoch == 0 else None)
    assert own.score(X, Y) > 0.8
    assert len(own.loss_curves_["price"]) == len(own.loss_curve_) == 80
    with pytest.raises(DataError, match=r"target 'sold': .*not the same as on last call"):
        own.partial_fit(X, Y, classes={"sold": [0, 1, 2]})


def test_partial_fit_with_validation_rows_stops():
    own = model(early_stopping=True, n_iter_no_change=2, tol=10.0)
    classes = {"kind": np.unique(KIND), "sold": [False, True]}
    for _ in range(9):
        own.partial_fit(X, Y, classes=classes, X_val=X, y_val=Y)
    assert own.is_stopped_
    assert own.score(X, Y) == pytest.approx(own.best_validation_score_)


def test_a_warm_start_goes_on():
    own = model(warm_start=True).fit(X, Y)
    own.set_params(loss_weights={"price": 3.0}).fit(X, Y)
    assert len(own.loss_curve_) == 16
    assert own.loss_curve_[8] > own.loss_curve_[7]  # the price counts three times
    with pytest.raises(DataError, match="target 'kind': warm_start can only be used where"):
        own.fit(X, Y | {"kind": np.where(KIND == "flat", "hut", KIND)})
    with pytest.raises(DataError, match="nothing is given for the target 'sold'"):
        own.fit(X, {"price": PRICE, "kind": KIND})


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    own = model().fit(X, Y)
    before = own.predict(X)
    for wrong in ({"other": PRICE[:9]}, {"other": np.full(N, np.inf)}, PRICE[:7]):
        with pytest.raises(RetrogradError):
            own.fit(X, wrong)
        np.testing.assert_equal(own.predict(X), before)
    with pytest.raises(NotFittedError):
        model().predict(X)


# ---- the rest of what the estimators can do


@pytest.mark.parametrize("solver", ["lbfgs", "conjugate_gradient", "adamw", "sgd"])
def test_every_kind_of_solver_lowers_the_loss(solver):
    first = model(max_iter=1, solver=solver).fit(X, Y).loss_
    own = model(max_iter=20, solver=solver).fit(X, Y)
    assert own.loss_ < first
    assert (solver == "lbfgs") != hasattr(own, "loss_curves_")


def test_sparse_rows_and_float32():
    scarce = np.where(X > 0.5, X, 0.0)
    dense = model().fit(scarce, Y)
    close(model().fit(sparse.csr_array(scarce), Y).loss_curve_, dense.loss_curve_, 9)
    own = model().fit(X.astype(np.float32), Y)
    assert {W.dtype for W in own.coefs_} == {own.predict(X[:2].astype(np.float32))["price"].dtype}
    assert own.coefs_[0].dtype == np.float32


def test_words_and_missing_numbers_in_x():
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 1, np.nan, X[:, 1]), "town": KIND})
    y = {"price": PRICE, "kind": KIND}
    own = model(encode_columns=True, max_iter=100, learning_rate_init=0.01).fit(frame, y)
    assert own.scores(frame, y)["kind"] > 0.95


def test_starts_callbacks_and_dropout():
    seen = []
    own = model(callbacks=[lambda m: seen.append(m.predict(X)["price"][0])], dropout=0.1)
    own.fit(X, Y)
    assert len(set(seen)) == 8
    several = model(random_starts=3).fit(X, Y)
    assert several.loss_ <= model().fit(X, Y).loss_
    assert all(len(curve) == 8 for curve in several.loss_curves_.values())


def test_scikit_learns_tools_take_a_frame_of_targets():
    frame = pd.DataFrame(Y)
    assert len(cross_val_score(model(), X, frame, cv=3)) == 3
    for other in (FORMS["polars"](Y), FORMS["pyarrow"](Y), FORMS["records"](Y)):
        np.testing.assert_array_equal(
            cross_val_score(model(), X, other, cv=3), cross_val_score(model(), X, frame, cv=3)
        )
    grid = {"loss_weights": [None, {"price": 2.0}], "alpha": [1e-4, 1.0]}
    found = GridSearchCV(model(), grid, cv=2).fit(X, frame)
    assert [*found.classes_] == ["kind", "sold"]
    assert found.score(X, frame) == found.best_estimator_.score(X, frame)
    twin = clone(found.best_estimator_)
    assert twin.get_params() == found.best_estimator_.get_params()
    assert not hasattr(twin, "coefs_")


def test_a_copy_by_pickle_or_joblib_predicts_the_same(tmp_path):
    own = model().fit(X, Y)
    joblib.dump(own, tmp_path / "a")
    for other in (pickle.loads(pickle.dumps(own)), joblib.load(tmp_path / "a")):
        np.testing.assert_equal(other.predict(X), own.predict(X))


def test_the_warning_of_too_few_epochs_points_at_the_call():
    with pytest.warns(ConvergenceWarning) as caught:
        model().fit(X, Y)
    assert [one.filename for one in caught] == [__file__]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": {"price": rg.Huber(0.3)}, "loss_weights": {"kind": 2.0}, "standardize": True},
        {"early_stopping": True, "class_weight": "balanced"},
        {"solver": "lbfgs"},
    ],
)
def test_a_file_holds_all_of_the_model(params, tmp_path):
    own = model(**params).fit(X, Y)
    own.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert type(loaded) is rg.MLPMultiTask
    np.testing.assert_equal(loaded.get_params(), own.get_params())
    np.testing.assert_equal(loaded.predict(X), own.predict(X))
    np.testing.assert_equal(loaded.predict_proba(X), own.predict_proba(X))
    np.testing.assert_equal(
        {n: v for n, v in vars(loaded).items() if n[0] != "_"},
        {n: v for n, v in vars(own).items() if n[0] != "_"},
    )
    loaded.save(tmp_path / "b.model")
    assert (tmp_path / "b.model").read_bytes() == (tmp_path / "a.model").read_bytes()
    if not params:
        assert loaded.partial_fit(X, Y).loss_curve_ == own.partial_fit(X, Y).loss_curve_
        plain = model().fit(X, PRICE)
        plain.save(tmp_path / "a.model")
        np.testing.assert_array_equal(rg.load(tmp_path / "a.model").predict(X), plain.predict(X))


def test_a_file_whose_heads_are_not_those_of_its_network_is_a_typed_error(tmp_path):
    model().fit(X, Y).save(tmp_path / "a.model")
    file = container.read(tmp_path / "a.model")
    heads = file.header["preprocessing"]["targets"]["heads"]
    for key, wrong in (("n_outputs", 7), ("kind", "cluster"), ("name", "cost")):
        kept, heads[1][key] = heads[1][key], wrong
        container.write(tmp_path / "b.model", file.kind, file.header, file.arrays)
        with pytest.raises(ModelFileError):
            rg.load(tmp_path / "b.model")
        heads[1][key] = kept


def test_the_glass_box_looks_into_it():
    own = model(max_iter=100, learning_rate_init=0.01).fit(X, Y)
    assert rg.check_gradient(own, X[:20], part(Y, slice(0, 20))).ok
    assert "price" in str(rg.trace(own, X[:5], part(Y, slice(0, 5))))
    assert "nothing wrong" in str(rg.diagnose(own, X, Y))
    assert rg.trace(own.estimator_of("kind"), X[:5], KIND[:5]).J > 0


# ---- what is wrong is said


def nan_at(row, column):
    return np.where(np.arange(N) == row, np.nan, column)


WRONG = {
    "no y": (None, {}, "requires y to be passed"),
    "lengths that differ": ({"price": PRICE, "kind": KIND[:9]}, {}, "'kind' has 9 rows, X has 240"),
    "NaN in numbers": ({"price": nan_at(7, PRICE)}, {}, "'price'.*missing in 1 of 240 rows.*row 7"),
    "None among labels": (
        {"kind": np.where(X[:, 0] > 2, None, KIND)},
        {},
        "target 'kind': contains NaN or None",
    ),
    "pandas NA": ({"n": pd.Series([1, None] * 120, dtype="Int64")}, {}, "'n'.*in 120 of 240"),
    "infinity": ({"price": np.where(X[:, 0] > 2, np.inf, PRICE)}, {}, "'price'.*infinity"),
    "a cube": ({"price": np.zeros((N, 2, 2))}, {}, r"'price': expected a column, .*\(240, 2, 2\)"),
    "a number": ({"price": 3.0}, {}, "'price': expected a column"),
    "ragged": ({"price": [[1.0], [1.0, 2.0]] * 120}, {}, "'price': holds sequences"),
    "dates": ({"day": np.arange(N).astype("M8[D]")}, {}, "'day': holds dates"),
    "masked": (
        {"price": np.ma.masked_array(PRICE, np.arange(N) == 3)},
        {},
        "'price'.*masked entries",
    ),
    "numbers as words": (
        {"price": PRICE.astype(str)},
        {"targets": {"price": "regression"}},
        "target 'price'",
    ),
    "mixed labels": ({"kind": np.array([1, "a"] * 120, object)}, {}, "'kind'.*labels of several"),
    "many whole numbers": (
        {"price": np.arange(N)},
        {},
        "240 different whole numbers.*'regression'.*'classification'",
    ),
    "columns of whole numbers": ({"it": np.arange(2 * N).reshape(N, 2)}, {}, "2 columns of whole"),
    "no targets": ({}, {}, "need words as names"),
    "a name that is no word": ({3: PRICE}, {}, "need words as names"),
    "two of one name": (
        pd.DataFrame(np.ones((N, 2)), columns=["price", "price"]),
        {},
        "two of its columns have one name",
    ),
    "negative counts": ({"n": PRICE - 3e5}, {"loss": {"n": "poisson"}}, "'n': .*needs y >= 0"),
    "an unknown kind": (Y, {"targets": {"price": "ranking"}}, "unknown kind of target 'ranking'"),
    "a kind for no target": (
        Y,
        {"targets": {"cost": "regression"}},
        "targets: unknown target 'cost'",
    ),
    "a loss for no target": (Y, {"loss": {"cost": "huber"}}, "loss: unknown target 'cost'"),
    "a weight for no target": (Y, {"loss_weights": {"cost": 1.0}}, "loss_weights: unknown target"),
    "class weights for no target": (
        Y,
        {"class_weight": {"cost": "balanced"}},
        "class_weight: unkn",
    ),
    "a negative weight": (Y, {"loss_weights": {"price": -1.0}}, r"loss_weights: that of 'price'"),
    "a weight that is no number": (Y, {"loss_weights": {"price": "2"}}, "that of 'price'"),
    "all weights 0": (Y, {"loss_weights": dict.fromkeys(Y, 0.0)}, "nothing would be learned"),
    "an unknown loss": (Y, {"loss": {"price": "hubre"}}, "target 'price': The 'loss' parameter"),
    "a loss of numbers for labels": (Y, {"loss": {"kind": "huber"}}, "target 'kind'"),
    "a loss against the kind": (
        Y,
        {"loss": {"kind": "huber"}, "targets": {"kind": "classification"}},
        "'huber' is for regression",
    ),
    "one loss for all kinds": (Y, {"loss": "focal"}, "target 'price'"),
    "a wrong class weight": (Y, {"class_weight": {"kind": {"hut": 2.0}}}, "target 'kind'"),
    "labels to smooth of another loss": (
        Y,
        {"loss": {"kind": "focal"}, "label_smoothing": 0.1},
        "target 'kind': label_smoothing",
    ),
    "weights without names": (PRICE, {"loss_weights": {"y": 1.0}}, "targets with names"),
    "a solver of one output": (Y, {"solver": "levenberg_marquardt"}, "heads price, kind, sold"),
    "another X_val": (Y, {}, "validation data: y: nothing is given for the targets"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_clear_error(name):
    y, params, words = WRONG[name]
    more = {"X_val": X, "y_val": {"sold": SOLD}} if name == "another X_val" else {}
    with pytest.raises(RetrogradError, match=words):
        model(max_iter=2, **params).fit(X, y, **more)


def test_one_class_is_learned_as_the_classifier_learns_it():
    same = np.full(N, "flat")
    own = model(max_iter=2).fit(X, {"kind": same, "price": PRICE})
    alone = rg.MLPClassifier((16,), max_iter=2).fit(X, same)
    assert set(own.predict(X)["kind"]) == set(alone.predict(X)) == {"flat"}


CALLS = {
    "a missing target": (
        lambda m: m.score(X, {"price": PRICE}),
        "for the targets 'kind' and 'sold'",
    ),
    "a renamed target": (
        lambda m: m.score(X, {"prise": PRICE, "kind": KIND, "sold": SOLD}),
        "unknown target 'prise' .*did you mean 'price'",
    ),
    "an array": (lambda m: m.score(X, PRICE), "y: the targets have names"),
    "NaN to score": (
        lambda m: m.score(X, Y | {"price": nan_at(3, PRICE)}),
        "target 'price': .*NaN",
    ),
    "another length": (lambda m: m.score(X[:9], Y), "target 'price': .*inconsistent"),
    "nothing counts": (
        lambda m: m.score(X, Y, {"kind": np.zeros(N)}),
        "'kind': Sample weights must",
    ),
    "weights for no target": (
        lambda m: m.fit(X, Y, {"cost": np.ones(N)}),
        "sample_weight: unknown",
    ),
    "a negative sample weight": (
        lambda m: m.fit(X, Y, {"kind": -np.ones(N)}),
        "target 'kind': .*egative",
    ),
    "an unseen label": (
        lambda m: m.partial_fit(X, Y | {"kind": np.where(KIND == "flat", "hut", KIND)}),
        "target 'kind': `y` has classes not in",
    ),
    "a wider target": (lambda m: m.partial_fit(X, Y | {"price": X[:, :2]}), "'price': asks for 2"),
    "labels of numbers": (
        lambda m: m.partial_fit(X, Y, classes={"price": [1]}),
        "of classes 'price'",
    ),
    "labels without names": (
        lambda m: m.partial_fit(X, Y, classes=[1]),
        "classes: the targets have",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_fitted_model_says_what_is_wrong(name):
    call, words = CALLS[name]
    with pytest.raises(ValueError, match=words) as caught:
        call(model(max_iter=2).fit(X, Y))
    assert isinstance(caught.value, RetrogradError)


def test_the_first_partial_fit_needs_the_labels():
    with pytest.raises(DataError, match="target 'kind': classes must be passed on the first call"):
        model().partial_fit(X, Y, classes={"sold": [False, True]})
    with pytest.raises(OptionError, match="unknown target of classes 'cost'"):
        model().partial_fit(X, Y, classes={"cost": [1, 2]})


def test_a_model_of_one_array_takes_no_names():
    own = model().fit(X, PRICE)
    with pytest.raises(DataError, match="fitted to one array"):
        own.score(X, Y)
    with pytest.raises(AttributeError, match="predict_proba"):
        own.predict_proba(X)
    assert not hasattr(own, "classes_")
    assert hasattr(model(), "predict_proba")
    assert not hasattr(model(targets="regression"), "predict_proba")


# ---- parameters that say nothing about the targets there are


@pytest.mark.parametrize(
    "params, message",
    [
        ({"targets": {"sold": "regression"}}, "target 'sold': .* fitted to one of classification"),
        ({"loss": {"price": "poisson"}}, "target 'price': .*needs the out_activation_ 'exp'"),
        ({"class_weight": {"price": "balanced"}}, "class_weight: .*'price'"),
        ({"loss_weights": {"price": -1.0}}, "loss_weights: .*'price'"),
    ],
)
def test_a_warm_start_refuses_what_it_cannot_follow(params, message):
    own = model(warm_start=True).fit(X, Y)
    before = own.predict(X)
    with pytest.raises(OptionError, match=message):
        own.set_params(**params).fit(X, Y)
    np.testing.assert_equal(own.predict(X), before)
    own.set_params(**dict.fromkeys(params)).fit(X, Y)


@pytest.mark.parametrize(
    "y, params, message",
    [
        (Y, {"class_weight": {"price": "balanced"}}, "class_weight: .*target of classes 'price'"),
        ({"price": PRICE}, {"class_weight": "balanced"}, "class_weight='balanced': no target is"),
        (PRICE, {"class_weight": {0: 1.0}}, "class_weight=.*: no target is one of classes"),
        ({"price": PRICE}, {"label_smoothing": 0.1}, "label_smoothing=0.1: no target is"),
    ],
)
def test_what_is_about_classes_needs_a_target_of_classes(y, params, message):
    with pytest.raises(OptionError, match=message):
        model(**params).fit(X, y)


def test_before_fit_nothing_is_there_and_the_error_says_so():
    own = model()
    for ask in (
        lambda: own.input_gradients(X),
        lambda: own.activations(X, 1),
        lambda: own.estimator_of("price"),
        lambda: own.targets_,
        lambda: own.classes_,
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            ask()
    assert not hasattr(own, "targets_")


OF_TARGETS = {"targets", "loss", "loss_weights", "class_weight", "standardize_targets"}


def test_the_parameters_are_those_of_a_classifier_but_for_the_targets():
    own, other = (one().get_params() for one in (rg.MLPMultiTask, rg.MLPClassifier))
    assert own.keys() - other.keys() == OF_TARGETS - {"loss", "class_weight"}
    assert other.keys() <= own.keys()
    assert {name for name in other if own[name] != other[name]} == {"loss"}
    kinds = inspect.signature(rg.MLPMultiTask).parameters
    assert [name for name, p in kinds.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == [
        "targets",
        "loss",
        "loss_weights",
    ]
