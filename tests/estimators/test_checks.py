"""scikit-learn's own checks of estimators, without an expected failure."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import retrograd as rg

# Most checks fit for a few epochs only.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Few epochs, as scikit-learn's own suite runs its estimators.
VARIANTS = [
    rg.MLPClassifier(max_iter=100),
    rg.MLPClassifier((10,), "tanh", solver="sgd", learning_rate_init=0.1, max_iter=50),
    # Without a penalty lbfgs drives probabilities to exactly 1, which a check does not allow.
    rg.MLPClassifier((10,), solver="lbfgs", alpha=1.0, max_iter=50),
    rg.MLPRegressor(max_iter=100),
    rg.MLPRegressor(hidden_layer_sizes=(10,), solver="sgd", learning_rate_init=0.01, max_iter=50),
    rg.MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=30),
    rg.MLPRegressor("poisson", (10,), learning_rate_init=0.01, max_iter=100),
    rg.MLPRegressor(
        "poisson", (10,), solver="sgd", learning_rate_init=0.005, alpha=1.0, max_iter=100
    ),
    rg.MLPRegressor("poisson", (10,), solver="lbfgs", max_iter=50),
    rg.MLPRegressor(hidden_layer_sizes=(10,), standardize=True, learning_rate_init=0.01),
    rg.MLPClassifier((10,), encode_columns=True, learning_rate_init=0.01, max_iter=100),
    rg.MLPMultiTask("classification", max_iter=100),
    rg.MLPMultiTask("regression", max_iter=100),
]
ENGINES = ("cpu", "numpy")


@parametrize_with_checks([clone(each).set_params(engine=e) for each in VARIANTS for e in ENGINES])
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)
