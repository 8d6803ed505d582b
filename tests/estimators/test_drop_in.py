"""A script that was written for scikit-learn: the same script with ours gives the same results."""

import pickle
import warnings
from copy import deepcopy

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingRegressor, StackingClassifier, StackingRegressor
from sklearn.exceptions import ConvergenceWarning, UnsetMetadataPassedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from retrograd.errors import RetrogradError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CURVE = 1e-9  # the bound; what is found is rounding


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=CURVE, atol=CURVE)


def words(error):
    """A message without the order in which a set of names happens to be written."""
    return sorted(str(error).replace(",", " ").replace("{", " ").replace("}", " ").split())


# --- parameters: what is refused, in scikit-learn's words, and what is taken ---

TEXT, NEITHER = "word", object()
TAKE_MORE = ("activation", "learning_rate", "solver")
REFUSED = {
    "activation": ["rellu", None, 3],
    "hidden_layer_sizes": [0, -1, 1.5, "ten", None, NEITHER],
    "solver": ["newton", None, 3, ["adam"]],
    "alpha": [-1.0, np.nan, np.inf, "0", None],
    "batch_size": [0, -5, 2.0, "all", None, np.nan],
    "learning_rate": ["falling", None, 0.1],
    "learning_rate_init": [0.0, -1.0, np.nan, np.inf, "0.1", None],
    "power_t": [-0.5, np.nan, None, TEXT],
    "max_iter": [0, -1, 1.5, None, np.inf],
    "shuffle": ["yes", 1, None],
    "random_state": [-1, 1.5, "seed", 2**32],
    "tol": [-1e-9, np.nan, None, TEXT],
    "verbose": [-1, "loud", None, 0.5],
    "warm_start": ["yes", 1, None],
    "momentum": [-0.1, 1.1, np.nan, None],
    "nesterovs_momentum": ["yes", 1, None],
    "early_stopping": ["yes", 1, None],
    "validation_fraction": [-0.1, 1.0, 1.5, np.nan, None],
    "beta_1": [-0.1, 1.0, np.nan, None],
    "beta_2": [-0.1, 1.0, np.nan, None],
    "epsilon": [0.0, -1.0, np.nan, None],
    "n_iter_no_change": [0, 1.5, -np.inf, np.nan, None],
    "max_fun": [0, 1.5, None],
}
TAKEN = {
    "hidden_layer_sizes": [3, np.int32(3), [3, 2], np.array([3, 2]), (), []],
    "alpha": [0, np.float32(0.5), 10],
    "batch_size": [1, np.int64(7)],
    "power_t": [0, 3.0],
    "shuffle": [np.True_, False],
    "random_state": [np.random.RandomState(3), np.int64(5)],
    "verbose": [0, np.False_],
    "momentum": [0, 1.0],
    "validation_fraction": [0.5],
    "beta_1": [0],
    "n_iter_no_change": [1, np.inf, np.int8(2)],
    "tol": [0],
}


@pytest.mark.parametrize("name, value", [(k, v) for k, all_ in REFUSED.items() for v in all_])
def test_a_parameter_is_refused_in_scikit_learns_words(name, value, tasks):
    for task in (tasks["binary"], tasks["one output"]):
        found = []
        for model in task.pair(**{name: value}):
            with pytest.raises((ValueError, TypeError)) as caught:
                model.fit(task.X, task.y)
            said = str(caught.value)
            if name in TAKE_MORE:  # and so list more
                said = said.partition(" a str among")[0]
            found.append((type(caught.value), words(said)))
        assert found[0] == found[1]


@pytest.mark.parametrize("name, value", [(k, v) for k, all_ in TAKEN.items() for v in all_])
def test_a_parameter_is_taken_as_scikit_learn_takes_it(name, value, tasks):
    task = tasks["binary"]
    few = {"hidden_layer_sizes": 4, "max_iter": 3, "solver": "sgd", "early_stopping": True}
    assert_close(
        *(
            # A generator is changed by what it draws: each has its own.
            task.pair(**few | {name: deepcopy(value)})[i].fit(task.X, task.y).loss_curve_
            for i in (0, 1)
        )
    )


def test_every_parameter_of_scikit_learns_has_a_row(tasks):
    assert REFUSED.keys() == tasks["binary"].pair()[1].get_params().keys()


# --- data ---


FRAMES = {
    "pandas": lambda names, X: pd.DataFrame(X, columns=names),
    "pyarrow": lambda names, X: pa.table(dict(zip(names, X.T, strict=True))),
    "polars": lambda names, X: pytest.importorskip("polars").DataFrame(
        dict(zip(names, X.T, strict=True))
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_data_frame_is_learned_as_scikit_learn_learns_it(task, kind):
    X = FRAMES[kind]([f"pixel {i}" for i in range(64)], task.X)
    pair = [model.fit(X, task.y) for model in task.pair(max_iter=3)]
    assert_close(*(model.loss_curve_ for model in pair))
    np.testing.assert_array_equal(*(model.feature_names_in_ for model in pair))
    if task.kind == "regressor":
        assert_close(*(model.predict(X) for model in pair))
    else:
        assert_close(*(model.predict_proba(X) for model in pair))


def test_targets_of_a_data_frame_are_learned_as_scikit_learn_learns_them(tasks):
    polars = pytest.importorskip("polars")
    for name in ("binary", "multi-class", "one output"):
        task = tasks[name]
        for column in (pd.Series(task.y), pa.array(task.y.tolist()), polars.Series(task.y)):
            assert_close(*(m.fit(task.X, column).loss_curve_ for m in task.pair(max_iter=2)))
    for name in ("multi-label", "three outputs"):
        task = tasks[name]
        for table in (pd.DataFrame(task.y), polars.DataFrame(task.y)):
            assert_close(*(m.fit(task.X, table).loss_curve_ for m in task.pair(max_iter=2)))


def test_other_names_of_columns_are_met_as_scikit_learn_meets_them(tasks):
    task = tasks["binary"]
    X = pd.DataFrame(task.X).add_prefix("c")
    for change, kind in (
        (lambda X: X.rename(columns={"c3": "d3"}), ValueError),
        (lambda X: X[X.columns[::-1]], ValueError),
        (lambda X: X.to_numpy(), UserWarning),
    ):
        said = []
        for model in task.pair(max_iter=2):
            model.fit(X, task.y)
            if kind is UserWarning:
                with pytest.warns(kind) as caught:
                    model.predict(change(X))
                said.append(str(caught[0].message))
            else:
                with pytest.raises(kind) as raised:
                    model.predict(change(X))
                said.append(str(raised.value))
        assert said[0] == said[1]


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("solver, kind", [("adam", sparse.csr_array), ("sgd", sparse.csc_matrix)])
def test_the_loss_curve_of_sparse_rows_is_scikit_learns(task, solver, kind, engine):
    X = kind(task.X)
    pair = task.pair(max_iter=50, solver=solver, early_stopping=True, batch_size=48)
    pair[0].set_params(engine=engine)
    for model in pair:
        model.fit(X, task.y)
    assert_close(*(model.loss_curve_ for model in pair))
    assert_close(*(model.validation_scores_ for model in pair))
    assert_close(*(model.score(X, task.y) for model in pair))


@pytest.mark.parametrize("seed", ["global", "generator"])
def test_any_kind_of_seed_draws_what_scikit_learn_draws(seed, tasks):
    task = tasks["multi-class"]
    curves = []
    for maker in (0, 1):
        np.random.seed(5)  # noqa: NPY002  # what random_state=None reads
        state = None if seed == "global" else np.random.RandomState(5)
        model = task.pair(random_state=state, max_iter=4, early_stopping=True)[maker]
        curves.append(
            [*model.fit(task.X, task.y).loss_curve_, *model.fit(task.X, task.y).loss_curve_]
        )
    assert_close(*curves)


def test_a_column_of_targets_warns_as_in_scikit_learn(tasks):
    for name in ("binary", "one output"):
        task = tasks[name]
        for model in task.pair(max_iter=1):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.fit(task.X, task.y[:, None])
            kinds = [w.category.__name__ for w in caught]
            assert kinds == ["DataConversionWarning", "ConvergenceWarning"]


# --- the course of a fit ---


@pytest.mark.parametrize(
    "params",
    [
        {"n_iter_no_change": np.inf, "tol": 1e9, "max_iter": 25},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
        {"early_stopping": True, "tol": 0.5, "n_iter_no_change": 2},
        {"tol": 1.0, "n_iter_no_change": 2, "verbose": 2},
        {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 3},
    ],
)
def test_lines_warnings_and_figures_are_scikit_learns(task, params, capsys):
    said = []
    for model in task.pair(**{"verbose": True, "max_iter": 60} | params):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(task.X, task.y)
        said.append((capsys.readouterr().out, [(w.category, str(w.message)) for w in caught]))
        said[-1] += (model.n_iter_, model.t_, model._no_improvement_count)
    assert said[0] == said[1]
    assert said[0][0].startswith("Iteration 1, loss = ")


def test_lbfgs_warns_in_scikit_learns_words(tasks):
    task = tasks["binary"]
    for params in ({"max_iter": 2}, {"max_fun": 3}):
        said = []
        for model in task.pair(solver="lbfgs", **params):
            with pytest.warns(ConvergenceWarning) as caught:
                model.fit(task.X, task.y)
            said.append((str(caught[0].message), model.n_iter_))
        assert said[0] == said[1]


def test_a_fit_without_an_end_runs_all_its_epochs(tasks):
    task = tasks["binary"]
    model = task.pair(n_iter_no_change=np.inf, tol=100.0, max_iter=30)[0].fit(task.X, task.y)
    assert model.n_iter_ == 30


def test_an_interrupt_in_print_keeps_the_model(tasks, monkeypatch):
    task = tasks["binary"]

    def press(line):
        if line.startswith("Iteration 3"):
            raise KeyboardInterrupt

    for model in task.pair(verbose=True, max_iter=10):
        monkeypatch.setattr("builtins.print", press)
        with pytest.warns(UserWarning, match="Training interrupted by user."):
            model.fit(task.X, task.y)
        monkeypatch.undo()
        assert model.n_iter_ == 3 and len(model.loss_curve_) == 3
        assert model.predict(task.X).shape == (130,)


CHANGES = [
    ({}, {"early_stopping": True}),
    ({"early_stopping": True}, {"early_stopping": False}),
    ({"solver": "lbfgs"}, {"solver": "adam"}),
    ({"solver": "sgd"}, {"solver": "adam"}),
    ({"solver": "adam"}, {"solver": "lbfgs"}),
]


@pytest.mark.parametrize("first, then", CHANGES)
def test_a_warm_start_goes_on_with_other_choices(task, first, then):
    model = task.pair(warm_start=True, max_iter=3, **first)[0].fit(task.X, task.y)
    before = [w.copy() for w in model.coefs_]
    model.set_params(**then).fit(task.X, task.y)
    assert any((a != b).any() for a, b in zip(before, model.coefs_, strict=True))
    if model.solver != "lbfgs":
        assert (model.validation_scores_ is not None) == (True in (*first.values(), *then.values()))
        model.set_params(early_stopping=False).partial_fit(task.X, task.y)
        assert model.loss_curve_[-1] == model.loss_


# --- weights in the open ---


def test_assigned_weights_are_used_in_the_precision_of_the_fit(task):
    model = task.pair(max_iter=2)[0].fit(task.X.astype(np.float32), task.y)
    other = clone(model).set_params(random_state=9).fit(task.X.astype(np.float32), task.y)
    wide = [w.astype(np.float64) for w in other.coefs_]
    other._optimizer = model._optimizer
    model.coefs_, model.intercepts_ = wide, [b.tolist() for b in other.intercepts_]
    np.testing.assert_array_equal(
        model.predict(task.X[:9].astype(np.float32)), other.predict(task.X[:9].astype(np.float32))
    )
    rows = task.X[:20], task.y[:20]
    model.random_state = 9
    for a, b in zip(model.partial_fit(*rows).coefs_, other.partial_fit(*rows).coefs_, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)


def test_weights_that_were_read_stay_as_they_were(task):
    model = task.pair(max_iter=2)[0].fit(task.X, task.y)
    read = model.coefs_[0]
    before = read.copy()
    assert (model.partial_fit(task.X, task.y).coefs_[0] != before).any()
    np.testing.assert_array_equal(read, before)


def test_curves_of_another_solver_are_gone_after_a_fit_by_lbfgs(tasks):
    task = tasks["binary"]
    model = task.pair(max_iter=2)[0].fit(task.X, task.y)
    assert not hasattr(model.set_params(solver="lbfgs").fit(task.X, task.y), "loss_curve_")


def test_integers_can_be_assigned(task):
    model = task.pair(max_iter=2)[0].fit(task.X, task.y)
    model.coefs_ = [np.zeros(w.shape, int) for w in model.coefs_]
    assert model.partial_fit(task.X, task.y).coefs_[0].dtype == np.float64


def test_weights_that_do_not_fit_each_other_are_an_error(task):
    model = task.pair(max_iter=2)[0].fit(task.X, task.y)
    for change in (
        {"coefs_": [model.coefs_[0], model.coefs_[0], model.coefs_[2]]},
        {"coefs_": model.coefs_[:2]},
        {"intercepts_": [b[:, None] for b in model.intercepts_]},
        {"coefs_": []},
    ):
        wrong = pickle.loads(pickle.dumps(model)).__dict__ | change
        other = clone(model)
        vars(other).update(wrong)
        with pytest.raises(RetrogradError, match="coefs_ have the shapes"):
            other.predict(task.X)


# --- the company of other estimators ---


def test_sample_weights_are_routed(tasks):
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 130)
    for name in ("binary", "one output"):
        task, found = tasks[name], []
        with sklearn.config_context(enable_metadata_routing=True):
            for model in task.pair(max_iter=5):
                with pytest.raises(UnsetMetadataPassedError):
                    make_pipeline(StandardScaler(), model).fit(task.X, task.y, sample_weight=weight)
                model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
                model.set_partial_fit_request(sample_weight=True)
                pipeline = make_pipeline(
                    StandardScaler().set_fit_request(sample_weight=False), model
                ).fit(task.X, task.y, sample_weight=weight)
                search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2)
                search.fit(task.X, task.y, sample_weight=weight)
                found.append(
                    [
                        *pipeline[-1].loss_curve_,
                        pipeline.score(task.X, task.y, sample_weight=weight),
                        *search.cv_results_["mean_test_score"],
                    ]
                )
        assert_close(*found)


def test_a_joblib_copy_predicts_the_same(task, tmp_path):
    model = task.pair(max_iter=2)[0].fit(task.X, task.y)
    joblib.dump(model, tmp_path / "model")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "model").predict(task.X), model.predict(task.X)
    )


def test_a_grid_search_in_processes_finds_what_scikit_learn_finds(tasks):
    task, found = tasks["binary"], []
    for model, n_jobs in zip(task.pair(max_iter=4), (2, None), strict=True):
        grid = {"mlp__alpha": [0.01, 10.0], "mlp__hidden_layer_sizes": [(3,), (4, 2)]}
        pipeline = Pipeline([("scale", StandardScaler()), ("mlp", model)])
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(task.X, task.y)
        found.append(search.cv_results_["mean_test_score"])
    assert_close(*found)


CLASSIFIERS = {
    "calibration": lambda m: CalibratedClassifierCV(m, cv=2),
    "stacking": lambda m: StackingClassifier([("net", m), ("line", LogisticRegression())], cv=2),
    "one against the rest": OneVsRestClassifier,
}
REGRESSORS = {
    "stacking": lambda m: StackingRegressor([("net", m), ("line", Ridge())], cv=2),
    "bagging": lambda m: BaggingRegressor(m, 3, random_state=0),
    "an output each": MultiOutputRegressor,
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_in_a_meta_classifier_it_gives_scikit_learns_probabilities(name, tasks):
    task = tasks["multi-class" if name != "calibration" else "binary"]
    assert_close(
        *(
            CLASSIFIERS[name](model).fit(task.X, task.y).predict_proba(task.X)
            for model in task.pair(max_iter=5)
        )
    )


@pytest.mark.parametrize("name", REGRESSORS)
def test_in_a_meta_regressor_it_gives_scikit_learns_predictions(name, tasks):
    task = tasks["three outputs" if name == "an output each" else "one output"]
    assert_close(
        *(
            REGRESSORS[name](model).fit(task.X, task.y).predict(task.X)
            for model in task.pair(max_iter=5)
        )
    )


def test_validation_and_importance_give_scikit_learns_scores(tasks):
    task, found = tasks["one output"], []
    for model in task.pair(max_iter=5):
        scores = cross_validate(model, task.X, task.y, cv=3)["test_score"]
        predicted = cross_val_predict(model, task.X, task.y, cv=3)
        model.fit(task.X, task.y)
        importance = permutation_importance(model, task.X, task.y, n_repeats=1, random_state=0)
        found.append(np.concatenate([scores, predicted, importance.importances_mean]))
    assert_close(*found)


def test_it_is_written_as_scikit_learns_is(task):
    ours, theirs = task.pair(alpha=0.5, solver="sgd")
    assert repr(ours) == repr(theirs)
    assert theirs.get_params().items() <= ours.get_params().items()
