"""Looking into estimators whose parameters go beyond scikit-learn's: rows go in as in their fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import retrograd as rg
from retrograd.errors import OptionError, ShapeError

RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
T = X @ [1.0, 0.2, 3.0]
LABELS = np.digitize(X[:, 0], [-0.5, 0.5])
FRAME = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 5.0, "u", "v"), "c": X[:, 2]})
FEW = {"hidden_layer_sizes": (4, 3), "solver": "lbfgs", "max_iter": 3, "random_state": 0}


def classifier(**options: Any) -> Any:
    return rg.MLPClassifier(**FEW, **options), X, LABELS


def regressor(**options: Any) -> Any:
    return rg.MLPRegressor(**FEW, **options), X, T


MODELS = {
    "encoded": lambda: (rg.MLPClassifier(**FEW, encode_columns=True), FRAME, LABELS),
    "encoded, words": lambda: (
        rg.MLPClassifier(**FEW, encode_columns=True),
        FRAME,
        np.array(["p", "q", "r"])[LABELS],
    ),
    "standardized": lambda: classifier(standardize=True),
    "standardized targets": lambda: regressor(standardize=True),
    "activations": lambda: classifier(activation=["gelu", "tanh"]),
    "balanced": lambda: classifier(class_weight="balanced"),
    "class weights": lambda: classifier(class_weight={0: 1.0, 1: 3.0, 2: 0.5}),
    "smoothed labels": lambda: classifier(label_smoothing=0.1),
    "hinge": lambda: classifier(loss="hinge", alpha=0.1),
    "quantile": lambda: regressor(loss=rg.Quantile([0.1, 0.9]), standardize=True),
    "gaussian": lambda: regressor(loss="gaussian_nll", standardize=True),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_the_trace_of_the_rows_of_a_fit_has_the_loss_that_the_fit_ended_with(name):
    model, rows, y = MODELS[name]()
    model.fit(rows, y)
    assert rg.trace(model, rows, y).J == pytest.approx(model.loss_, rel=1e-9)
    assert rg.check_gradient(model, rows, y).ok
    assert rg.diagnose(model, rows, y).verdicts


@pytest.mark.parametrize("name", ["encoded", "standardized"])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_outputs_and_slopes_are_at_rows_prepared_as_in_fit(name):
    model, rows, y = MODELS[name]()
    model.fit(rows, y)
    np.testing.assert_allclose(rg.trace(model, rows, y).output, model.predict_proba(rows))
    shares = rg.integrated_gradients(model, rows, output=1)
    np.testing.assert_allclose(shares.outputs, model.predict_proba(rows)[:, 1])
    if name == "standardized":
        slopes = rg.sensitivity(model, rows) / rows.std(axis=0)
        np.testing.assert_allclose(slopes, model.input_gradients(rows), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_dropout_is_in_the_trace_of_training_and_not_in_that_of_predictions():
    model = rg.MLPClassifier((8,), dropout=0.5, max_iter=2, random_state=0).fit(X, LABELS)
    still = rg.trace(model, X, LABELS, mode="predict")
    np.testing.assert_allclose(still.output, model.predict_proba(X))
    assert rg.trace(model, X, LABELS, seed=1).J != still.J


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_rows_that_lack_a_class_are_looked_at_and_other_targets_are_not():
    model, rows, y = classifier()
    model.fit(rows, y)
    some = y != 1
    assert rg.trace(model, rows[some], y[some]).output.shape == (some.sum(), 3)
    with pytest.raises(rg.errors.DataError, match="classes not in"):
        rg.trace(model, rows, y + 1)
    numbers, rows, t = regressor()
    with pytest.raises(ShapeError, match="ask for 2 outputs, the model has 1"):
        rg.trace(numbers.fit(rows, t), rows, np.stack([t, t], axis=1))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_an_ensemble_is_looked_at_member_by_member():
    model = rg.MLPEnsembleRegressor(hidden_layer_sizes=(3,), n_estimators=2, max_iter=2).fit(X, T)
    with pytest.raises(OptionError, match="give one of its members, estimators_"):
        rg.trace(model, X, T)
    assert rg.trace(model.estimators_[0], X, T).X.shape == X.shape
