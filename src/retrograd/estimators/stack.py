"""Prediction of all members of an ensemble in one call: over the same rows, by stacked weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.border import require_finite_outputs
from retrograd.estimators.form import OUTPUTS, Form, Place, in_pieces, named
from retrograd.graph.node import variable
from retrograd.graph.shape import rows
from retrograd.nn.activations import find_activation
from retrograd.run import Function


def outputs(members: Sequence[BaseMLP], X: Any) -> Array:
    """Each member's output for each row of X (n, I): (M, n, O), in X's or the weights' wider dtype.

    X is an array, or a sparse matrix in csr form, which is expanded piece by piece.
    Law: a member's part is, bit for bit, its own prediction.
    """
    lead = members[0]
    own = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    dtype = np.result_type(own, lead._dtype)
    form, place = lead._form(), lead._place()
    function = _predictor(form, dtype, len(members), place)
    each = [named(*member._weights()) for member in members]
    stacked = [_stacked(name, [one[name] for one in each]) for name in each[0]]
    pieces = [function(piece, *stacked)[0] for piece in in_pieces(X)]
    logits = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)
    found = _finisher(form, dtype, place)(logits.reshape(-1, form.sizes[-1]))[0]
    found = found.reshape(logits.shape)
    for output in found:
        require_finite_outputs(output)
    return found


def _stacked(name: str, values: Sequence[Array]) -> Array:
    """Weights as (M, I, O), biases as (M, 1, O)."""
    stacked = np.stack(values)
    return stacked[:, None] if name.startswith("b") else stacked


@lru_cache(maxsize=64)
def _predictor(form: Form, dtype: np.dtype[Any], n_members: int, place: Place) -> Function:
    network = form.network(dtype)
    x = variable("X", shape=(rows, network.n_inputs), dtype=dtype)
    weights = {
        name: variable(
            name,
            shape=(n_members, *((1, *w.shape) if name.startswith("b") else w.shape)),
            dtype=dtype,
        )
        for name, w in network.parameters.items()
    }
    # x (rows, I) meets W (M, I, O): what holds for one member's matrices holds for a stack of them.
    return Function([network.forward(x, weights).logits], [x, *weights.values()], place.find())


@lru_cache(maxsize=64)
def _finisher(form: Form, dtype: np.dtype[Any], place: Place) -> Function:
    """From logits to outputs, (rows, O): a sum along a row is added up as in one member's own."""
    logits = variable("logits", shape=(rows, form.sizes[-1]), dtype=dtype)
    output = find_activation(OUTPUTS[form.output])(logits)
    return Function([output], [logits], place.find())
