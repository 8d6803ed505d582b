"""Validation data given to fit and partial_fit: scores, losses, best weights, stopping."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import retrograd as rg
from retrograd.errors import DataError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ENGINES = ["cpu", "numpy"]
SOLVERS = ["adam", "sgd", "lbfgs", "levenberg_marquardt", "adamw"]


def noisy(n=40, seed=0):
    """Few rows with much noise: what is learned too well is soon worse on others."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, 0] + 1.5 * rng.normal(size=n)


def regressor(**params):
    given = {"hidden_layer_sizes": (30,), "random_state": 0, "max_iter": 60, "tol": 0.0}
    return rg.MLPRegressor(**{**given, "learning_rate_init": 0.02} | params)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_best_weights_by_validation_are_kept(solver, engine):
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    model = regressor(solver=solver, engine=engine).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X_val, y_val) == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert model.validation_scores_[-1] < model.best_validation_score_
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_


def test_the_validation_loss_is_the_reported_loss_without_the_penalty(task):
    model = task.ours(alpha=0.0, max_iter=3, batch_size=130, shuffle=False)
    model.fit(task.X, task.y, X_val=task.X, y_val=task.y)
    # After epoch k the weights are those that epoch k + 1 meets.
    np.testing.assert_allclose(model.validation_loss_curve_[:-1], model.loss_curve_[1:], rtol=1e-12)


def test_validation_rows_take_no_part_in_training(task):
    half = slice(0, 65), slice(65, 130)
    params = {"max_iter": 4, "batch_size": 20}
    alone = task.ours(**params).fit(task.X[half[0]], task.y[half[0]])
    with_rows = task.ours(**params).fit(
        task.X[half[0]], task.y[half[0]], X_val=task.X[half[1]], y_val=task.y[half[1]]
    )
    assert with_rows.loss_curve_ == alone.loss_curve_


def test_held_out_rows_have_a_loss_curve_too(task):
    model = task.ours(max_iter=4, early_stopping=True).fit(task.X, task.y)
    assert (
        len(model.validation_loss_curve_) == 4 and np.isfinite(model.validation_loss_curve_).all()
    )


def test_early_stopping_stops_by_the_rows_that_were_given():
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    params = {"max_iter": 300, "n_iter_no_change": 5}
    stopped = regressor(early_stopping=True, **params).fit(X, y, X_val=X_val, y_val=y_val)
    through = regressor(**params).fit(X, y, X_val=X_val, y_val=y_val)
    n = stopped.n_iter_
    assert n < through.n_iter_
    assert stopped.validation_scores_ == through.validation_scores_[:n]
    assert stopped.t_ == n * len(X)  # none of the rows was held out
    assert np.argmax(stopped.validation_scores_) == n - 7


def test_weights_of_validation_rows_count():
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    weight = np.r_[np.ones(20), np.zeros(20)]
    a = regressor(max_iter=5).fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    b = regressor(max_iter=5).fit(X, y, X_val=X_val[:20], y_val=y_val[:20])
    np.testing.assert_allclose(a.validation_scores_, b.validation_scores_, rtol=1e-12)
    np.testing.assert_allclose(a.validation_loss_curve_, b.validation_loss_curve_, rtol=1e-12)


def test_quantiles_are_judged_by_their_loss():
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    model = regressor(loss=rg.Quantile((0.1, 0.9))).fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(
        model.validation_scores_, np.negative(model.validation_loss_curve_)
    )


def test_sparse_validation_rows_are_as_dense_ones(tasks):
    from scipy.sparse import csr_array

    task = tasks["multi-class"]
    curves = [
        task.ours(max_iter=3)
        .fit(kind(task.X), task.y, X_val=other(task.X), y_val=task.y)
        .validation_loss_curve_
        for kind in (np.asarray, csr_array)
        for other in (np.asarray, csr_array)
    ]
    assert curves[0] == curves[1]
    np.testing.assert_allclose(curves[2:], [curves[0]] * 2, rtol=1e-12)
    assert curves[2] == curves[3]


def test_standardized_models_scale_the_validation_rows_alike():
    X, y = noisy()
    model = regressor(standardize=True, batch_size=40, max_iter=4, alpha=0.0, shuffle=False)
    model.fit(1e3 * X, 1e3 * y, X_val=1e3 * X, y_val=1e3 * y)
    np.testing.assert_allclose(model.validation_loss_curve_[:-1], model.loss_curve_[1:], rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"X_val": 1}, OptionError, "X_val was given without y_val"),
        ({"y_val": 1}, OptionError, "y_val was given without X_val"),
        ({"sample_weight_val": 1}, OptionError, "needs X_val and y_val"),
        ({"X_val": np.zeros((3, 2)), "y_val": np.zeros(3)}, ValueError, "3 features"),
        ({"X_val": np.zeros((3, 3)), "y_val": np.zeros(2)}, ValueError, "inconsistent"),
        ({"X_val": np.zeros((3, 3)), "y_val": np.zeros((3, 2))}, DataError, "same form"),
    ],
)
def test_validation_data_that_do_not_fit_are_an_error(given, error, words):
    X, y = noisy()
    with pytest.raises(error, match=words):
        regressor().fit(X, y, **given)


def test_a_class_never_trained_on_is_an_error(tasks):
    task = tasks["multi-class"]
    with pytest.raises(DataError, match=r"validation data: `y` has classes not in"):
        task.ours(max_iter=1).fit(task.X, task.y, X_val=task.X[:2], y_val=["no 1", "no 11"])


def test_partial_fit_stops_early_on_validation_data_alone():
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    model = regressor(early_stopping=True, n_iter_no_change=5)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        clone(model).partial_fit(X, y)
    calls = 0
    while calls < 300 and not getattr(model, "is_stopped_", False):
        newest = model.partial_fit(X, y, X_val=X_val, y_val=y_val).score(X_val, y_val)
        calls += 1
        if not model.is_stopped_:
            assert newest == pytest.approx(model.validation_scores_[-1], rel=1e-9)
    assert calls == len(model.validation_scores_) < 300
    assert model.score(X_val, y_val) == pytest.approx(max(model.validation_scores_), rel=1e-9)
    before = [w.copy() for w in model.coefs_]
    model.partial_fit(X, y, X_val=X_val, y_val=y_val)
    assert len(model.validation_scores_) == calls
    for a, b in zip(before, model.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_partial_fit_remembers_the_best_weights_in_a_file(tmp_path):
    (X, y), (X_val, y_val) = noisy(), noisy(seed=1)
    model = regressor(early_stopping=True, n_iter_no_change=5)
    for _ in range(12):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    for _ in range(60):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val)
        loaded.partial_fit(X, y, X_val=X_val, y_val=y_val)
    assert loaded.validation_scores_ == model.validation_scores_ and model.is_stopped_
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_fit_after_a_validated_one_forgets_it():
    X, y = noisy()
    model = regressor(max_iter=2).fit(X, y, X_val=X, y_val=y)
    model.fit(X, y)
    assert model.validation_scores_ is None and not hasattr(model, "validation_loss_curve_")


def test_validation_data_are_routed_through_meta_estimators():
    X, y = noisy()
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor(max_iter=3).set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipe.fit(1e4 * X, y, X_val=1e4 * X, y_val=y)
        assert len(pipe[-1].validation_scores_) == 3
        alone = clone(model).fit(*[StandardScaler().fit_transform(1e4 * X), y])
        np.testing.assert_allclose(pipe[-1].loss_curve_, alone.loss_curve_, rtol=1e-12)
        search = GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2).fit(X, y, X_val=X, y_val=y)
        assert len(search.best_estimator_.validation_loss_curve_) == 3
