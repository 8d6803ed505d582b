"""The objective: network, loss and penalty as one graph from a batch to J, and its gradient."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np

from retrograd import gates
from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import Node, constant, variable
from retrograd.graph.order import rebuild
from retrograd.graph.shape import rows
from retrograd.nn.architecture import Architecture, Forward
from retrograd.nn.layer import Training
from retrograd.nn.losses import JointLoss, Loss, Target, Targets
from retrograd.nn.network import Network
from retrograd.nn.noise import Noise
from retrograd.optim.base import Nodes

TARGET, SAMPLE_WEIGHT, WEIGHT, L2 = "y", "sample_weight", "weight", "l2"  # names in a step


@dataclass(frozen=True, eq=False)
class Objective:
    """J of a batch as a node, with everything it is made from.

    `parameters` are all of the network's, `trained` those that follow J's gradient.
    `reported` is J, unless the loss reports another than the one it descends on.
    `forward` and `per_row` are those of predictions: random layers are still. J has their noise,
    as have `noisy`, the pass that it is made of, and `noisy_per_row`, its losses.
    `updates`: the next value of each statistic of the batches that the network keeps.
    With heads, J and `per_row` are sums weighted by `weights`, scalars by their names; each head's
    own are in `J_of` (as reported) and `per_row_of`. "" is the one head of a network without.
    """

    inputs: Mapping[str, Node]
    parameters: Mapping[str, Node]
    trained: Mapping[str, Node]
    l2: Node
    forward: Forward
    per_row: Node
    J: Node
    reported: Node
    noisy: Forward
    noisy_per_row: Node
    noise: Noise | None = None
    updates: Mapping[str, Node] = field(default_factory=dict)
    weights: Mapping[str, Node] = field(default_factory=dict)
    J_of: Mapping[str, Node] = field(default_factory=dict)
    per_row_of: Mapping[str, Node] = field(default_factory=dict)

    @property
    def scalars(self) -> dict[str, Node]:
        """The scalars that J depends on, by name."""
        return {L2: self.l2, **self.weights}


def objective(
    network: Network | Architecture,
    losses: Loss | JointLoss,
    targets: Target | Targets,
    *,
    weighted: Collection[str] = (),
    is_penalised: bool = True,
    is_still: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> Objective:
    """J = mean over the batch's rows of the loss + l2/2 * the sum of squares of the weights.

    With sample weights w the mean is sum(w * loss) / sum(w). Biases are not penalised, nor what is
    frozen. Where l2 is 0 anyway, `is_penalised=False` leaves the penalty's gates out. `is_still`:
    J is of the pass of predictions too, without noise, batch normalisation by its estimates.
    With heads the mean is a weighted sum of theirs. `weighted`: the heads that have sample weights.
    """
    dtype = network.dtype
    x = variable("x", shape=(rows, network.n_inputs), dtype=dtype)
    inputs = {"x": x} | {
        of(TARGET, head): variable(of(TARGET, head), shape=target.shape, dtype=target.dtype)
        for head, target in targets.parts.items()
    }
    for name in (of(SAMPLE_WEIGHT, head) for head in weighted):
        inputs[name] = variable(name, shape=(rows,), dtype=dtype)
    parameters, l2 = network.variables(), variable(L2, shape=())
    fixed = network.statistics | frozen
    trained = {name: w for name, w in parameters.items() if name not in fixed}
    forward, noise = network.forward(x, parameters), network.noise()
    is_still = is_still or (noise is None and not network.statistics)
    noisy = forward if is_still else network.forward(x, parameters, Training(noise, frozen))
    weights = {of(WEIGHT, head): variable(of(WEIGHT, head), shape=()) for head in losses.weights}

    def per_row_of(passed: Forward, *, is_reported: bool = False) -> Nodes:
        return {
            head: ((is_reported and loss.reported) or loss.per_row)(
                passed.of_head(head), inputs[of(TARGET, head)]
            )
            for head, loss in losses.by_head.items()
        }

    def mean_of(per_row: Nodes) -> Nodes:
        return {
            head: _mean(loss, inputs.get(of(SAMPLE_WEIGHT, head))) for head, loss in per_row.items()
        }

    def total(of_heads: Nodes) -> Node:
        found = [weights[of(WEIGHT, h)] * x if weights else x for h, x in of_heads.items()]
        return reduce(add, found)

    def J_of(means: Nodes) -> Node:
        return total(means) + _penalty(trained, l2) if is_penalised else total(means)

    per_row = still = per_row_of(forward)
    noisy_per_row = still if is_still else per_row_of(noisy)
    means = mean_of(noisy_per_row)
    J, reported = J_of(means), means
    if any(loss.reported for loss in losses.by_head.values()):
        reported = mean_of(per_row_of(noisy, is_reported=True))
        per_row = per_row_of(forward, is_reported=True)
    return Objective(
        inputs,
        parameters,
        trained,
        l2,
        forward,
        total(per_row),
        J,
        J if reported is means else J_of(reported),
        noisy,
        total(noisy_per_row),
        noise,
        noisy.updates,
        weights,
        reported,
        per_row,
    )


def of(what: str, head: str) -> str:
    """The name of what belongs to a head; of the one output, "", without more.

    >>> of("y", "price"), of("y", "")
    ('y of price', 'y')
    """
    return f"{what} of {head}" if head else what


def _mean(per_row: Node, weight: Node | None) -> Node:
    if weight is None:
        return gates.mean(per_row)
    tiny = float(np.finfo(weight.dtype).tiny)  # a batch of zero weights has J = 0, not 0/0
    return gates.sum(weight * per_row) / gates.maximum(gates.sum(weight), tiny)


def _penalty(parameters: Mapping[str, Node], l2: Node) -> Node:
    total: Node = constant(0.0)
    for name, w in parameters.items():
        if has_penalty(name):
            total = total + gates.sum(gates.square(w))
    return 0.5 * l2 * total


def has_penalty(parameter: str) -> bool:
    """Whether l2 counts a parameter of this name: the weights, not the biases."""
    return parameter.startswith("W")


def gradients(objective: Objective) -> dict[str, Node]:
    """dJ/d(parameter) by the name of each that is trained."""
    parameters = objective.trained
    return dict(zip(parameters, gradient(objective.J, list(parameters.values())), strict=True))


def gradients_at(objective: Objective, w: Nodes) -> dict[str, Node]:
    """dJ/d(parameter) by the parameter's name, at other parameters than the network's."""
    stand = {name: variable(name, shape=x.shape, dtype=x.dtype) for name, x in w.items()}
    (J,) = rebuild([objective.J], {objective.parameters[name]: x for name, x in stand.items()})
    slopes = gradient(J, list(stand.values()))
    moved = {x: gates.cast(w[name], x.dtype) for name, x in stand.items()}
    return dict(zip(w, rebuild(slopes, moved), strict=True))
