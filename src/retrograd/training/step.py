"""The steps of training: network, loss and optimizer become graphs, built once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.errors import OptionError
from retrograd.graph.node import FLOATS, variable
from retrograd.graph.order import rebuild, variables
from retrograd.graph.shape import with_rows
from retrograd.graph.step import Step
from retrograd.nn.architecture import Architecture
from retrograd.nn.layer import Layer
from retrograd.nn.losses import Formula, JointLoss, Loss, Target, Targets
from retrograd.nn.losses.targets import Form
from retrograd.nn.network import Network
from retrograd.nn.noise import Noise
from retrograd.optim.base import Nodes, Optimizer, Point, Slot, require_normal
from retrograd.optim.lengths import joint_norm
from retrograd.plan.precision import in_bfloat16
from retrograd.training.objective import (
    SAMPLE_WEIGHT,
    TARGET,
    Objective,
    gradients,
    gradients_at,
    objective,
    of,
)
from retrograd.training.residual_steps import residual_steps
from retrograd.training.statistics import of_layers, of_parameters

COUNT = "t"  # the state variable that counts steps


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
        "scalars": {**scalars, **objective.scalars},
        "state": state,
        "updates": updates,
    }
    J = {"J": objective.reported}
    if objective.weights:
        J |= {of("J", head): node for head, node in objective.J_of.items()}
    observed = {**J, "gradient_norm": joint_norm(slopes)}
    if layers is not None:
        observed |= of_parameters(parameters, slopes, updates) | of_layers(objective, layers)
    steps = {
        "train": Step(outputs=J, **common),
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
        "scalars": {
            name: node for name, node in {**scalars, **objective.weights}.items() if node in used
        },
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
        steps |= {} if layers is None else {"observe": observing_step(objective, layers)}
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


def least_squares_steps(
    objective: Objective, loss: Loss | JointLoss, layers: Sequence[Layer] | None = None
) -> dict[str, Step]:
    """The steps that Levenberg-Marquardt opens; with `layers` "observe" too.

    OptionError where the loss is no sum of squares, or the network draws: a Jacobian is put
    together from single rows, and there is but one of residuals that stay as they are.
    """
    if objective.noise is not None:
        raise OptionError(
            "LevenbergMarquardt: takes no random layers; the network has an rg.Dropout"
        )
    if objective.updates:
        raise OptionError("LevenbergMarquardt: takes no rg.BatchNorm, whose rows are not their own")
    if isinstance(loss, JointLoss):
        raise OptionError(
            "LevenbergMarquardt: takes networks of one output; this one has the heads "
            f"{', '.join(loss.by_head)}"
        )
    if loss.residuals is None:
        raise OptionError(
            f"LevenbergMarquardt: the loss must be a sum of squares, half_squared_error or "
            f"squared_error; it is {loss.name}"
        )
    residuals = loss.residuals(objective.forward, objective.inputs[TARGET])
    inputs = {name: objective.inputs[name] for name in ("x", TARGET)}
    kept = {k: w for k, w in objective.parameters.items() if k not in objective.trained}
    steps = residual_steps(residuals, inputs, objective.trained, kept)
    steps |= {} if layers is None else {"observe": observing_step(objective, layers)}
    return {**steps, "score": score_step(objective)}


def steps_of(
    network: Network,
    losses: Loss | JointLoss,
    targets: Target | Targets,
    optimizer: Optimizer | None,
    *,
    weighted: tuple[str, ...] = (),
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
    is_known = is_own_problem(network, losses, optimizer)
    make = _kept_steps if is_known else _steps
    return make(
        network.architecture if is_known else network,
        losses,
        targets.form,
        in_general(optimizer) if is_known and optimizer is not None else optimizer,
        weighted=weighted,
        is_penalised=is_penalised,
        is_mixed=is_mixed,
        is_least_squares=is_least_squares,
        is_recorded=is_recorded,
        frozen=frozen,
    )


def is_own_problem(
    network: Network, losses: Loss | JointLoss, optimizer: Optimizer | None = None
) -> bool:
    """Whether all that a problem's graphs are made of is the package's own (see `is_own`)."""
    layers = network.layers
    functions = [f for layer in layers for f in layer.functions]
    functions += [head.output for head in network.architecture.outputs.values()]
    formulas = [
        f for loss in losses.by_head.values() for f in (loss.per_row, loss.reported, loss.residuals)
    ]
    kinds = {type(network)}.union(*(layer.kinds() for layer in layers))
    kinds |= optimizer.kinds() if optimizer is not None else set()
    return all(map(is_own, [*functions, *formulas, *kinds]))


def _steps(
    form: Network | Architecture,
    losses: Loss | JointLoss,
    targets: Form,
    optimizer: Optimizer | None,
    *,
    is_mixed: bool,
    is_least_squares: bool,
    is_recorded: bool,
    **options: Any,
) -> Mapping[str, Step]:
    # Of their variables; the numbers are the session's.
    parts = Targets({head: Target(np.empty(0), shape, dtype) for head, shape, dtype in targets})
    made = objective(form, losses, parts, **options)
    layers = form.layers if is_recorded else None
    if is_least_squares:
        steps = least_squares_steps(made, losses, layers)
    else:
        steps = descent_steps(made, optimizer, layers)
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
    return is_plain and (thing.__module__ or "").partition(".")[0] in ("retrograd", "builtins")


def in_general(optimizer: Optimizer) -> Optimizer:
    """The optimizer of the same gates whose numbers are 0 or 1/2.

    >>> in_general(rg.SGD(0.1, momentum=0.9))
    SGD(learning_rate=0.5, momentum=0.5, nesterov=False, dampening=0.0)
    """
    return optimizer.changed(lambda number: 0.5 if number else 0.0)


def score_step(objective: Objective) -> Step:
    """The step "score": the loss of each row, without penalties, and the network's output.

    With heads the loss is the weighted sum of theirs, which are there too, as are their outputs.
    """
    weights = {of(SAMPLE_WEIGHT, head) for head in objective.per_row_of}
    inputs = {name: node for name, node in objective.inputs.items() if name not in weights}
    outputs = {"loss": objective.per_row}
    for head, loss in objective.per_row_of.items():
        if head:
            outputs[of("loss", head)] = loss
        outputs[of("output", head)] = objective.forward.of_head(head).output
    return Step(inputs, objective.parameters, outputs, objective.weights)


def gradient_step(objective: Objective) -> Step:
    """The step "gradient": J and dJ/d(parameter) under the parameter's name, without an update."""
    outputs = {"J": objective.reported, **gradients(objective)}
    return Step(objective.inputs, objective.parameters, outputs, objective.scalars)


def observing_step(objective: Objective, layers: Sequence[Layer]) -> Step:
    """The step "observe" of a solver: the statistics of the layers, without an update."""
    outputs = of_layers(objective, layers)
    return Step(objective.inputs, objective.parameters, outputs, objective.scalars)


def state_at(
    parameters: Mapping[str, Array], optimizer: Optimizer, trained: Collection[str] | None = None
) -> dict[str, Array]:
    """The state at the first step: these parameters, the optimizer's slots, t = 0.

    Its arrays are to be read only: parameters are those given, and a slot of one number takes the
    memory of one. `trained`: those that the optimizer changes, all by default. Raises OptionError
    where a number of the optimizer is too small for their dtype.
    """
    if trained is None:
        trained = parameters.keys()
    dtype = next(iter(parameters.values())).dtype
    require_normal(optimizer, dtype)
    state = {COUNT: np.zeros(()), **parameters}
    for name, slot in optimizer.state({name: parameters[name].shape for name in trained}).items():
        if slot.copy_of is not None:
            state[name] = parameters[slot.copy_of]
        else:
            number = np.array(slot.initial, _dtype_of(slot, dtype))
            state[name] = np.broadcast_to(number, with_rows(slot.shape, 0))
    return state
