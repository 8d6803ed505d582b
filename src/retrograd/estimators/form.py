"""The network that an estimator's parameters describe, and prediction with any weights for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.gates import exp
from retrograd.nn.activations import Activation
from retrograd.nn.mlp import MLP
from retrograd.nn.network import Network
from retrograd.run import Function, compile

HIDDEN: dict[str, str] = {
    "identity": "identity",
    "logistic": "sigmoid",
    "relu": "relu",
    "tanh": "tanh",
}
OUTPUTS: dict[str, Activation] = {
    "identity": "identity",
    "logistic": "sigmoid",
    "softmax": "softmax",
    "exp": exp,
}

ROWS_AT_ONCE = 4096  # prediction goes through X in pieces, so that memory does not grow with it


@dataclass(frozen=True)
class Form:
    """A network without its weights, in scikit-learn's words.

    `sizes`: inputs, units of each hidden layer, outputs. `activation`: of the hidden layers.
    `output`: scikit-learn's `out_activation_`.
    """

    sizes: tuple[int, ...]
    activation: str
    output: str

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shape of each coefficient matrix."""
        return list(pairwise(self.sizes))

    def network(self, dtype: np.dtype[Any]) -> Network:
        """A network of this form, its weights 0."""
        return MLP(
            self.sizes,
            activation=HIDDEN[self.activation],
            output=OUTPUTS[self.output],
            initializer="zeros",
            dtype=dtype,
        )


def named(coefs: Sequence[Array], intercepts: Sequence[Array]) -> dict[str, Array]:
    """scikit-learn's lists as a network's parameters: W1, b1, W2, ..."""
    pairs = enumerate(zip(coefs, intercepts, strict=True), start=1)
    return {
        f"{name}{i}": value for i, pair in pairs for name, value in zip("Wb", pair, strict=True)
    }


def listed(parameters: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
    """The inverse of `named`: the coefficients and the intercepts."""
    layers = range(1, len(parameters) // 2 + 1)
    return [parameters[f"W{i}"] for i in layers], [parameters[f"b{i}"] for i in layers]


def initial(
    form: Form, rng: np.random.RandomState, dtype: np.dtype[Any]
) -> tuple[list[Array], list[Array]]:
    """scikit-learn's initial weights, drawn in its order.

    Coefficients and intercepts of a layer (I, O) are uniform on (-limit, limit) with
    limit = sqrt(6 / (I + O)), sqrt(2 / (I + O)) for logistic   [Glorot & Bengio 2010, eq. 16]
    """
    factor = 2.0 if form.activation == "logistic" else 6.0
    coefs, intercepts = [], []
    for n_in, n_out in form.shapes:
        limit = np.sqrt(factor / (n_in + n_out))
        coefs.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype, copy=False))
        intercepts.append(rng.uniform(-limit, limit, n_out).astype(dtype, copy=False))
    return coefs, intercepts


def outputs(form: Form, coefs: Sequence[Array], intercepts: Sequence[Array], X: Any) -> Array:
    """The network's output for each row of X (n, I): (n, O), in the wider dtype of X and weights.

    X is an array, or a sparse matrix in csr form, which is expanded piece by piece.
    """
    own = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    function = _predictor(form, np.result_type(own, coefs[0].dtype))
    values = named(coefs, intercepts).values()
    pieces = [
        function(_dense(X[start : start + ROWS_AT_ONCE]), *values)[0]
        for start in range(0, max(X.shape[0], 1), ROWS_AT_ONCE)
    ]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _dense(X: Any) -> Array:
    return X if isinstance(X, np.ndarray) else np.asarray(X.toarray())


@lru_cache(maxsize=64)
def _predictor(form: Form, dtype: np.dtype[Any]) -> Function:
    output, inputs = form.network(dtype).prediction()
    return compile([output], inputs)
