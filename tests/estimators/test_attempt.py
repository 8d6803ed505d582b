"""A fit that its options or data do not allow leaves an estimator as it was, fitted or not."""

import copy
import os
import signal
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import retrograd as rg
from retrograd.errors import DataError, FitDivergenceError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = np.array(["a", "b"])[(X[:, 0] > 0) * 1]
NUMBERS = X[:, 0] - X[:, 1]
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "batch_size": 20}
BOTH = {"label": LABELS, "number": NUMBERS}
MODELS = {
    "classifier": (rg.MLPClassifier(**SMALL), LABELS),
    "regressor": (rg.MLPRegressor(**SMALL), NUMBERS),
    "multi-task": (rg.MLPMultiTask(**SMALL), BOTH),
    "ensemble of classifiers": (rg.MLPEnsembleClassifier(3, **SMALL), LABELS),
    "ensemble of regressors": (rg.MLPEnsembleRegressor(3, **SMALL), NUMBERS),
    "in turn": (rg.MLPEnsembleRegressor(3, bootstrap=True, standardize=True, **SMALL), NUMBERS),
    "shared": (rg.MLPEnsembleClassifier(3, members="shared", **SMALL), LABELS),
}


def cut(y, n=20):
    return {k: v[:n] for k, v in y.items()} if isinstance(y, dict) else y[:n]


REFUSED = {
    "a clipped solver of full batches": ({"solver": "lbfgs", "clip_norm": 1.0}, {}),
    "a solver of squares": ({"solver": "levenberg_marquardt"}, {}),
    "a schedule of a solver without": (
        {"solver": rg.AdamW(1e-3), "learning_rate": rg.schedules.Cosine(0.1, steps=9)},
        {},
    ),
    "rates of dropout": ({"dropout": [0.1, 0.2]}, {}),
    "activations": ({"activation": ["tanh", "relu"]}, {}),
    "callbacks": ({"callbacks": [3]}, {}),
    "weights": ({}, {"sample_weight": -np.ones(60)}),
    "validation rows": ({}, {"X_val": np.full((3, 4), np.nan), "y_val": "y"}),
    "their columns": ({}, {"X_val": np.zeros((20, 3)), "y_val": "y"}),
    "their weights": (
        {},
        {"X_val": X[:20], "y_val": "y", "sample_weight_val": np.full(20, np.inf)},
    ),
    "weights of 0": ({}, {"X_val": X[:20], "y_val": "y", "sample_weight_val": np.zeros(20)}),
    "weights of 0 held out": ({"early_stopping": True}, {"sample_weight": np.zeros(60)}),
    "numbers too large": ({}, {"X": np.where(X > 2.0, np.inf, X)}),
    "a float type": ({"precision": "float32"}, {"X": np.full((60, 4), 1e300)}),
}


def state(one):
    """All that an estimator is, in a form that can be compared."""
    found = {}
    for name, value in vars(one).items():
        if name in ("estimators_", "_trunk", "_heads"):
            parts = value.values() if isinstance(value, dict) else value
            parts = [value] if hasattr(value, "get_params") else parts
            found[name] = [(id(part), state(part)) for part in parts]
        elif name not in one.get_params(deep=False):
            # The same objects, with the same in them.
            found[name] = id(value), copy.deepcopy(value)
    return found


def require_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name in ("estimators_", "_trunk", "_heads"):
            assert [own for own, _ in found[name]] == [own for own, _ in value]
            for (_, own), (_, other) in zip(found[name], value, strict=True):
                require_same(own, other)
        else:
            assert found[name][0] == value[0], name
            if isinstance(value[1], list | float | np.ndarray | int | str):
                np.testing.assert_equal(found[name][1], value[1], name)


def refused(kind, case):
    """A model, the parameters and the arguments of fit that it refuses, and a y that it takes."""
    made, y = MODELS[kind]
    params, changed = REFUSED[case]
    arguments = {"X": X, "y": y, **changed}
    if "y_val" in changed:
        arguments["y_val"] = cut(y, len(changed["X_val"]))
    if case == "a solver of squares" and y is NUMBERS:
        params = {**params, "loss": "huber"}  # which is none
    return copy.deepcopy(made), params, arguments, y


KINDS = list(MODELS)


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_first_fit_that_is_refused_leaves_a_model_that_is_not_fitted(kind, case):
    model, params, arguments, _ = refused(kind, case)
    model.set_params(**params)
    before = state(model)
    with pytest.raises((ValueError, TypeError)) as info:
        model.fit(**arguments)
    assert not isinstance(info.value, FitDivergenceError)
    require_same(state(model), before)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_further_fit_that_is_refused_leaves_the_model_as_it_was(kind, case, warm):
    model, params, arguments, y = refused(kind, case)
    model.set_params(warm_start=warm, early_stopping=params.get("early_stopping", False))
    model.fit(X, y)
    old = model.get_params(deep=False)
    predicted, before = model.predict(X), state(model)
    model.set_params(**params)
    with pytest.raises((ValueError, TypeError)):
        model.fit(**arguments)
    require_same(state(model), before)
    model.set_params(**{name: old[name] for name in params})
    np.testing.assert_equal(model.predict(X), predicted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_partial_fit_that_is_refused_is_none(kind):
    made, y = MODELS[kind]
    model = copy.deepcopy(made)
    classes = {"classes": ["a", "b"]} if y is LABELS else {}
    if kind == "multi-task":
        classes = {"classes": {"label": ["a", "b"]}}
    before = state(model)
    with pytest.raises(ValueError, match=r"sample_weight|Negative"):
        model.partial_fit(X, y, -np.ones(60), **classes)
    require_same(state(model), before)


def test_other_classes_that_are_refused_leave_those_of_the_members():
    model, y = copy.deepcopy(MODELS["ensemble of classifiers"][0]), LABELS
    model.fit(X, y)
    three = np.where(X[:, 1] > 0, "c", y)
    with pytest.raises(ValueError, match=r"sample_weight|Negative"):
        model.fit(X, three, -np.ones(60))
    assert list(model.classes_) == ["a", "b"] and model.n_outputs_ == 1
    assert model.predict_proba(X).shape == (60, 2)


def test_a_loss_function_with_an_error_of_its_own_leaves_no_model():
    def broken(output, y):
        raise ZeroDivisionError("a loss's own error")

    for model in (rg.MLPRegressor(broken, **SMALL), rg.MLPEnsembleRegressor(loss=broken, **SMALL)):
        with pytest.raises(ZeroDivisionError):
            model.fit(X, NUMBERS)
        with pytest.raises(NotFittedError):
            model.predict(X)


@pytest.mark.parametrize("early", [False, True])
def test_validation_rows_without_a_finite_score_leave_the_model_as_it_was(early):
    model = rg.MLPRegressor(warm_start=True, **SMALL).fit(X, NUMBERS)
    model.set_params(early_stopping=early)
    before = state(model)
    with pytest.raises(DataError, match="their score"):
        model.fit(X, NUMBERS, X_val=X[:20] * 1e300, y_val=NUMBERS[:20])
    require_same(state(model), before)


# ---- what was trained stays where something else ends a fit


def test_an_error_in_a_callback_keeps_what_was_trained():
    def callback(model):
        if model.n_iter_ == 2:
            raise RuntimeError("a callback's own error")

    model = rg.MLPRegressor(callbacks=[callback], **SMALL)
    with pytest.raises(RuntimeError, match="a callback's own"):
        model.fit(X, NUMBERS)
    two = rg.MLPRegressor(**{**SMALL, "max_iter": 2}).fit(X, NUMBERS)
    np.testing.assert_array_equal(model.predict(X), two.predict(X))


def test_of_a_first_fit_that_an_error_ends_only_the_members_are_kept_that_it_reached():
    seen = []

    def callback(member):
        seen.append(member.random_state)
        if len({*seen}) == 2:
            raise RuntimeError("a callback's own error")

    model = rg.MLPEnsembleRegressor(4, callbacks=[callback], **SMALL)
    with pytest.raises(RuntimeError, match="a callback's own"):
        model.fit(X, NUMBERS)
    assert [member.n_iter_ for member in model.estimators_] == [3, 1]
    assert len(model.estimators_samples_) == 2 and model.n_iter_ == 3
    assert model.loss_ == np.mean([member.loss_ for member in model.estimators_])
    assert model.predict_members(X).shape == (2, 60)


@pytest.mark.parametrize("members", ["independent", "shared"])
def test_the_figures_of_a_fit_that_diverged_are_its_own(members):
    params = {**SMALL, "solver": "sgd", "max_iter": 20}
    model = rg.MLPEnsembleRegressor(3, members=members, **params).fit(X, NUMBERS)
    model.set_params(learning_rate_init=1e30)
    with pytest.raises(FitDivergenceError):
        model.fit(X, 1e6 * NUMBERS)
    assert model.n_iter_ == max(member.n_iter_ for member in model.estimators_) < 20
    losses = [member.loss_ for member in model.estimators_ if hasattr(member, "loss_")]
    assert (model.loss_ == np.mean(losses)) if losses else not hasattr(model, "loss_")


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C to oneself there")
def test_ctrl_c_while_rows_are_checked_leaves_the_model_as_it_was():
    class Table:
        """Rows whose conversion to an array takes long enough for Ctrl-C."""

        shape = X.shape

        def __len__(self):
            return len(X)

        def __array__(self, *args, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)
            return X

    model = rg.MLPRegressor(**SMALL).fit(X, NUMBERS)
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        model.fit(Table(), NUMBERS)
    require_same(state(model), before)


# ---- validation rows that say nothing


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_of_the_weight_0_are_a_clear_error_before_training(kind, capsys):
    made, y = MODELS[kind]
    weight = np.zeros(60)
    weight[[7, 8]] = 1.0  # which are held out with other seeds
    model = copy.deepcopy(made).set_params(early_stopping=True, verbose=True)
    with pytest.raises(DataError, match="all 6 validation rows have the weight 0"):
        model.fit(X, y, weight)
    assert not capsys.readouterr().out


def test_a_target_none_of_whose_held_out_rows_count_is_named():
    weight = {"number": np.where(np.arange(60) == 7, 1.0, 0.0)}
    model = rg.MLPMultiTask(early_stopping=True, **SMALL)
    with pytest.raises(DataError, match="target 'number': all 6 validation rows have the weight 0"):
        model.fit(X, BOTH, weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changed",
    [
        {"X_val": np.full((20, 4), np.nan)},
        {"X_val": X[:20, :3]},
        {"X_val": X[:19]},
        {"sample_weight_val": np.zeros(20)},
        {"sample_weight_val": np.ones(3)},
    ],
)
def test_an_error_in_validation_rows_says_that_it_is_in_these(kind, changed):
    made, y = MODELS[kind]
    given = {"X_val": X[:20], "y_val": cut(y), **changed}
    with pytest.raises(DataError, match=r"^validation data: "):
        copy.deepcopy(made).fit(X, y, **given)
