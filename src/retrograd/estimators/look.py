"""Looking into a fitted network: what its layers hold for given rows, what its inputs move."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from retrograd import gates
from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.estimators.form import Form, Place, in_pieces, named
from retrograd.graph.node import variable
from retrograd.graph.shape import rows
from retrograd.run import Function


def activations(
    form: Form,
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    X: Any,
    layer: int,
    place: Place,
) -> Array:
    """The activations of a layer for each row of X: (n, units of the layer)."""
    function = _layer(form, coefs[0].dtype, layer, place)
    return _joined(function, coefs, intercepts, X)[:, 0]


def input_gradients(
    form: Form, coefs: Sequence[Array], intercepts: Sequence[Array], X: Any, place: Place
) -> Array:
    """d(output)/d(input) for each row of X: (n, n_outputs, n_inputs)."""
    function = _gradients(form, coefs[0].dtype, place)
    return _joined(function, coefs, intercepts, X)


def _joined(
    function: Function, coefs: Sequence[Array], intercepts: Sequence[Array], X: Any
) -> Array:
    values = named(coefs, intercepts).values()
    pieces = [np.stack(function(piece, *values), axis=1) for piece in in_pieces(X)]
    return np.concatenate(pieces)


@lru_cache(maxsize=16)
def _layer(form: Form, dtype: np.dtype[Any], layer: int, place: Place) -> Function:
    network = form.network(dtype)
    x, own = variable("X", shape=(rows, network.n_inputs), dtype=dtype), network.variables()
    forward = network.forward(x, own)
    is_last = layer == len(forward.layers)
    node = forward.output if is_last else forward.layers[layer - 1].a
    return Function([node], [x, *own.values()], place.find())


@lru_cache(maxsize=16)
def _gradients(form: Form, dtype: np.dtype[Any], place: Place) -> Function:
    network = form.network(dtype)
    x, own = variable("X", shape=(rows, network.n_inputs), dtype=dtype), network.variables()
    output = network.forward(x, own).output
    # Rows do not mix: the gradient of a sum over them has each row's own.
    sums = [gates.sum(output[:, k]) for k in range(network.n_outputs)]
    slopes = [gradient(total, [x])[0] for total in sums]
    return Function(slopes, [x, *own.values()], place.find())
