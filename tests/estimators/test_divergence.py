"""Weights that leave the finite numbers are never the best ones, whatever they happen to guess."""

from itertools import count

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import retrograd as rg

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
LABELS = (X[:, 0] > 0) * 1 + (X[:, 1] > 0)
HUGE = {"solver": "sgd", "learning_rate_init": 1e300, "max_iter": 20, "random_state": 0}
MODELS = {
    "classifier": (rg.MLPClassifier, {}, LABELS),
    "regressor": (rg.MLPRegressor, {}, X[:, 0]),
    "multi-task": (rg.MLPMultiTask, {}, {"a": LABELS, "b": X[:, 0]}),
    "ensemble": (rg.MLPEnsembleClassifier, {"n_estimators": 3}, LABELS),
    "in turn": (
        rg.MLPEnsembleClassifier,
        {"n_estimators": 3, "callbacks": [lambda one: False]},
        LABELS,
    ),
    "shared": (rg.MLPEnsembleClassifier, {"n_estimators": 3, "members": "shared"}, LABELS),
}


def parts(model):
    return model.estimators_ if hasattr(model, "n_estimators") else [model]


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("made, params, y", MODELS.values(), ids=MODELS)
def test_weights_that_are_not_finite_are_not_judged(made, params, y, engine, monkeypatch):
    for one in (rg.MLPClassifier, rg.MLPRegressor):  # whatever is judged is the best so far
        numbers = count()
        monkeypatch.setattr(one, "_score_of", lambda self, *of, n=numbers: float(next(n)))
    model = made(early_stopping=True, engine=engine, **HUGE, **params)
    with pytest.warns(ConvergenceWarning, match="best ones are kept") as caught:
        model.fit(X, y)
    if not hasattr(model, "n_estimators"):
        assert [one.filename for one in caught] == [__file__] * len(caught)
    shared = getattr(model, "parameters_", {}).values()
    for one in parts(model):
        weights = shared or [*one.coefs_, *one.intercepts_]
        assert all(np.isfinite(value).all() for value in weights)
        assert len(one.validation_scores_) == len(one.validation_loss_curve_) == one.n_iter_
        if one.n_iter_ < 20:
            assert np.isnan([one.validation_scores_[-1], one.validation_loss_curve_[-1]]).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("made, params, y", MODELS.values(), ids=MODELS)
def test_a_model_that_diverges_on_held_out_rows_predicts(made, params, y, seed):
    rate = 1e300 if "members" not in params else 1e60  # whose factors are multiplied
    changed = {"random_state": seed, "learning_rate_init": rate}
    model = made(early_stopping=True, **HUGE | changed, **params).fit(X, y)
    found = model.predict(X)
    assert len(found if not isinstance(found, dict) else found["a"]) == 90
