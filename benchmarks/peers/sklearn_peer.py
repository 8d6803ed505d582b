"""scikit-learn: `fit` and `predict` of its multi-layer perceptrons.

Training takes the rows in the order given, from the weights given: `fit` with `shuffle=False` on
rows put in order beforehand (it then slices where the others gather), warm from these weights.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.peers import NotAvailable, Setting
from benchmarks.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Problem, Workload
from benchmarks.workloads import Prediction as PredictionTask

warnings.simplefilter("ignore", ConvergenceWarning)


def model_of(work: Workload, **more: Any) -> Any:
    """An estimator with the settings of a workload.

    Its loss is half the mean over outputs of the squared error, and its gradient that of half the
    sum: for the squared error the rate is doubled (Adam does not see the factor).
    """
    is_doubled = work.loss == "squared_error" and work.optimizer != "adam"
    kind = MLPClassifier if work.loss == "cross_entropy" else MLPRegressor
    return kind(
        hidden_layer_sizes=work.sizes[1:-1], activation=work.activation, alpha=0.0,
        solver="adam" if work.optimizer == "adam" else "sgd", batch_size=work.batch,
        learning_rate_init=work.learning_rate * (2 if is_doubled else 1),
        momentum=MOMENTUM if work.optimizer == "momentum" else 0.0, nesterovs_momentum=False,
        beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON, tol=0.0, n_iter_no_change=10**9, **more,
    )  # fmt: skip


def give(model: Any, weights: tuple[np.ndarray, ...]) -> None:
    """Give a fitted model these weights."""
    model.coefs_ = [w.copy() for w in weights[::2]]
    model.intercepts_ = [b[0].copy() for b in weights[1::2]]


class Training:
    """One `fit` of so many epochs; copies one after the other."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        if work.precision == "bfloat16":
            raise NotAvailable(f"scikit-learn has no {work.precision}")
        self.work, one = work, work.copies == 1
        orders = problem.order[None] if one else problem.order
        self.weights = [
            tuple(w if one else w[copy] for w in problem.weights) for copy in range(work.copies)
        ]
        Y = problem.Y[:, 0] if problem.Y.ndim == 2 and problem.Y.shape[1] == 1 else problem.Y
        self.rows = [(problem.X[order], Y[order]) for order in orders]
        self.models = []
        for rows in self.rows:
            model = model_of(work, shuffle=False, warm_start=True, max_iter=1)
            self.models.append(model.fit(*rows))
        self.reset()

    def reset(self) -> None:
        for model, weights in zip(self.models, self.weights, strict=True):
            give(model, weights)
            model.loss_curve_, model.t_, model.n_iter_ = [], 0, 0

    def run(self, times: int) -> float:
        factor = 2 * self.work.sizes[-1] if self.work.loss == "squared_error" else 1
        for model, rows in zip(self.models, self.rows, strict=True):
            model.set_params(max_iter=times)
            model.fit(*rows)
        return factor * float(np.mean([model.loss_curve_[-1] for model in self.models]))


class Prediction:
    """`predict_proba`: the probabilities, as the others give them."""

    def __init__(self, task: PredictionTask, problem: Problem, setting: Setting) -> None:
        self.X, work = problem.X, task.network_of
        X = np.zeros((20, work.sizes[0]), np.float32)
        self.model = model_of(work, max_iter=1).fit(X, np.arange(20) % work.sizes[-1])
        give(self.model, problem.weights)

    def reset(self) -> None:
        pass

    def run(self, times: int) -> float:
        for _ in range(times):
            output = self.model.predict_proba(self.X)
        return float(np.mean(output**2))
