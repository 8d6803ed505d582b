"""Small data of every kind of target, and the peers from scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier, MLPRegressor

import retrograd as rg

PEERS = {
    "classifier": (rg.MLPClassifier, MLPClassifier),
    "regressor": (rg.MLPRegressor, MLPRegressor),
}


class Task:
    """X, y and both makers of a model: ours, scikit-learn's."""

    def __init__(self, kind, X, y, **params):
        self.kind, self.X, self.y, self.params = kind, X, y, params

    @property
    def first(self):
        """What the first call of partial_fit needs besides rows."""
        if self.kind == "regressor":
            return {}
        return {"classes": np.unique(self.y) if self.y.ndim == 1 else np.arange(self.y.shape[1])}

    def ours(self, **params):
        return PEERS[self.kind][0](**self._params(params))

    def pair(self, **params):
        ours, theirs = PEERS[self.kind]
        return ours(**self._params(params)), theirs(**self._params(params))

    def _params(self, params):
        return {"hidden_layer_sizes": (12, 7), "random_state": 3} | self.params | params


def make_tasks():
    X, digit = load_digits(return_X_y=True)
    X, digit = X[:130] / 16.0, digit[:130]
    several = np.stack([digit / 9.0, digit % 2, np.sqrt(digit)], axis=1)
    return {
        "binary": Task("classifier", X, digit > 4),
        "multi-class": Task("classifier", X, np.array([f"no {d}" for d in digit])),
        "multi-label": Task("classifier", X, np.stack([digit > 4, digit % 2, digit > 7], 1) * 1),
        "one output": Task("regressor", X, digit / 3.0),
        "three outputs": Task("regressor", X, several),
        "counts": Task("regressor", X, digit.astype(float), loss="poisson"),
    }


TASKS = make_tasks()


@pytest.fixture(params=TASKS)
def task(request):
    return TASKS[request.param]


@pytest.fixture
def tasks():
    return TASKS
