"""Prediction of all members of an ensemble in one call: their weights stacked, their rows shared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.form import Form, named
from retrograd.graph.node import variable
from retrograd.graph.shape import rows
from retrograd.run import Function, compile

ROWS_AT_ONCE = 4096  # X is gone through in pieces, so that memory does not grow with it


def outputs(members: Sequence[BaseMLP], X: Any) -> Array:
    """Each member's output for each row of X (n, I): (M, n, O), in the wider dtype of X and weights.

    X is an array, or a sparse matrix in csr form, which is expanded piece by piece.
    Law: a member's part is, bit for bit, its own prediction.
    """
    lead = members[0]
    own = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    dtype = np.result_type(own, lead.coefs_[0].dtype)
    function = _predictor(lead._form(), dtype, len(members))
    each = [named(member.coefs_, member.intercepts_) for member in members]
    stacked = [_stacked(name, [one[name] for one in each]) for name in each[0]]
    pieces = []
    for start in range(0, max(X.shape[0], 1), ROWS_AT_ONCE):
        piece = X[start : start + ROWS_AT_ONCE]
        dense = piece if isinstance(piece, np.ndarray) else np.asarray(piece.toarray())
        pieces.append(function(dense, *stacked)[0])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)


def _stacked(name: str, values: Sequence[Array]) -> Array:
    """Weights as (M, I, O), biases as (M, 1, O)."""
    stacked = np.stack(values)
    return stacked[:, None] if name.startswith("b") else stacked


@lru_cache(maxsize=64)
def _predictor(form: Form, dtype: np.dtype[Any], n_members: int) -> Function:
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
    return compile([network.forward(x, weights).output], [x, *weights.values()])
