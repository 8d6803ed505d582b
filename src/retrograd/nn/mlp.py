"""`MLP`: a network of dense layers by their sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from retrograd.errors import OptionError
from retrograd.nn.activations import Activation
from retrograd.nn.initializers import InitializerChoice
from retrograd.nn.layers import Dense
from retrograd.nn.network import Network


def MLP(
    sizes: Sequence[int],
    *,
    activation: Activation | Sequence[Activation] = "relu",
    output: Activation = "identity",
    bias: bool = True,
    initializer: InitializerChoice = "auto",
    bias_initializer: InitializerChoice = "zeros",
    seed: int | None = 0,
    dtype: DTypeLike = np.float64,
) -> Network:
    """A multi-layer perceptron: dense layers of the given sizes.

    Args:
        sizes: inputs, units of each hidden layer, outputs: at least two integers.
        activation: of the hidden layers: one for all, or a sequence with one for each.
        output: what predictions are: "identity", "sigmoid" (binary, multi-label) or "softmax".
        bias: whether the layers have biases.
        initializer: of the weights, see `rg.Dense`.
        bias_initializer: of the biases.
        seed: of the initial weights. None draws a fresh one.
        dtype: float32 or float64.

    >>> rg.MLP([64, 100, 10], output="softmax")
    <network 64-100-10, output softmax, 7510 parameters>
    """
    widths = list(sizes) if isinstance(sizes, Sequence | np.ndarray) else [sizes]
    if len(widths) < 2:
        raise OptionError(f"MLP: sizes names inputs and outputs at least, got {widths}")
    n_hidden = len(widths) - 2
    is_each = isinstance(activation, Sequence) and not isinstance(activation, str)
    hidden = list(activation) if is_each else [activation] * n_hidden  # type: ignore[arg-type]  # mypy does not narrow through a name
    if len(hidden) != n_hidden:
        raise OptionError(f"MLP: {n_hidden} hidden layers, but {len(hidden)} activations")
    layers = [
        Dense(
            n_in,
            n_out,
            activation=act,
            bias=bias,
            initializer=initializer,
            bias_initializer=bias_initializer,
        )
        for n_in, n_out, act in zip(widths, widths[1:], [*hidden, "identity"], strict=False)
    ]
    return Network(layers, output=output, seed=seed, dtype=dtype)
