"""What an estimator learns of columns and targets it learns from the rows that it trains on."""

import numpy as np
import pandas as pd
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, HELD = 20, 4  # rows, and how many of them early stopping holds out
PARAMS = {
    "hidden_layer_sizes": (3,),
    "max_iter": 1,
    "early_stopping": True,
    "validation_fraction": HELD / N,
    "random_state": 0,
}


def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, 2)), rng.normal(size=N)


def changed(array, i):
    array = array.copy()
    array[i] += 1e6
    return array


def test_scales_of_inputs_are_those_of_training_rows():
    X, y = rows()
    model = rg.MLPRegressor(standardize=True, **PARAMS)
    mean = model.fit(X, y)._inputs.scale.mean
    kept = [i for i in range(N) if (model.fit(changed(X, i), y)._inputs.scale.mean == mean).all()]
    assert len(kept) == HELD


def test_scales_of_targets_are_those_of_training_rows():
    X, y = rows()
    model = rg.MLPRegressor(standardize=True, **PARAMS)
    mean = model.fit(X, y)._target_scale.mean
    kept = [i for i in range(N) if (model.fit(X, changed(y, i))._target_scale.mean == mean).all()]
    assert len(kept) == HELD


def test_categories_are_those_of_training_rows():
    X, y = rows()
    words = pd.DataFrame({"a": X[:, 0], "b": ["common", "other"] * (N // 2)})
    model = rg.MLPRegressor(encode_columns=True, **PARAMS)
    unknown = []
    for i in range(N):
        own = words.copy()
        own.loc[i, "b"] = "rare"
        model.fit(own, y)
        if not any("rare" in name for name in model._inputs.columns.feature_names):
            unknown.append(i)
            assert np.isfinite(model.predict(own)).all()
    assert len(unknown) == HELD


def test_each_member_of_an_ensemble_learns_from_its_own_training_rows():
    X, y = rows()
    model = rg.MLPEnsembleRegressor(2, standardize=True, **PARAMS)
    means = [one._inputs.scale.mean for one in model.fit(X, y).estimators_]
    for m in range(2):
        kept = [
            i
            for i in range(N)
            if (model.fit(changed(X, i), y).estimators_[m]._inputs.scale.mean == means[m]).all()
        ]
        assert len(kept) == HELD
    assert (means[0] != means[1]).all()


def test_rows_given_to_validate_are_not_learned_from():
    X, y = rows()
    params = PARAMS | {"early_stopping": False}
    alone = rg.MLPRegressor(standardize=True, **params).fit(X, y)
    given = rg.MLPRegressor(standardize=True, **params).fit(X, y, X_val=X + 1e6, y_val=y - 1e6)
    np.testing.assert_array_equal(given._inputs.scale.mean, alone._inputs.scale.mean)
    np.testing.assert_array_equal(given._target_scale.mean, alone._target_scale.mean)


MIXED = np.array(["low", 1] * 10, object)
HUGE = np.array([10**400] * N, object)
HOSTILE = {
    "labels of several types": ("classifier", {}, {"y_val": MIXED}),
    "an integer beyond the largest float": ("regressor", {}, {"y_val": HUGE}),
    "an integer beyond the largest float, encoded": (
        "regressor",
        {"encode_columns": True},
        {"y_val": HUGE},
    ),
    "masked entries": (
        "regressor",
        {},
        {"sample_weight_val": np.ma.masked_array(np.ones(N), np.arange(N) == 3)},
    ),
    "has masked entries": (
        "regressor",
        {"encode_columns": True},
        {"y_val": np.ma.masked_array(np.ones(N), np.arange(N) == 3)},
    ),
}


@pytest.mark.parametrize("kind, params, spoilt", HOSTILE.values(), ids=HOSTILE)
def test_rows_given_to_validate_go_through_the_checks_of_training_rows(kind, params, spoilt):
    X, y = rows()
    model = rg.MLPRegressor(**PARAMS | params)
    if kind == "classifier":
        model, y = rg.MLPClassifier(**PARAMS), np.where(y > 0, "high", "low")
    words = next(name for name, case in HOSTILE.items() if case[2] is spoilt).partition(",")[0]
    with pytest.raises(DataError, match=f"^validation data: .*{words}"):
        model.fit(X, y, **{"X_val": X, "y_val": y} | spoilt)


EPSILONS = {
    "Adam": lambda epsilon: rg.Adam(0.01, epsilon=epsilon),
    "RMSprop": lambda epsilon: rg.RMSprop(0.01, epsilon=epsilon),
    "clipped": lambda epsilon: rg.Clip(rg.Adam(0.01, epsilon=epsilon), global_norm=1.0),
}


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("make", EPSILONS.values(), ids=EPSILONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_epsilon_that_counts_as_0_is_a_clear_error(dtype, make, engine):
    X, y = (array.astype(dtype) for array in rows())
    X[:, 1] = 0.0  # whose weights have a gradient of 0: 0 / (0 + epsilon)
    least = float(np.finfo(dtype).tiny)
    params = {"hidden_layer_sizes": (3,), "alpha": 0.0, "max_iter": 3, "random_state": 0}
    with pytest.raises(OptionError, match=r"epsilon=.* is below the least normal"):
        rg.MLPRegressor(solver=make(least / 4), engine=engine, **params).fit(X, y)
    # The least normal number itself does what it should, as on the reference.
    losses = [
        rg.MLPRegressor(solver=make(2.0 * least), engine=one, **params).fit(X, y).loss_
        for one in (engine, "numpy")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5 if dtype == np.float32 else 1e-9)
