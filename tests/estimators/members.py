"""Ensembles and the fits of their members alone, made from a task."""

import numpy as np

import retrograd as rg

MEMBER = {"classifier": rg.MLPClassifier, "regressor": rg.MLPRegressor}
ENSEMBLE = {"classifier": rg.MLPEnsembleClassifier, "regressor": rg.MLPEnsembleRegressor}
FIGURES = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_"),
    *("best_validation_score_", "out_activation_", "n_layers_", "n_outputs_", "n_features_in_"),
)
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 8}


def ensemble(task, n=3, **params):
    return ENSEMBLE[task.kind](n, random_state=5, **(SMALL | task.params | params))


def alone(task, seed, **params):
    return MEMBER[task.kind](random_state=seed, **(SMALL | task.params | params))


def output(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def of_members(model, X):
    if hasattr(model, "predict_proba"):
        return model.predict_proba_members(X)
    return model.predict_members(X)


def require_same(member, single):
    for own, other in zip(
        [*member.coefs_, *member.intercepts_], [*single.coefs_, *single.intercepts_], strict=True
    ):
        np.testing.assert_array_equal(own, other, strict=True)
    for name in FIGURES:
        assert hasattr(member, name) == hasattr(single, name), name
        if hasattr(single, name):
            np.testing.assert_equal(getattr(member, name), getattr(single, name), name)
