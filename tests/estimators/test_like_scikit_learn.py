"""Side by side with scikit-learn: the same numbers, attributes, lines and errors."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor

import retrograd as rg

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PEERS = {
    "classifier": (rg.MLPClassifier, MLPClassifier),
    "regressor": (rg.MLPRegressor, MLPRegressor),
}

# The issue asks for 1e-9 over 50 epochs; the rounding of sums is all that differs.
CURVE = 1e-12
# L-BFGS amplifies rounding from step to step.
MINIMUM = 1e-6

DESCENTS = {
    "adam": {},
    "adam, tanh, whole batches": {"activation": "tanh", "batch_size": 130},
    "adam, early stopping": {"early_stopping": True, "n_iter_no_change": 5},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "sgd, momentum": {"solver": "sgd", "nesterovs_momentum": False, "activation": "logistic"},
    "sgd, nesterov": {"solver": "sgd", "learning_rate_init": 0.02, "shuffle": False},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.01,
        "tol": 0.02,
        "n_iter_no_change": 2,
    },
    "strong penalty": {"alpha": 20.0, "activation": "identity", "hidden_layer_sizes": ()},
}


def relative(ours, theirs):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def assert_same_model(ours, theirs, tolerance):
    pairs = zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True)
    for a, b in pairs:
        assert relative(a, b) < tolerance


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("name", DESCENTS)
def test_the_loss_curve_over_50_epochs_is_scikit_learns(task, name, engine):
    params = {"max_iter": 50, "batch_size": 48, **DESCENTS[name]}
    ours, theirs = task.pair(**params)
    ours.set_params(engine=engine).fit(task.X, task.y)
    theirs.fit(task.X, task.y)
    assert relative(ours.loss_curve_, theirs.loss_curve_) < CURVE
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert_same_model(ours, theirs, 1e-9)


def test_the_loss_curve_with_sample_weights_is_scikit_learns(task):
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(task.X))
    for params in ({}, {"early_stopping": True}):
        ours, theirs = (
            model.fit(task.X, task.y, sample_weight=weight)
            for model in task.pair(max_iter=50, batch_size=48, **params)
        )
        assert relative(ours.loss_curve_, theirs.loss_curve_) < CURVE
        if params:
            assert relative(ours.validation_scores_, theirs.validation_scores_) < CURVE


def test_lbfgs_ends_at_scikit_learns_loss(task):
    ours, theirs = (
        model.fit(task.X, task.y)
        for model in task.pair(solver="lbfgs", max_iter=15, hidden_layer_sizes=(5,))
    )
    assert relative(ours.loss_, theirs.loss_) < MINIMUM
    assert ours.n_iter_ == theirs.n_iter_
    assert_same_model(ours, theirs, 1e-4)


def test_probabilities_near_0_are_reported_as_scikit_learn_reports_them(tasks):
    task = tasks["multi-class"]
    params = {"solver": "sgd", "learning_rate_init": 300.0, "max_iter": 6, "hidden_layer_sizes": ()}
    ours, theirs = (model.fit(task.X, task.y) for model in task.pair(**params))
    assert max(theirs.loss_curve_) > 25.0  # where log(0) would be met
    assert relative(ours.loss_curve_, theirs.loss_curve_) < CURVE


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_attributes_are_scikit_learns(task, params):
    ours, theirs = (model.fit(task.X, task.y) for model in task.pair(max_iter=3, **params))

    def facts(model):
        return {
            name: value
            for name, value in vars(model).items()
            if name.endswith("_") and not name.startswith("_")
        }

    a, b = facts(ours), facts(theirs)
    assert a.keys() - {"validation_loss_curve_"} == b.keys()
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_", "n_features_in_"):
        assert a[name] == b[name] and type(a[name]) is type(b[name])
    for name in a.keys() & {"best_loss_", "best_validation_score_"}:
        assert (a[name] is None) == (b[name] is None)
        assert a[name] is None or a[name] == pytest.approx(b[name], rel=1e-12)
    assert [w.shape for w in ours.coefs_] == [w.shape for w in theirs.coefs_]
    if "classes_" in a:
        np.testing.assert_array_equal(a["classes_"], b["classes_"])


def test_predictions_are_scikit_learns(task):
    ours, theirs = (model.fit(task.X, task.y) for model in task.pair(max_iter=20))
    a, b = ours.predict(task.X), theirs.predict(task.X)
    assert a.shape == b.shape and a.dtype == b.dtype
    if task.kind == "classifier":
        np.testing.assert_array_equal(a, b)
        for method in ("predict_proba", "predict_log_proba"):
            assert relative(getattr(ours, method)(task.X), getattr(theirs, method)(task.X)) < 1e-12
    else:
        assert relative(a, b) < 1e-12
    assert ours.score(task.X, task.y) == pytest.approx(theirs.score(task.X, task.y), rel=1e-12)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on_as_scikit_learns(task, solver):
    pair = task.pair(solver=solver, learning_rate="invscaling", batch_size=20)
    for model in pair:
        for start in (0, 50, 90, 20):
            rows = slice(start, start + 40)
            model.partial_fit(task.X[rows], task.y[rows], **task.first)
    ours, theirs = pair
    assert relative(ours.loss_curve_, theirs.loss_curve_) < CURVE
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)


def test_a_warm_start_goes_on_as_scikit_learns(task):
    pair = task.pair(warm_start=True, max_iter=4)
    for model in pair:
        model.fit(task.X, task.y).set_params(max_iter=6).fit(task.X, task.y)
        model.partial_fit(task.X, task.y)
    assert relative(pair[0].loss_curve_, pair[1].loss_curve_) < CURVE
    assert len(pair[0].loss_curve_) == 11


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_a_warm_start_with_early_stopping_keeps_scikit_learns_weights(task, rate):
    pair = task.pair(warm_start=True, max_iter=5, early_stopping=True, n_iter_no_change=2)
    for model in pair:
        model.set_params(solver="sgd", learning_rate_init=rate)
        for _ in range(3):
            model.fit(task.X, task.y)
    assert relative(pair[0].loss_curve_, pair[1].loss_curve_) < CURVE
    assert_same_model(*pair, 1e-9)


@pytest.mark.parametrize("params", [DESCENTS["sgd, adaptive"], DESCENTS["adam, early stopping"]])
def test_verbose_prints_scikit_learns_lines(params, capsys, tasks):
    task = tasks["binary"]
    printed = []
    for model in task.pair(verbose=True, max_iter=40, **params):
        model.fit(task.X, task.y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Iteration 1, loss = " in printed[0]


@pytest.mark.parametrize("kind", PEERS)
def test_the_signature_is_scikit_learns(kind):
    ours, theirs = (
        [(p.name, p.default, p.kind) for p in inspect.signature(peer).parameters.values()]
        for peer in PEERS[kind]
    )
    assert ours[: len(theirs)] == theirs
    assert {kind for _, _, kind in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("kind", PEERS)
def test_public_methods_are_scikit_learns_and_save(kind):
    ours, theirs = ({n for n in dir(peer) if not n.startswith("_")} for peer in PEERS[kind])
    own = {"save", "set_callbacks", "set_predict_request", "predict_quantiles"}
    own |= {"activations", "input_gradients"}
    assert ours - theirs <= own
    assert theirs <= ours


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": -1},
        {"hidden_layer_sizes": (5, 0)},
        {"activation": "rellu"},
        {"solver": "newton"},
        {"alpha": -1.0},
        {"batch_size": 0},
        {"learning_rate": "falling"},
        {"learning_rate_init": 0.0},
        {"max_iter": 0},
        {"shuffle": "yes"},
        {"momentum": 1.1},
        {"validation_fraction": 1.0, "early_stopping": True},
        {"beta_1": 1.0},
        {"epsilon": 0.0},
        {"n_iter_no_change": 0},
        {"random_state": "seed"},
        {"validation_fraction": 0.001, "early_stopping": True},
    ],
)
def test_a_bad_parameter_is_scikit_learns_error(params, tasks):
    task = tasks["one output"]
    found = []
    for model in task.pair(**params):
        with pytest.raises(ValueError) as caught:
            model.fit(task.X, task.y)
        found.append(str(caught.value))
    ours, theirs = found
    assert ours[:25] == theirs[:25]


BAD_DATA = {
    "NaN": lambda X, y: (np.where(np.arange(len(X))[:, None] == 3, np.nan, X), y),
    "infinity": lambda X, y: (np.where(np.arange(len(X))[:, None] == 3, np.inf, X), y),
    "no rows": lambda X, y: (X[:0], y[:0]),
    "no columns": lambda X, y: (X[:, :0], y),
    "other lengths": lambda X, y: (X, y[1:]),
    "one row as a vector": lambda X, y: (X[0], y),
    "text": lambda X, y: (np.full(X.shape, "a"), y),
    "NaN in y": lambda X, y: (X, np.where(np.arange(len(y)) == 3, np.nan, 1.0)),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_scikit_learns_error(task, name):
    X, y = BAD_DATA[name](task.X, task.y)
    found = []
    for model in task.pair():
        with pytest.raises(ValueError) as caught:
            model.fit(X, y)
        found.append(str(caught.value))
    assert found[0].replace("retrograd", "sklearn") == found[1]


def test_what_was_not_fitted_does_not_predict(task):
    for model in task.pair():
        with pytest.raises(NotFittedError):
            model.predict(task.X)


@pytest.mark.parametrize("kind", PEERS)
def test_the_last_epoch_without_convergence_warns(kind, tasks):
    task = tasks["binary" if kind == "classifier" else "one output"]
    for solver in ("adam", "lbfgs"):
        for model in task.pair(max_iter=2, solver=solver):
            with pytest.warns(ConvergenceWarning):
                model.fit(task.X, task.y)


def test_a_batch_larger_than_the_data_warns(tasks):
    task = tasks["binary"]
    for model in task.pair(batch_size=1000, max_iter=1):
        with pytest.warns(UserWarning, match="It is going to be clipped"):
            model.fit(task.X, task.y)


def test_one_class_is_learned_as_scikit_learn_learns_it(tasks):
    X, y = tasks["binary"].X, np.full(130, 7)
    for model in tasks["binary"].pair(max_iter=2):
        assert (model.fit(X, y).predict(X) == 7).all()


def test_an_unknown_class_in_partial_fit_is_an_error(tasks):
    task = tasks["binary"]
    for model in task.pair():
        model.partial_fit(task.X, task.y.astype(int), classes=[0, 1])
        with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
            model.partial_fit(task.X, task.y.astype(int) + 1)


def test_partial_fit_is_not_there_for_lbfgs(tasks):
    for name in ("binary", "one output"):
        ours, _ = tasks[name].pair(solver="lbfgs")
        assert not hasattr(ours, "partial_fit")


def test_no_warning_where_training_converges(tasks):
    task = tasks["binary"]
    ours, _ = task.pair(solver="lbfgs", alpha=1.0, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.fit(task.X, task.y)
