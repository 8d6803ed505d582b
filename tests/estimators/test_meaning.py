"""What fit is told it means: odd targets, weights, validation rows and warm starts."""

import signal
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor

import retrograd as rg
from retrograd.errors import DataError, OptionError
from retrograd.estimators import starts

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, :3] > 0).astype(int)
y = X[:, 0] - 2.0 * X[:, 1] ** 2
FEW = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 20}


def doubled():
    """Y as a sparse matrix that lists each entry twice."""
    at, column = np.nonzero(np.tile(Y, (2, 1)))
    return sparse.coo_matrix((np.ones(len(at), int), (at % len(Y), column)), Y.shape).tocsr()


LABELS = {
    "-1 and 0": lambda: -Y,
    "0 and 2": lambda: 2 * Y,
    "-1 and 1": lambda: 2 * Y - 1,
    "entries twice": doubled,
}


@pytest.mark.parametrize("name", LABELS)
def test_several_labels_that_are_not_0_count_as_1(name):
    labels = LABELS[name]()
    ours = rg.MLPClassifier(**FEW).fit(X, labels)
    theirs = MLPClassifier(**FEW).fit(X, labels)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    parts = rg.MLPClassifier(**FEW), MLPClassifier(**FEW)
    for part in parts:
        part.partial_fit(X, labels, classes=np.arange(3))
    assert parts[0].loss_ == pytest.approx(parts[1].loss_, rel=1e-9)


def test_members_of_an_ensemble_take_labels_that_are_not_0_as_1():
    own = rg.MLPEnsembleClassifier(n_estimators=2, **FEW)
    assert own.fit(X, -Y).loss_ == clone(own).fit(X, Y).loss_


@pytest.mark.parametrize(
    "loss, wrong, words",
    [
        ("gamma", -abs(y), "loss='gamma' needs y > 0, the least is"),
        ("gamma", 0.0 * y, "loss='gamma' needs y > 0, the least is 0"),
        ("tweedie", y, "loss='tweedie' needs y >= 0"),
        (rg.Tweedie(1.2), y, "loss='tweedie' needs y >= 0"),
    ],
)
def test_losses_of_positive_means_refuse_other_targets(loss, wrong, words):
    good = abs(y) + 1.0
    model = rg.MLPRegressor(loss, **FEW)
    with pytest.raises(DataError, match=words):
        clone(model).fit(X, wrong)
    with pytest.raises(DataError, match=words):
        clone(model).fit(X, good, X_val=X, y_val=wrong)
    model.partial_fit(X, good).partial_fit(X, good)
    with pytest.raises(DataError, match=words):  # on the session that is open
        model.partial_fit(X, wrong)


@pytest.mark.parametrize("rows", [[0], [0, 0, 0]])
def test_rows_without_variance_are_judged_by_the_loss(rows):
    model = rg.MLPRegressor(**FEW).fit(X, y, X_val=X[rows], y_val=y[rows])
    losses = np.array(model.validation_loss_curve_)
    np.testing.assert_allclose(model.validation_scores_, -losses)
    miss = model.predict(X[rows]) - y[rows]
    assert 0.5 * np.mean(miss**2) == pytest.approx(losses.min(), rel=1e-9)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_validation_rows_without_a_finite_score_are_an_error(solver):
    model = rg.MLPRegressor(solver=solver, **FEW)
    with pytest.raises(DataError, match="validation data: their score was -inf in the end"):
        model.fit(X[:80], y[:80], X_val=X[80:] * 1e300, y_val=y[80:])


def test_members_are_no_better_judged_by_rows_without_a_finite_score():
    model = rg.MLPEnsembleRegressor(n_estimators=2, **FEW)
    with pytest.raises(DataError, match="validation data: their score was -inf in the end"):
        model.fit(X[:80], y[:80], X_val=X[80:] * 1e300, y_val=y[80:])


def test_classes_that_diverge_keep_finite_weights():
    model = rg.MLPClassifier(early_stopping=True, **FEW | {"learning_rate_init": 1e308})
    model.fit(1e150 * X, Y[:, 0])
    assert np.isnan(model.validation_scores_[-1])
    assert all(np.isfinite(W).all() for W in model.coefs_)


WEIGHTS = {
    "below 0": ({0: -0.1, 1: 1.0}, "that of 0 is -0.1"),
    "NaN": ({0: np.nan}, "that of 0 is nan"),
    "None": ({0: None}, "that of 0 is None"),
    "infinite": ({1: np.inf}, "that of 1 is inf"),
    "a word": ({1: "balanced"}, "that of 1 is 'balanced'"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_classes_are_finite_and_not_below_0(name):
    wrong, words = WEIGHTS[name]
    with pytest.raises(OptionError, match=words):
        rg.MLPClassifier(class_weight=wrong, **FEW).fit(X, Y[:, 0])
    with pytest.raises(OptionError, match=words):
        rg.MLPClassifier(class_weight=[wrong] * 3, **FEW).fit(X, Y)


def test_rows_of_weight_0_teach_no_scale():
    Z, z = np.r_[X, np.full((1, 5), 1e4)], np.r_[y, 1e5]
    w = np.r_[np.ones(120), 0.0]
    model = rg.MLPRegressor(standardize=True, batch_size=121, **FEW | {"shuffle": False})
    alone = clone(model).set_params(batch_size=120).fit(X, y)
    np.testing.assert_allclose(model.fit(Z, z, w).coefs_[0], alone.coefs_[0], rtol=1e-9)


def test_weights_are_repetitions():
    w = np.arange(120) % 3
    model = rg.MLPRegressor(standardize=True, solver="lbfgs", **FEW | {"max_iter": 5})
    twice = clone(model).fit(X.repeat(w, axis=0), y.repeat(w))
    np.testing.assert_allclose(model.fit(X, y, w).predict(X), twice.predict(X), rtol=1e-6)


def test_words_in_rows_of_weight_0_are_no_categories():
    rows = np.array([["a", 1.0], ["b", 2.0], ["c", 900.0]], object).repeat(4, axis=0)
    model = rg.MLPClassifier(encode_columns=True, **FEW)
    model.fit(rows, [0, 1, 0] * 4, np.repeat([1.0, 2.0, 0.0], 4))
    assert model._inputs.columns.columns[0].categories == ("a", "b")
    numbers = model._inputs.columns.columns[1]
    assert numbers.mean == pytest.approx(5 / 3) and not numbers.has_missing


def test_warm_starts_with_dropout_see_new_noise():
    model = rg.MLPRegressor(
        hidden_layer_sizes=(8,),
        dropout=0.5,
        warm_start=True,
        max_iter=1,
        random_state=0,
        alpha=0.0,
        solver="sgd",
        momentum=0.0,
        nesterovs_momentum=False,
        activation="identity",
    )
    model.fit(X[:1], y[:1])
    masks = set()
    for _ in range(20):
        before = model.coefs_[0].copy()
        model.fit(X[:1], y[:1])
        masks.add(tuple((model.coefs_[0] != before).any(axis=0)))
    assert len(masks) > 5


@pytest.mark.parametrize("kind", [rg.MLPRegressor, rg.MLPEnsembleRegressor])
def test_a_warm_start_keeps_the_best_weights_of_rows_given(kind):
    own = {"n_estimators": 2} if kind is rg.MLPEnsembleRegressor else {}
    model = kind(
        hidden_layer_sizes=(30,),
        random_state=3,
        max_iter=10,
        warm_start=True,
        learning_rate_init=0.3,
        **own,
    )
    for rows in (slice(80, 120), slice(80, 120), slice(80, 120), slice(60, 80)):
        model.fit(X[:60], y[:60], X_val=X[rows], y_val=y[rows])
        for member in getattr(model, "estimators_", [model]):
            score = member.score(X[rows], y[rows])
            assert score == pytest.approx(member.best_validation_score_, rel=1e-9)
            assert score >= max(member.validation_scores_[-member.n_iter_ :]) - 1e-9


def test_a_warm_start_under_the_other_loss_is_scikit_learns():
    for first, second in (("squared_error", "poisson"), ("poisson", "squared_error")):
        pair = [
            kind(first, warm_start=True, **FEW).fit(X, abs(y))
            for kind in (rg.MLPRegressor, MLPRegressor)
        ]
        for model in pair:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # logarithms of means below 0
                model.set_params(loss=second).fit(X, abs(y))
        ours, theirs = pair
        assert ours.out_activation_ == theirs.out_activation_
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


def test_a_warm_start_under_a_loss_of_other_outputs_is_an_error():
    model = rg.MLPRegressor("gamma", warm_start=True, **FEW).fit(X, abs(y) + 1.0)
    with pytest.raises(OptionError, match="needs the out_activation_ 'identity', the model has"):
        model.set_params(loss="huber").fit(X, abs(y) + 1.0)
    model.set_params(warm_start=False).fit(X, y)
    assert model.out_activation_ == "identity"


def test_dates_are_no_weights():
    dates = np.datetime64("2020") + np.arange(120)
    with pytest.raises(DataError, match="sample_weight: expected numbers, got dates"):
        rg.MLPRegressor(**FEW).fit(X, y, sample_weight=dates)
    masked = np.ma.masked_array(np.ones(9), np.arange(9) < 2)
    with pytest.raises(DataError, match="validation data: sample_weight: has masked"):
        rg.MLPRegressor(**FEW).fit(X, y, X_val=X[:9], y_val=y[:9], sample_weight_val=masked)


def test_ctrl_c_between_two_starts_ends_them_and_keeps_the_first(monkeypatch):
    begin, begun = starts.begin, []

    def pressed(*args):
        begun.append(1)  # a start after the first
        signal.raise_signal(signal.SIGINT)
        begin(*args)

    monkeypatch.setattr(starts, "begin", pressed)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = rg.MLPRegressor(random_starts=5, **FEW).fit(X, y)
    assert len(begun) == 1
    first = rg.MLPRegressor(**FEW).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], first.coefs_[0])
