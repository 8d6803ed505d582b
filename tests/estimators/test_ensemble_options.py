"""The estimators' options in ensembles: each member is, bit for bit, the fit of its seed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.errors import DataError, OptionError
from retrograd.optim.base import PerParameter, Slot
from tests.estimators.members import (
    alone,
    ensemble,
    of_members,
    output,
    require_same,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@dataclass(frozen=True)
class Anchored(PerParameter):
    """Descent that is drawn to where it began."""

    name = "anchored"
    learning_rate: float = 0.1

    def slots_of(self, name, shape):
        return {"start": Slot(shape, copy_of=name)}

    def update(self, w, g, slots, scalars, t):
        pull = 0.5 * (w - slots["start"])
        return w - scalars["learning_rate"] * (g + pull), {"start": slots["start"]}


def cube(z):
    return z * z * z


def absolute(output, y):
    return rg.sum(rg.abs(output - y), axis=1)


BOTH = {
    "an activation per layer": {"activation": ["gelu", cube], "hidden_layer_sizes": (5, 4)},
    "dropout": {"dropout": 0.3, "batch_size": 32},
    "dropout of a layer": {"dropout": (0.0, 0.4), "hidden_layer_sizes": (5, 4)},
    "clipping": {"clip_norm": 0.1},
    "an optimizer by name": {"solver": "adamw", "learning_rate_init": 0.01},
    "an optimizer": {"solver": rg.Lion(1e-3)},
    "an average": {"solver": rg.EMA(rg.SGD(0.1), decay=0.9)},
    "an optimizer of one's own": {"solver": Anchored()},
    "a schedule": {"learning_rate": rg.schedules.Cosine(0.01, steps=20), "batch_size": 32},
    "a full batch": {"solver": "conjugate_gradient", "max_iter": 3},
    "a plateau": {"solver": rg.SGD(rg.schedules.ReduceOnPlateau(0.5, patience=0))},
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "scaling": {"standardize": True},
    "scaling and holding out": {"standardize": True, "early_stopping": True},
    "columns": {"encode_columns": True, "early_stopping": True},
    "a warm start": {"warm_start": True},
}
OF_KIND = {
    "class weights": ("multi-class", {"class_weight": "balanced"}),
    "class weights, bfloat16": ("binary", {"class_weight": "balanced", "precision": "bfloat16"}),
    "focal": ("multi-class", {"loss": "focal"}),
    "smoothing": ("multi-class", {"label_smoothing": 0.1}),
    "hinge": ("binary", {"loss": "hinge"}),
    "a function": ("one output", {"loss": absolute}),
    "quantiles": ("one output", {"loss": rg.Quantile((0.1, 0.5, 0.9)), "early_stopping": True}),
    "noise": ("three outputs", {"loss": "gaussian_nll", "standardize": True}),
    "huber": ("three outputs", {"loss": rg.Huber(0.5)}),
    "least squares": ("one output", {"solver": "levenberg_marquardt", "max_iter": 3}),
}
CASES = {name: ("multi-class", params) for name, params in BOTH.items()}
CASES |= {f"{name}, numbers": ("three outputs", params) for name, params in BOTH.items()} | OF_KIND


@pytest.mark.parametrize("kind, params", CASES.values(), ids=CASES)
def test_a_member_with_an_option_is_bit_for_bit_a_fit_with_its_seed(tasks, kind, params):
    task = tasks[kind]
    model = ensemble(task, **params).fit(task.X, task.y)
    for m, member in enumerate(model.estimators_):
        single = alone(task, member.random_state, **params).fit(task.X, task.y)
        require_same(member, single)
        np.testing.assert_array_equal(of_members(model, task.X)[m], output(single, task.X))


PAIRS = [
    (rg.MLPClassifier, rg.MLPEnsembleClassifier),
    (rg.MLPRegressor, rg.MLPEnsembleRegressor),
]


@pytest.mark.parametrize("member, several", PAIRS)
def test_an_ensemble_has_every_parameter_of_its_members_but_further_starts(member, several):
    theirs, found = member().get_params(), several().get_params()
    own = {"n_estimators", "members", "bootstrap", "max_samples"}
    assert own == {name for name in found if name not in theirs}
    assert {name for name in theirs if name not in found} == {"random_starts"}
    assert all(found[name] == theirs[name] for name in found if name not in own)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "n_iter_no_change": 2}])
def test_validation_rows_that_are_given_judge_every_member(task, params):
    (X, y), (X_val, y_val) = (task.X[:90], task.y[:90]), (task.X[90:], task.y[90:])
    if task.kind == "classifier" and y.ndim == 1:
        y_val = np.where(np.isin(y_val, y), y_val, y[0])
    weight = np.linspace(0.5, 1.0, 40)
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weight}
    model = ensemble(task, max_iter=20, learning_rate_init=0.05, **params).fit(X, y, **given)
    for member in model.estimators_:
        single = alone(
            task, member.random_state, max_iter=20, learning_rate_init=0.05, **params
        ).fit(X, y, **given)
        require_same(member, single)
        assert member.validation_loss_curve_ == single.validation_loss_curve_


def test_partial_fit_ends_each_member_by_validation_rows_as_alone(tasks):
    task = tasks["one output"]
    given = {"X_val": task.X[90:], "y_val": np.random.default_rng(0).normal(size=40)}
    params = {"early_stopping": True, "n_iter_no_change": 1, "learning_rate_init": 0.1}
    model, singles = ensemble(task, **params), []
    for _ in range(8):
        model.partial_fit(task.X[:90], task.y[:90], **given)
        singles = singles or [alone(task, m.random_state, **params) for m in model.estimators_]
        for member, single in zip(model.estimators_, singles, strict=True):
            single.partial_fit(task.X[:90], task.y[:90], **given)
            require_same(member, single)
            assert member.is_stopped_ == single.is_stopped_
    assert all(member.is_stopped_ for member in model.estimators_)


def frame(n=60):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(size=n), "kind": rng.choice(["a", "b", "c"], n)})
    y = table["size"] + (table["kind"] == "a")
    table.loc[3, "size"] = np.nan
    return table, y.fillna(0.0).to_numpy()


@pytest.mark.parametrize(
    "members, params",
    [
        ("independent", {}),
        ("independent", {"early_stopping": True}),
        ("independent", {"bootstrap": True}),
        ("shared", {}),
        ("shared", {"early_stopping": True}),
    ],
)
def test_frames_with_words_are_encoded_and_kept(members, params, tmp_path):
    X, y = frame()
    model = rg.MLPEnsembleRegressor(
        3, members=members, encode_columns=True, max_iter=30, random_state=0, **params
    ).fit(X, y)
    model.save(tmp_path / "a.model")
    np.testing.assert_array_equal(rg.load(tmp_path / "a.model").predict(X), model.predict(X))
    for m, member in enumerate(model.estimators_):
        np.testing.assert_array_equal(member.predict(X), model.predict_members(X)[m])
    model.set_params(warm_start=True).fit(X, y)
    assert np.isfinite(model.predict(X)).all()


def test_drawn_rows_alone_say_how_columns_are_scaled(tasks):
    task = tasks["one output"]
    params = {"standardize": True, "bootstrap": True, "shuffle": False}
    model = ensemble(task, **params).fit(task.X, task.y)
    for member, rows in zip(model.estimators_, model.estimators_samples_, strict=True):
        single = alone(task, member.random_state, standardize=True, shuffle=False)
        require_same(member, single.fit(task.X[rows], task.y[rows]))


def test_the_noise_of_a_mixture_is_its_members_and_their_spread(tasks):
    task = tasks["one output"]
    model = ensemble(task, loss="gaussian_nll", standardize=True).fit(task.X, task.y)
    pairs = [member.predict(task.X, return_std=True) for member in model.estimators_]
    means, deviations = np.array(pairs).swapaxes(0, 1)
    mean, std = model.predict(task.X, return_std=True)
    np.testing.assert_allclose(mean, means.mean(axis=0), rtol=1e-12)
    expected = np.sqrt((deviations**2 + means**2).mean(axis=0) - mean**2)
    np.testing.assert_allclose(std, expected, rtol=1e-9)


def test_quantiles_of_an_ensemble_are_the_means_of_its_members(tasks):
    task = tasks["one output"]
    model = ensemble(task, loss=rg.Quantile((0.1, 0.5, 0.9)), standardize=True)
    model.fit(task.X, task.y)
    each = np.stack([member.predict_quantiles(task.X) for member in model.estimators_])
    np.testing.assert_allclose(model.predict_quantiles(task.X), each.mean(axis=0), rtol=1e-12)
    with pytest.raises(AttributeError, match="predict_quantiles"):
        ensemble(task).predict_quantiles


def test_callbacks_see_each_member_between_its_epochs(tasks):
    task, seen = tasks["multi-class"], []

    def callback(member):
        seen.append((member.random_state, member.n_iter_, member.score(task.X, task.y)))
        return member.n_iter_ == 2

    model = ensemble(task, callbacks=[callback]).fit(task.X, task.y)
    seeds = [member.random_state for member in model.estimators_]
    assert [(seed, n) for seed, n, _ in seen] == [(seed, n) for seed in seeds for n in (1, 2)]
    with pytest.raises(OptionError, match="callbacks is a list of functions"):
        clone(model).set_params(callbacks=[3]).fit(task.X, task.y)


SHARED = {
    "a loss": ({"loss": "huber"}, "needs a loss of 'log_loss', 'squared_error', 'poisson'"),
    "dropout": ({"dropout": 0.5}, "needs dropout=0.0, got 0.5"),
    "callbacks": ({"callbacks": [print]}, "needs callbacks=None"),
    "bfloat16": ({"precision": "bfloat16"}, "another precision"),
    "a solver": ({"solver": "conjugate_gradient"}, "goes by batches"),
    "an average": ({"solver": rg.EMA(rg.Adam())}, "reads"),
}


@pytest.mark.parametrize("params, message", SHARED.values(), ids=SHARED)
def test_options_that_shared_weights_cannot_have_are_clear_errors(tasks, params, message):
    task = tasks["one output"]
    with pytest.raises(OptionError, match=message):
        ensemble(task, members="shared", **params).fit(task.X, task.y)


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "adamw", "learning_rate": rg.schedules.Cosine(0.02, steps=400)},
        {"activation": ["gelu", "tanh"], "hidden_layer_sizes": (6, 5), "clip_norm": 5.0},
        {"class_weight": "balanced", "standardize": True, "early_stopping": True},
    ],
)
def test_members_that_share_weights_learn_with_options(tasks, params):
    task = tasks["multi-class"]
    model = ensemble(
        task, members="shared", max_iter=100, **({"learning_rate_init": 0.02} | params)
    ).fit(task.X, task.y)
    curve = model.estimators_[0].loss_curve_
    assert model.loss_ < 0.7 * curve[0] and model.score(task.X, task.y) > 0.5


def test_validation_data_of_another_form_are_a_clear_error(tasks):
    task = tasks["one output"]
    with pytest.raises(DataError, match="validation data"):
        ensemble(task).fit(task.X, task.y, X_val=task.X, y_val=np.stack([task.y] * 2, 1))
    with pytest.raises(OptionError, match="X_val was given without y_val"):
        ensemble(task).fit(task.X, task.y, X_val=task.X)


def test_members_that_share_a_generator_are_not_drawn_for_at_once(monkeypatch):
    X = np.random.default_rng(0).normal(size=(2500, 3))
    model = rg.MLPEnsembleRegressor(2, hidden_layer_sizes=(4,), random_state=0)
    model.partial_fit(X, X[:, 0])
    used = []
    shuffle = CpuEngine.shuffle
    monkeypatch.setattr(CpuEngine, "shuffle", lambda *args: used.append(1) or shuffle(*args))
    model.partial_fit(X, X[:, 0])
    assert used
    shared = np.random.RandomState(0)
    for member in model.estimators_:
        member.set_params(random_state=shared)
    model.partial_fit(X, X[:, 0])
    assert len(used) == 1
