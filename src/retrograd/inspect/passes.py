"""One pass forward and back through a network, every layer's values and gradients as outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from retrograd.arrays import Array
from retrograd.engines.base import Engine
from retrograd.graph.node import Node
from retrograd.inspect.subject import Subject
from retrograd.nn.architecture import Architecture
from retrograd.nn.layer import Layer, LayerNodes
from retrograd.nn.losses import JointLoss, Loss, Target, Targets
from retrograd.nn.losses.targets import Form
from retrograd.nn.network import Network
from retrograd.nn.noise import SEED, SEEN, rate_name
from retrograd.training.objective import Objective, objective
from retrograd.training.statistics import places_of, slopes_of
from retrograd.training.step import is_own_problem

Z, A, DELTA, E = "z", "a", "delta", "e"
J, LOSS, OUTPUT = "J", "loss", "output"


@dataclass(frozen=True, eq=False)
class Passes:
    """A network's passes as nodes.

    - `places`: each layer with its place, "1", "2", "2.1", ..., and its nodes.
    - `outputs`: by name: J, loss, output; z1, a1, delta1, e1, z2, ...; dW1, db1, ...
    - `slopes`: of each z, a and parameter that is trained: dJ/d(it).
    """

    objective: Objective
    places: tuple[tuple[str, Layer, LayerNodes], ...]
    outputs: Mapping[str, Node]
    slopes: Mapping[Node, Node]

    def values(self, subject: Subject, *, seed: int = 0, first_row: int = 0) -> dict[Node, Array]:
        """The values of the variables: the rows, the parameters, and what noise is drawn from.

        `first_row`: the number of rows that came before; a random layer draws by it.
        """
        made = self.objective
        given = subject.values(made)
        given |= {made.parameters[name]: value for name, value in subject.parameters.items()}
        if made.noise is not None:
            numbers = {SEED: float(seed), SEEN: float(first_row), **made.noise.numbers()}
            named = {SEED: made.noise.seed, SEEN: made.noise.seen}
            named |= {rate_name(place): rate for place, rate in made.noise.rates.items()}
            given |= {node: np.array(numbers[name]) for name, node in named.items()}
        return given


def passes(
    subject: Subject, *, is_still: bool = False, frozen: frozenset[str] = frozenset()
) -> Passes:
    """The passes of a subject: J as in training, or with `is_still` of predictions.

    Those of a network like a former one are kept, as the steps of training are.
    """
    is_known = is_own_problem(subject.network, subject.loss)
    made = _kept if is_known else _passes
    form = subject.network.architecture if is_known else subject.network
    return _made(made, form, subject, is_still=is_still, frozen=frozen)


def fresh_passes(
    subject: Subject,
    *,
    dtype: DTypeLike | None = None,
    is_still: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> Passes:
    """The same built anew, in the network's dtype or another."""
    form = subject.network.architecture
    if dtype is not None:
        form = replace(form, dtype=np.dtype(dtype))
    return _made(_passes, form, subject, is_still=is_still, frozen=frozen)


def _made(
    make: Callable[..., Passes],
    form: Network | Architecture,
    subject: Subject,
    *,
    is_still: bool,
    frozen: frozenset[str],
) -> Passes:
    targets = tuple(
        (head, shape, form.dtype if dtype.kind == "f" else dtype)
        for head, shape, dtype in subject.rows.target.form
    )
    return make(
        form,
        subject.loss,
        targets,
        weighted=tuple(subject.rows.weights),
        is_penalised=subject.l2 > 0,
        is_still=is_still,
        frozen=frozen,
    )


def _passes(
    form: Network | Architecture, loss: Loss | JointLoss, targets: Form, **options: Any
) -> Passes:
    parts = Targets({head: Target(np.empty(0), shape, dtype) for head, shape, dtype in targets})
    made = objective(form, loss, parts, **options)
    places = tuple(places_of(form.layers, made.noisy.layers))
    slopes = slopes_of(made.J, places, made.trained.values())
    outputs = {J: made.J, LOSS: made.noisy_per_row, OUTPUT: made.noisy.output}
    for place, _, nodes in places:
        own = {Z: nodes.z, A: nodes.a, DELTA: slopes[nodes.z], E: slopes[nodes.a]}
        outputs |= {f"{kind}{place}": node for kind, node in own.items()}
    outputs |= {f"d{name}": slopes[w] for name, w in made.trained.items()}
    return Passes(made, places, outputs, slopes)


KEPT = 16  # networks whose passes are kept
_kept = lru_cache(maxsize=KEPT)(_passes)


def run(
    found: Passes, subject: Subject, engine: Engine, *, seed: int = 0, first_row: int = 0
) -> dict[str, Array]:
    """The outputs of the passes by name."""
    values = found.values(subject, seed=seed, first_row=first_row)
    call = engine.function([*found.outputs.values()], [*values])
    arrays = [
        np.ascontiguousarray(value, node.dtype) if node.shape else np.asarray(value, node.dtype)
        for node, value in values.items()
    ]
    return dict(zip(found.outputs, call(arrays), strict=True))
