"""The steps of training: network, loss and optimizer become graphs, built once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.errors import OptionError
from retrograd.graph.node import FLOATS, Node, constant, variable
from retrograd.graph.order import rebuild, variables
from retrograd.graph.shape import Shape, rows, with_rows
from retrograd.graph.step import Step
from retrograd.nn.layer import Layer, Training
from retrograd.nn.losses import Formula, Loss, Target
from retrograd.nn.network import Architecture, Forward, Network
from retrograd.nn.noise import Noise
from retrograd.optim.base import Nodes, Optimizer, Point, Slot
from retrograd.optim.clip import joint_norm
from retrograd.plan.precision import in_bfloat16
from retrograd.training.residual_steps import residual_steps
from retrograd.training.statistics import places_of, statistics

COUNT = "t"  # the state variable that counts steps


@dataclass(frozen=True, eq=False)
class Objective:
    """J of a batch as a node, with everything it is made from.

    `parameters` are all of the network's, `trained` those that follow J's gradient.
    `reported` is J, unless the loss reports another than the one it descends on.
    `forward` and `per_row` are those of predictions: random layers are still. J has their noise,
    as have `noisy`, the pass that it is made of, and `noisy_per_row`, its losses.
    `per_row` is what is reported, too.
    `updates`: the next value of each statistic of the batches that the network keeps.
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


def objective(
    network: Network | Architecture,
    loss: Loss,
    target: Target,
    *,
    is_weighted: bool = False,
    is_penalised: bool = True,
    is_still: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> Objective:
    """J = mean over the batch's rows of the loss + l2/2 * the sum of squares of the weights.

    With sample weights w the mean is sum(w * loss) / sum(w). Biases are not penalised, nor what is
    frozen. Where l2 is 0 anyway, `is_penalised=False` leaves the penalty's gates out. `is_still`:
    J is of the pass of predictions too, without noise, batch normalisation by its estimates.
    """
    dtype = network.dtype
    x = variable("x", shape=(rows, network.n_inputs), dtype=dtype)
    y = variable("y", shape=target.shape, dtype=target.dtype)
    inputs = {"x": x, "y": y}
    parameters, l2 = network.variables(), variable("l2", shape=())
    fixed = network.statistics | frozen
    trained = {name: w for name, w in parameters.items() if name not in fixed}
    forward, noise = network.forward(x, parameters), network.noise()
    is_still = is_still or (noise is None and not network.statistics)
    noisy = forward if is_still else network.forward(x, parameters, Training(noise, frozen))
    per_row = loss.per_row(forward, y)
    if is_weighted:
        inputs["sample_weight"] = variable("sample_weight", shape=(rows,), dtype=dtype)

    def J_of(loss_per_row: Node) -> Node:
        mean = _mean(loss_per_row, inputs.get("sample_weight"))
        return mean + _penalty(trained, l2) if is_penalised else mean

    noisy_per_row = per_row if is_still else loss.per_row(noisy, y)
    J = reported = J_of(noisy_per_row)
    if loss.reported is not None:
        per_row, reported = loss.reported(forward, y), J_of(loss.reported(noisy, y))
    return Objective(
        inputs,
        parameters,
        trained,
        l2,
        forward,
        per_row,
        J,
        reported,
        noisy,
        noisy_per_row,
        noise,
        noisy.updates,
    )


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


def training_steps(
    objective: Objective, optimizer: Optimizer, layers: Sequence[Layer] | None = None
) -> dict[str, Step]:
    """The steps "train" (J; updates), "observe" (the gradient's norm too) and "score".

    "observe" computes and updates the same as "train"; the loop runs it for the last batch of an
    epoch, so that a history of the norm costs nothing in the others. With `layers`, the network's,
    it tells `statistics` too. Where the optimizer reads other weights out than it trains, "score"
    is of those, and the step "read" gives them.
    """
    parameters, slopes = objective.trained, gradients(objective)
    t = variable(COUNT, shape=())
    scalars = {name: variable(name, shape=()) for name in optimizer.numbers()}
    dtype = next(iter(parameters.values())).dtype
    shapes = {name: w.shape for name, w in parameters.items()}
    slots = {
        name: variable(name, shape=slot.shape, dtype=_dtype_of(slot, dtype))
        for name, slot in optimizer.state(shapes).items()
    }
    following = t + 1.0
    point = Point(
        parameters, slopes, slots, scalars, following, lambda w: gradients_at(objective, w)
    )
    state = {**objective.parameters, COUNT: t, **slots}
    updates = {COUNT: following}
    for name, node in {**optimizer.step(point), **objective.updates}.items():
        updates[name] = gates.cast(node, state[name].dtype)
    common = {
        "inputs": objective.inputs,
        "scalars": {**scalars, "l2": objective.l2},
        "state": state,
        "updates": updates,
    }
    observed = {"J": objective.reported, "gradient_norm": joint_norm(slopes)}
    if layers is not None:
        nodes = [x.z for _, _, x in places_of(layers, objective.noisy.layers)]
        deltas = dict(zip(nodes, gradient(objective.J, nodes), strict=True))
        observed |= statistics(layers, objective.noisy, deltas, parameters, slopes, updates)
    steps = {
        "train": Step(outputs={"J": objective.reported}, **common),
        "observe": Step(outputs=observed, **common),
        "score": score_step(objective),
    }
    read = optimizer.read(parameters, slots, scalars)
    if all(read[name] is w for name, w in parameters.items()):
        return steps
    return steps | reading_steps(objective, read, state, scalars)


def _dtype_of(slot: Slot, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a state variable: the parameters', but a lone number counts in float64."""
    return dtype if slot.shape or slot.copy_of else FLOATS[-1]


def reading_steps(
    objective: Objective, read: Nodes, state: Nodes, scalars: Nodes
) -> dict[str, Step]:
    """The steps "read" (the weights to predict with) and "score" by them."""
    weights = {
        name: gates.cast(node, objective.parameters[name].dtype)
        for name, node in {**objective.parameters, **read}.items()
    }
    score = score_step(objective)
    moved = {objective.parameters[name]: node for name, node in weights.items()}
    outputs = dict(zip(score.outputs, rebuild(score.outputs.values(), moved), strict=True))
    used = set(variables([*weights.values(), *outputs.values()]))
    own = {
        "state": {name: node for name, node in state.items() if node in used},
        "scalars": {name: node for name, node in scalars.items() if node in used},
    }
    return {
        "read": Step(inputs={}, outputs=weights, **own),
        "score": Step(inputs=score.inputs, outputs=outputs, **own),
    }


def descent_steps(
    objective: Objective, optimizer: Optimizer | None, layers: Sequence[Layer] | None = None
) -> dict[str, Step]:
    """The steps that a run opens: those of an optimizer, or where a solver asks for gradients."""
    if optimizer is not None:
        steps = training_steps(objective, optimizer, layers)
    elif objective.updates:
        raise OptionError(
            "train: solvers of full batches take no rg.BatchNorm, whose running estimates follow "
            "the batches; choose another optimizer, or rg.LayerNorm"
        )
    else:
        steps = {"gradient": gradient_step(objective), "score": score_step(objective)}
    if objective.noise is None:
        return steps
    return {name: keyed(step, objective.noise) for name, step in steps.items()}


def keyed(step: Step, noise: Noise) -> Step:
    """The step with the key of its random gates: scalars, and the rows seen as state.

    A step that updates nothing, as solvers take, draws the same whenever it runs.
    """
    if not {noise.seed, noise.seen}.intersection(variables(step.results)):
        return step
    return replace(
        step,
        scalars={**step.scalars, **noise.scalars},
        state={**step.state, **noise.state},
        updates={**step.updates, **(noise.updates if step.updates else {})},
    )


def least_squares_steps(objective: Objective, loss: Loss) -> dict[str, Step]:
    """The steps that Levenberg-Marquardt opens.

    OptionError where the loss is no sum of squares, or the network draws: a Jacobian is put
    together from single rows, and there is but one of residuals that stay as they are.
    """
    if objective.noise is not None:
        raise OptionError(
            "LevenbergMarquardt: takes no random layers; the network has an rg.Dropout"
        )
    if objective.updates:
        raise OptionError("LevenbergMarquardt: takes no rg.BatchNorm, whose rows are not their own")
    if loss.residuals is None:
        raise OptionError(
            f"LevenbergMarquardt: the loss must be a sum of squares, half_squared_error or "
            f"squared_error; it is {loss.name}"
        )
    residuals = loss.residuals(objective.forward, objective.inputs["y"])
    inputs = {name: objective.inputs[name] for name in ("x", "y")}
    kept = {k: w for k, w in objective.parameters.items() if k not in objective.trained}
    steps = residual_steps(residuals, inputs, objective.trained, kept)
    return {**steps, "score": score_step(objective)}


def steps_of(
    network: Network,
    loss: Loss,
    target: Target,
    optimizer: Optimizer | None,
    *,
    is_weighted: bool = False,
    is_penalised: bool = True,
    is_mixed: bool = False,
    is_least_squares: bool = False,
    is_recorded: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> Mapping[str, Step]:
    """The steps that a run opens; a problem like a former one gets those that were made for it.

    `is_mixed`: products in bfloat16, but for scores. `is_least_squares`: those of residuals.
    `is_recorded`: "observe" tells the statistics of parameters and layers.
    Steps are kept where all that they are made of is the package's own. A user's activation, loss,
    optimizer or layer is asked anew each time: it may build another graph than the last time.
    """
    is_known = is_own_problem(network, loss, optimizer)
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
        is_least_squares=is_least_squares,
        is_recorded=is_recorded,
        frozen=frozen,
    )


def is_own_problem(network: Network, loss: Loss, optimizer: Optimizer | None = None) -> bool:
    """Whether all that a problem's graphs are made of is the package's own (see `is_own`)."""
    layers = network.layers
    activations = [f for layer in layers for f in layer.functions]
    functions = [loss.per_row, loss.reported, loss.residuals, network.output, *activations]
    kinds = {type(network)}.union(*(layer.kinds() for layer in layers))
    kinds |= optimizer.kinds() if optimizer is not None else set()
    return all(map(is_own, [*functions, *kinds]))


def _steps(
    form: Network | Architecture,
    loss: Loss,
    shape: Shape,
    dtype: np.dtype[Any],
    optimizer: Optimizer | None,
    *,
    is_mixed: bool,
    is_least_squares: bool,
    is_recorded: bool,
    **options: Any,
) -> Mapping[str, Step]:
    target = Target(np.empty(0), shape, dtype)  # of its variable; the numbers are the session's
    made = objective(form, loss, target, **options)
    if is_least_squares:
        steps = least_squares_steps(made, loss)
    else:
        steps = descent_steps(made, optimizer, form.layers if is_recorded else None)
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
    SGD(learning_rate=0.5, momentum=0.5, nesterov=False, dampening=0.0)
    """
    return optimizer.changed(lambda number: 0.5 if number else 0.0)


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


def initial_state(
    network: Network, optimizer: Optimizer, trained: Collection[str] | None = None
) -> dict[str, Array]:
    """The state at the first step: the network's parameters, the optimizer's slots, t = 0.

    `trained`: those that the optimizer changes, all by default.
    """
    parameters = network.parameters
    return state_at(parameters, optimizer, [*parameters] if trained is None else trained)


def state_at(
    parameters: Mapping[str, Array], optimizer: Optimizer, trained: Collection[str]
) -> dict[str, Array]:
    """The state at the first step from these parameters, of which `trained` are changed."""
    dtype = next(iter(parameters.values())).dtype
    state = {COUNT: np.zeros(()), **parameters}
    for name, slot in optimizer.state({name: parameters[name].shape for name in trained}).items():
        if slot.copy_of is not None:
            state[name] = parameters[slot.copy_of].copy()
        else:
            state[name] = np.zeros(with_rows(slot.shape, 0), _dtype_of(slot, dtype))
            if slot.initial:
                state[name][...] = slot.initial
    return state
