"""A network opened for training: its steps on an engine, over rows of one data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.arrays import Array, require_finite, rows_at_once
from retrograd.engines.base import Engine, Session, Snapshot
from retrograd.engines.batches import Batches
from retrograd.nn.losses import JointLoss, Loss
from retrograd.nn.network import Network
from retrograd.nn.noise import SEED, SEEN
from retrograd.optim.base import Optimizer, Rate, at, parted, rates
from retrograd.run import find_engine
from retrograd.training.copies import Copies, joined
from retrograd.training.figures import EMPTY, Epoch, mean_by
from retrograd.training.objective import L2, WEIGHT, objective, of
from retrograd.training.origin import Replay, replayed
from retrograd.training.rows import Rows
from retrograd.training.step import COUNT, descent_steps, state_at, steps_of
from retrograd.training.weighing import Penalty, Weighing


class TrainingSession:
    """Steps of a network on an engine: run epochs, score rows, read and write the state.

    `is_mixed`: products in bfloat16, all else in float32. `is_least_squares`: without an optimizer,
    the steps of the residuals in place of J's gradient. `is_recorded`: an epoch's last step tells
    statistics of parameters and layers; without an optimizer `observe` those of layers.
    `seed`: of the random layers, below 2**53. `frozen`: parameters that stay as they are.
    `names`: of all parameters; `trained`: of those that follow the gradient.
    `rows`: those that it runs over; `weighing`: how much each of them counts.
    `runs_on`: the engine that opened it. `shapes`: of all that changes from step to step, by name.
    `optimizer` may be replaced between epochs by one that differs in its numbers only.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        *,
        loss: Loss | JointLoss,
        optimizer: Optimizer | None,
        l2: Penalty = 0.0,
        engine: str | Engine = "auto",
        is_mixed: bool = False,
        is_least_squares: bool = False,
        is_recorded: bool = False,
        seed: int = 0,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        self.runs_on = find_engine(engine)
        network.parameters.cast(rows.X.dtype)
        for name, value in network.parameters.items():
            require_finite(value, f"parameter {name}")
        # Of the optimizer seen last: its numbers, and those that follow the steps.
        self._numbers: tuple[Optimizer, dict[str, float | Array], dict[str, Rate]] | None = None
        self.names, self.n_outputs = tuple(network.parameters), network.n_outputs
        fixed = network.statistics | frozen
        self.frozen, self.trained = frozen, tuple(x for x in self.names if x not in fixed)
        noise = network.noise()
        # The key of random layers: what does not change, and the rows seen, none yet.
        self._key = {} if noise is None else {**noise.numbers(), SEED: float(seed)}
        self._seen = {} if noise is None else {SEEN: np.zeros(())}
        self.heads = tuple(loss.weights)
        self._weights = {of(WEIGHT, head): weight for head, weight in loss.weights.items()}
        self._fixed: dict[str, float | Array] = {**self._key, **self._weights}  # in each batch
        self.optimizer, self.rows, self.is_recorded = optimizer, rows, is_recorded
        self.weighing = Weighing(rows, l2, loss.weights)
        steps = steps_of(
            network,
            loss,
            rows.target,
            optimizer,
            weighted=tuple(rows.weights),
            is_penalised=callable(l2) or l2 > 0,
            is_mixed=is_mixed,
            is_least_squares=is_least_squares,
            is_recorded=is_recorded,
            frozen=frozen,
        )
        self._steps, self.layers = steps, network.layers
        self._make_objective = partial(
            objective,
            network.architecture,
            loss,
            rows.target,
            weighted=tuple(rows.weights),
            is_penalised=callable(l2) or l2 > 0,
            frozen=frozen,
        )
        self.reads_others = "read" in steps  # the optimizer predicts with others than it trains
        self._copies: dict[str, list[str]] = {name: [] for name in self.names}  # of a parameter
        if optimizer is not None:
            shapes = {name: network.parameters[name].shape for name in self.trained}
            for slot, facts in optimizer.state(shapes).items():
                if facts.copy_of is not None:
                    self._copies[facts.copy_of].append(slot)
        state = self.first_state(network.parameters)
        self.shapes = {name: np.shape(value) for name, value in state.items()}
        self.engine: Session = self.runs_on.open(steps, state, rows.named())

    def first_state(self, parameters: Mapping[str, Array]) -> Snapshot:
        """The state at the first step from these parameters, which is made of them."""
        if self.optimizer is None:
            return {**parameters, **self._seen}
        return {**state_at(parameters, self.optimizer, self.trained), **self._seen}

    def feed(self, rows: Rows) -> None:
        """Take rows of the same form in place of those before."""
        self.rows = self.weighing.rows = rows
        self.engine.feed(rows.named())

    def epoch(
        self, order: Array, batch_size: int, stop: Callable[[], bool], *, is_observed: bool = True
    ) -> Epoch:
        """One pass over the rows of `order` in batches.

        `is_observed`: whether the last batch tells its gradient's norm, which is NaN elsewhere.
        """
        n, numbers = len(order), self._scalars(order, batch_size)
        if not is_observed:
            found = self.engine.run("train", order, numbers, batch_size=batch_size, stop=stop)
            return self._epoch(found, numbers, min(len(found["J"]) * batch_size, n), {})
        found, last = self._observed(self.engine.run, order, numbers, batch_size, stop)
        figures = {name: float(value) for name, value in last.items()}
        return self._epoch(found, numbers, min(len(found["J"]) * batch_size, n), figures)

    def copies(self, states: Sequence[Snapshot]) -> Copies:
        """Copies of this session, each in one of these states.

        Raises DataError unless their parameters are finite.
        """
        for state in states:
            for name in self.names:
                require_finite(state[name], f"parameter {name}")
        whole = {name: np.stack([state[name] for state in states]) for name in states[0]}
        return Copies(self.runs_on, self._steps, whole, self.rows.named(), self.names)

    def epoch_of(
        self,
        copies: Copies,
        optimizers: Mapping[int, Optimizer],
        orders: Array,
        batch_size: int,
        stop: Callable[[], bool],
    ) -> list[Epoch]:
        """What `epoch` does, of some copies of this session: each in an order of its own.

        `optimizers`: by the number of the copy.
        """
        each = [
            self._scalars(order, batch_size, optimizer, partial(copies.read, m))
            for order, (m, optimizer) in zip(orders, optimizers.items(), strict=True)
        ]
        n = orders.shape[1]
        numbers = joined(each, -(-n // batch_size))
        run = partial(copies.run, only=[*optimizers])
        found, last = self._observed(run, orders, numbers, batch_size, stop)
        copies.mark()
        n_rows = min(found["J"].shape[1] * batch_size, n)
        return [
            self._epoch(
                {name: value[i] for name, value in found.items()},
                own,
                n_rows,
                {name: float(value[i]) for name, value in last.items()},
            )
            for i, own in enumerate(each)
        ]

    def _observed(
        self,
        run: Callable[..., dict[str, Array]],
        order: Array,
        numbers: Mapping[str, float | Array],
        batch_size: int,
        stop: Callable[[], bool],
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """J of each batch of a pass, and what its last batch tells, of one session or of copies.

        `run`: that of the session. Both lead with the copies; batches are the last axis.
        """
        n_batches = -(-order.shape[-1] // batch_size)
        split = (n_batches - 1) * batch_size  # where the last batch begins, if it is one of its own
        found = {}
        if split:
            most = _part(numbers, slice(0, -1))
            found = run("train", order[..., :split], most, batch_size=batch_size, stop=stop)
        if split and (found["J"].shape[-1] < n_batches - 1 or stop()):
            return found, {}
        seen = run("observe", order[..., split:], _part(numbers, slice(-1, None)))
        for name in ("J", *(of("J", head) for head in self.heads)):
            own = seen.pop(name)
            found[name] = np.concatenate([found[name], own], axis=-1) if split else own
        return found, {name: value[..., 0] for name, value in seen.items()}

    def epochs(self, orders: Array, batch_size: int, stop: Callable[[], bool]) -> Epoch:
        """Passes in these orders (n_epochs, n), one after another in one call, none observed.

        The figures are those of all batches that ran.
        """
        numbers, n = self._scalars(orders, batch_size), orders.shape[1]
        found = self.engine.run(
            "train", orders.ravel(), numbers, batch_size=batch_size, pass_rows=n, stop=stop
        )
        return self._epoch(found, numbers, Batches(n, batch_size).start(len(found["J"])), {})

    def _epoch(
        self,
        found: Mapping[str, Array],
        numbers: Mapping[str, float | Array],
        n_rows: int,
        last: dict[str, float],
    ) -> Epoch:
        """The figures of so many rows. `last`: those of the last step."""
        J, rate = found["J"], numbers.get("learning_rate", math.nan)
        if isinstance(rate, np.ndarray):
            rate = float(rate[len(J) - 1])
        J_of = {head: found[of("J", head)] for head in self.heads} if self.heads else EMPTY
        return Epoch(J, last.pop("gradient_norm", math.nan), rate, n_rows, J_of, last)

    def _scalars(
        self,
        order: Array,
        batch_size: int,
        optimizer: Optimizer | None = None,
        read: Callable[[str], Array] | None = None,
    ) -> dict[str, float | Array]:
        """The scalars of the next steps: a number, or one for each batch.

        `order`: their rows (n,), or (n_epochs, n) of several passes. `optimizer`, `read`: of a
        copy, and what reads its state.
        """
        optimizer = optimizer or self.optimizer
        assert optimizer is not None
        if self._numbers is None or self._numbers[0] is not optimizer:
            fixed, moving = parted(optimizer.numbers())
            self._numbers = optimizer, {**self._fixed, **fixed}, moving
        _, known, moving = self._numbers
        numbers = {**known, L2: self.weighing.l2_of(order, batch_size)}
        if moving:
            done = int((read or self.engine.read)(COUNT))
            n_batches = Batches(order.shape[-1], batch_size).count(order.size)
            numbers |= {name: rates(rate, done, n_batches) for name, rate in moving.items()}
        return numbers

    def replayed(self, order: Array) -> Replay:
        """The next step over these rows with every value kept; the session stays where it is.

        Without an optimizer it ends at the gradient.
        """
        made, n = self._make_objective(), len(order)
        steps = descent_steps(made, self.optimizer)
        step = steps["gradient" if self.optimizer is None else "train"]
        numbers = self._numbers_of_J if self.optimizer is None else self._scalars
        scalars = numbers(order, n)
        given = {name: value.take(order, axis=0) for name, value in self.rows.named().items()}
        given |= {name: np.asarray(value).ravel()[0] for name, value in scalars.items()}
        given |= self.engine.snapshot()
        named = {**step.inputs, **step.scalars, **step.state}
        values = {node: np.asarray(given[name], node.dtype) for name, node in named.items()}
        return replayed(made, self.layers, step.updates, values, n)

    def _numbers_of_J(self, order: Array, batch_size: int) -> dict[str, float | Array]:
        return self._fixed | {L2: self.weighing.l2_of(order, batch_size)}

    def gradient(self, order: Array) -> tuple[float, dict[str, Array]]:
        """J and its gradient over these rows, as of one batch."""
        numbers = self._numbers_of_J(order, len(order))
        size = rows_at_once(self.rows.X)
        is_sparse = not isinstance(self.rows.X, np.ndarray)
        if is_sparse and len(order) > size and not self.heads and not self._key:
            return self._gradient_in_pieces(order, numbers, size)
        found = self.engine.run("gradient", order, numbers)
        return float(found["J"][0]), {name: found[name][0] for name in self.trained}

    def _gradient_in_pieces(
        self, order: Array, numbers: Mapping[str, float | Array], size: int
    ) -> tuple[float, dict[str, Array]]:
        """The same of rows that are too many to be expanded at once.

        J is a mean, and so is its gradient: that over all rows is the mean over the pieces, each by
        its weight. Every piece has the whole penalty, which thereby stays what it is.
        """
        shares = self.weighing.weights(order, size)
        shares = shares / max(float(shares.sum()), float(np.finfo(np.float64).tiny))
        J, slopes = 0.0, dict[str, Array]()
        for share, start in zip(shares.tolist(), range(0, len(order), size), strict=True):
            found = self.engine.run("gradient", order[start : start + size], numbers)
            J += share * float(found["J"][0])
            for name in self.trained:
                own = share * found[name][0].astype(np.float64)
                slopes[name] = slopes[name] + own if name in slopes else own
        return J, slopes

    def observe(self, order: Array) -> dict[str, float]:
        """The statistics of the layers over these rows in one batch, for a solver."""
        found = self.engine.run("observe", order, self._numbers_of_J(order, len(order)))
        return {name: float(value[0]) for name, value in found.items()}

    def score(self, order: Array, batch_size: int | None = None) -> tuple[Array, Any]:
        """The loss of each row (n,), without penalties, and the outputs (n, O); of heads a dict."""
        loss, output, _ = self.score_all(order, batch_size)
        return loss, output

    def score_all(
        self, order: Array, batch_size: int | None = None
    ) -> tuple[Array, Any, dict[str, Array]]:
        """What `score` returns, and the loss of each row by head, where there are some."""
        numbers = self._numbers_of("score")
        size = batch_size or rows_at_once(self.rows.X)
        return self.scored(self.engine.run("score", order, numbers, batch_size=size))

    def score_of(self, copies: Copies, order: Array, only: Sequence[int]) -> None:
        """Find losses and outputs of some copies of this session for these rows."""
        copies.score(order, self._numbers_of("score"), only, rows_at_once(self.rows.X))

    def scored(self, found: Mapping[str, Array]) -> tuple[Array, Any, dict[str, Array]]:
        """What the step "score" found, as `score_all` returns it."""
        outputs = {head: found[of("output", head)] for head in self.heads}
        loss_of = {head: found[of("loss", head)] for head in self.heads}
        return found["loss"], outputs or found["output"], loss_of

    def score_by(self, order: Array, weights: Mapping[str, Array]) -> tuple[float, Any]:
        """J of these rows without penalties, each head's mean by its own weights, and the outputs.

        `weights`: (n,) of the heads that have some.
        """
        _, outputs, loss_of = self.score_all(order)
        ones = np.ones(len(order))
        means = {
            head: mean_by(weights.get(head, ones), own.astype(np.float64))
            for head, own in loss_of.items()
        }
        return float(self.weighing.total(means)), outputs

    def J_of(self, order: Array) -> dict[str, float]:
        """The mean of each head's loss over these rows, as in predictions; none without heads."""
        if not self.heads:
            return {}
        weights, ones = self.rows.weights_of, np.ones(len(self.rows))
        return {
            head: mean_by(weights.get(head, ones)[order], loss)
            for head, loss in self.score_all(order)[2].items()
        }

    def assign(self, parameters: Mapping[str, Array]) -> None:
        """Give the parameters these values; DataError unless they are finite.

        Those that are already read so stay as they are. With a parameter, what the optimizer keeps
        as a copy of it (an average) begins anew, so `parameters()` then gives what was assigned.
        """
        read = self.parameters() if self.reads_others else {}
        for name in self.names:
            require_finite(parameters[name], f"parameter {name}")
            own = read[name] if read else self.engine.read(name)
            if not np.array_equal(own, parameters[name]):
                for state in (name, *self._copies[name]):
                    self.engine.write(state, parameters[name])

    def parameters(self, into: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Copies of the parameters: those to predict with, if the optimizer tells them apart.

        In the arrays `into`, if they are given.
        """
        own = into or {}
        if not self.reads_others:
            return {name: self.engine.read(name, own.get(name)) for name in self.names}
        found = self.engine.run("read", np.zeros(1, np.int64), self._numbers_of("read"))
        for name, array in own.items():
            array[...] = found[name][0]
        return dict(own) or {name: found[name][0] for name in self.names}

    def _numbers_of(self, step: str) -> dict[str, float]:
        """The numbers of a step that only reads, as they were in the last step of training."""
        scalars = self._steps[step].scalars
        known = {name: x for name, x in self._weights.items() if name in scalars}
        names = [name for name in scalars if name not in known]
        if not names:
            return known
        assert self.optimizer is not None
        numbers, last = self.optimizer.numbers(), max(int(self.engine.read(COUNT)) - 1, 0)
        return {**known, **{name: at(numbers[name], last) for name in names}}


def _part(numbers: Mapping[str, float | Array], part: slice) -> dict[str, float | Array]:
    """The numbers of some of the batches: those that have one for each batch, the last axis."""
    return {
        name: value[..., part] if isinstance(value, np.ndarray) else value
        for name, value in numbers.items()
    }
