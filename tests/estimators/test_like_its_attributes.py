"""What scripts do with a fitted estimator beyond its methods, as with scikit-learn's."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import retrograd as rg
from retrograd.errors import DataError, OptionError

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
y = X[:, 0] - X[:, 1] ** 2
FEW = {"hidden_layer_sizes": (6,), "random_state": 0, "max_iter": 4}
PUBLIC = ("coefs_", "intercepts_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_are_numbers_of_numpy(solver, tmp_path):
    pair = [kind(solver=solver, **FEW).fit(X, y) for kind in (rg.MLPRegressor, MLPRegressor)]
    pair[0].save(tmp_path / "a.model")
    for model in (*pair, rg.load(tmp_path / "a.model")):
        assert type(model.loss_) is np.float64
        assert model.loss_.round(3) == pair[1].loss_.round(3)
        if solver == "adam":
            assert type(model.best_loss_) is np.float64
            assert {type(loss) for loss in model.loss_curve_} == {np.float64}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", [rg.MLPRegressor, MLPRegressor])
def test_a_regressor_put_together_by_hand_predicts(kind, dtype):
    fitted, by_hand = kind(**FEW).fit(X.astype(dtype), y.astype(dtype)), kind()
    for name in PUBLIC:
        setattr(by_hand, name, getattr(fitted, name))
    found = by_hand.predict(X.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, fitted.predict(X.astype(dtype)))


def test_a_classifier_put_together_by_hand_has_probabilities(tmp_path):
    fitted, by_hand = rg.MLPClassifier(**FEW).fit(X, y > 0), rg.MLPClassifier()
    for name in PUBLIC:
        setattr(by_hand, name, getattr(fitted, name))
    np.testing.assert_array_equal(by_hand.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("is_short", [True, False])
@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_a_rate_assigned_between_calls_is_used(schedule, is_short):
    params = {"solver": "sgd", "learning_rate": schedule, **FEW}
    pair = [kind(**params) for kind in (rg.MLPRegressor, MLPRegressor)]
    for epoch in range(8):
        for model in pair:
            model.partial_fit(X if is_short else X.tolist(), y)
            if epoch in (2, 5):
                model._optimizer.learning_rate = 0.05 / epoch
        ours, theirs = (model._optimizer.learning_rate for model in pair)
        assert ours == pytest.approx(theirs, rel=1e-12)
    ours, theirs = pair
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    with pytest.raises(OptionError, match="learning_rate must be"):
        ours._optimizer.learning_rate = -1.0


@pytest.mark.parametrize("momentum", [True, False])
def test_a_momentum_may_be_true_or_false(momentum):
    pair = [
        kind(solver="sgd", momentum=momentum, **FEW).fit(X, y > 0)
        for kind in (rg.MLPClassifier, MLPClassifier)
    ]
    np.testing.assert_allclose(pair[0].loss_curve_, pair[1].loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("name", ["activation", "dropout", "callbacks"])
def test_lists_changed_in_place_are_seen_by_the_next_partial_fit(name):
    called = []
    before, after = {
        "activation": (["tanh", "relu"], ["relu", "relu"]),
        "dropout": ([0.0, 0.0], [0.5, 0.0]),
        "callbacks": ([], [lambda model: called.append(1)]),
    }[name]
    sizes = {"hidden_layer_sizes": (6, 5), "random_state": 0}
    own = list(before)
    model = rg.MLPRegressor(**sizes, **{name: own})
    other = rg.MLPRegressor(**sizes, **{name: list(before)})
    for each in (model, other):
        each.partial_fit(X, y).partial_fit(X, y)
    own[:] = after
    model.partial_fit(X, y)
    other.set_params(**{name: after}).partial_fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])
    assert len(called) == (2 if name == "callbacks" else 0)


def test_a_number_of_members_may_be_true():
    assert len(rg.MLPEnsembleRegressor(n_estimators=True, **FEW).fit(X, y).estimators_) == 1


def test_a_layer_that_mixes_rows_is_refused():
    mixing = rg.MLPRegressor(activation=lambda z: z - rg.mean(z, axis=0), **FEW)
    with pytest.raises(OptionError, match="mixes rows: what it gives for one depends"):
        mixing.fit(X, y)
    apart = rg.MLPRegressor(activation=lambda z: z - rg.mean(z, axis=1, keepdims=True), **FEW)
    apart.fit(X, y)
    np.testing.assert_allclose(apart.predict(X)[:1], apart.predict(X[:1]))


def test_what_is_not_finite_inside_is_an_error_as_in_predict():
    model = rg.MLPRegressor(**FEW).fit(X, y)
    model.coefs_[0] = model.coefs_[0] * 1e300
    far = X * 1e300
    with pytest.raises(DataError, match="the network's output for row"):
        model.predict(far)
    with pytest.raises(DataError, match="the network's activation for row"):
        model.activations(far, 1)
    model.coefs_[1] = np.full_like(model.coefs_[1], 1e300)
    with pytest.raises(DataError, match="the network's gradient for row"):
        model.input_gradients(X)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"X_val": X * np.nan, "y_val": y}, "validation data: Input X contains NaN"),
        ({"X_val": X[:, :2], "y_val": y}, "validation data: X has 2 features"),
        ({"X_val": X, "y_val": y * np.nan}, "validation data: Input y contains NaN"),
        (
            {"X_val": X, "y_val": y, "sample_weight_val": -np.ones(60)},
            "validation data: Negative values in data",
        ),
    ],
)
def test_errors_of_validation_rows_say_so(wrong, words):
    with pytest.raises(DataError, match=words):
        rg.MLPRegressor(**FEW).fit(X, y, **wrong)


ACTIVATIONS = {
    "rg.tanh": lambda: rg.tanh,
    "rg.sigmoid": lambda: rg.sigmoid,
    "rg.softmax": lambda: rg.softmax,
    "a name and a function": lambda: ["relu", rg.relu],
    "another": lambda: ["tanh", rg.gelu],
    "a function of Python": lambda: lambda z: rg.tanh(z) * 2.0,
}


@pytest.mark.parametrize("kind", [rg.MLPRegressor, rg.MLPEnsembleRegressor])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_functions_as_activations_come_back_from_files(name, kind, tmp_path):
    model = kind(
        activation=ACTIVATIONS[name](), random_state=0, max_iter=2, hidden_layer_sizes=(4, 3)
    )
    if kind is rg.MLPEnsembleRegressor:
        model.set_params(n_estimators=2)
    model.fit(X, y).save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.fit(X, y).predict(X), model.predict(X))  # and its weights


def test_an_activation_that_depends_on_the_width_is_named_when_it_is_saved(tmp_path):
    model = rg.MLPRegressor(activation=lambda z: z / z.shape[1], **FEW).fit(X, y)
    with pytest.raises(OptionError, match="other steps for layers of other widths"):
        model.save(tmp_path / "a.model")


@pytest.mark.parametrize("solver", ["adafactor", "adam", "muon", rg.EMA(rg.SGD(0.1), decay=0.5)])
def test_the_state_of_an_optimizer_comes_back_from_a_file(solver, tmp_path):
    model = rg.MLPRegressor(solver=solver, **FEW).partial_fit(X, y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    for each in (model, loaded):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])
