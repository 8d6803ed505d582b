"""The steps of training: network, loss and optimizer become graphs, built once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import Node, constant, variable
from retrograd.graph.shape import Shape, rows
from retrograd.graph.step import Step
from retrograd.nn.losses import Formula, Loss, Target
from retrograd.nn.network import Architecture, Forward, Network
from retrograd.optim.base import Optimizer
from retrograd.plan.precision import in_bfloat16

COUNT = "t"  # the state variable that counts steps


@dataclass(frozen=True, eq=False)
class Objective:
    """J of a batch as a node, with everything it is made from.

    `reported` is J, unless the loss reports another than the one it descends on.
    """

    inputs: Mapping[str, Node]
    parameters: Mapping[str, Node]
    l2: Node
    forward: Forward
    per_row: Node
    J: Node
    reported: Node


def objective(
    network: Network | Architecture,
    loss: Loss,
    target: Target,
    *,
    is_weighted: bool = False,
    is_penalised: bool = True,
) -> Objective:
    """J = mean over the batch's rows of the loss + l2/2 * the sum of squares of the weights.

    With sample weights w the mean is sum(w * loss) / sum(w). Biases are not penalised. Where
    l2 is 0 anyway, `is_penalised=False` leaves the penalty's gates out.
    """
    dtype = network.dtype
    x = variable("x", shape=(rows, network.n_inputs), dtype=dtype)
    y = variable("y", shape=target.shape, dtype=target.dtype)
    inputs = {"x": x, "y": y}
    parameters, l2 = network.variables(), variable("l2", shape=())
    forward = network.forward(x, parameters)
    per_row = loss.per_row(forward, y)
    if is_weighted:
        inputs["sample_weight"] = variable("sample_weight", shape=(rows,), dtype=dtype)

    def J_of(loss_per_row: Node) -> Node:
        mean = _mean(loss_per_row, inputs.get("sample_weight"))
        return mean + _penalty(parameters, l2) if is_penalised else mean

    J = J_of(per_row)
    reported = J if loss.reported is None else J_of(loss.reported(forward, y))
    return Objective(inputs, parameters, l2, forward, per_row, J, reported)


def _mean(per_row: Node, weight: Node | None) -> Node:
    if weight is None:
        return gates.mean(per_row)
    tiny = float(np.finfo(weight.dtype).tiny)  # a batch of zero weights has J = 0, not 0/0
    return gates.sum(weight * per_row) / gates.maximum(gates.sum(weight), tiny)


def _penalty(parameters: Mapping[str, Node], l2: Node) -> Node:
    total: Node = constant(0.0)
    for name, w in parameters.items():
        if name.startswith("W"):
            total = total + gates.sum(gates.square(w))
    return 0.5 * l2 * total


def gradients(objective: Objective) -> dict[str, Node]:
    """dJ/d(parameter) by the parameter's name."""
    parameters = objective.parameters
    return dict(zip(parameters, gradient(objective.J, list(parameters.values())), strict=True))


def training_steps(objective: Objective, optimizer: Optimizer) -> dict[str, Step]:
    """The steps "train" (J; updates), "observe" (the gradient's norm too) and "score".

    "observe" computes and updates the same as "train"; the loop runs it for the last batch of an
    epoch, so that a history of the norm costs nothing in the others.
    """
    parameters, slopes = objective.parameters, gradients(objective)
    t = variable(COUNT, shape=())
    scalars = {name: variable(name, shape=()) for name in optimizer.numbers()}
    state, updates = {**parameters, COUNT: t}, {COUNT: t + 1.0}
    for name, w in parameters.items():
        slots = {
            slot: variable(slot_name(slot, name), shape=w.shape, dtype=w.dtype)
            for slot in optimizer.slots()
        }
        new, new_slots = optimizer.update(w, slopes[name], slots, scalars, updates[COUNT])
        updates[name] = gates.cast(new, w.dtype)
        for slot, value in new_slots.items():
            state[slot_name(slot, name)] = slots[slot]
            updates[slot_name(slot, name)] = gates.cast(value, w.dtype)
    common = {
        "inputs": objective.inputs,
        "scalars": {**scalars, "l2": objective.l2},
        "state": state,
        "updates": updates,
    }
    return {
        "train": Step(outputs={"J": objective.reported}, **common),
        "observe": Step(outputs={"J": objective.reported, "gradient_norm": norm(slopes)}, **common),
        "score": score_step(objective),
    }


def descent_steps(objective: Objective, optimizer: Optimizer | None) -> dict[str, Step]:
    """The steps that a run opens: those of an optimizer, or where a solver asks for gradients."""
    if optimizer is not None:
        return training_steps(objective, optimizer)
    return {"gradient": gradient_step(objective), "score": score_step(objective)}


def steps_of(
    network: Network,
    loss: Loss,
    target: Target,
    optimizer: Optimizer | None,
    *,
    is_weighted: bool = False,
    is_penalised: bool = True,
    is_mixed: bool = False,
) -> Mapping[str, Step]:
    """The steps that a run opens; a problem like a former one gets those that were made for it.

    `is_mixed`: products in bfloat16, but for scores.
    Steps are kept where all that they are made of is the package's own. A user's activation, loss,
    optimizer or layer is asked anew each time: it may build another graph than the last time.
    """
    layers = network.layers
    functions = [loss.per_row, loss.reported, network.output, *(x.activation for x in layers)]
    is_known = all(map(is_own, [*functions, *map(type, [network, optimizer, *layers])]))
    make = _kept_steps if is_known else _steps
    return make(
        network.architecture if is_known else network,
        loss,
        target.shape,
        target.dtype,
        in_general(optimizer) if is_known and optimizer is not None else optimizer,
        is_weighted=is_weighted,
        is_penalised=is_penalised,
        is_mixed=is_mixed,
    )


def _steps(
    form: Network | Architecture,
    loss: Loss,
    shape: Shape,
    dtype: np.dtype[Any],
    optimizer: Optimizer | None,
    *,
    is_mixed: bool,
    **options: bool,
) -> Mapping[str, Step]:
    target = Target(np.empty(0), shape, dtype)  # of its variable; the numbers are the session's
    steps = descent_steps(objective(form, loss, target, **options), optimizer)
    if not is_mixed:
        return steps
    return {name: s if name == "score" else in_bfloat16(s) for name, s in steps.items()}


KEPT_STEPS = 32  # problems whose steps are kept
_kept_steps = lru_cache(maxsize=KEPT_STEPS)(_steps)


def is_own(thing: object) -> bool:
    """Whether a name, a function or a class is the package's own, and so builds the same each time.

    >>> is_own("relu"), is_own(rg.tanh), is_own(np.tanh)
    (True, True, False)
    """
    if thing is None or isinstance(thing, str):
        return True
    if isinstance(thing, Formula):
        thing = type(thing)  # its numbers are compared too
    if isinstance(thing, FunctionType) and thing.__closure__ is not None:
        return False
    is_plain = isinstance(thing, FunctionType | type)
    return is_plain and thing.__module__.partition(".")[0] in ("retrograd", "builtins")


def in_general(optimizer: Optimizer) -> Optimizer:
    """The optimizer of the same gates whose numbers are 0 or 1/2.

    >>> in_general(rg.SGD(0.1, momentum=0.9))
    SGD(learning_rate=0.5, momentum=0.5, nesterov=False)
    """
    numbers = {name: 0.5 if rate else 0.0 for name, rate in optimizer.numbers().items()}
    return replace(optimizer, **numbers)


def score_step(objective: Objective) -> Step:
    """The step "score": the loss of each row, without penalties, and the network's output."""
    inputs = {name: node for name, node in objective.inputs.items() if name != "sample_weight"}
    outputs = {"loss": objective.per_row, "output": objective.forward.output}
    return Step(inputs=inputs, state=objective.parameters, outputs=outputs)


def gradient_step(objective: Objective) -> Step:
    """The step "gradient": J and dJ/d(parameter) under the parameter's name, without an update."""
    outputs = {"J": objective.reported, **gradients(objective)}
    scalars = {"l2": objective.l2}
    return Step(objective.inputs, objective.parameters, outputs, scalars)


def norm(slopes: Mapping[str, Node]) -> Node:
    """The Euclidean norm of all gradients together."""
    total: Node = constant(0.0)
    for g in slopes.values():
        total = total + gates.sum(gates.square(g))
    return gates.sqrt(total)


def slot_name(slot: str, parameter: str) -> str:
    """The name of an optimizer's state variable: `m of W1`."""
    return f"{slot} of {parameter}"


def initial_state(network: Network, optimizer: Optimizer) -> dict[str, Array]:
    """The state at the first step: the network's parameters, slots of zeros, t = 0."""
    state = {COUNT: np.zeros(()), **network.parameters}
    for name, w in network.parameters.items():
        for slot in optimizer.slots():
            state[slot_name(slot, name)] = np.zeros_like(w)
    return state
