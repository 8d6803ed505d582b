"""`MLPClassifier().fit`, scikit-learn's and retrograd's: the same lines but for the class."""

from __future__ import annotations

from typing import Any

from sklearn.neural_network import MLPClassifier

import retrograd as rg
from benchmarks.peers import Setting
from benchmarks.workloads import Fit, Problem


class Fitting:
    """A fit that nothing stops but the number of epochs."""

    estimator: Any = MLPClassifier

    def __init__(self, task: Fit, problem: Problem, setting: Setting) -> None:
        self.X, self.y, self.epochs = problem.X, problem.Y, task.epochs

    def reset(self) -> None:
        pass

    def run(self, times: int) -> float:
        never = self.epochs + 1
        for _ in range(times):
            model = self.estimator(max_iter=self.epochs, n_iter_no_change=never, random_state=0)
            model.fit(self.X, self.y)
        return float(model.loss_curve_[-1])


class OurFitting(Fitting):
    """With retrograd's class. Its engine is its own choice."""

    estimator = rg.MLPClassifier
