"""Sparse rows are expanded piece by piece, whatever is done with them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.neural_network import MLPRegressor

import retrograd as rg
from retrograd import arrays

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = sparse.csr_array(np.where(rng.uniform(size=(90, 40)) < 0.2, rng.uniform(size=(90, 40)), 0.0))
y = np.asarray(X.sum(axis=1)).ravel()
FEW = {"hidden_layer_sizes": (6,), "random_state": 0, "max_iter": 15, "batch_size": 7}
AT_ONCE = 8


@pytest.fixture
def expanded(monkeypatch):
    """How many rows were expanded at once, under a bound of 8 rows of X."""
    monkeypatch.setattr(arrays, "MOST_BYTES", AT_ONCE * X.shape[1] * 8)
    found, toarray = [], sparse.csr_array.toarray

    def counted(self, *args, **kwargs):
        found.append(self.shape[0])
        return toarray(self, *args, **kwargs)

    monkeypatch.setattr(sparse.csr_array, "toarray", counted)
    return found


FITS = {
    "adam": {},
    "held out": {"early_stopping": True, "validation_fraction": 0.5},
    "lbfgs": {"solver": "lbfgs"},
    "conjugate gradient": {"solver": "conjugate_gradient"},
}


@pytest.mark.parametrize("engine", ["cpu", "numpy"])
@pytest.mark.parametrize("name", FITS)
def test_no_more_rows_are_expanded_than_fit(name, engine, expanded):
    model = rg.MLPRegressor(engine=engine, **FEW | FITS[name]).fit(X, y)
    model.predict(X)
    assert expanded and max(expanded) <= AT_ONCE


def test_the_gradient_in_pieces_is_that_of_all_rows(expanded):
    w = np.arange(90.0) % 4
    for weights in (None, w):
        pair = [
            kind(solver="lbfgs", alpha=0.1, **FEW).fit(X, y, sample_weight=weights)
            for kind in (rg.MLPRegressor, MLPRegressor)
        ]
        assert pair[0].loss_ == pytest.approx(pair[1].loss_, rel=1e-6)
    assert expanded


def test_ensembles_score_in_pieces(expanded):
    model = rg.MLPEnsembleRegressor(n_estimators=2, early_stopping=True, **FEW)
    model.fit(X, y).predict(X)
    assert expanded and max(expanded) <= AT_ONCE
