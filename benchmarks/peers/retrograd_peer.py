"""retrograd: an engine's session with the orders given, and `rg.train`, what a user waits for."""

from __future__ import annotations

from typing import Any

import numpy as np

import retrograd as rg
from benchmarks.peers import NotAvailable, Setting
from benchmarks.workloads import Prediction as PredictionTask
from benchmarks.workloads import Problem, Workload
from retrograd.errors import OptionError
from retrograd.nn.losses import find_loss
from retrograd.plan.precision import in_bfloat16
from retrograd.run import find_engine
from retrograd.training.objective import objective
from retrograd.training.rows import check_rows
from retrograd.training.step import state_at, training_steps
from retrograd.training.train import PRECISIONS


def require_precision(work: Workload) -> None:
    if work.precision not in PRECISIONS:
        raise NotAvailable(f"not available: retrograd has no precision {work.precision!r} yet")


class SessionTraining:
    """`session.run("train", order)`: nothing but the engine."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        require_precision(work)
        try:
            engine = find_engine(setting.engine)
        except OptionError as error:
            raise NotAvailable(f"not available: {error}") from None
        network, optimizer = work.network(), work.rule()
        loss = find_loss(work.loss, network)
        rows = check_rows(network, loss, problem.X, problem.Y)
        steps = training_steps(objective(network, loss, rows.target, is_penalised=False), optimizer)
        if work.precision == "bfloat16":
            steps = {name: in_bfloat16(step) for name, step in steps.items()}
        states = [state_at(work.network(seed).parameters, optimizer) for seed in range(work.copies)]
        self.work, self.order = work, problem.order
        self.numbers = {**optimizer.numbers(), "l2": 0.0}
        if work.copies == 1:
            self.state: Any = states[0]
            more = {}
        else:
            self.state = {name: np.stack([state[name] for state in states]) for name in states[0]}
            more = {"copies": work.copies}
        self.session: Any = engine.open(steps, self.state, rows.named(), **more)

    def reset(self) -> None:
        self.session.restore(self.state)

    def run(self, times: int) -> float:
        for _ in range(times):
            found = self.session.run("train", self.order, self.numbers, batch_size=self.work.batch)
        return float(found["J"].mean())


class UserTraining:
    """`rg.train`, checks, opening and shuffling included; copies are random starts."""

    def __init__(self, work: Workload, problem: Problem, setting: Setting) -> None:
        require_precision(work)
        n = work.batch * work.batches
        self.work, self.engine, self.X, self.Y = work, setting.engine, problem.X[:n], problem.Y[:n]

    def reset(self) -> None:
        self.network, self.optimizer = self.work.network(), self.work.rule()

    def run(self, times: int) -> float:
        work = self.work
        try:
            history = rg.train(
                self.network, self.X, self.Y, loss=work.loss, optimizer=self.optimizer,
                epochs=times, batch_size=work.batch, random_starts=work.copies,
                engine=self.engine, precision=work.precision,
            )  # fmt: skip
        except OptionError as error:
            raise NotAvailable(f"not available: {error}") from None
        return history.J[-1]


class Prediction:
    """`net.predict` on a NumPy array."""

    def __init__(self, task: PredictionTask, problem: Problem, setting: Setting) -> None:
        self.X, self.network = problem.X, task.network_of.network()

    def reset(self) -> None:
        pass

    def run(self, times: int) -> float:
        for _ in range(times):
            output = self.network.predict(self.X)
        return float(np.mean(output**2))
