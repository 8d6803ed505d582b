"""Members that share their weights: each has its own factors on rows and columns, and its biases.

    W_m = r_m * W * s_m, with r_m (I, 1) and s_m (1, O)     b_m of its own
                                                   [Wen, Tran & Ba 2020, BatchEnsemble, eq. 1]

Every member sees every row of a batch; J is the mean of their losses, so one step trains all.

Shapes: M members, B rows, I fan_in, O fan_out: W (I, O), r (M, I), s (M, O), b (M, O).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.estimators.course import Course
from retrograd.estimators.form import Form
from retrograd.estimators.losses import LOG_LOSS, POISSON, SQUARED_ERROR, loss_of
from retrograd.estimators.optimizers import is_stochastic
from retrograd.graph.node import Node, variable
from retrograd.graph.shape import Shape, known
from retrograd.graph.step import Step
from retrograd.nn.architecture import Architecture, Forward
from retrograd.nn.layer import Training
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Network
from retrograd.nn.parameters import Parameters
from retrograd.optim.base import Optimizer
from retrograd.training.objective import objective
from retrograd.training.step import in_general, training_steps
from retrograd.training.train import MIXED

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP
    from retrograd.estimators.ensemble import BaseMLPEnsemble
    from retrograd.estimators.problem import Problem

OF_COURSE = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "is_stopped_"),
    *("validation_scores_", "validation_loss_curve_", "best_validation_score_"),
    *("_no_improvement_count", "_dtype", "n_layers_", "n_outputs_", "out_activation_"),
    *("_inputs", "_target_scale"),
)
"""What members with shared weights have in common."""


def first_parameters(
    coefs: Sequence[Array], intercepts: Sequence[Array], n_members: int, rng: np.random.RandomState
) -> dict[str, Array]:
    """These weights for all, these biases for each member, and factors: 1 or -1 at random."""
    found: dict[str, Array] = {}
    for i, (W, b) in enumerate(zip(coefs, intercepts, strict=True), start=1):
        found[f"W{i}"] = W
        for name, size in zip("rs", W.shape, strict=True):
            found[f"{name}{i}"] = rng.choice([-1.0, 1.0], (n_members, size)).astype(W.dtype)
        found[f"b{i}"] = np.repeat(b[None], n_members, axis=0)
    return found


def of_member(parameters: Mapping[str, Array], m: int) -> tuple[list[Array], list[Array]]:
    """The coefficients and intercepts of a member: its factors multiplied into the weights."""
    layers = range(1, len(parameters) // 4 + 1)
    with np.errstate(over="ignore", invalid="ignore"):  # predictions say that they are not finite
        coefs = [
            parameters[f"r{i}"][m][:, None] * parameters[f"W{i}"] * parameters[f"s{i}"][m]
            for i in layers
        ]
    return coefs, [parameters[f"b{i}"][m].copy() for i in layers]


REFUSED = {
    "bootstrap": (False, "they see the same rows"),
    "max_samples": (1.0, "they see the same rows"),
    "dropout": (0.0, "a unit would drop out for all of them"),
    "callbacks": (None, "no member is trained alone"),
    "label_smoothing": (0.0, "their loss is scikit-learn's"),
}
"""Parameters that members with shared weights cannot have: the value that they must, and why."""


def require_shareable(model: BaseMLPEnsemble) -> None:
    """Raise OptionError for parameters that do not go with shared weights."""
    for name, (needed, why) in REFUSED.items():
        own = getattr(model, name, needed)
        if own != needed:
            raise OptionError(f"members='shared' needs {name}={needed!r}, got {own!r}: {why}")
    if not is_stochastic(model.solver):
        raise OptionError(
            "members='shared' needs a solver that goes by batches, as 'adam' or 'sgd', not "
            f"{model.solver!r}"
        )
    if not isinstance(model.loss, str) or model.loss not in _LOSSES:
        known = ", ".join(map(repr, _LOSSES))
        raise OptionError(f"members='shared' needs a loss of {known}, got {model.loss!r}")
    if model.precision == MIXED:
        raise OptionError(f"members='shared' needs another precision than {MIXED!r}")


class SharedCourse(Course):
    """The course of all members as one: their parameters come back to `parameters`."""

    def __init__(self, model: BaseMLP, problem: Problem, parameters: Mapping[str, Array]) -> None:
        network, loss = problem.network, mean_loss(model.loss, problem.network)
        whole = SharedNetwork(network, parameters)
        super().__init__(model, replace(problem, network=whole, loss=loss), parameters)
        if model._optimizer.optimizer.reads_others:
            raise OptionError(
                "members='shared' needs a solver that trains the weights that it reads out, not "
                f"{model.solver!r}"
            )

    def keep(self, parameters: Mapping[str, Array]) -> None:
        """Keep the parameters of all members."""
        self.parameters = parameters


def hand_out(trunk: BaseMLP, members: Sequence[BaseMLP], parameters: Mapping[str, Array]) -> None:
    """Give the members their weights and the figures of the course that they had in common."""
    layers = range(1, len(parameters) // 4 + 1)
    trunk.coefs_ = [parameters[f"W{i}"] for i in layers]
    trunk.intercepts_ = [parameters[f"b{i}"][0] for i in layers]
    for m, member in enumerate(members):
        member.coefs_, member.intercepts_ = of_member(parameters, m)
        for name in OF_COURSE:
            if hasattr(trunk, name):
                value = getattr(trunk, name)
                setattr(member, name, list(value) if isinstance(value, list) else value)


@dataclass(frozen=True)
class SharedArchitecture(Architecture):
    """A network's layers with the weights of all members; its output is the mean of theirs.

    The logits are (M, B, O), the output (B, O).
    """

    n_members: int = 1

    def variables(self) -> dict[str, Node]:
        """A variable for each parameter, by name, without a value."""
        M = self.n_members
        found: dict[str, Node] = {}
        for name, node in super().variables().items():
            own: dict[str, tuple[Any, ...]] = {name: (M, *node.shape)}
            if name.startswith("W"):
                i, (n_in, n_out) = name[1:], node.shape
                own = {name: node.shape, f"r{i}": (M, n_in), f"s{i}": (M, n_out)}
            found |= {k: variable(k, shape=shape, dtype=self.dtype) for k, shape in own.items()}
        return found

    def forward(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None = None
    ) -> Forward:
        """The forward pass of all members at once."""
        made = super().forward(x, _of_members(parameters), training)
        return replace(made, output=gates.mean(made.output, axis=0))


class SharedNetwork(Network):
    """The networks of all members as one, whose parameters these are: W, r, s and b."""

    def __init__(self, network: Network, parameters: Mapping[str, Array]) -> None:
        own = network.architecture
        M = len(parameters["b1"])
        self._form = SharedArchitecture(own.layers, own.output, own.dtype, n_members=M)
        self._sizes, self._heads = network.sizes, tuple(network.heads)
        self.parameters, self._predict = Parameters(parameters), {}


def mean_loss(choice: str, network: Network) -> Loss:
    """The mean of the members' losses, of the network of one of them."""
    of_member = _LOSSES[choice](network)
    return replace(
        loss_of(choice, network),
        per_row=lambda forward, y: gates.mean(of_member(forward.logits, y), axis=0),
        reported=None,
    )


def _of_members(parameters: Mapping[str, Node]) -> dict[str, Node]:
    """The weights (M, I, O) and biases (M, 1, O) of all members, as nodes."""
    found: dict[str, Node] = {}
    for i in range(1, len(parameters) // 4 + 1):
        W, r, s, b = (parameters[f"{name}{i}"] for name in "Wrsb")
        rows_of_W = gates.reshape(r, (*r.shape, 1))
        columns_of_W, biases = (gates.reshape(v, (v.shape[0], 1, v.shape[1])) for v in (s, b))
        found |= {f"W{i}": rows_of_W * W * columns_of_W, f"b{i}": biases}
    return found


def shared_steps(
    form: Form, loss: str, target: Target, optimizer: Optimizer, n_members: int, **options: Any
) -> Mapping[str, Step]:
    """The steps "train" and "score" of members that share their weights.

    `options`: `dtype` of the weights, and `is_weighted`, whether rows have sample weights.
    """
    general = in_general(optimizer)
    return _steps(form, loss, target.shape, target.dtype, general, n_members, **options)


@lru_cache(maxsize=32)
def _steps(
    form: Form,
    loss: str,
    shape: Shape,
    target_dtype: np.dtype[Any],
    optimizer: Optimizer,
    n_members: int,
    *,
    dtype: np.dtype[Any],
    is_weighted: bool,
) -> Mapping[str, Step]:
    network = form.network(dtype)
    own = network.architecture
    shared = SharedArchitecture(own.layers, own.output, dtype, n_members=n_members)
    target = Target(np.empty(0), shape, target_dtype)
    weighted = ("",) if is_weighted else ()
    return training_steps(
        objective(shared, mean_loss(loss, network), target, weighted=weighted), optimizer
    )


# The loss of each member and row (M, B) from logits z (M, B, O), as `losses` has them for one.


def _categorical(z: Node, y: Node) -> Node:
    truth = gates.one_hot(y, known(z.shape[-1]), z.dtype)
    return -gates.sum(truth * gates.log_softmax(z, axis=-1), axis=-1)


def _binary(z: Node, y: Node) -> Node:
    return gates.sum(gates.softplus(z) - y * z, axis=-1)


def _squared_error(z: Node, y: Node) -> Node:
    return 0.5 * gates.sum(gates.square(z - y), axis=-1)


def _poisson(z: Node, y: Node) -> Node:
    log_y = gates.log(gates.where(y > 0.0, y, 1.0))  # y log(y) is 0 at 0
    return gates.sum(y * (log_y - z) - y + gates.exp(z), axis=-1)


_LOSSES: dict[str, Callable[[Network], Callable[[Node, Node], Node]]] = {
    LOG_LOSS: lambda network: _categorical if network.output == "softmax" else _binary,
    SQUARED_ERROR: lambda network: _squared_error,
    POISSON: lambda network: _poisson,
}
