"""One pass forward and back through a network, every layer's values and gradients as outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.engines.base import Engine
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape
from retrograd.inspect.subject import Subject
from retrograd.nn.layer import Layer, LayerNodes
from retrograd.nn.losses import Loss, Target
from retrograd.nn.network import Architecture, Network
from retrograd.nn.noise import SEED, SEEN, rate_name
from retrograd.training.statistics import places_of
from retrograd.training.step import Objective, is_own_problem, objective

Z, A, DELTA, E = "z", "a", "delta", "e"
MODES = ("train", "predict")
J, LOSS, OUTPUT = "J", "loss", "output"


@dataclass(frozen=True, eq=False)
class Passes:
    """A network's passes as nodes.

    - `places`: each layer with its place, "1", "2", "2.1", ..., and its nodes.
    - `outputs`: by name: J, loss, output; z1, a1, delta1, e1, z2, ...; dW1, db1, ...
    """

    objective: Objective
    places: tuple[tuple[str, Layer, LayerNodes], ...]
    outputs: Mapping[str, Node]

    def values(self, subject: Subject, *, seed: int = 0, first_row: int = 0) -> dict[Node, Array]:
        """The values of the variables: the rows, the parameters, and what noise is drawn from.

        `first_row`: the number of rows that came before; a random layer draws by it.
        """
        made = self.objective
        given = {made.inputs["x"]: subject.X, made.inputs["y"]: subject.y}
        if subject.weights is not None:
            given[made.inputs["sample_weight"]] = subject.weights
        given |= {made.parameters[name]: value for name, value in subject.parameters.items()}
        given[made.l2] = np.array(subject.l2)
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
    target = subject.rows.target
    dtype = form.dtype if target.dtype.kind == "f" else target.dtype
    return make(
        form,
        subject.loss,
        target.shape,
        dtype,
        is_weighted=subject.weights is not None,
        is_penalised=subject.l2 > 0,
        is_still=is_still,
        frozen=frozen,
    )


def _passes(
    form: Network | Architecture, loss: Loss, shape: Shape, dtype: np.dtype[Any], **options: Any
) -> Passes:
    made = objective(form, loss, Target(np.empty(0), shape, dtype), **options)
    places = tuple(places_of(form.layers, made.noisy.layers))
    wrt = [node for _, _, nodes in places for node in (nodes.z, nodes.a)]
    slopes = gradient(made.J, [*wrt, *made.trained.values()])
    outputs = {J: made.J, LOSS: made.noisy_per_row, OUTPUT: made.noisy.output}
    for number, (place, _, nodes) in enumerate(places):
        own = {Z: nodes.z, A: nodes.a, DELTA: slopes[2 * number], E: slopes[2 * number + 1]}
        outputs |= {f"{kind}{place}": node for kind, node in own.items()}
    outputs |= {
        f"d{name}": slope for name, slope in zip(made.trained, slopes[len(wrt) :], strict=True)
    }
    return Passes(made, places, outputs)


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
