"""The network that an estimator's parameters describe, and prediction with any weights for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from retrograd.arrays import Array, rows_at_once
from retrograd.engines.base import Engine
from retrograd.errors import OptionError
from retrograd.gates import exp
from retrograd.graph.function import call
from retrograd.graph.node import Node, variable
from retrograd.graph.shape import rows
from retrograd.nn.activations import Activation
from retrograd.nn.embeddings import Select
from retrograd.nn.ends import Heads
from retrograd.nn.layer import LayerNodes, Training
from retrograd.nn.layers import Dense, Dropout
from retrograd.nn.mlp import MLP
from retrograd.nn.network import Network
from retrograd.run import Function, find_engine

SCIKIT_LEARN = {"logistic": "sigmoid"}
"""scikit-learn's names of activations that have another here."""

OUTPUTS: dict[str, Activation] = {
    "identity": "identity",
    "logistic": "sigmoid",
    "softmax": "softmax",
    "exp": exp,
}


@dataclass(frozen=True)
class Form:
    """A network without its weights, in scikit-learn's words.

    `sizes`: inputs, units of each hidden layer, outputs. `activations`: of each hidden layer.
    `output`: scikit-learn's `out_activation_`.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    output: str

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shape of each coefficient matrix."""
        return list(pairwise(self.sizes))

    def network(self, dtype: np.dtype[Any], dropout: Sequence[float] = ()) -> Network:
        """A network of this form, its weights 0.

        `dropout`: for each hidden layer, the rate at which its units drop out while training.
        """
        network = MLP(
            self.sizes,
            activation=[own_name(each) for each in self.activations],
            output=OUTPUTS[self.output],
            initializer="zeros",
            dtype=dtype,
        )
        if not any(dropout):
            return network
        pairs = zip(network.layers, (0.0, *dropout), strict=True)
        layers = [_dropping(layer, rate) if rate else layer for layer, rate in pairs]
        return Network(layers, output=network.output, dtype=dtype)


@dataclass(frozen=True)
class HeadsForm(Form):
    """A network whose outputs are parted among heads, in their order, each with its own function.

    `heads`: the name of each, its number of outputs, and its `out_activation_`. The last weights
    are those of all of them, side by side.
    """

    heads: tuple[tuple[str, int, str], ...] = ()

    @property
    def parts(self) -> dict[str, slice]:
        """The columns of each head among the outputs."""
        ends = accumulate((n for _, n, _ in self.heads), initial=0)
        names = (name for name, _, _ in self.heads)
        return {name: slice(*part) for name, part in zip(names, pairwise(ends), strict=True)}

    def network(self, dtype: np.dtype[Any], dropout: Sequence[float] = ()) -> Network:
        """A network of this form, its weights 0; they are called as those of one output are."""
        own, n = super().network(dtype, dropout), self.sizes[-1]
        heads = {name: [Select(n, range(n)[part])] for name, part in self.parts.items()}
        output = {name: OUTPUTS[output] for name, _, output in self.heads}
        return Network([*own.layers, Heads(heads)], output=output, dtype=dtype)


def own_name(activation: Activation) -> Activation:
    """An activation as the package calls it."""
    return SCIKIT_LEARN.get(activation, activation) if isinstance(activation, str) else activation


def activations_of(choice: Any, n_hidden: int) -> tuple[Activation, ...]:
    """One activation for each hidden layer, from one for all or a sequence."""
    if isinstance(choice, str) or callable(choice):
        return (choice,) * n_hidden
    chosen = tuple(choice)
    if len(chosen) != n_hidden:
        raise OptionError(
            f"activation: one for all layers, or one for each of the {n_hidden} hidden layers; "
            f"got {len(chosen)}"
        )
    return chosen


@lru_cache(maxsize=64)
def require_rows_apart(activation: Callable[[Node], Node], units: int) -> None:
    """Raise OptionError for a function whose result for one row depends on the others.

    Such a network predicts something else for a row alone. Asked of a few numbers.
    """
    z = variable("z", shape=(rows, units))
    a = call(activation, z, what=f"activation {activation!r}")
    function = Function([a], [z], find_engine("numpy"))
    values = np.random.default_rng(0).normal(size=(3, units))
    alone = [function(values[[row]])[0] for row in range(3)]
    if not np.allclose(function(values)[0], np.concatenate(alone), rtol=1e-6, equal_nan=True):
        raise OptionError(
            f"activation {activation!r} mixes rows: what it gives for one depends on the others; "
            "let it look at a row alone, as by axis=1"
        )


@dataclass(frozen=True)
class DroppingDense(Dense):
    """A dense layer whose inputs drop out while training: its parameters keep their names."""

    rate: float = 0.0

    @property
    def noise(self) -> dict[str, float]:
        """The rate."""
        return {"": self.rate}

    def in_training(
        self, x: Node, parameters: Mapping[str, Node], training: Training, place: str
    ) -> LayerNodes:
        """The layer with what is left of its inputs."""
        assert training.noise is not None
        return self.nodes(Dropout(self.rate).noisy(x, training.noise, place), parameters)


def _dropping(layer: Any, rate: float) -> DroppingDense:
    return DroppingDense(
        layer.fan_in, layer.fan_out, layer.activation, initializer="zeros", rate=rate
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
    form: Form, rng: np.random.RandomState, dtype: np.dtype[Any], choice: Any
) -> tuple[list[Array], list[Array]]:
    """scikit-learn's initial weights, drawn in its order.

    Coefficients and intercepts of a layer (I, O) are uniform on (-limit, limit) with
    limit = sqrt(6 / (I + O)), sqrt(2 / (I + O)) for logistic   [Glorot & Bengio 2010, eq. 16].
    The last layer is drawn for the `choice` of an activation, the last of several.
    """
    several = choice if isinstance(choice, list | tuple) else [choice]
    coefs, intercepts = [], []
    for (n_in, n_out), activation in zip(
        form.shapes, (*form.activations, *several[-1:]), strict=True
    ):
        limit = np.sqrt((2.0 if own_name(activation) == "sigmoid" else 6.0) / (n_in + n_out))
        coefs.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype, copy=False))
        intercepts.append(rng.uniform(-limit, limit, n_out).astype(dtype, copy=False))
    return coefs, intercepts


@dataclass(frozen=True)
class Place:
    """Where networks run: an engine, and at most so many threads of it (None: all)."""

    engine: Any = "auto"
    n_threads: int | None = None

    def find(self) -> Engine:
        """The engine."""
        return find_engine(self.engine, n_threads=self.n_threads)


def outputs(
    form: Form, coefs: Sequence[Array], intercepts: Sequence[Array], X: Any, place: Place
) -> Array:
    """The network's output for each row of X (n, I): (n, O), in the wider dtype of X and weights.

    X is an array, or a sparse matrix in csr form, which is expanded piece by piece.
    """
    own = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    function = _predictor(form, np.result_type(own, coefs[0].dtype), place)
    values = named(coefs, intercepts).values()
    pieces = [function(piece, *values)[0] for piece in in_pieces(X)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def in_pieces(X: Any) -> Iterator[Array]:
    """The rows of X in arrays of a few thousand or less; one without rows where X has none."""
    size = rows_at_once(X)
    for start in range(0, max(X.shape[0], 1), size):
        piece = X[start : start + size]
        yield piece if isinstance(piece, np.ndarray) else np.asarray(piece.toarray())


@lru_cache(maxsize=64)
def _predictor(form: Form, dtype: np.dtype[Any], place: Place) -> Function:
    output, inputs = form.network(dtype).prediction()
    return Function([output], inputs, place.find())
