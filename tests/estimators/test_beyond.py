"""What the estimators have beyond scikit-learn's: losses, layers, optimizers, scaling, starts."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, mean_pinball_loss
from sklearn.utils._param_validation import InvalidParameterError

import retrograd as rg
from retrograd.errors import DataError, OptionError
from retrograd.estimators.form import DroppingDense

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ENGINES = ["cpu", "numpy"]


def swish(z):
    return z * rg.sigmoid(z)


def brier(p, y):
    return rg.sum(rg.square(p - y), axis=1)


def rows(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, X[:, 0] + np.sin(2.0 * X[:, 1])


def regressor(**params):
    return rg.MLPRegressor(**{"hidden_layer_sizes": (9, 6), "random_state": 1} | params)


def classifier(**params):
    return rg.MLPClassifier(**{"hidden_layer_sizes": (9, 6), "random_state": 1} | params)


# ---- class weights


def test_class_weights_are_the_sample_weights_of_their_rows(tasks):
    for name in ("binary", "multi-class"):
        task = tasks[name]
        labels = np.unique(task.y)
        weight = {label: 1.0 + i for i, label in enumerate(labels)}
        rows_of = np.array([weight[label] for label in task.y])
        a = task.ours(max_iter=4, class_weight=weight).fit(task.X, task.y)
        b = task.ours(max_iter=4).fit(task.X, task.y, sample_weight=rows_of)
        assert a.loss_curve_ == b.loss_curve_
        own = np.linspace(0.5, 2.0, 130)
        a.fit(task.X, task.y, sample_weight=own)
        b.fit(task.X, task.y, sample_weight=own * rows_of)
        assert a.loss_curve_ == b.loss_curve_


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["binary", "multi-class"])
def test_class_weights_take_the_precision_of_the_fit(tasks, name, precision):
    task = tasks[name]
    weight = {label: 1.0 + i for i, label in enumerate(np.unique(task.y))}
    rows_of = np.array([weight[label] for label in task.y])
    a = task.ours(max_iter=3, class_weight=weight, precision=precision).fit(task.X, task.y)
    b = task.ours(max_iter=3, precision=precision).fit(task.X, task.y, sample_weight=rows_of)
    assert a.loss_curve_ == b.loss_curve_
    single = task.ours(max_iter=3, class_weight=weight).fit(task.X.astype(np.float32), task.y)
    assert single.coefs_[0].dtype == np.float32
    task.ours(max_iter=3, class_weight="balanced", precision=precision, early_stopping=True).fit(
        task.X, task.y
    )


def test_balanced_weights_find_a_rare_class():
    rng = np.random.default_rng(0)
    y = (np.arange(300) % 20 == 0).astype(int)
    X = rng.normal(size=(300, 2)) + 1.5 * y[:, None]
    plain, balanced = (
        classifier(class_weight=w, max_iter=60, learning_rate_init=0.01).fit(X, y)
        for w in (None, "balanced")
    )
    assert balanced.predict(X).sum() > 2 * plain.predict(X).sum()


def test_balanced_weights_need_all_rows(tasks):
    task = tasks["binary"]
    with pytest.raises(OptionError, match="not supported for partial_fit"):
        classifier(class_weight="balanced").partial_fit(task.X, task.y, classes=[False, True])


def test_class_weights_of_nothing_are_an_error(tasks):
    task = tasks["binary"]
    with pytest.raises(OptionError, match="every row the weight 0"):
        classifier(class_weight={False: 0.0, True: 0.0}).fit(task.X, task.y)


# ---- losses


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", ["focal", "hinge", "squared_hinge", "half_squared_error", brier])
def test_a_classifier_learns_by_every_loss(loss, engine, tasks):
    for name in ("binary", "multi-class"):
        task = tasks[name]
        model = task.ours(loss=loss, engine=engine, max_iter=60, learning_rate_init=0.01)
        assert model.fit(task.X, task.y).score(task.X, task.y) > 0.95
        assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


def test_focal_loss_with_gamma_0_is_log_loss(tasks):
    task = tasks["multi-class"]
    a, b = (
        task.ours(loss=loss, max_iter=5).fit(task.X, task.y)
        for loss in (rg.Focal(gamma=0.0), "log_loss")
    )
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-10)


def test_kl_divergence_is_log_loss_for_certain_labels(tasks):
    task = tasks["multi-class"]
    a, b = (
        task.ours(loss=loss, max_iter=5).fit(task.X, task.y)
        for loss in ("kl_divergence", "log_loss")
    )
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-10)


def test_smoothed_labels_keep_probabilities_off_0_and_1(tasks):
    for name in ("binary", "multi-class", "multi-label"):
        task = tasks[name]
        sure, smooth = (
            task.ours(label_smoothing=s, max_iter=150, learning_rate_init=0.01)
            .fit(task.X, task.y)
            .predict_proba(task.X)
            .max()
            for s in (0.0, 0.5)
        )
        assert smooth < 0.9 < sure


def test_label_smoothing_of_another_loss_is_an_error(tasks):
    task = tasks["binary"]
    with pytest.raises(OptionError, match="label_smoothing smooths loss='log_loss'"):
        classifier(loss="focal", label_smoothing=0.1).fit(task.X, task.y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "loss", ["absolute_error", "huber", rg.Huber(0.1), "log_cosh", "half_squared_error", brier]
)
def test_a_regressor_learns_by_every_loss_of_an_error(loss, engine):
    X, y = rows()
    model = regressor(loss=loss, engine=engine, max_iter=150, learning_rate_init=0.01)
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("loss", ["gamma", "tweedie", rg.Tweedie(1.2)])
def test_losses_of_amounts_predict_means(loss):
    X, y = rows()
    amounts = np.exp(0.5 * y)
    model = regressor(loss=loss, max_iter=150, learning_rate_init=0.01).fit(X, amounts)
    assert model.out_activation_ == "exp"
    assert model.predict(X).min() > 0.0 and model.score(X, amounts) > 0.8


def test_half_squared_error_is_squared_error_as_scikit_learn_names_it():
    X, y = rows()
    a, b = (
        regressor(loss=x, max_iter=5).fit(X, y) for x in ("squared_error", "half_squared_error")
    )
    assert a.loss_curve_ == b.loss_curve_


@pytest.mark.parametrize("standardize", [False, True])
def test_quantiles_lie_where_they_say(standardize):
    X, y = rows(400)
    y = y + np.random.default_rng(1).normal(size=400)
    y = 100.0 + 10.0 * y if standardize else y
    quantiles = (0.1, 0.5, 0.9)
    model = regressor(
        loss=rg.Quantile(quantiles), standardize=standardize, max_iter=200, learning_rate_init=0.01
    ).fit(X, y)
    found = model.predict_quantiles(X)
    assert found.shape == (400, 3)
    np.testing.assert_array_equal(model.predict(X), found[:, 1])
    for q, column in zip(quantiles, found.T, strict=True):
        assert np.mean(y <= column) == pytest.approx(q, abs=0.06)
        mine = mean_pinball_loss(y, column, alpha=q)
        assert mine < mean_pinball_loss(y, np.full(400, np.quantile(y, q)), alpha=q)


def test_quantiles_of_several_targets_stand_side_by_side():
    X, y = rows(50)
    model = regressor(loss="quantile", max_iter=3).fit(X, np.stack([y, 2.0 * y], axis=1))
    assert model.predict_quantiles(X).shape == (50, 2, 3)
    np.testing.assert_array_equal(model.predict(X), model.predict_quantiles(X)[:, :, 1])
    assert not hasattr(regressor(), "predict_quantiles")


@pytest.mark.parametrize("standardize", [False, True])
def test_a_gaussian_regressor_learns_where_the_noise_is(standardize):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1.0, 1.0, size=(600, 1))
    y = X[:, 0] + np.where(X[:, 0] > 0.0, 0.5, 0.05) * rng.normal(size=600)
    model = regressor(
        loss="gaussian_nll", standardize=standardize, max_iter=150, learning_rate_init=0.01
    ).fit(X, y)
    mean, std = model.predict([[-0.5], [0.5]], return_std=True)
    np.testing.assert_allclose(mean, [-0.5, 0.5], atol=0.2)
    assert 0.02 < std[0] < 0.15 and 0.3 < std[1] < 0.8
    with pytest.raises(OptionError, match="return_std needs a model with loss='gaussian_nll'"):
        regressor(max_iter=1).fit(X, y).predict(X, return_std=True)


def test_an_unknown_loss_is_an_error_that_lists_the_known():
    X, y = rows(20)
    with pytest.raises(InvalidParameterError, match="huber"):
        regressor(loss="hubber").fit(X, y)


# ---- layers


@pytest.mark.parametrize("engine", ENGINES)
def test_each_layer_may_have_its_activation(engine):
    X, y = rows()
    model = regressor(activation=["tanh", swish], engine=engine, max_iter=5).fit(X, y)
    net = rg.MLP([4, 9, 6, 1], activation=["tanh", swish])
    for i, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), start=1):
        net.parameters[f"W{i}"], net.parameters[f"b{i}"] = w, b
    np.testing.assert_allclose(model.predict(X), net.predict(X)[:, 0], rtol=1e-12)


def test_logistic_and_sigmoid_are_one():
    X, y = rows()
    a, b = (regressor(activation=x, max_iter=3).fit(X, y) for x in ("logistic", ("sigmoid",) * 2))
    assert a.loss_curve_ == b.loss_curve_


def test_as_many_activations_as_hidden_layers():
    X, y = rows(20)
    with pytest.raises(OptionError, match="each of the 2 hidden layers; got 3"):
        regressor(activation=["relu"] * 3).fit(X, y)


def test_dropout_acts_in_training_alone():
    X, y = rows()
    still, noisy = (regressor(dropout=d, max_iter=3).fit(X, y) for d in (0.0, 0.5))
    assert still.loss_curve_ != noisy.loss_curve_
    np.testing.assert_array_equal(noisy.predict(X), noisy.predict(X))
    again = regressor(dropout=[0.5, 0.5], max_iter=3).fit(X, y)
    assert again.loss_curve_ == noisy.loss_curve_


def test_engines_drop_the_same_units():
    X, y = rows()
    a, b = (regressor(dropout=0.3, engine=e, max_iter=5).fit(X, y) for e in ENGINES)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)


def test_what_is_dropped_is_that_of_a_dropout_layer():
    X, y = rows(60)
    form = clone(regressor()).fit(X, y)._form()
    network = form.network(np.dtype(float), (0.25, 0.0))
    assert [type(layer) for layer in network.layers[1:]] == [DroppingDense, rg.Dense]
    params = {"rate1": 0.25}
    assert list(network.noise().numbers().values()) == list(params.values())


def test_dropout_goes_on_and_may_change_between_calls():
    X, y = rows()
    model = regressor(dropout=0.5, solver="sgd")
    for rate in (0.5, 0.0, 0.3):
        model.set_params(dropout=rate).partial_fit(X, y)
    assert len(model.loss_curve_) == 3 and np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("dropout", [[0.5], [0.5, 1.0], ["a", "b"]])
def test_dropout_is_a_rate_for_each_hidden_layer(dropout):
    X, y = rows(20)
    with pytest.raises(OptionError, match="each of the 2 hidden layers"):
        regressor(dropout=dropout).fit(X, y)


# ---- optimizers, schedules, clipping


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "solver",
    [
        "adamw", "lion", "rmsprop", "nadam", "rprop", rg.Muon(0.05),
        rg.AdamW(0.01), rg.EMA(rg.Adam(0.01), decay=0.9), rg.SGD(0.05, momentum=0.9),
    ],
)  # fmt: skip
def test_any_optimizer_is_a_solver(solver, engine):
    X, y = rows()
    model = regressor(solver=solver, engine=engine, max_iter=60, learning_rate_init=0.01)
    assert model.fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "solver", ["levenberg_marquardt", rg.LBFGS(), "conjugate_gradient", "scaled_conjugate_gradient"]
)
def test_solvers_of_full_batches_are_solvers(solver, engine):
    X, y = rows(60)
    model = regressor(hidden_layer_sizes=(5,), activation="tanh", solver=solver, engine=engine)
    model.set_params(max_iter=30).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.loss_curve_[-1] == model.loss_ and model.n_iter_ == len(model.loss_curve_)
    assert not hasattr(model, "partial_fit")


def test_levenberg_marquardt_is_that_of_train():
    X, y = rows(40)
    model = regressor(hidden_layer_sizes=(4,), activation="tanh", solver="levenberg_marquardt")
    model.set_params(max_iter=5, alpha=0.0).fit(X, y)
    net = rg.MLP([4, 4, 1], activation="tanh")
    first = regressor(hidden_layer_sizes=(4,), activation="tanh", max_iter=1, solver="sgd")
    first.set_params(learning_rate_init=1e-300, momentum=0.0, alpha=0.0).fit(X, y)
    for i in (1, 2):
        net.parameters[f"W{i}"] = first.coefs_[i - 1]
        net.parameters[f"b{i}"] = first.intercepts_[i - 1]
    history = rg.train(net, X, y, optimizer="levenberg_marquardt", epochs=5)
    np.testing.assert_allclose(model.loss_curve_, history.J, rtol=1e-8)


def test_levenberg_marquardt_needs_a_sum_of_squares(tasks):
    task = tasks["binary"]
    with pytest.raises(OptionError, match="sum of squares"):
        classifier(solver="levenberg_marquardt").fit(task.X, task.y)


def test_averaged_weights_are_predicted_with_and_the_others_trained_on():
    X, y = rows()
    whole = regressor(solver=rg.EMA(rg.SGD(0.01), decay=0.9), shuffle=False, tol=0.0, max_iter=6)
    parts = clone(whole)
    whole.fit(X, y)
    for _ in range(6):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-12)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw"])
def test_a_schedule_gives_the_rate_of_each_step(solver):
    X, y = rows()
    none_after = rg.schedules.MultiStep(0.01, steps=[6], factor=1e-300)  # 3 epochs of 2 batches
    model = regressor(solver=solver, learning_rate=none_after, batch_size=60, momentum=0.0)
    short, long = (clone(model).set_params(max_iter=n).fit(X, y) for n in (3, 9))
    assert short.loss_curve_ == long.loss_curve_[:3]
    np.testing.assert_allclose(short.coefs_[0], long.coefs_[0], rtol=1e-12)
    assert len(set(long.loss_curve_[:4])) == 4


def test_a_plateau_lowers_the_rate():
    X, y = rows()
    falling = rg.schedules.ReduceOnPlateau(10.0, factor=0.1, patience=1)
    model = regressor(solver="adam", learning_rate=falling, max_iter=20, tol=0.0).fit(X, y)
    assert model._optimizer.learning_rate < 10.0


@pytest.mark.parametrize("solver", [rg.Adam(), "lbfgs", "levenberg_marquardt"])
def test_a_schedule_beside_an_optimizer_with_its_own_rate_is_an_error(solver):
    X, y = rows(20)
    model = regressor(solver=solver, learning_rate=rg.schedules.Cosine(0.1, steps=10))
    with pytest.raises(OptionError, match="give it to the optimizer itself"):
        model.fit(X, y)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_clipped_step_is_no_longer_than_said(engine):
    X, y = rows()
    model = regressor(solver="sgd", momentum=0.0, learning_rate_init=1.0, batch_size=120)
    model.set_params(clip_norm=1e-3, alpha=0.0, max_iter=1, engine=engine).fit(X, 1e3 * y)
    first = clone(model).set_params(learning_rate_init=1e-300).fit(X, y)
    moved = [
        a - b
        for a, b in zip(
            model.coefs_ + model.intercepts_, first.coefs_ + first.intercepts_, strict=True
        )
    ]
    length = np.sqrt(sum(np.square(d).sum() for d in moved))
    assert length == pytest.approx(1e-3, rel=1e-3)


def test_clipping_a_solver_of_full_batches_is_an_error():
    X, y = rows(20)
    with pytest.raises(OptionError, match="no steps along a gradient to clip"):
        regressor(solver="conjugate_gradient", clip_norm=1.0).fit(X, y)


# ---- engine, precision, threads, starts


def test_engines_give_the_same_curve(task):
    a, b = (task.ours(engine=e, max_iter=5).fit(task.X, task.y) for e in ENGINES)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_precision_is_that_of_the_weights(solver):
    X, y = rows()
    for precision, dtype in {"float32": "f4", "bfloat16": "f4", "float64": "f8"}.items():
        model = regressor(precision=precision, solver=solver, max_iter=3)
        model.fit(X.astype(np.float32), y)
        assert {w.dtype for w in model.coefs_} == {np.dtype(dtype)}
        assert model.predict(X).dtype == np.dtype(dtype)


def test_bfloat16_differs_from_float32():
    X, y = rows()
    a, b = (regressor(precision=p, max_iter=3).fit(X, y) for p in ("bfloat16", "float32"))
    assert a.loss_curve_ != b.loss_curve_
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=0.05)


def test_threads_do_not_change_a_bit():
    X, y = rows(2000)
    a, b = (regressor(n_threads=n, max_iter=3).fit(X, y) for n in (1, 2))
    assert a.loss_curve_ == b.loss_curve_


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "levenberg_marquardt"])
def test_the_best_of_several_starts_is_kept(solver):
    X, y = rows(60)
    params = {"hidden_layer_sizes": (2,), "solver": solver, "max_iter": 15}
    seen = []
    model = regressor(random_starts=4, **params)
    model.set_params(callbacks=[lambda model: seen.append((model.n_iter_, model.loss_))])
    model.fit(X, y)
    following = [*(n for n, _ in seen[1:]), 0]
    last = [loss for (n, loss), next_n in zip(seen, following, strict=True) if next_n < n]
    assert len(set(last)) == 4 and model.loss_ == min(last)
    assert last[0] == regressor(**params).fit(X, y).loss_
    if solver == "adam":
        assert model.loss_curve_[-1] == model.loss_


def test_a_start_that_diverges_is_left_out():
    X, y = rows(40)
    calls = []

    def spoil(model):
        calls.append(model.n_iter_)
        if len(calls) == 1:
            model.intercepts_[0][...] = 1e308
            model.coefs_[0][...] = 1e308

    model = regressor(random_starts=2, callbacks=[spoil], max_iter=3).fit(X, y)
    assert np.isfinite(model.predict(X)).all() and model.n_iter_ == 3


# ---- scaling and columns


@pytest.mark.parametrize("engine", ENGINES)
def test_standardized_is_what_scalers_around_it_would_give(engine):
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = rows()
    X, y = 1e4 + 1e3 * X, 500.0 + 1e-3 * y
    own = regressor(standardize=True, engine=engine, max_iter=30).fit(X, y)
    around = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), regressor(max_iter=30, engine=engine)),
        transformer=StandardScaler(),
    ).fit(X, y)
    np.testing.assert_allclose(own.predict(X), around.predict(X), rtol=1e-9)
    assert own.score(X, y) == pytest.approx(around.score(X, y), rel=1e-6)


def test_counts_are_not_standardized():
    X, y = rows()
    counts = np.rint(np.exp(y))
    model = regressor(loss="poisson", standardize=True, max_iter=100)
    model.set_params(learning_rate_init=0.01).fit(1e3 * X, counts)
    assert model.predict(1e3 * X).min() > 0.0 and model.score(1e3 * X, counts) > 0.5


def frame(n=90):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    age = rng.normal(50.0, 10.0, n)
    city = rng.choice(["Bonn", "Kiel", "Ulm"], n)
    y = (city == "Kiel") ^ (age > 50.0)
    age[::9] = np.nan
    grade = pandas.Categorical(rng.choice([1, 2, 3], n))
    smokes = pandas.array([True, False, None] * (n // 3), "boolean")
    return pandas.DataFrame({"age": age, "city": city, "grade": grade, "smokes": smokes}), y


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frame_of_words_and_gaps_is_learned(engine):
    X, y = frame()
    model = classifier(encode_columns=True, engine=engine, max_iter=200, learning_rate_init=0.01)
    assert model.fit(X, y).score(X, y) > 0.85
    assert model.n_features_in_ == 4
    # age, whether it is missing, three cities, three grades, two answers
    assert model.coefs_[0].shape[0] == 1 + 1 + 3 + 3 + 2


def test_a_word_never_seen_is_no_category():
    X, y = frame()
    model = classifier(encode_columns=True, max_iter=3).fit(X, y)
    other = X.assign(city="Rom")
    assert np.isfinite(model.predict_proba(other)).all()


def test_nan_in_an_array_has_an_indicator():
    X, y = rows()
    X[::5, 2] = np.nan
    model = regressor(encode_columns=True, max_iter=5).fit(X, y)
    assert model.coefs_[0].shape[0] == 5
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(X, y)


def test_polars_frames_are_learned():
    polars = pytest.importorskip("polars")
    X, y = frame()
    table = polars.DataFrame({"age": X["age"].to_numpy(), "city": X["city"].to_list()})
    model = classifier(encode_columns=True, max_iter=5).fit(table, y)
    other = classifier(encode_columns=True, max_iter=5).fit(X[["age", "city"]], y)
    assert model.loss_curve_ == other.loss_curve_


def test_sparse_rows_are_not_scaled():
    from scipy.sparse import csr_array

    X, y = rows(30)
    with pytest.raises(OptionError, match="takes no sparse X"):
        regressor(standardize=True).fit(csr_array(X), y)
    with pytest.raises(OptionError, match="got a sparse matrix"):
        regressor(encode_columns=True).fit(csr_array(X), y)


# ---- looking inside


@pytest.mark.parametrize("engine", ENGINES)
def test_input_gradients_are_differences_of_predictions(engine, task):
    model = task.ours(activation="tanh", engine=engine, max_iter=5).fit(task.X, task.y)
    predict = model.predict_proba if task.kind == "classifier" else model.predict
    X, h = task.X[:6], 1e-5
    found = model.input_gradients(X)
    for j in (3, 20):
        step = np.zeros(64)
        step[j] = h
        difference = (predict(X + step) - predict(X - step)) / (2 * h)
        np.testing.assert_allclose(found[..., j], difference, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("params", [{"standardize": True}, {"encode_columns": True}])
def test_input_gradients_are_in_the_users_units(params):
    X, y = rows()
    X = 1e3 * X
    model = regressor(activation="tanh", max_iter=20, **params).fit(X, 50.0 * y)
    step = np.array([0.0, 1e-2, 0.0, 0.0])
    difference = (model.predict(X + step) - model.predict(X - step)) / 2e-2
    np.testing.assert_allclose(model.input_gradients(X)[:, 1], difference, rtol=1e-4, atol=1e-9)


def test_words_have_no_gradient():
    X, y = frame()
    model = classifier(encode_columns=True, max_iter=2).fit(X, y)
    with pytest.raises(OptionError, match="column 'city' holds words"):
        model.input_gradients(X)


@pytest.mark.parametrize("engine", ENGINES)
def test_activations_of_any_layer(engine, tasks):
    task = tasks["multi-class"]
    model = task.ours(engine=engine, max_iter=5).fit(task.X, task.y)
    first = np.maximum(task.X @ model.coefs_[0] + model.intercepts_[0], 0.0)
    second = np.maximum(first @ model.coefs_[1] + model.intercepts_[1], 0.0)
    np.testing.assert_allclose(model.activations(task.X, 1), first, atol=1e-12)
    np.testing.assert_allclose(model.activations(task.X, 2), second, atol=1e-12)
    for last in (3, -1):
        np.testing.assert_array_equal(
            model.activations(task.X, last).argmax(1), model.predict_proba(task.X).argmax(1)
        )
    for wrong in (0, 4, -4, 1.5, True):
        with pytest.raises(OptionError, match="layer is from 1"):
            model.activations(task.X, wrong)


# ---- life of a model


MANY = {
    "activation": ("tanh", swish),
    "solver": rg.Clip(rg.AdamW(rg.schedules.Cosine(0.01, steps=100)), global_norm=1.0),
    "dropout": [0.2, 0.0],
    "loss": rg.Huber(0.5),
    "standardize": True,
    "engine": "numpy",
    "precision": "float32",
    "n_threads": 1,
}


def test_a_clone_and_a_pickle_have_every_parameter():
    X, y = rows()
    model = regressor(max_iter=3, **MANY).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert copy.partial_fit(X, y).loss_ == model.partial_fit(X, y).loss_


@pytest.mark.parametrize(
    "params",
    [
        MANY,
        {"encode_columns": True, "solver": rg.EMA(rg.SGD(0.01))},
        {"loss": rg.Quantile((0.2, 0.8)), "standardize": True},
        {"solver": "levenberg_marquardt", "random_starts": 2, "hidden_layer_sizes": (3,)},
        {"solver": "adam", "learning_rate": rg.schedules.Cosine(0.01, steps=50)},
    ],
)
def test_a_saved_model_comes_back(params, tmp_path):
    X, y = rows()
    model = regressor(**{"max_iter": 3} | params).fit(X, y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    loaded.save(tmp_path / "b.model")
    assert (tmp_path / "b.model").read_bytes() == (tmp_path / "a.model").read_bytes()
    if hasattr(model, "partial_fit"):
        assert loaded.partial_fit(X, y).loss_ == model.partial_fit(X, y).loss_


def test_a_saved_classifier_keeps_its_class_weights_and_columns(tmp_path):
    X, y = frame()
    model = classifier(encode_columns=True, class_weight={False: 2.0}, max_iter=3).fit(X, y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert loaded.class_weight == {False: 2.0}
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "params", [{"loss": brier}, {"callbacks": [print]}, {"learning_rate": lambda step: 0.01}]
)
def test_code_is_not_saved(params, tmp_path):
    X, y = rows(20)
    model = regressor(max_iter=1, **params)
    model.callbacks = None if "callbacks" not in params else [lambda model: None]
    with pytest.raises(OptionError, match=f"{next(iter(params))} is a"):
        model.fit(X, y).save(tmp_path / "a.model")


def test_scores_are_accuracies(tasks):
    task = tasks["multi-class"]
    model = task.ours(loss="hinge", max_iter=5, early_stopping=True).fit(task.X, task.y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(task.X, task.y) == accuracy_score(task.y, model.predict(task.X))


def test_nan_outside_encoded_columns_is_an_error_of_the_data():
    X, y = rows(20)
    X[0, 0] = np.inf
    with pytest.raises(DataError, match="holds inf in row 1"):
        regressor(encode_columns=True).fit(X, y)
