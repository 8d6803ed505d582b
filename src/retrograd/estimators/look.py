"""Looking into a fitted network: what its layers hold for given rows, what its inputs move."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from retrograd import gates
from retrograd.arrays import Array
from retrograd.autodiff.gradient import gradient
from retrograd.errors import OptionError, ShapeError
from retrograd.estimators.border import require_finite_outputs
from retrograd.estimators.form import Form, Place, in_pieces, named
from retrograd.estimators.prepare import (
    checked_inputs,
    checked_pair,
    checked_targets,
    rows_of,
)
from retrograd.estimators.problem import network_to_train
from retrograd.graph.node import variable
from retrograd.graph.shape import rows
from retrograd.inspect.subject import Subject
from retrograd.nn.network import Network
from retrograd.run import Function

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP


def activations(model: BaseMLP, X: Any, layer: int) -> Array:
    """The activations of a layer for each row of X: (n, units of the layer)."""
    X = checked_inputs(model, X)
    n = len(model.coefs_)
    is_number = isinstance(layer, Integral) and not isinstance(layer, bool)
    if not is_number or not (1 <= layer <= n or -n <= layer <= -1):
        raise OptionError(
            f"activations: layer is from 1 (the first hidden one) to {n} (the output), or "
            f"counts from the end as -1; got {layer!r}"
        )
    number = int(layer) if layer > 0 else n + 1 + int(layer)
    form, (coefs, intercepts) = model._form(), model._weights()
    function = _layer(form, coefs[0].dtype, number, model._place())
    found = _joined(function, coefs, intercepts, X)[:, 0]
    require_finite_outputs(found, "activation")
    return found


def input_gradients(model: BaseMLP, X: Any) -> Array:
    """d(output)/d(column of X) for each row of X: (n, n_outputs, n_features)."""
    X = checked_inputs(model, X)
    form, (coefs, intercepts) = model._form(), model._weights()
    function = _gradients(form, coefs[0].dtype, model._place())
    found = _joined(function, coefs, intercepts, X)
    require_finite_outputs(found, "gradient")
    return found if model._inputs is None else model._inputs.of_features(found)


def as_trained(model: BaseMLP) -> Network:
    """The network as it is trained, with the weights that are there now."""
    check_is_fitted(model)
    return network_to_train(model)


def subject(model: BaseMLP, X: Any, y: Any, sample_weight: Any) -> Subject:
    """The network, its loss and penalty, and these rows, prepared as in `fit`, to be looked at."""
    network = as_trained(model)
    X, y = checked_pair(model, X, y, is_first=False)
    # As in partial_fit, they may lack a class.
    targets = checked_targets(model, y, model._dtype, is_first=False, is_partial=True)
    if targets.n_outputs != model.n_outputs_:
        raise ShapeError(
            f"y: targets of the shape {y.shape} ask for {targets.n_outputs} outputs, the model "
            f"has {model.n_outputs_}; give y as in fit"
        )
    data = rows_of(model, X, y, targets, sample_weight, is_partial=False)
    weights = data.sample_weight
    total = len(data) if weights is None else max(float(weights.sum()), 1.0)
    return Subject.of(network, data, model._loss(network), float(model.alpha) / total)


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
    is_last = layer == len(form.shapes)
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
